"""What happens when, in the ensemble engine: closed forms, and the path that solves each trajectory by itself."""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import numpy as np
import pytest
import scipy.special

import twin
from tests.solver.test_events import CASES, TIMES
from tests.toys import MichaelisMenten, One, Pk, Turnover
from twin.errors import TwinError
from twin.model import Delivery, DiseaseModel, Final, Highest, covariate, exogenous, observable, part, state, treatment
from twin.parts.compartments import OralOneCompartment
from twin.regimen import Regimen
from twin.types import Scalar

ANA = twin.Patient("ana")
TIGHT = {"rtol": 1e-10, "atol": 1e-12}


# --- NONMEM's events, against closed forms -------------------------------------------------------------

REPEATED = [name for name, (events, _, _) in CASES.items() if "SS" in events]  # integrated, these take diffrax


@functools.cache
def closed(solver):
    """Cases of `tests/solver/test_events.py` in one batch: a case's regimen and draw have the same number."""
    cases = {name: case for name, case in CASES.items() if solver == "linear" or name not in REPEATED}
    usual = {"lag": 0.0, "bioavailability": 1.0, "duration": 2.0, "rate": 20.0}
    own = {n: np.array([[given.get(n, v) for _, given, _ in cases.values()]]) for n, v in usual.items()}
    found = twin.simulate(
        One(), ANA, regimens={name: Regimen.from_events(**events) for name, (events, _, _) in cases.items()},
        draws=len(cases), individuals=own, spread=False, outcomes=[], times=TIMES, until=60.0, solver=solver,
        **({} if solver == "linear" else TIGHT),
    )  # fmt: skip
    assert not np.any(found["sample_stats/status"].values)
    return {name: 50 * found["predictions/concentration"].values[0, i, i] for i, name in enumerate(cases)}


@pytest.mark.parametrize(
    ("name", "solver"),
    [
        (name, solver)
        for name in CASES
        for solver in ("linear", "ensemble")
        if solver == "linear" or name not in REPEATED
    ],
)
def test_events_equal_closed_forms(name, solver):
    """Exact to rounding (2e-15 seen); integrated at 1e-10 a step, errors of some fifty steps add up to 1e-11."""
    tolerance = 1e-12 if solver == "linear" else 1e-9
    np.testing.assert_allclose(closed(solver)[name], CASES[name][2](TIMES), rtol=tolerance, atol=tolerance)


# --- everything that may happen to an individual, against each trajectory by itself ---------------------


class Day(eqx.Module):
    absorbed: Scalar = exogenous(1.0, "1", "what food leaves of a dose")
    production: Scalar = exogenous(1.0, "1", "production of the biomarker, relative to the usual")


class Organs(eqx.Module):
    renal: Scalar = covariate(1.0, "1", "renal function, relative to the usual", low=0.0)


class Given(DiseaseModel):
    """An oral drug: lag, share absorbed, duration and rate are the individual's; organs and food change over time."""

    name, title, time_unit = "toy_given", "everything that may be given", "h"
    Parameters, Inputs, Covariates = Pk, Day, Organs
    linear = ("drug",)

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "the drug")

    def drug_rates(self, y, p):
        return y.drug.rates(absorption=p.absorption, clearance=p.clearance * p.renal, volume=p.volume)

    def derivatives(self, t, y, p):
        return self.State(drug=self.drug_rates(y, p))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery(bioavailability=p.bioavailability * p.absorbed, lag=p.lag)

    @treatment(unit="mg", into="drug.central")
    def blood(self, p):
        return Delivery(bioavailability=p.bioavailability, lag=p.lag, duration=p.duration, rate=p.rate)

    @observable(unit="mg/L")
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class Answered(Given):
    """The same drug inhibits the loss of a biomarker, which is integrated beside it."""

    name = "toy_answered"

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "the drug")
        biomarker: Scalar = state("1", "biomarker")

    def initial(self, p):
        return self.State(drug=OralOneCompartment(0.0, 0.0), biomarker=10.0 * p.production)

    def derivatives(self, t, y, p):
        c = y.drug.central / p.volume
        loss = 0.1 * y.biomarker * (1 - c / (0.5 + c))
        return self.State(drug=self.drug_rates(y, p), biomarker=p.production - loss)

    @observable(unit="1")
    def biomarker(self, t, y, p):
        return y.biomarker

    @observable(unit="1")
    def production(self, t, y, p):
        return p.production


# Individuals who differ in what moves events; lags that meet a sample and an infusion's end, too.
PEOPLE = {
    "lag": [0.0, 0.7, 2.0, 5.25],
    "bioavailability": [1.0, 0.5, 0.8, 0.33],
    "duration": [2.0, 8.0, 0.0, 30.0],
    "rate": [20.0, 3.0, 1.0, 100.0],
    "absorption": [1.2, 0.1, 5.0, 0.4],
}
FAILING = twin.Patient(
    "failing", covariates={"renal": [{"time": 0, "value": 1.0}, {"time": 12, "value": 0.4}, {"time": 30, "value": 0.1}]}
)
ARMS = {
    "nothing": None,
    "overlapping infusions": "50 mg blood over 20 h q6h x5",
    "one infusion ends as the next begins": "50 mg blood over 6 h q6h x4",
    "two at once, and an infusion": [
        {"treatment": "oral", "amount": "20 mg", "time": "6 h"},
        {"treatment": "oral", "amount": "30 mg", "time": "6 h"},
        {"treatment": "blood", "amount": "10 mg", "time": "6 h", "over": "2 h"},
    ],
    "a lagged dose is overtaken": "50 mg blood at 3 h; 20 mg oral at 4 h; 20 mg blood over 1 h at 4 h",
    "every way of giving": Regimen.from_events(
        TIME=[0, 5, 11, 17], AMT=[100, 100, 100, 60], RATE=[0, -2, -1, 7], CMT=[1, 2, 2, 2]
    ),
    "before time zero": Regimen.from_events(TIME=[-24, -10, 3], AMT=[50, 60, 20], RATE=[0, 4, 0], CMT=[1, 2, 1]),
    "at the very end, and after it": "20 mg oral at 0 h; 100 mg blood at 48 h; 100 mg blood at 60 h",
    "a reset in an infusion": Regimen.from_events(
        TIME=[0, 10, 12], AMT=[100, 0, 30], RATE=[5, 0, 0], EVID=[1, 3, 1], CMT=[2, 2, 1]
    ),
    "a reset and a dose": Regimen.from_events(TIME=[0, 20], AMT=[100, 50], EVID=[1, 4], CMT=[2, 1]),
    "often": "2 mg oral q1h x40",
}  # fmt: skip
CHANGING = {
    "inputs": {"doses": "20 mg oral q6h x6", "inputs": {
        "absorbed": [{"time": "6 h", "value": 0.5}, {"time": "13 h", "value": 0.9}],
        "production": [{"time": "0.3 h", "value": 1.5}, {"time": "20 h", "value": 0.25}],
    }},
    "an infusion through a change": {
        "doses": "50 mg blood over 20 h at 4 h", "inputs": {"production": [{"time": "10 h", "value": 2}]}
    },
}  # fmt: skip
LOOKS = np.linspace(-24, 48, 49)  # every 1.5 h: some at a dose, at an infusion's end, at a change

# name: (model, patients, regimens); what stays the same throughout takes another way through the engine
BATCHES = {
    "the same throughout": (Answered, [ANA], ARMS),
    "over time": (Answered, [ANA, FAILING], ARMS | CHANGING),
    "linear": (Given, [ANA], ARMS),
    "linear over time": (Given, [ANA, FAILING], ARMS),
}


def together(model, patients, arms, **words):
    """Four individuals a patient and regimen."""
    own = {n: np.array([values] * len(patients)) for n, values in PEOPLE.items()}
    return twin.simulate(
        model(), patients, regimens=arms, draws=4, individuals=own, spread=False, outcomes=[], **words
    )  # fmt: skip


@functools.cache
def batch(name):
    model, patients, arms = BATCHES[name]
    words = {"solver": "linear"} if model is Given else {"solver": "ensemble", "rtol": 1e-9, "atol": 1e-11}
    found = together(model, patients, arms, times=LOOKS, until=48.0, **words)
    assert not np.any(found["sample_stats/status"].values)
    return found["predictions"]


@functools.cache
def alone():
    """Each trajectory by itself, every state integrated by diffrax."""
    words = {"solver": "ode", "rtol": 1e-11, "atol": 1e-12}
    return together(Answered, [ANA, FAILING], ARMS | CHANGING, times=LOOKS, until=48.0, **words)["predictions"]


@pytest.mark.parametrize(("name", "arm"), [(name, arm) for name, (_, _, arms) in BATCHES.items() for arm in arms])
def test_a_course_equals_that_of_each_trajectory_by_itself(name, arm):
    """Of the largest value: 1e-9 where the engine is exact (1e-11 seen); 1e-7 at 1e-9 a step (1.4e-8 seen).

    A step's error is what is asked for, that of its interpolant at a sample up to forty times as much.
    """
    for seen, values in batch(name).data_vars.items():
        found = values.sel(regimen=arm)
        known = alone()[seen].sel(regimen=arm, patient=found["patient"])
        allowed = (1e-9 if name.startswith("linear") else 1e-7) * max(1.0, float(np.abs(known).max()))
        np.testing.assert_allclose(found, known, rtol=0, atol=allowed, err_msg=str(seen))


def test_steady_states_equal_those_of_one_trajectory():
    """One that replaces and one that adds, where absorption equals elimination, and with a lag.

    Two exact forms, by modes and by divided differences. Modes keep equal eigenvalues 1e-5 apart, which costs the
    square of that: 1e-10 of the largest value (6e-11 seen).
    """
    regimen = Regimen.from_events(
        TIME=[0, 4, 20], AMT=[30, 40, 25], II=[0, 12, 30], SS=[0, 1, 2], RATE=[0, 10, 0], CMT=[2, 2, 1]
    )
    times = LOOKS[LOOKS >= 0]
    words = {"times": times, "until": 48.0, "solver": "linear"}
    found = together(Given, [ANA], {"steady": regimen}, **words)["predictions/concentration"].values[0, 0]

    @jax.jit
    @jax.vmap
    def alone(own):
        return twin.solve(Given(), regimen, times, parameters=own, solver="linear", check=False)["concentration"]

    known = alone({name: jax.numpy.asarray(values) for name, values in PEOPLE.items()})
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-10 * np.max(known))


def test_a_steady_state_of_a_nonlinear_model_is_refused_or_solved_alone():
    regimens = {"steady": [{"treatment": "oral", "amount": "20 mg", "every": "12 h", "steady_state": True}]}
    with pytest.raises(TwinError, match="solver 'ensemble' cannot solve model 'toy_turnover': a steady state of a non"):
        twin.simulate(Turnover(), ANA, regimens=regimens, draws=1, outcomes=[], solver="ensemble")


# --- what is at one time -------------------------------------------------------------------------------


# Doses at 0, 12 and 24 h, and what is left of them just before those times and at 48 h.
AT_DOSES = {
    "each written out": ("100 mg blood q12h x3", 0.0),
    "by ADDL": (Regimen.from_events(TIME=[0], AMT=[100], II=[12], ADDL=[2]), 0.0),
    "by a lag": (Regimen.from_events(TIME=[-6, 6, 18], AMT=[100, 100, 100]), 6.0),
    "and at the end, and after it": ("100 mg blood q12h x3; 100 mg blood at 48 h; 100 mg blood at 60 h", 0.0),
}  # fmt: skip
LEFT = [0.0, *(sum(100 * np.exp(-0.1 * (t - d)) for d in (0, 12, 24) if d < t) for t in (12, 24, 48))]


@functools.cache
def at_doses(solver):
    own = {"lag": np.array([[lag for _, lag in AT_DOSES.values()]])}
    return twin.simulate(
        One(), ANA, regimens={name: regimen for name, (regimen, _) in AT_DOSES.items()}, draws=len(AT_DOSES),
        individuals=own, spread=False, outcomes=["peak", "final"], times=[0.0, 12.0, 24.0, 48.0], until=48.0,
        solver=solver, **({} if solver == "linear" else TIGHT),
    )  # fmt: skip


# docs/events.md: what a table's ADDL or a lag puts at a time comes before what the table has at that time.
COMES_FIRST = {"by ADDL": [0.0, 100.0, 100.0, 0.0], "by a lag": [100.0, 100.0, 100.0, 0.0]}


@pytest.mark.parametrize("solver", ["linear", "ensemble", "adaptive"])
@pytest.mark.parametrize("way", AT_DOSES)
def test_a_sample_at_a_dose_is_taken_before_it_unless_a_table_says_otherwise(way, solver):
    """1e-8 of what is left covers 1e-10 a step."""
    i, found = list(AT_DOSES).index(way), at_doses(solver)
    expected = np.add(LEFT, COMES_FIRST.get(way, 0.0))
    np.testing.assert_allclose(50 * found["predictions/concentration"].values[0, i, i], expected, rtol=1e-8, atol=1e-8)
    assert 50 * found["outcomes/final"].values[0, i, i] == pytest.approx(LEFT[-1], rel=1e-8)
    assert 50 * found["outcomes/peak"].values[0, i, i] == pytest.approx(LEFT[2] + 100, rel=1e-8)


@pytest.mark.parametrize("solver", ["ensemble", "adaptive"])
def test_a_change_of_an_input_comes_before_a_sample_of_its_time_and_before_the_start(solver):
    """docs/events.md: changes of covariates and inputs come first; the state begins with what holds at the start."""
    regimen = {"inputs": {"production": [{"time": "0 h", "value": 1.5}, {"time": "12 h", "value": 0.25}]}}
    words = {"draws": 1, "spread": False, "outcomes": [], "times": [0.0, 6.0, 12.0, 13.0], "solver": solver}
    found = twin.simulate(Answered(), ANA, regimens={"changing": regimen}, **words, **TIGHT)["predictions"]
    np.testing.assert_array_equal(found["production"].values.ravel(), [1.5, 1.5, 0.25, 0.25])
    expected = [15.0, 15.0, 15.0, 2.5 + 12.5 * np.exp(-0.1)]
    np.testing.assert_allclose(found["biomarker"].values.ravel(), expected, rtol=1e-8)


# --- when it is looked at -------------------------------------------------------------------------------

# One dose at 5 h, followed until 60 h. One sample a call shares a program, and so do a thousand.
WHEN = {
    "at the start": [0.0],
    "before the first dose": [2.0],
    "at the dose": [5.0],
    "just after it": [np.nextafter(5.0, 6.0)],
    "late": [31.7],
    "at the end": [60.0],
    "never": [],
    "a thousand times": np.linspace(0, 60, 1000),
    "repeatedly": np.repeat([0.0, 1.0, 5.0, 7.0, 8.0, 9.0, 60.0], [200, 1, 300, 1, 200, 1, 297]),
}
ONE_DOSE = {
    # of Michaelis-Menten elimination, Lambert's function
    "ensemble": (MichaelisMenten, 8.0, lambda t: 2 * scipy.special.lambertw(4 * np.exp((8 - 0.16 * t) / 2)).real),
    "linear": (One, 8.0, lambda t: 8 * np.exp(-0.1 * t)),
}


@pytest.mark.parametrize("solver", ONE_DOSE)
@pytest.mark.parametrize("when", WHEN)
def test_any_times_may_be_asked_for(when, solver):
    """1e-8 of the value at 1e-10 a step; a moment after a dose of 400 mg nothing of it is gone."""
    model, height, after = ONE_DOSE[solver]
    words = {} if solver == "linear" else TIGHT
    outcomes = {"final": Final(of="concentration"), "peak": Highest(of="concentration")}
    found = twin.simulate(
        model(), ANA, regimens={"one": "400 mg blood at 5 h"}, draws=1, spread=False, outcomes=outcomes,
        times=WHEN[when], until=60.0, solver=solver, **words,
    )  # fmt: skip
    times = np.asarray(WHEN[when])
    if len(times):
        expected = np.where(times > 5, after(np.maximum(times - 5, 0)), 0.0)
        np.testing.assert_allclose(found["predictions/concentration"].values.ravel(), expected, rtol=1e-8)
    assert float(found["outcomes/final"].squeeze()) == pytest.approx(after(55.0), rel=1e-8)
    assert float(found["outcomes/peak"].squeeze()) == pytest.approx(height, rel=1e-12)
