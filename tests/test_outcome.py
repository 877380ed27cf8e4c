"""Outcomes: against closed forms and dense references, through the solvers that feed them."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import twin
from tests.toys import OralOne, Three
from twin.model import (
    Area,
    AreaWithin,
    Average,
    Crossings,
    DiseaseModel,
    Duration,
    EventTime,
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
    state,
)
from twin.model.cubic import Piece
from twin.types import Scalar


class Clock(eqx.Module):
    elapsed: Scalar = state("h", "time")


class Wave(DiseaseModel):
    """sin(t): an observable whose every outcome is known."""

    name, title, time_unit = "toy_wave", "a wave", "h"
    State, Parameters = Clock, Nothing
    resolution = 0.1

    def derivatives(self, t, y, p):
        return Clock(1.0)

    @observable(unit="1")
    def wave(self, t, y, p):
        return jnp.sin(y.elapsed)

    @observable(unit="1")
    def hazard(self, t, y, p):
        return 0.1 * y.elapsed


END = 10.0
HALF = np.pi / 6  # where a sine is one half

# Errors fall with the fourth power of the spacing: at 0.1, values to 1e-6 and times to 1e-5.
WAVE = {
    "peak": (Highest(of="wave"), 1.0),
    "trough": (Lowest(of="wave"), -1.0),
    "peak time": (HighestTime(of="wave", until=3.0), np.pi / 2),
    "trough time": (LowestTime(of="wave"), 3 * np.pi / 2),
    "area": (Area(of="wave"), 1 - np.cos(END)),
    "area within": (AreaWithin(of="wave", low=1.8, high=1.9), 1.0),
    "area beyond": (AreaWithin(of="wave", high=1.8), 0.0),
    "average": (Average(of="wave"), (1 - np.cos(END)) / END),
    "final": (Final(of="wave"), np.sin(END)),
    "share above one half": (TimeShare(of="wave", low=0.5), 2 * (np.pi - 2 * HALF) / END),
    "time between": (
        # up through [0, 1/2] and down again twice, but the second descent is cut off at t = 10
        Duration(of="wave", low=0.0, high=0.5),
        4 * HALF,
    ),
    "first above": (FirstTime(of="wave", above=0.5), HALF),
    "first below": (FirstTime(of="wave", below=-0.5), np.pi + HALF),
    "at once": (FirstTime(of="wave", below=0.0), 0.0),
    "never": (FirstTime(of="wave", above=1.5), np.inf),
    "recovery": (Recovery(of="wave", above=-0.5), 2 * np.pi - HALF),
    "nothing to recover from": (Recovery(of="wave", above=-2.0), np.nan),
    "recovery downwards": (Recovery(of="wave", below=0.5), np.pi - HALF),
    "never above": (Recovery(of="wave", below=2.0), np.nan),
    "crossings": (Crossings(of="wave", above=0.5), 2.0),
    "peak in a window": (Highest(of="wave", since=4.0, until=5.5), np.sin(5.5)),
    "area in a window": (Area(of="wave", since=1.234, until=2.345), np.cos(1.234) - np.cos(2.345)),
    "share in a window": (TimeShare(of="wave", low=0.0, since=3.0, until=4.0), np.pi - 3.0),
    "final of a window": (Final(of="wave", until=7.77), np.sin(7.77)),
    "first in a window": (FirstTime(of="wave", above=0.5, since=2 * np.pi), 2 * np.pi + HALF),
}


@pytest.fixture(scope="module")
def waves():
    return twin.solve(Wave(), None, [END], outcomes={name: outcome for name, (outcome, _) in WAVE.items()})


@pytest.mark.parametrize("name", WAVE)
def test_outcomes_of_a_sine(name, waves):
    expected = WAVE[name][1]
    assert float(waves[name]) == pytest.approx(expected, abs=2e-5, nan_ok=True)


def test_errors_fall_with_the_fourth_power_of_the_spacing():
    class Coarse(Wave):
        name = "toy_coarse_wave"
        resolution = 0.4

    class Fine(Wave):
        name = "toy_fine_wave"
        resolution = 0.1

    outcomes = {"area": Area(of="wave"), "peak": Highest(of="wave"), "when": FirstTime(of="wave", above=0.5)}
    known = {"area": 1 - np.cos(END), "peak": 1.0, "when": HALF}
    errors = []
    for kind in (Coarse, Fine):
        found = twin.solve(kind(), None, [END], outcomes=outcomes)
        errors.append({name: abs(float(found[name]) - known[name]) for name in known})
    for name in known:  # a factor of 4^4 = 256; a tenth of it allows for where peaks fall between looks
        assert errors[1][name] < errors[0][name] / 25


def test_event_time_is_where_the_cumulative_hazard_meets_its_draw():
    result = twin.simulate(
        Wave(), twin.Patient("ana"), regimens={"none": None}, draws=200, until=END, times=[],
        outcomes={"event": EventTime(of="hazard")},
    )  # fmt: skip
    event = result["outcomes/event"].values.ravel()
    assert np.isinf(event).mean() == pytest.approx(np.exp(-1.0), abs=0.1)
    assert np.all(event > 0)


def test_a_fast_phase_after_a_dose_is_seen():
    """Doses into a three-compartment body that distributes 9 per hour, looked at every 6 h: its area is exact.

    The course rises and falls by an order of magnitude between two looks; what is seen of it comes from
    the finer looks after each dose.
    """

    class Docetaxel(Three):
        name = "toy_docetaxel"
        resolution = 6.0

    fast = {"clearance": 35.7, "volume": 6.94, "exchange": 5.58, "shallow_volume": 7.39}
    fast |= {"deep_exchange": 12.5, "deep_volume": 225.0}
    outcomes = {"area": Area(of="concentration"), "peak": Highest(of="concentration")}
    found = twin.solve(Docetaxel(), "180 mg over 1 h", [500.0], parameters=fast, outcomes=outcomes)
    times = np.sort(np.concatenate([np.linspace(0, 500, 50_001), np.geomspace(1e-4, 20, 20_000)]))
    dense = np.asarray(twin.solve(Docetaxel(), "180 mg over 1 h", times, parameters=fast)["concentration"])
    assert float(found["area"]) == pytest.approx(scipy.integrate.trapezoid(dense, times), rel=1e-6)
    assert float(found["peak"]) == pytest.approx(dense.max(), rel=1e-6)  # at the infusion's end, which is a look


def test_exposure_and_peak_of_an_oral_dose():
    """AUC is F D / CL; the peak is at ln(ka/k) / (ka - k)."""
    outcomes = {"area": Area(of="concentration"), "when": HighestTime(of="concentration")}
    found = twin.solve(OralOne(), "100 mg oral", [200.0], outcomes=outcomes)
    assert float(found["area"]) == pytest.approx(100 / 5.0 * (1 - 1.2 / 1.1 * np.exp(-20.0)), rel=1e-12)
    # printed: 2.259006; looked at every hour, where a cubic misplaces a flat peak by its third derivative
    assert float(found["when"]) == pytest.approx(np.log(1.2 / 0.1) / 1.1, rel=5e-3)


@pytest.mark.parametrize("seed", range(30))
def test_times_below_a_level_on_random_cubics(seed):
    """Against a dense grid, whose spacing is the tolerance."""
    generator = np.random.default_rng(seed)
    v0, v1, d0, d1 = generator.normal(size=4) * [1, 1, 4, 4]
    piece = Piece(*(jnp.asarray(x) for x in (2.0, 5.0, v0, v1, d0, d1)))
    level = generator.normal() * 0.5
    dense = np.asarray(piece.at(jnp.linspace(0, 1, 200_001)))
    assert float(piece.share_below(level)) == pytest.approx(np.mean(dense < level), abs=1e-5)
    turning = [float(piece.at(s)) for s in (0.0, 1.0, *piece.turns())]
    assert max(turning) == pytest.approx(dense.max(), abs=1e-6)
    assert min(turning) == pytest.approx(dense.min(), abs=1e-6)
    assert float(piece.area()) == pytest.approx(3 * scipy.integrate.simpson(dense, dx=1 / 200_000), abs=1e-6)


def test_a_decay_that_is_not_resolved_does_not_swing_through_zero():
    steep = Piece(*(jnp.asarray(x) for x in (0.0, 1.0, 1.0, 0.01, -50.0, -0.01))).without_overshoot()
    assert float(jnp.min(steep.at(jnp.linspace(0, 1, 101)))) >= 0.0


def test_a_course_by_itself_has_no_chance_and_refuses_what_is_drawn():
    """With no draw, the event would happen at the start, without a word."""
    event = {"event": EventTime(of="hazard")}
    with pytest.raises(twin.TwinError, match="outcome 'event' is when an event happens, which is drawn"):
        twin.solve(Wave(), None, [END], outcomes=event)
