"""Adaptive therapy: logistic growth and a lone clone in closed form, rates by hand, the paper's claims of the rule."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from tests.reference.adaptive_strobl2021 import KNOWN, therapies
from twin.disease.adaptive_strobl2021 import AdaptiveStrobl2021

MODEL = AdaptiveStrobl2021()
CLOSE = 1e-5  # single precision where x64 is off
DAYS = np.array([0.0, 30.0, 100.0, 300.0])


def logistic(start: float, rate: float, room: float, times: np.ndarray) -> np.ndarray:
    return room / (1 + (room / start - 1) * np.exp(-rate * times))


def test_without_drug_both_grow_as_one():
    """A logistic curve to a full room; shares stay what they are."""
    course = twin.solve(MODEL, None, DAYS)
    np.testing.assert_allclose(course["burden"], logistic(0.5, 0.027, 1.0, DAYS), rtol=1e-6)
    np.testing.assert_allclose(course["resistant_share"], 0.01, rtol=1e-6)
    np.testing.assert_allclose(course["psa"], 40 * np.asarray(course["burden"]), rtol=1e-9)


def test_turnover_leaves_less_room():
    """With deaths the room is 1 - turnover and growth slower by as much, whatever the clones."""
    course = twin.solve(MODEL, None, DAYS, parameters={"turnover": 0.3})
    np.testing.assert_allclose(course["burden"], logistic(0.5, 0.027 * 0.7, 0.7, DAYS), rtol=1e-6)


def test_resistant_cells_alone_are_logistic_under_the_drug():
    course = twin.solve(MODEL, None, DAYS, parameters={"resistant_before": 1 - 1e-12}, inputs={"drug": 1.0})
    np.testing.assert_allclose(course["burden"], logistic(0.5, 0.027, 1.0, DAYS), rtol=1e-6)


@pytest.mark.parametrize("drug", [0.0, 1.0])
def test_rates_by_hand(drug):
    """Those of the logarithms: each rate of the paper over its own clone."""
    person = typical(MODEL.with_values(cost=0.2, turnover=0.3), inputs={"drug": drug})
    state = MODEL.State(dosed=0.0, sensitive=np.log(0.4), resistant=np.log(0.1))
    rates = MODEL.derivatives(0.0, state, person)
    assert float(rates.sensitive) == pytest.approx(0.027 * 0.5 * (1 - 1.5 * drug) - 0.3 * 0.027, rel=CLOSE)
    assert float(rates.resistant) == pytest.approx(0.8 * 0.027 * 0.5 - 0.3 * 0.027, rel=CLOSE)


@pytest.mark.slow
def test_what_the_paper_says_of_the_rule():
    """It gains more from fuller and less resistant tumours, and nothing at one in ten; turnover adds to it."""
    continuous, adaptive, _ = therapies(tuple(KNOWN))
    gain = dict(zip(KNOWN, adaptive - continuous, strict=True))
    burdens, shares = (sorted({case[i] for case in KNOWN}) for i in (0, 1))
    for share in (0.01, 0.001):
        assert np.all(np.diff([gain[burden, share] for burden in burdens]) > 0)
    for burden in burdens:
        assert np.all(np.diff([gain[burden, share] for share in shares]) < 0)
        assert gain[burden, 0.1] == pytest.approx(0.0, abs=1e-6)
    for_good, by_rule, _ = therapies(((0.55, 0.01),), turnover=0.3)
    assert by_rule[0] - for_good[0] > gain[0.55, 0.01]
