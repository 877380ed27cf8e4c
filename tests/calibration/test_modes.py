"""Modes: a climb goes on until it has settled, along the narrowest bend, and says when it has not."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import calibration
from calibration.method import modes
from tests.calibration.test_ridges import Bent
from twin.patient import Observation, Patient

SEEN = 2.0
TOP = (0.5, 1.5)  # a, and b^2: where a^2 + b^2 is least of all with a + b^2 = SEEN


def narrow(method: str):
    """A parabola a hundredth as wide as that of `test_ridges`."""
    ana = Patient("ana", observations=[Observation("both", 1.0, SEEN)])
    return calibration.calibrate(Bent().with_values(error=5e-4), ana, method=method, draws=200)


@pytest.fixture(scope="module")
def mode():
    return narrow("map")


def test_a_climb_along_a_narrow_bend_goes_on_until_its_top(mode):
    """Within 1e-3: measured without error, the top would be exactly there."""
    a, b = mode.u[0, 0]
    assert (a, b**2) == pytest.approx(TOP, abs=1e-3)
    assert mode.stats["settled"][0] == 1.0
    assert mode.stats["modes"][0] == 3.0, "two tops, and the saddle between them, which a climb from 0 finds level"


def test_a_mode_alone_is_a_caution_that_says_what_it_leaves_out(mode):
    assert mode.verdict == ("caution",)
    assert "the likeliest of 3 modes, without its width" in mode.reasons[0]
    (alone,) = mode.with_stats(modes=np.array([1.0])).reasons
    assert "the only mode found, without its width" in alone


def test_a_climb_that_has_not_settled_is_not_trusted(monkeypatch):
    monkeypatch.setattr(modes, "climb", functools.partial(modes.climb, turns=5))
    found = narrow("map")
    assert found.stats["settled"][0] == 0.0
    assert found.verdict == ("not trusted",)
    assert "the climb to the mode had not settled" in found.reasons[0][0]


def test_a_normal_approximation_of_what_is_not_normal_is_not_trusted():
    found = narrow("laplace")
    assert found.stats["effective_draws"][0] < 100
    assert found.verdict == ("not trusted",)
    assert "the posterior is not normal around its mode" in found.reasons[0][0]
