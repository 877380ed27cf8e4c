"""Lanes side by side: a hostile one ends by its status, and no lane's result depends on who is beside it."""

from __future__ import annotations

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import twin
from tests.solver.independent import VAN_DER_POL_END
from tests.stiff import VanDerPol
from tests.toys import MichaelisMenten, OralOne
from twin.model import (
    Area,
    Crossings,
    Delivery,
    DiseaseModel,
    FirstTime,
    Highest,
    Lowest,
    TimeShare,
    log_normal,
    observable,
    parameter,
    state,
    treatment,
)
from twin.solver.status import Status
from twin.types import Scalar

ANA = twin.Patient("ana")


class Rates(eqx.Module):
    clearance: Scalar = parameter(0.3, "1/h", "loss of the drug", spread=log_normal(cv=0.5))
    growth: Scalar = parameter(0.0, "1/h", "growth by its square")
    loss: Scalar = parameter(0.5, "1/h", "loss", spread=log_normal(cv=0.3))
    start: Scalar = parameter(1.0, "1", "the value at the start", spread=log_normal(cv=0.5))
    beat: Scalar = parameter(1.0, "1/h", "of a swinging source", spread=log_normal(cv=0.3))


class Swing(DiseaseModel):
    """A drug (exact) and a source that swings drive a value, which grows by its square if it is told to."""

    name, title, time_unit = "toy_swing", "a driven value", "h"
    Parameters, linear = Rates, ("drug",)

    class State(eqx.Module):
        drug: Scalar = state("mg", "the drug")
        value: Scalar = state("1", "the value")

    def initial(self, p):
        return self.State(0.0, p.start)

    def derivatives(self, t, y, p):
        driven = jnp.sin(p.beat * t) + 0.1 * y.drug
        return self.State(-p.clearance * y.drug, p.growth * y.value * y.value - p.loss * y.value + driven)

    @treatment(unit="mg", into="drug")
    def blood(self, p):
        return Delivery()

    @observable(unit="1")
    def value(self, t, y, p):
        return y.value

    outcomes = {
        "peak": Highest(of="value"),
        "area": Area(of="value"),
        "share": TimeShare(of="value", low=0.2, high=0.8),
        "first": FirstTime(of="value", above=1.5),
    }


# --- hostile lanes --------------------------------------------------------------------------------------

LANES, ODD = 64, 31  # a block of lanes, and the hostile one among them


@functools.cache
def calm():
    """Individuals (lane,), all of them ordinary."""
    generator = np.random.default_rng(0)
    low = {"clearance": 0.1, "growth": 0.0, "loss": 0.3, "start": 0.5, "beat": 0.5}
    high = {"clearance": 1.0, "growth": 0.0, "loss": 0.8, "start": 2.0, "beat": 2.0}
    return {name: generator.uniform(low[name], high[name], LANES) for name in low}


# name: what is odd about the lane, and how it may end: where OK is among these, the answer must be right
FAILED = {Status.STEP_LIMIT, Status.NOT_FINITE}
HOSTILE = {
    "a loss that is no number": ({"loss": np.nan}, {Status.NOT_FINITE}),
    "a start that is no number": ({"start": np.nan}, {Status.NOT_FINITE}),
    "a clearance that is no number": ({"clearance": np.nan}, {Status.NOT_FINITE}),
    "an infinite loss": ({"loss": np.inf}, {Status.NOT_FINITE}),
    "an infinite start": ({"start": np.inf}, {Status.NOT_FINITE}),
    "an infinite clearance": ({"clearance": np.inf}, {Status.NOT_FINITE}),
    "explodes": ({"growth": 1.0, "start": 5.0}, FAILED),
    "grows out of bounds": ({"loss": -1e3}, FAILED),
    "a drug that grows out of bounds": ({"clearance": -1e3}, FAILED),
    "beats too fast to be followed": ({"beat": 1e9}, {Status.STEP_LIMIT}),
    "an enormous rate": ({"loss": 1e12}, {Status.OK}),
    "a rate beyond measure": ({"loss": 1e300}, {Status.OK, *FAILED}),
}


@functools.cache
def course(solver, name=None):
    """All lanes, one of which is odd in the way of that name."""
    own = {word: values.copy() for word, values in calm().items()}
    for word, value in HOSTILE[name][0].items() if name else ():
        own[word][ODD] = value
    return twin.simulate(
        Swing(), ANA, regimens={"one": "10 mg q6h x4"}, draws=LANES, spread=False, times=np.linspace(0, 24, 13),
        individuals={word: values[None] for word, values in own.items()}, solver=solver,
    )  # fmt: skip


@pytest.mark.parametrize("solver", ["ensemble", "rosenbrock"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_lane_ends_by_its_status(name, solver):
    found = course(solver, name)
    status = found["sample_stats/status"].values.ravel()
    assert status[ODD] in HOSTILE[name][1]
    outcomes = {n: v.values[0, 0, ODD] for n, v in found["outcomes"].data_vars.items()}
    if status[ODD] == Status.OK:  # what is lost so fast never rises above its start
        assert outcomes["peak"] == pytest.approx(calm()["start"][ODD], rel=1e-6)
    else:
        assert all(np.isnan(value) for value in outcomes.values())
        assert np.isnan(found["predictions/value"].values[0, 0, ODD, -1])
        assert {row.failed for row in twin.summarise(found)} == {1}
    assert not np.any(np.delete(status, ODD))


def different(one, other, **where):
    """Which results of the same patients, regimens and draws are not the same to the last bit."""
    found = []
    for group in ("outcomes", "predictions", "sample_stats"):
        a, b = (tree[group].to_dataset().sel(where) for tree in (one, other))
        found += [str(what) for what in a.data_vars if not np.array_equal(a[what], b[what], equal_nan=True)]
    return found


@pytest.mark.parametrize("solver", ["ensemble", "rosenbrock"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_lane_changes_no_bit_of_its_neighbours(name, solver):
    neighbours = [lane for lane in range(LANES) if lane != ODD]
    assert different(course(solver), course(solver, name), draw=neighbours) == []


# --- stiffness and the step limit ------------------------------------------------------------------------


class Unannounced(VanDerPol):
    """Its jumps last a millionth of its drifts, and nobody says so."""

    name, stiff = "toy_unannounced", False
    outcomes = {"lowest": Lowest(of="place"), "falls": FirstTime(of="place", below=0.0)}


def oscillators(solver):
    """Two of its individuals are stiff, two are not."""
    return twin.simulate(
        Unannounced(), ANA, regimens={"none": None}, draws=4, times=[0.0, 1.0, 2.0], solver=solver, rtol=1e-8,
        individuals={"stiffness": np.array([[1e6, 1.0, 1e4, 3.0]])}, spread=False,
    )  # fmt: skip


def test_a_stiff_lane_is_given_up_by_the_explicit_method():
    """16,384 steps of three millionths do not reach the end; 1e4 takes fewer."""
    found = oscillators("tsit5")
    assert list(found["sample_stats/status"].values.ravel()) == [Status.STEP_LIMIT, 0, 0, 0]
    assert np.isnan(found["outcomes/lowest"].values[0, 0, 0])


def test_a_stiff_lane_is_solved_again_by_the_stiff_method():
    """The published end, to the error of a course at 1e-8; a lane that is not stiff keeps the explicit result."""
    found, explicit, implicit = (oscillators(solver) for solver in ("ensemble", "tsit5", "rosenbrock"))
    assert not np.any(found["sample_stats/status"].values)
    assert found["predictions/place"].values[0, 0, 0, -1] == pytest.approx(VAN_DER_POL_END[1][0], rel=2e-7)
    assert different(found, explicit, draw=[1, 3]) == []
    assert different(found, implicit, draw=[0]) == []


@pytest.mark.parametrize("solver", ["ensemble", "rosenbrock"])
def test_a_tolerance_below_rounding_ends(solver):
    """By the step limit, or with the right answer (Lambert's function, to the rounding of some thousand steps)."""
    found = twin.simulate(
        MichaelisMenten(), ANA, regimens={"one": "400 mg"}, draws=1, spread=False, outcomes=[], times=[100.0],
        solver=solver, rtol=1e-18, atol=1e-30,
    )  # fmt: skip
    status, end = (float(found[name].squeeze()) for name in ("sample_stats/status", "predictions/concentration"))
    if status == Status.OK:
        assert end == pytest.approx(2 * scipy.special.lambertw(4 * np.exp((8 - 16) / 2)).real, rel=1e-11)
    else:
        assert status == Status.STEP_LIMIT
        assert np.isnan(end)


# --- whoever is beside it, however it is run --------------------------------------------------------------


class Bolus(OralOne):
    """A linear model whose outcomes search for crossings, too."""

    name = "toy_bolus"
    outcomes = {
        "peak": Highest(of="concentration"),
        "exposure": Area(of="concentration"),
        "share": TimeShare(of="concentration", low=0.2),
        "episodes": Crossings(of="concentration", above=0.3),
    }


EVERYONE = tuple(twin.Patient(name) for name in ("ana", "ben", "eva", "kim"))
REGIMENS = {"usual": "20 mg q6h x4", "double": "40 mg q6h x4", "none": None}
MODELS = {"ensemble": (Swing, ""), "linear": (Bolus, " oral")}


def crowd(solver, patients=EVERYONE, names=tuple(REGIMENS), draws=30, **how):
    model, by = MODELS[solver]
    regimens = {name: REGIMENS[name] and REGIMENS[name].replace(" mg", " mg" + by) for name in names}
    return twin.simulate(
        model(), patients, regimens=regimens, draws=draws, seed=1, times=[3.0, 6.0, 20.0], until=24.0, solver=solver,
        **how,
    )  # fmt: skip


@functools.cache
def usual(solver):
    return crowd(solver)


# name: how it is run, of whom; 360 lanes usually
WAYS = {
    "in chunks": {"chunk": 64},
    "in one chunk": {"chunk": 100_000},
    "by one thread": {"workers": 1},
    "by four threads": {"workers": 4},
    "in another order": {"patients": EVERYONE[::-1], "names": tuple(REGIMENS)[::-1]},
    "in one small block, with fewer": {"patients": EVERYONE[2:3], "names": ("double",), "draws": 8},
    "many beside them": {"draws": 90},
}


@pytest.mark.parametrize("solver", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_no_bit_of_a_lane_depends_on_how_or_with_whom_it_runs(way, solver):
    one, other = usual(solver), crowd(solver, **WAYS[way])
    a, b = (tree["outcomes"].to_dataset() for tree in (one, other))
    shared = {dim: [x for x in a[dim].values if x in b[dim].values] for dim in ("patient", "regimen", "draw")}
    assert different(one, other, **shared) == []
