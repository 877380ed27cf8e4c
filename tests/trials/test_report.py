"""What people read of a trial: numbers with their errors, no row that says nothing, a figure of every kind."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from cli.report import trial_figure, trial_text
from twin.trials.result import rows

from .trying import MODEL, TIME, attempt


@pytest.mark.parametrize(
    ("name", "number", "error", "said"),
    [
        ("power", 0.8123, 0.0123, "81.23 ± 1.23 %"),
        ("power", 0.0, 0.0, "< 0.3 %"),  # 1 - 0.05 ** (1 / 1000)
        ("power", 1.0, 0.0, "> 99.7 %"),
        ("reached", 1.0, 0.0, "100 %"),  # the first look always is
        ("lost", 0.0, 0.0, "0 %"),
        ("share", 0.5, 1e-12, "50 %"),
        ("effect", 0.51234, 0.02345, "0.512 ± 0.023"),
        ("effect", -0.0001, 0.02345, "0.000 ± 0.023"),
        ("effect", -250.04, 23.0, "-250 ± 23"),
        ("true_effect", 0.0, 0.0, "0"),
        ("bias", -0.25, 4e-17, "-0.25"),
        ("spread", 1.66e-16, 1.4e-17, "1.66e-16 ± 1.4e-17"),
        ("coverage", float("nan"), float("nan"), "-"),
        ("randomised", 100.0, float("nan"), "100"),
    ],
)
def test_a_number_with_its_error(name, number, error, said):
    assert trial_text.spell(name, number, error, 1000) == said


@functools.cache
def text(kind: str) -> tuple[str, object]:
    keys = {
        "plain": {"replicates": 80},
        "looks": {
            "replicates": 160, "recruit": {"rate": "50 / day"}, "sides": 1, "no_effect": True,
            "looks": {"at": [0.5, 1], "futility": {}}, "drop_out": {"rate": "5 % / day"},
        },
        "times": {"model": MODEL.with_values(hazard=2.0), "endpoints": TIME, "replicates": 80},
        "visits": {
            "endpoints": {"m": {"reading": "marker"}}, "visits": {"at": [0, 0.5, 1]}, "replicates": 80,
            "drop_out": {"rate": "80 % / day"},
        },
        "orders": {
            "crossover": {"period": "0.4 day", "washout": "0.2 day"}, "model": MODEL.with_values(loss=2.0),
            "replicates": 80, "patients": 12,
        },
        "doses": {
            "endpoints": {}, "arms": {"low": None, "high": "1 mg"}, "patients": 12, "replicates": 80,
            "escalate": {"rule": "3+3", "toxicity": {"outcome": "marker", "above": 11}},
        },
    }[kind]  # fmt: skip
    found = attempt(**{"example": 0, **keys})
    return trial_text.to_text(found), found


@pytest.mark.parametrize("kind", ["plain", "looks", "times", "visits", "orders", "doses"])
def test_every_kind_of_trial_has_a_text_and_a_figure(kind, tmp_path):
    said, found = text(kind)
    for odd in ("nan", "inf", "None", "_"):
        assert odd not in said, said
    path = trial_figure.draw(found, tmp_path / "trial.png")
    assert path.stat().st_size > 20_000
    for group in trial_text.TABLES:
        if group in found.children:
            assert trial_text.rows_of(found, group)


def test_what_says_nothing_is_left_out():
    plain, looks = text("plain")[0], text("looks")[0]
    for word in ("\nevents", "failed", "screened", "median", "stopped", "lost", "anything", "duration", "analysed"):
        assert word not in plain
    for word in ("stopped early for efficacy", "stopped early for futility", "lost to follow-up", "look, no effect"):
        assert word in looks
    assert "either way" not in looks  # one-sided
    assert "events" in text("times")[0]
    assert text("doses")[0].startswith("80 trials of 12 patients, doses low, high; seed 1")


def test_a_crossover_shows_every_person_under_both_arms():
    """What is left of 0.5 mg after 0.4 day at a loss of 2 in a day, or, in the other order, nothing of it yet."""
    example = text("orders")[1]["example"].to_dataset()
    gain = (example["marker: treated"] - example["marker: control"]).values
    first = (example["arm"] == "treated, then control").values
    np.testing.assert_allclose(gain[~first], 0.5 * np.exp(-0.8), rtol=1e-5)
    np.testing.assert_allclose(gain[first], 0.5 * (np.exp(-0.8) - np.exp(-2.0)), rtol=1e-5)


def test_the_estimand_is_said():
    said = text("plain")[0]
    for line in ("treated against control", "marker (the marker at the end)", "difference of means (t test)"):
        assert line in said


def test_times_have_a_readable_unit():
    """100 persons, one in five days: 500 days."""
    said = trial_text.to_text(attempt(replicates=80, recruit={"rate": "20 % / day"}))
    (line,) = (line for line in said.splitlines() if line.startswith("duration"))
    assert line.startswith("duration (month)  ")
    assert 15 < float(line.split()[2]) < 18


def test_tables_hold_what_the_text_says():
    _, found = text("looks")
    (one, other) = rows(found, "size")
    assert (one["run"], other["run"]) == ("effect", "no effect")
    assert f"{100 * one['stopped_for_efficacy']:.2f} ± {100 * one['stopped_for_efficacy_se']:.2f} %" in text("looks")[0]
    assert [row["look"] for row in rows(found, "looks")] == [1, 2, 1, 2]
