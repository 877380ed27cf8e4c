"""Null trials in numbers that resolve a level from both sides: five looks, and every way that sizes or arms change."""

from __future__ import annotations

import math

import pytest

from .trying import attempt, value

SAME = {"control": None, "same": None}


def holds(found, level: float, count: int, hypothesis: int = 0) -> None:
    """Within three standard errors of the level, no more and no less."""
    one, _ = value(found, "operating", "rejected", hypothesis=hypothesis)
    assert abs(one - level) < 3 * math.sqrt(level * (1 - level) / count), one


@pytest.mark.slow
@pytest.mark.parametrize("spend", ["obrien_fleming", "pocock"])
def test_five_looks_at_100_000_trials(spend):
    """What spends alpha wrongly, as p values against what was spent so far would, has 0.061 (O'Brien and Fleming) or
    0.097 (Pocock), and what is too careful less than 0.045: three standard errors are 0.002."""
    found = attempt(
        SAME, patients=100, replicates=100_000, seed=11, recruit={"rate": "50 / day"},
        looks={"at": [0.2, 0.4, 0.6, 0.8, 1], "spend": spend},
    )  # fmt: skip
    holds(found, 0.05, 100_000)


@pytest.mark.slow
def test_a_size_by_conditional_power_at_40_000_trials():
    found = attempt(SAME, patients=60, replicates=40_000, seed=12, resize={"by": "promising", "most": 2.0})
    holds(found, 0.05, 40_000)


@pytest.mark.slow
def test_looks_by_events_at_20_000_trials():
    """Of 100 persons with a hazard of 0.5 some trials never have their 45 events; log-rank tests of 22 at first."""
    from .trying import MODEL, TIME

    found = attempt(
        SAME, model=MODEL.with_values(hazard=0.5), patients=100, replicates=20_000, seed=13, endpoints=TIME,
        recruit={"rate": "80 / day"}, looks={"at": [0.5, 1], "of": "events", "events": 40, "spend": "pocock"},
    )  # fmt: skip
    holds(found, 0.05, 20_000)
