"""Outcomes of the ensemble engine, taken on each step's interpolant: closed forms, and a dense reference."""

from __future__ import annotations

import functools
import itertools

import equinox as eqx
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import twin
from tests.test_outcome import END, HALF, Wave
from tests.toys import OralOne, Pk
from twin.model import (
    Area,
    Average,
    Crossings,
    Delivery,
    DiseaseModel,
    Duration,
    Final,
    FirstTime,
    Highest,
    HighestTime,
    Lowest,
    LowestTime,
    Nothing,
    Recovery,
    TimeShare,
    observable,
    part,
    state,
    treatment,
)
from twin.parts.compartments import OralOneCompartment
from twin.types import Scalar

ANA = twin.Patient("ana")
TOLERANCES = (1e-4, 1e-6, 1e-8)

# Errors allowed in units of the tolerance. An interpolant may be off by ten times the tolerance of a step at its
# worst, and is rarely; where a curve is flat its place is known to the slope's error only, the power 3/4.
OF_VALUES = 5.0
OF_TURNS = 5.0


def outcomes_of(model, outcomes, *, end, regimen=None, **how):
    """Every outcome of the typical individual, and nothing else: no sample shortens a step."""
    found = twin.simulate(
        model, ANA, regimens={"one": regimen}, draws=1, spread=False, times=[], until=end, outcomes=outcomes, **how
    )
    assert not np.any(found["sample_stats/status"].values)
    return {name: float(v.squeeze()) for name, v in found["outcomes"].data_vars.items()}


def allowed(outcome, tolerance):
    return OF_TURNS * tolerance**0.75 if isinstance(outcome, HighestTime | LowestTime) else OF_VALUES * tolerance


# --- a sine, whose every outcome is known ------------------------------------------------------------------

# name: (outcome, its value). The state is a clock, which any step follows: only what is seen limits the steps.
WAVE = {
    "peak": (Highest(of="wave", until=3.0), 1.0),
    "peak time": (HighestTime(of="wave", until=3.0), np.pi / 2),
    "trough": (Lowest(of="wave"), -1.0),
    "area": (Area(of="wave"), 1 - np.cos(END)),
    "share": (TimeShare(of="wave", low=0.5), 2 * (np.pi - 2 * HALF) / END),
    "first": (FirstTime(of="wave", below=-0.5), np.pi + HALF),
    "recovery": (Recovery(of="wave", above=-0.5), 2 * np.pi - HALF),
    "crossings": (Crossings(of="wave", above=0.5), 2.0),
    "never": (FirstTime(of="wave", above=1.5), np.inf),
    "area of a window": (Area(of="wave", since=1.234, until=2.345), np.cos(1.234) - np.cos(2.345)),
}


@functools.cache
def waves(tolerance):
    outcomes = {name: outcome for name, (outcome, _) in WAVE.items()}
    return outcomes_of(Wave(), outcomes, end=END, solver="ensemble", rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("name", WAVE)
def test_outcomes_of_a_sine(name, tolerance):
    outcome, known = WAVE[name]
    assert waves(tolerance)[name] == pytest.approx(known, rel=0, abs=allowed(outcome, tolerance))


# --- a nonlinear oscillation, against a dense course ---------------------------------------------------------


class Hunt(DiseaseModel):
    """Prey and hunters: three turns of an orbit that never settles."""

    name, title, time_unit = "toy_hunt", "prey and hunters", "h"
    Parameters = Nothing

    class State(eqx.Module):
        prey: Scalar = state("1", "prey")
        hunters: Scalar = state("1", "hunters")

    def initial(self, p):
        return self.State(2.0, 1.0)

    def derivatives(self, t, y, p):
        caught = 0.5 * y.prey * y.hunters
        return self.State(y.prey - caught, caught - y.hunters)

    @observable(unit="1")
    def prey(self, t, y, p):
        return y.prey


HUNT_END, LEVEL, WINDOW = 20.0, 1.5, (1.234, 15.432)
HUNT = {
    "peak": Highest(of="prey"),
    "peak time": HighestTime(of="prey", until=5.0),
    "trough": Lowest(of="prey"),
    "trough time": LowestTime(of="prey", until=6.0),
    "area": Area(of="prey"),
    "area of a window": Area(of="prey", since=WINDOW[0], until=WINDOW[1]),
    "share": TimeShare(of="prey", low=LEVEL),
    "first": FirstTime(of="prey", below=LEVEL),
    "recovery": Recovery(of="prey", above=LEVEL),
    "crossings": Crossings(of="prey", above=LEVEL),
    "final of a window": Final(of="prey", until=11.11),
}


@functools.cache
def known_hunt():
    """SciPy's dense course at 1e-13, its turns and passages by root finding, its areas by quadrature."""

    def rates(t, y):
        caught = 0.5 * y[0] * y[1]
        return np.array([y[0] - caught, caught - y[1]])

    options = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-13, "dense_output": True}
    course = scipy.integrate.solve_ivp(rates, (0, HUNT_END), [2.0, 1.0], **options).sol

    def roots(function):
        grid = np.linspace(0, HUNT_END, 2001)
        cells = [(a, b) for a, b in itertools.pairwise(grid) if function(a) * function(b) < 0]
        return [scipy.optimize.brentq(function, a, b, xtol=1e-14) for a, b in cells]

    def prey(t):
        return course(t)[0]

    def area(begin, end):
        edges = np.linspace(begin, end, 41)
        return sum(scipy.integrate.quad(prey, a, b, epsabs=1e-14)[0] for a, b in itertools.pairwise(edges))

    turns, passages = roots(lambda t: rates(t, course(t))[0]), roots(lambda t: prey(t) - LEVEL)
    edges = [0.0, *passages, HUNT_END]
    above = sum(b - a for a, b in itertools.pairwise(edges) if prey((a + b) / 2) > LEVEL)
    return {
        "peak": max(map(prey, turns)), "peak time": turns[0], "trough": min(map(prey, turns)), "trough time": turns[1],
        "area": area(0.0, HUNT_END), "area of a window": area(*WINDOW), "share": above / HUNT_END,
        "first": passages[0], "recovery": passages[1], "crossings": 3.0, "final of a window": prey(11.11),
    }  # fmt: skip


@functools.cache
def hunts(solver, tolerance):
    return outcomes_of(Hunt(), HUNT, end=HUNT_END, solver=solver, rtol=tolerance, atol=1e-3 * tolerance)


@pytest.mark.parametrize(("solver", "tolerance"), [*(("ensemble", t) for t in TOLERANCES), ("rosenbrock", 1e-6)])
@pytest.mark.parametrize("name", HUNT)
def test_outcomes_of_a_nonlinear_oscillation(name, solver, tolerance):
    found, known = hunts(solver, tolerance)[name], known_hunt()[name]
    assert found == pytest.approx(known, rel=0, abs=allowed(HUNT[name], tolerance))


# --- what is exact between distant events -------------------------------------------------------------------------


class Flash(DiseaseModel):
    """A drug with a half-life of a minute, exact, beside a biomarker that takes steps of hours."""

    name, title, time_unit = "toy_flash", "a fast drug", "h"
    Parameters, linear = Pk, ("drug",)

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "the drug")
        biomarker: Scalar = state("1", "biomarker")

    def initial(self, p):
        return self.State(OralOneCompartment(0.0, 0.0), 10.0)

    def derivatives(self, t, y, p):
        c = y.drug.central / p.volume
        drug = y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume)
        return self.State(drug=drug, biomarker=1.0 - 0.1 * y.biomarker * y.biomarker / (10.0 + c))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @treatment(unit="mg", into="drug.central")
    def blood(self, p):
        return Delivery()

    @observable(unit="mg/L")
    def concentration(self, t, y, p):
        return y.drug.central / p.volume

    @observable(unit="1")
    def biomarker(self, t, y, p):
        return y.biomarker


SPEEDS = (1.0, 5.0, 50.0)  # per hour: half-lives of 42, 8 and 0.8 minutes; absorption is 1.6 times as fast
GIVEN = {"oral": "10 mg oral at 24 h; 10 mg oral at 48 h", "blood": "10 mg blood at 24 h; 10 mg blood at 48 h"}
FLASH_END, HIGH = 72.0, 1.0
FLASH = {
    "peak": Highest(of="concentration", until=48.0),
    "peak time": HighestTime(of="concentration", until=48.0),
    "exposure": Area(of="concentration"),
    "average": Average(of="concentration"),
    "trough": Lowest(of="concentration"),
    "time above": Duration(of="concentration", low=HIGH, until=48.0),
    "first": FirstTime(of="concentration", above=HIGH),
    "times": Crossings(of="concentration", above=HIGH),
    "response": Area(of="biomarker"),
}
FLASHES = {"ensemble": FLASH, "linear": {name: outcome for name, outcome in FLASH.items() if name != "response"}}


def level(way, speed, t):
    """The concentration a time `t` after a dose: Bateman's function, or an exponential."""
    left, unabsorbed = (np.exp(-rate * np.maximum(t, 0.0)) for rate in (speed, 1.6 * speed))
    return 10 * left if way == "blood" else 10 * 1.6 / 0.6 * (left - unabsorbed)


@functools.cache
def known_flash(way, speed):
    """Closed forms of the drug, and SciPy at 1e-12 of the biomarker, restarted at every dose with small steps."""
    top = np.log(1.6) / (0.6 * speed) if way == "oral" else 0.0
    rise = scipy.optimize.brentq(lambda t: level(way, speed, t) - HIGH, 0, top) if way == "oral" else 0.0
    fall = scipy.optimize.brentq(lambda t: level(way, speed, t) - HIGH, top, 24.0)
    state = np.array([10.0, 0.0])
    for begin, doses in ((0.0, ()), (24.0, (24.0,)), (48.0, (24.0, 48.0))):

        def rates(t, y, doses=doses):
            c = sum(level(way, speed, t - dose) for dose in doses)
            return [1.0 - 0.1 * y[0] * y[0] / (10.0 + c), y[0]]

        for span in itertools.pairwise((begin, begin + 10 / speed, begin + 24)):
            options = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-13, "max_step": (span[1] - span[0]) / 50}
            state = scipy.integrate.solve_ivp(rates, span, state, **options).y[:, -1]
    return {
        "peak": level(way, speed, top), "peak time": 24 + top, "trough": 0.0, "first": 24 + rise, "times": 2.0,
        "exposure": 20 / speed, "average": 20 / speed / FLASH_END, "time above": fall - rise, "response": state[1],
    }  # fmt: skip


@functools.cache
def flashes(solver):
    own = {"clearance": np.array([SPEEDS]), "volume": np.ones((1, 3)), "absorption": 1.6 * np.array([SPEEDS])}
    found = twin.simulate(
        Flash() if solver == "ensemble" else OralOne(), ANA, regimens=GIVEN, draws=3, individuals=own, spread=False,
        times=[], until=FLASH_END, outcomes=FLASHES[solver], solver=solver, rtol=1e-6, atol=1e-9,
    )  # fmt: skip
    assert not np.any(found["sample_stats/status"].values)
    return found["outcomes"].to_dataset()


@pytest.mark.parametrize(("solver", "name"), [(solver, name) for solver, asked in FLASHES.items() for name in asked])
@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("way", GIVEN)
def test_a_fast_drug_between_distant_events(way, speed, solver, name):
    """Nothing else moves, so a step could be a day: none may step over a dose, nor over what it does to a biomarker.

    Values of up to 10 at 1e-6 a step; the biomarker's area, of 720, too.
    """
    found = float(flashes(solver)[name].sel(regimen=way, draw=SPEEDS.index(speed)).squeeze())
    size = {"peak": 10.0, "response": 720.0}.get(name, 1.0)
    assert found == pytest.approx(known_flash(way, speed)[name], rel=0, abs=size * allowed(FLASH[name], 1e-6))


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_outcomes_of_a_linear_model(tolerance):
    """No step is limited by an error of states, all by what outcomes see; areas are exact."""
    outcomes = {
        "peak": Highest(of="concentration"), "peak time": HighestTime(of="concentration"),
        "exposure": Area(of="concentration"), "time above": Duration(of="concentration", low=1.0),
    }  # fmt: skip
    found = outcomes_of(OralOne(), outcomes, end=200.0, regimen="100 mg oral", solver="linear", rtol=tolerance)
    top = np.log(12) / 1.1

    def course(t):
        return 2 * 1.2 / 1.1 * (np.exp(-0.1 * t) - np.exp(-1.2 * t))

    passed = [scipy.optimize.brentq(lambda t: course(t) - 1.0, *ends) for ends in ((0, top), (top, 200))]
    known = {"peak": course(top), "peak time": top, "time above": passed[1] - passed[0]}
    for name, value in known.items():
        assert found[name] == pytest.approx(value, rel=0, abs=allowed(outcomes[name], tolerance)), name
    assert found["exposure"] == pytest.approx(20 * (1 - 1.2 / 1.1 * np.exp(-20.0)), rel=1e-12)
