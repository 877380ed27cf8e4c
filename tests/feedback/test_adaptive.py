"""Adaptive therapy by a rule: days to progression as the authors published them, which a fixed regimen cannot have."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.reference.adaptive_strobl2021 import KNOWN, MODEL
from twin.patient import Patient

ON = "1 over 1 day q1day"
RULES = [
    {"above": 0.2, "name": "progressed", "dose": "same"},
    {"below": -0.5, "name": "pause", "stop": True},
    {"above": 0, "name": "resume", "resume": True},
    {"dose": "same"},
]
DAILY = {"measure": "burden_change", "latent": True, "at": "every 1 day", "rules": RULES}


SHORT = [case for case, known in KNOWN.items() if known[1] < 395]


@pytest.fixture(scope="module", params=[(SHORT, 395), pytest.param((list(KNOWN), 700), marks=pytest.mark.slow)])
def result(request):
    """Published cases, for good and by the rule: off below half the size at the start, on above it, seen daily."""
    cases, until = request.param
    individuals = {
        name: np.array([[case[i]] for case in cases]) for i, name in enumerate(("burden_before", "resistant_before"))
    }
    return twin.simulate(
        MODEL, [Patient(str(case)) for case in cases], outcomes=["progression_time"], draws=1, spread=False,
        regimens={"continuous": ON, "adaptive": {"start": ON, "feedback": DAILY}}, until=until, times=(),
        individuals=individuals,
    )  # fmt: skip


def test_progression_comes_on_the_published_day(result):
    """To the day, as the reference numbers of the model, whose schedules were found from outside."""
    found = result["outcomes/progression_time"].values[:, :, 0]
    known = {str(case): days for case, (*days, _) in KNOWN.items()}
    np.testing.assert_allclose(found, [known[str(who)] for who in result["outcomes"]["patient"].values], atol=1.0)


def test_the_rule_pauses_as_often_as_published(result):
    pauses = {str(case): pauses for case, (_, _, pauses) in KNOWN.items()}
    for case in result["outcomes"]["patient"].values:
        who = {"patient": case, "regimen": "adaptive", "draw": 0}
        end = float(result["outcomes/progression_time"].sel(who))
        table = result["doses"].to_dataset().sel(who)
        given = table["time"].values[np.isfinite(table["time"].values)]
        ended = given[:-1][np.diff(given) > 1.5] + 1  # the last day's supply runs out
        assert sum(ended < end) == pauses[case], case
