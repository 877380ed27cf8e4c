"""Figures say what they leave out, what a calibration is worth, and what was only known to lie beyond a limit."""

from __future__ import annotations

import types

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.text import Text

from cli import diagnosing
from cli.report import diagnosis_figure, figure, posterior_figure, replay_figure
from twin.model import AreaWithin, Crossings, Duration, FirstTime, Recovery, TimeShare

OUTCOMES = tuple(f"outcome_{i}" for i in range(10))
PEOPLE = ("ana", "ben")


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """Every word of the figures that are saved."""
    found: list[str] = []
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *_, **__: found.extend(t.get_text() for t in self.findobj(Text))
    )
    return found


def result() -> xr.DataTree:
    """Ten outcomes of two patients, whose glucose was read as 24 and below 40."""
    dims, coordinates = ("patient", "regimen", "draw"), {"patient": list(PEOPLE), "regimen": ["usual"]}
    coordinates["draw"] = np.arange(20)
    times = np.linspace(0.0, 48.0, 5)
    course = np.broadcast_to(np.arange(5.0), (2, 1, 20, 5)) + np.arange(20.0)[:, None]
    groups = {
        "outcomes": xr.Dataset({n: (dims, np.random.default_rng(0).uniform(size=(2, 1, 20))) for n in OUTCOMES}),
        "predictions": xr.Dataset({"glucose": ((*dims, "time"), course)}, {"time": times}),
        "observed_data": xr.Dataset(
            {
                "of_patient": ("row", ["ana", "ana"]), "observable": ("row", ["glucose", "glucose"]),
                "time": ("row", [3.0, 6.0]), "value": ("row", [24.0, 40.0]), "bound": ("row", [0, -1]),
            }
        ),
        "calibration": xr.Dataset(
            {"verdict": ("patient", ["caution", "trusted"]), "reasons": ("patient", ["it is surprising", ""])}
        ),
    }  # fmt: skip
    tree = xr.DataTree.from_dict({f"/{name}": data.assign_coords(
        {n: v for n, v in coordinates.items() if n in data.dims}) for name, data in groups.items()})  # fmt: skip
    tree.attrs = {"time_unit": "h"}
    return tree


def test_a_result_that_has_more_outcomes_than_room_says_so(written, tmp_path):
    figure.draw(result(), tmp_path / "figure.png", observables=["glucose"])
    assert "Shown: 8 of 10 outcomes; summary.csv has all." in "\n".join(written)
    assert figure.left_out(result()) == ["8 of 10 outcomes; summary.csv has all"]


def test_the_verdict_of_a_calibration_stands_in_the_figure(written, tmp_path):
    """An INR of 24 typed for 2.4 was a caution on the terminal and nothing on the picture."""
    figure.draw(result(), tmp_path / "figure.png", observables=["glucose"])
    assert {"ana: caution", "ben: trusted"} <= set(written)
    assert "ana: caution: it is surprising" in "\n".join(written)


def test_a_value_below_a_limit_is_not_drawn_as_measured(written, tmp_path):
    figure.draw(result(), tmp_path / "figure.png", observables=["glucose"])
    assert {"measured", "below this limit"} <= set(written)


def test_a_diagnosis_has_a_unit_of_time_and_says_which_colour_is_which(written, tmp_path):
    rows = {"observable": np.array(["inr", "dose"] * 20, object), "time": np.arange(40.0) * 24}
    rows |= {name: np.linspace(0.02, 0.98, 40) for name in ("npde", "pit")}
    found = xr.Dataset({name: ("observation", values) for name, values in rows.items()})
    diagnosis_figure.draw(found, None, None, tmp_path / "diagnose.png", time_unit="h")
    assert "time (day)" in written
    assert written.count("inr") == 3


def test_a_replay_of_more_people_than_room_says_so():
    steps = xr.Dataset({"of_patient": ("step", [f"p{i}" for i in range(6)])}, {"unknown": ["a", "b"]})
    forecasts = xr.Dataset({"observable": ("forecast", ["inr"])})
    assert replay_figure.left_out((steps, forecasts)) == ["4 of 6 patients; replay.csv has all"]


def test_a_posterior_of_more_people_than_room_says_so():
    measured, other = types.SimpleNamespace(observations=(1.4,)), types.SimpleNamespace(observations=())
    target = types.SimpleNamespace(seen=("inr",))
    found = types.SimpleNamespace(patients=[*[measured] * 30, other], target=target)
    assert posterior_figure.left_out(found) == ["6 of 30 patients; posterior.csv has all"]


def test_a_diagnosis_of_more_people_than_the_terminal_shows_says_so():
    draws = np.random.default_rng(0).standard_normal((30, 50, 2))
    people = [types.SimpleNamespace(id=f"p{i}") for i in range(30)]
    prior = types.SimpleNamespace(names=("clearance", "volume"))
    found = types.SimpleNamespace(patients=people, prior=prior, u=draws, contraction=np.full((30, 2), 0.5))
    *shown, last = diagnosing._identifiability(found)[1:]
    assert len(shown) == 20
    assert last == "20 of 30 patients; 'twin calibrate' stores what was learned of all as posterior.csv"


@pytest.mark.parametrize(("outcome", "words"), [
    (TimeShare(of="glucose", low=3.9, high=10.0), "The share of the time spent between 3.9 and 10, of glucose"),
    (Duration(of="glucose", low=10.0), "The time spent above 10, of glucose"),
    (AreaWithin(of="level", high=600.0), "Whether the area under the curve is below 600, of level"),
    (FirstTime(of="inr", above=2.0), "When the value first is at or above 2, of inr"),
    (FirstTime(of="inr", below=2.0), "When the value first is at or below 2, of inr"),
    (Recovery(of="cells", above=1.5), "When the value, having been below 1.5, is first back, of cells"),
    (Crossings(of="glucose", above=10.0), "How often the value rises through 10 (episodes), of glucose"),
])  # fmt: skip
def test_an_outcome_without_a_meaning_is_labelled_by_its_numbers(outcome, words):
    assert outcome.describe() == words
