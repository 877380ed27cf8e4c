"""A trial's example as analysis datasets: four persons by hand, written and read back; nothing is solved."""

from __future__ import annotations

import json

import numpy as np
import pytest

from twin.export.cdisc import write_cdisc
from twin.files.schema import examine
from twin.regimen import Regimen
from twin.trials.adam import adam_of
from twin.trials.conduct import Conduct
from twin.trials.courses import Courses, Seen
from twin.trials.file import TrialEntry
from twin.trials.reading import read_design

from .models import Marker

INF, NAN = np.inf, np.nan
TRIAL = {
    "arms": {"none": 1, "some": 1}, "patients": 4, "follow_up": "30 day", "multiplicity": {"method": "none"},
    "visits": {"at": ["0 day", "10 day", "20 day"]},
    "endpoints": {
        "survival": {"event": "event"},
        "progression": {"progression": "marker", "death": "event"},
        "at day 20": {"reading": "marker"},
    },
}  # fmt: skip
EVENT = np.array([[15.0, INF, 12.0, INF]])  # the third is lost before, the last could not be solved
SIZE = np.array([[[10.0, 11, 99], [10, 7, 8], [10, 20, 99], [NAN, NAN, NAN]]])


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    model = Marker()
    entry = examine(TRIAL, TrialEntry).content
    design, problems = read_design(
        entry, model, {"none": Regimen(), "some": Regimen.build("1 mg")}, model.outcomes, 40.0
    )
    assert problems == []
    conduct = Conduct(design, model, None, Courses(design, model, {}, None, 1), 7, range(1))
    seen = Seen(
        {"event": EVENT}, {"marker": SIZE}, {"marker": SIZE}, np.full((1, 4), INF), np.array([[False] * 3 + [True]])
    )
    conduct.__dict__ |= {
        "fates": seen, "arrivals": (np.array([[0.0, 2.0, 5.0, 6.0]]), np.array([[0, 1, 1, 0]])),
        "first_arms": np.array([[0, 1, 1, 0]]),
        "facts": {"age": np.array([[50.0, 60, 70, 80]]), "site": np.array([[0, 1, 1, 0]])},
    }  # fmt: skip
    followed = conduct.follow(conduct.first_arms)
    followed.lost[0, 2] = 11.0  # before the event, and after the first visit
    conduct.__dict__["persons"] = followed
    courses, tables = adam_of(conduct)
    files = write_cdisc(courses, tmp_path_factory.mktemp("adam"), tables)
    assert {f.name for f in files} == {f"{n}.{s}" for n in ("adsl", "adbds", "adtte") for s in ("json", "csv")}
    return {f.stem: _rows(json.loads(f.read_text())) for f in files if f.suffix == ".json"}


def _rows(dataset):
    names = [column["name"] for column in dataset["columns"]]
    assert dataset["records"] == len(dataset["rows"])
    return [dict(zip(names, row, strict=True)) for row in dataset["rows"]]


def test_a_row_a_patient_with_its_arm_and_its_end(datasets):
    found = [
        (r["SUBJID"], r["ARM"], r["SITEID"], r["RANDTM"], r["EOSSTT"], r["EOSDY"], r["DTHFL"]) for r in datasets["adsl"]
    ]
    assert found == [
        ("S1", "none", "001", 0.0, "DISCONTINUED", 15.0, "Y"),
        ("S2", "some", "002", 2.0, "COMPLETED", 30.0, ""),
        ("S3", "some", "002", 5.0, "DISCONTINUED", 11.0, ""),
    ]
    assert [r["ATDAY20"] for r in datasets["adsl"]] == [None, 8.0, None]


def test_readings_end_with_death_and_with_loss(datasets):
    found = [(r["SUBJID"], r["ARELTM"], r["AVAL"], r["BASE"], r["CHG"]) for r in datasets["adbds"]]
    assert found == [
        ("S1", 0.0, 10.0, 10.0, None), ("S1", 10.0, 11.0, 10.0, 1.0),
        ("S2", 0.0, 10.0, 10.0, None), ("S2", 10.0, 7.0, 10.0, -3.0), ("S2", 20.0, 8.0, 10.0, -2.0),
        ("S3", 0.0, 10.0, 10.0, None), ("S3", 10.0, 20.0, 10.0, 10.0),
    ]  # fmt: skip


def test_times_are_of_an_event_or_end_where_nobody_looked_any_more(datasets):
    found = {(r["SUBJID"], r["PARAMCD"]): (r["AVAL"], r["CNSR"], r["EVNTDESC"]) for r in datasets["adtte"]}
    assert found["S1", "SURVIVAL"] == (15.0, 0, "event")
    assert found["S2", "SURVIVAL"] == (30.0, 1, "Last known to be without")
    assert found["S3", "SURVIVAL"] == (11.0, 1, "Last known to be without")
    assert found["S1", "PROG"][:2] == (15.0, 0)  # dead without progression
    assert found["S3", "PROG"][:2] == (10.0, 0)  # twice as large


def test_every_row_says_that_it_is_synthetic(datasets):
    for rows in datasets.values():
        assert {(r["SYNTHFL"], r["SIMSEED"], r["SIMMODEL"]) for r in rows} == {("Y", 7, "marker")}
        assert all(r["SIMVER"] for r in rows)
