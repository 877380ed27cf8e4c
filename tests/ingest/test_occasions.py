"""Occasions and resets of NONMEM-style tables: column OCC, and times that start anew at EVID 4."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.toys import One
from twin.errors import TwinError
from twin.ingest import nonmem
from twin.ingest.report import USED
from twin.ingest.sources import read_patients

HEAD = "ID,TIME,EVID,AMT,DV,OCC\n"
CROSSED = (
    HEAD + "a,0,1,100,.,3\na,4,0,.,1.2,3\na,24,0,.,0.4,3\na,24,1,100,.,1\na,28,0,.,1.5,1\nb,0,1,100,.,1\nb,2,0,.,1,1\n"
)
# The same person twice: hours begin anew, and at 0 nothing is left of what was given before.
TWICE = HEAD + "a,0,1,100,.,1\na,4.5,0,.,1.2,1\na,0,4,50,.,2\na,0,0,.,1.1,2\na,4.5,0,.,0.7,2\n"
FEEDS = {"column DV": "concentration", "column AMT": "blood"}


@pytest.fixture
def read(tmp_path):
    def read(text, model=None, **options):
        path = tmp_path / "data.csv"
        path.write_text(text)
        table, _ = nonmem.read_table(path, keep_ids=True, **options)
        return table.bind(model or twin.extend(One(), occasions={"clearance": {"cv": 0.2}}, count=2), FEEDS)[0]

    return read


def _course(model, person, times, **deviations):
    own = {name: [[value]] for name, value in deviations.items()} or {"clearance_in_occasion_1": [[0.0]]}
    return np.asarray(twin.solve_many(model, [person], None, times, parameters=own)["concentration"][0, 0])


def test_occasions_stand_in_order_of_first_appearance(read):
    a, b = read(CROSSED)
    assert (a.occasions, b.occasions) == ((0.0, 24.0), (0.0,))
    assert a.series["occasion"] == ((24.0, 2.0),)
    assert "occasion" not in b.series


def test_a_reading_at_the_next_dose_belongs_to_the_occasion_its_row_says(read):
    """The deviation of volume shows in a reading at once: no other parameter tells which occasion it is read in."""
    model = twin.extend(One(), occasions={"volume": {"cv": 0.2}}, count=2)
    moved = {"volume_in_occasion_1": 0.0, "volume_in_occasion_2": 1.0}
    before = 2 * np.exp(-0.1 * 24)
    a, _ = read(CROSSED, model)
    trough = a.observations[1].time
    assert trough == pytest.approx(24, abs=1e-10)
    assert _course(model, a, [trough], **moved)[0] == pytest.approx(before, rel=1e-9)
    later = CROSSED.replace("0.4,3", "0.4,1")
    a, _ = read(later, model)
    assert a.observations[1].time == 24.0
    assert _course(model, a, [24.0], **moved)[0] == pytest.approx(before / np.e, rel=1e-9)


def test_an_occasion_that_comes_back_is_refused(read):
    with pytest.raises(TwinError, match=r"line 6 \(patient a\): an occasion \(OCC\) comes back"):
        read(CROSSED.replace("1.5,1", "1.5,3"))


def test_time_that_starts_anew_goes_on_with_nothing_left(read):
    """Each occasion by itself is a person of their own."""
    (a,) = read(TWICE)
    assert (a.occasions, a.resets) == ((0.0, 6.0), (6.0,))  # 4.5, rounded up, and one more
    assert [o.time for o in a.observations] == [4.5, 6.0, 10.5]
    model = twin.extend(One(), occasions={"clearance": {"cv": 0.2}}, count=2)
    found = _course(model, a, [4.5, 6.0, 7.0, 10.5], clearance_in_occasion_2=np.log(2))
    np.testing.assert_allclose(found[[0, 2, 3]], [2 * np.exp(-0.45), np.exp(-0.2), np.exp(-0.9)], rtol=1e-10)
    assert found[1] == pytest.approx(2 * np.exp(-0.6), rel=1e-10)  # samples come before a reset at their time


def test_an_infusion_and_repeats_end_at_a_reset(read):
    text = "ID,TIME,EVID,AMT,RATE,ADDL,II,DV\n1,0,1,100,10,3,8,.\n1,4,3,.,.,.,.,.\n1,6,0,.,.,.,.,1\n1,20,0,.,.,.,.,1\n"
    (one,) = read(text, One())
    course = twin.solve_many(One(), [one], None, [3.0, 6.0, 20.0], parameters={"clearance": [[5.0]]})["concentration"]
    np.testing.assert_allclose(course[0, 0], [2 * (1 - np.exp(-0.3)), 0, 0], atol=1e-12)


def test_a_scenarios_patients_have_them_too(tmp_path):
    """By way of charts, whose times count from the first dose."""
    path = tmp_path / "data.csv"
    path.write_text(TWICE.replace("a,0,1,100,.,1", "a,-1,0,.,0.1,1\na,0,1,100,.,1"))
    model = twin.extend(One(), occasions={"clearance": {"cv": 0.2}}, count=2)
    (one,), report = read_patients("nonmem", path, model, mapping=FEEDS, keep_ids=True)
    bound = one.bind(model)
    assert bound.resets == (6.0,)
    assert bound.occasions == pytest.approx((-1.0, 6.0), abs=1e-10)
    assert bound.occasions[1] < 6.0  # it is read at that very time
    assert ("a", USED, "occasion", 2) in report.rows()


def test_the_second_occasion_of_real_volunteers_starts_from_nothing(shared_data):
    """Propofol, 24 people twice: each person's two courses are those of two people."""
    path = shared_data / "population" / "pop_propofol_schnider" / "schnider_propofol.csv"
    if not path.exists():
        pytest.skip(f"no data at {path}")
    table, _ = nonmem.read_table(path, keep_ids=True, time_unit="h")
    people, _ = table.bind(One(), FEEDS)
    assert [len(p.resets) for p in people] == [2] * 24  # both begin with EVID 4
    assert sum(len(p.observations) for p in people) == 1006
    rows = np.genfromtxt(path, delimiter=",", names=True)
    person, first = people[0], rows[rows["ID"] == 1]
    second = first[np.flatnonzero(first["EVID"] == 4)[1] :]
    alone = twin.Patient("two", doses=[
        twin.patient.DoseRecord(f"{r['AMT']} mg", float(r["TIME"]), "blood", over=float(r["AMT"] / r["RATE"]))
        for r in second if r["EVID"] in (1, 4)
    ])  # fmt: skip
    read = second[second["EVID"] == 0]["TIME"]
    own = {"parameters": {"clearance": [[5.0]]}}
    expected = twin.solve_many(One(), [alone], None, read, **own)["concentration"]
    times = [o.time for o in person.observations][-len(read) :]
    np.testing.assert_allclose(times, read + person.resets[1], atol=1e-9)
    found = twin.solve_many(One(), [person], None, times, **own)["concentration"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
