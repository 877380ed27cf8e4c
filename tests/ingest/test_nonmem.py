"""NONMEM-style tables: real files counted twice, NONMEM's own output reproduced, and the choices tables leave."""

from __future__ import annotations

import collections
import csv
import datetime
import random
import re

import equinox as eqx
import numpy as np
import pytest

import twin
from tests.calibration.models import Oral, Theophylline, Torsten, examplinib, theophylline, torsten
from tests.toys import OralOne
from twin.errors import TwinError
from twin.ingest import nonmem, read_patients
from twin.ingest.assemble.assemble import patients_of
from twin.ingest.mapping import Mapping
from twin.ingest.nonmem import delimited
from twin.ingest.report import CONVERTED, DROPPED, FLAGGED, NOBODY, READ, UNUSED, USED
from twin.model import Delivery, category, covariate, observable, treatment
from twin.patient import Change, DoseRecord, Observation, Patient, Series
from twin.types import Scalar


@pytest.fixture
def table(tmp_path):
    """Writes a table and reads it."""

    def read(text: str | bytes, **options):
        path = tmp_path / "data.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return nonmem.read_table(path, **({"keep_ids": True} | options))

    return read


# --- real files ---------------------------------------------------------------------------------------

# folder/file: (options, column of readings, column of amounts, column of people)
REAL = {
    "dosing_events_basic/events_and_nonmem_cp.csv": ({"names": {"cp": "DV"}}, "cp", "amt", "id"),
    "theophylline_monolix/theophylline_data.csv": ({"names": {"CONC": "DV"}}, "CONC", "AMT", "ID"),
    "warfarin_pkpd/warfarin_data.csv": ({}, "dv", "amt", "id"),
    "map_examplinib/data_to_fit001.csv": ({}, "DV", "amt", "ID"),
    "torsten_two_cpt/events.csv": ({"names": {"cObs": "DV"}, "single": True}, "cObs", "amt", None),
    "theoph_nca/theoph.csv": ({"names": {"Subject": "ID", "conc": "DV"}}, "conc", None, "Subject"),
}
_ROLES = {"time", "evid", "amt", "cmt", "rate", "addl", "ii", "ss", "dv", "mdv", "dvid", "id", "cp", "conc", "cobs",
          "subject"}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_read_without_loss(name, shared_data):
    options, readings, amounts, people = REAL[name]
    with (shared_data / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    said = [row for row in rows if row[readings] not in (".", "NA")]
    doses = [row for row in rows if amounts and row[amounts] != "." and float(row[amounts]) > 0]
    measured = [row for row in said if row not in doses]
    found, report = nonmem.read_table(shared_data / name, **options)
    assert len(found) == len(rows)
    assert len(found.ids) == (len({row[people] for row in rows}) if people else 1)
    assert report.total(READ) == len(measured) + len(doses) + len(rows) * len(found.covariates)
    assert int(found.observed.sum()) == len(measured)
    assert int(found.is_dose.sum()) == len(doses)
    np.testing.assert_array_equal(found.value[found.observed], [float(row[readings]) for row in measured])
    if amounts:
        np.testing.assert_array_equal(found.amount[found.is_dose], [float(row[amounts]) for row in doses])
    columns = [one for one in rows[0] if one.lower() not in _ROLES]
    assert sorted(found.covariates) == sorted(one.upper() for one in columns)
    for one in columns:
        column = found.covariates[one.upper()]
        said = [row[one] if column.levels else float(row[one]) for row in rows]
        assert [column.decode(value) for value in column.values] == said


def test_a_real_files_kinds_are_counted_by_person(shared_data):
    """Warfarin: concentrations (DVID 1) and prothrombin activities (DVID 2) of every person."""
    path = shared_data / "warfarin_pkpd" / "warfarin_data.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    known = collections.Counter((row["id"], row["dvid"]) for row in rows if row["dv"] != ".")
    charts, _ = nonmem.read(path, keep_ids=True)
    found = collections.Counter(
        (chart.id, one.codes[0].value) for chart in charts for one in chart.readings if one.codes[0].system == "dvid"
    )
    assert found == known
    assert sum(len(chart.given) for chart in charts) == 32


class DosingEvents(OralOne):
    """The scenarios' model: bioavailability and lag act in the blood only."""

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()


def test_nonmems_own_output_from_its_own_table(shared_data):
    """Ten scenarios of NONMEM 7.4, from the file to concentrations: within 5e-5, the printed precision."""
    path = shared_data / "dosing_events_basic" / "events_and_nonmem_cp.csv"
    found, _ = nonmem.read_table(path, names={"cp": "DV"}, keep_ids=True)
    model = DosingEvents()
    names = list(model.treatments())
    regimens = found.regimens(model, {f"cmt {i}": name for i, name in enumerate(names, start=1)})
    assert list(regimens) == [*(str(i) for i in range(1, 9)), "16", "17"]
    compared = 0
    for i, regimen in enumerate(regimens.values()):
        rows = slice(found.starts[i], found.starts[i + 1])
        dose = int(np.argmax(found.is_dose[rows])) + rows.start
        own = {
            name: float(found.covariates[column].values[dose])
            for name, column in (("lag", "LAGT"), ("bioavailability", "BIOAV"), ("duration", "DUR2"))
        }
        words = own | {"clearance": 1.1, "volume": 20.0, "absorption": 1.5}
        solved = twin.solve(model, regimen, parameters=words)
        known = found.value[rows][found.observed[rows]]
        assert len(known) == len(regimen.samples)
        np.testing.assert_allclose(1000 * solved["concentration"], known, rtol=5.1e-5, atol=1e-3 * 5e-5 * known.max())
        compared += len(known)
    assert compared == 1310


# Patients as another reader (a few lines of csv in tests/calibration) makes them of the same files.
OTHERS = {
    "examplinib": ("map_examplinib/data_to_fit001.csv", {}, Oral, examplinib, {"cmt 2": "concentration"}),
    "theophylline": (
        "theophylline_monolix/theophylline_data.csv", {"names": {"CONC": "DV"}}, Theophylline, theophylline,
        {"column DV": "concentration", "column AMT": "oral"},
    ),
    "torsten": (
        "torsten_two_cpt/events.csv", {"names": {"cObs": "DV"}, "single": True}, Torsten, lambda f: [torsten(f)],
        {"cmt 2": "concentration"},
    ),
}  # fmt: skip


def _essence(patient):
    """What the engine makes of a patient, whatever the words it was written in."""
    doses = [(d.amount, d.time.value, d.treatment, d.every and d.every.value, d.count, d.over) for d in patient.doses]
    return doses, patient.observations, patient.covariates, patient.series


@pytest.mark.parametrize("name", OTHERS)
def test_bound_patients_equal_another_readers(name, shared_data):
    file, options, model, others, mapping = OTHERS[name]
    found, _ = nonmem.read_table(shared_data / file, keep_ids=True, **options)
    people, used = found.bind(model(), {"cmt 1": "oral"} | mapping)
    known = [patient.bind(model()) for patient in others(shared_data)]
    one = [_essence(p) for p in people]
    other = [_essence(p) for p in known]
    for (doses, *rest), (same, *others_rest) in zip(one, other, strict=True):
        assert [d[:2] + d[3:] for d in doses] == [d[:2] + d[3:] for d in same]
        assert {d[2] for d in doses} == {"oral"}
        assert rest == others_rest
    assert used.total(USED) == sum(len(p.observations) + len(p.doses) for p in people)


@pytest.mark.parametrize("name", OTHERS)
def test_charts_become_the_same_patients(name, shared_data):
    file, options, model, _, mapping = OTHERS[name]
    mapping = {"cmt 1": "oral"} | mapping
    found, _ = nonmem.read_table(shared_data / file, keep_ids=True, **options)
    fast, _ = found.bind(model(), mapping)
    charts, report = nonmem.read(shared_data / file, keep_ids=True, **options)
    slow = [p.bind(model()) for p in patients_of(charts, report, model(), Mapping.of(model(), mapping))]
    for one, other in zip(fast, slow, strict=True):
        assert one.observations == other.observations
        assert [d[:2] + d[3:] for d in _essence(one)[0]] == [d[:2] + d[3:] for d in _essence(other)[0]]


# --- the choices a table leaves open ------------------------------------------------------------------


class WithCovariates(Oral):
    name = "with covariates"

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "weight", low=40, high=120, refuse=(2, 300))
        sex: Scalar = category("female", ("female", "male"), "sex")

    @observable(unit="mg/L")
    def total(self, t, y, p):
        return y.drug.depot


def test_patients_who_are_not_the_models_are_refused(table):
    mapping = {"cmt 1": "oral", "column dv": "concentration", "column wt": "weight"}
    text = "ID,TIME,AMT,CMT,DV,WT\n1,0,100,1,.,60\n2,0,100,1,.,1\n"
    with pytest.raises(TwinError, match=r"patient '2', weight: .* must be within 2 to 300 kg"):
        table(text)[0].bind(WithCovariates(), mapping)


MAPPING = {"cmt 1": "oral", "column dv": "concentration", "column wt": "weight"}
CHANGING = "ID,TIME,AMT,DV,WT\n1,0,100,.,60\n1,4,.,5,.\n1,8,.,4,80\n1,12,.,3,80\n1,24,.,2,90\n"


@pytest.mark.parametrize("carry", ["forward", "backward"])
def test_covariates_that_change_are_carried_as_a_patient_file_says(carry, table):
    """Against the same series in a patient, by the rules of docs/events.md."""
    model = WithCovariates()
    people, used = table(CHANGING, carry=carry)[0].bind(model, MAPPING | {"column AMT": "oral"})
    series = Series([Change(0.0, 60.0), Change(8.0, 80.0), Change(12.0, 80.0), Change(24.0, 90.0)], carry)
    known = Patient("1", covariates={"weight": series}).bind(model)
    times = np.arange(0.0, 30.0, 0.5)
    for patient in (people[0], known):
        assert patient.covariates["weight"] == 60.0
    expected = _held(known, times)
    np.testing.assert_array_equal(_held(people[0], times), expected)
    assert ("NOCB" in used.text()) == (carry == "backward")


def _held(patient, times):
    """The weight that holds at each time."""
    changes = patient.series["weight"]
    start = patient.covariates["weight"]
    return [next((v for t, v in reversed(changes) if t <= time), start) for time in times]


def test_levels_units_and_limits(table):
    text = "ID,TIME,EVID,AMT,CMT,DV,WT,SEX\n1,0,1,100000,1,.,150000,M\n1,2,0,.,2,5000,150000,M\n2,0,1,100000,1,.,.,F\n"
    mapping = {
        "cmt 1": {"to": "oral", "unit": "ug"}, "cmt 2": {"to": "concentration", "unit": "ng/mL"},
        "column wt": {"to": "weight", "unit": "g"},
        "column sex": {"to": "sex", "levels": {"M": "male", "F": "female"}},
    }  # fmt: skip
    (one, two), used = table(text)[0].bind(WithCovariates(), mapping)
    assert (one.doses[0].amount, one.observations[0].value) == (100.0, 5.0)
    assert one.covariates == {"weight": 150.0, "sex": 1.0}
    assert one.warnings == ("patient '1': weight is outside 40 to 120 kg, where model 'with covariates' was studied",)
    assert (two.covariates, two.assumed) == ({"weight": 70.0, "sex": 0.0}, ("weight",))
    assert used.total(CONVERTED) == 2 + 1 + 2


RATES = "ID,TIME,EVID,AMT,CMT,RATE,II,ADDL,SS\n1,0,1,100,1,25,.,.,.\n1,1,1,100,1,-1,.,.,.\n1,2,1,9,1,-2,.,.,.\n"


def test_rates_and_steady_states(table):
    text = RATES + "1,3,1,50,1,0,12,.,2\n1,4,1,0,1,5,.,.,1\n1,5,1,7,1,.,12,3,.\n"
    (one,), _ = table(text, time_unit="day")[0].bind(Oral(), {"cmt 1": {"to": "oral", "unit": "g"}})
    hour = 24.0
    assert [d.rate for d in one.doses] == [25000 / hour, None, None, None, 5000 / hour, None]
    assert [d.modelled for d in one.doses] == [None, "rate", "duration", None, None, None]
    assert [d.steady_state for d in one.doses] == [0, 0, 0, 2, 1, 0]
    assert [d.count for d in one.doses] == [1, 1, 1, 1, 1, 4]
    assert one.doses[5].every.value == 12 * hour


CENSORED = {
    "BLQ with a limit": ("BLQ,LLOQ", "1,0.5", ".", (0.5, -1)),
    "BLQ with DV as the limit": ("BLQ", "1", "0.7", (0.7, -1)),
    "not BLQ": ("BLQ,LLOQ", "0,0.5", "0.9", (0.9, 0)),
    "CENS below": ("CENS", "1", "0.5", (0.5, -1)),
    "CENS above": ("CENS", "-1", "10", (10.0, 1)),
    "LLOQ alone": ("LLOQ", "0.5", "0.2", (0.5, -1)),
    "LLOQ alone, above it": ("LLOQ", "0.5", "0.6", (0.6, 0)),
}


@pytest.mark.parametrize(("columns", "fields", "value", "known"), CENSORED.values(), ids=CENSORED)
def test_censored_readings(columns, fields, value, known, table):
    found, report = table(f"ID,TIME,DV,{columns}\n1,2,{value},{fields}\n")
    assert (found.value[0], found.bound[0]) == known
    assert report.total(CONVERTED) == (known[1] != 0)


def test_doubts_are_counted(table):
    text = "ID,TIME,EVID,AMT,DV,MDV,BLQ,LLOQ,LIMIT\n1,0,1,5,3,1,.,.,.\n1,1,0,.,3,1,.,.,.\n1,2,0,.,0.1,0,0,1,.\n"
    text += "1,3,0,.,1,0,1,.,0.5\n1,4,2,.,.,1,.,.,.\n# a comment\n"
    found, report = table(text)
    counts = {(kind, reason.split(" ")[0]): n for (_, kind, reason), n in report.counts.items()}
    assert (counts[DROPPED, "comment"], counts[DROPPED, "DV"]) == (1, 1)
    assert (counts[FLAGGED, "DV"], counts[FLAGGED, "LIMIT"]) == (1, 1)
    assert counts[UNUSED, "reading"] == 1
    assert found.lines.tolist() == [2, 3, 4, 5, 6]


DATES = {
    "DATE": ("05-06-2024", "05-07-2024"), "DAT1": ("06/05/24", "07/05/24"),
    "DAT2": ("2024-05-06", "2024-05-07"), "DAT3": ("2024-06-05", "2024-07-05"),
}  # fmt: skip


@pytest.mark.parametrize("name", DATES)
def test_dates_are_hours_since_the_first_record(name, table):
    first, second = DATES[name]
    found, report = table(f"ID,{name},TIME,AMT,DV\n1,{first},08:30,5,.\n1,{second},07:00,.,3\n2,{second},1:00,5,.\n")
    np.testing.assert_allclose(found.time, [0, 22.5, 0], atol=1e-9)
    assert (found.time_unit, report.total(CONVERTED)) == ("h", 3)


def test_dates_reach_charts_as_dates(table):
    """So that a table may be joined with other records; without a date, hours need saying."""
    found, _ = table("ID,DAT2,TIME,AMT,DV\n1,2024-05-06,08:30,5,.\n1,2024-05-07,07:00,.,3\n")
    (chart,) = found.charts()
    assert chart.given[0].time == datetime.datetime(2024, 5, 6, 8, 30)
    assert chart.readings[0].time == datetime.datetime(2024, 5, 7, 7)


def test_clocks_without_dates_are_hours_by_consent(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("ID,TIME,AMT,DV\n1,8:30,5,.\n1,10:00,.,3\n")
    with pytest.raises(TwinError, match="say time_unit: h"):
        nonmem.read(path)
    mapping = {"column AMT": "oral", "column DV": "concentration"}
    (patient,), _ = read_patients("nonmem", path, Oral(), mapping=mapping, time_unit="h")
    assert patient.observations[0].time == 1.5


def test_patients_of_a_scenario_are_those_of_bind(table, tmp_path):
    """The way of `from: nonmem`, with its default for covariates, against the columns."""
    found, _ = table(CHANGING)
    mapping = MAPPING | {"column AMT": "oral"}
    (one,), _ = found.bind(WithCovariates(), mapping)
    (patient,), report = read_patients("nonmem", tmp_path / "data.csv", WithCovariates(), mapping=mapping)
    other = patient.bind(WithCovariates())
    assert (one.observations, one.covariates) == (other.observations, other.covariates)
    np.testing.assert_array_equal(_held(one, np.arange(0.0, 30, 0.5)), _held(other, np.arange(0.0, 30, 0.5)))
    assert report.total(USED) > 0


def test_two_digit_years_and_days_by_number(table):
    found, _ = table("ID,DATE,DV\n1,12/31/99,1\n1,1/1/00,2\n")
    assert found.time.tolist() == [0, 24]
    found, _ = table("ID,DATE,TIME,DV\n1,3,12:00,1\n1,4,6,2\n")
    assert found.time.tolist() == [0, 18]


def test_recurring_ids_are_other_people_by_choice(table):
    text = "ID,TIME,DV\n1,0,5\n2,0,6\n1,0,7\n"
    found, _ = table(text, recurring="new")
    assert found.ids == ("1", "2", "1-2")


def test_ids_are_pseudonyms_unless_they_may_be_shown(table, monkeypatch):
    monkeypatch.setenv("TWIN_PSEUDONYM_KEY", "a test")
    found, report = table("ID,TIME,DV\n123-45-6789,0,5\n", keep_ids=False)
    assert re.fullmatch(r"p-[0-9a-f]{12}", found.ids[0])
    assert "123" not in repr(report.rows()) + repr(next(found.charts()))


def test_readings_at_a_doses_time_are_flagged(table):
    """NONMEM takes the sample after the dose above it, a patient's history before it."""
    text = "ID,TIME,EVID,AMT,CMT,II,ADDL,DV\n1,0,1,5,1,12,2,.\n1,0,0,.,2,.,.,1\n1,24,0,.,2,.,.,2\n1,25,0,.,2,.,.,3\n"
    text += "2,0,0,.,2,.,.,4\n2,0,1,5,1,.,.,.\n"
    _, used = table(text)[0].bind(Oral(), {"cmt 1": "oral", "cmt 2": "concentration"})
    said = "reading at the time of a dose above it, taken before the dose"
    assert (used.counts["1", FLAGGED, said], used.counts["2", FLAGGED, said]) == (2, 0)


def test_replicates_are_kept_and_flagged(table):
    found, used = table("ID,TIME,DV\n1,1,4\n1,1,5\n")[0].bind(Oral(), {"column DV": "concentration"})
    assert [o.value for o in found[0].observations] == [4.0, 5.0]
    assert used.counts["1", FLAGGED, "second reading of one kind at one time, both taken"] == 1
    assert used.counts["1", FLAGGED, "DV has no unit, taken in mg/L"] == 2


# --- the file's form ----------------------------------------------------------------------------------

_PLAIN = "ID,TIME,AMT,DV,SEX\n1,0,100,.,M\n1,1.5,.,2.5,M\n2,0,50,.,F\n"
FORMS = {
    "semicolons": (_PLAIN.replace(",", ";"), {}),
    "decimal commas": (_PLAIN.replace(",", ";").replace("1.5", "1,5").replace("2.5", "2,5"), {"decimal": ","}),
    "tabs": (_PLAIN.replace(",", "\t"), {}),
    "blanks": ("  " + _PLAIN.replace(",", "   ").replace("\n", "  \n  "), {}),
    "blanks around commas": (_PLAIN.replace(",", " , "), {}),
    "quotes": ('"' + _PLAIN.replace(",", '","').replace("\n", '"\n"')[:-1], {}),
    "byte-order mark": (b"\xef\xbb\xbf" + _PLAIN.encode(), {}),
    "CRLF": (_PLAIN.replace("\n", "\r\n"), {}),
    "CR": (_PLAIN.replace("\n", "\r"), {}),
    "no last newline": (_PLAIN.rstrip(), {}),
    "small letters": (_PLAIN.replace("ID,TIME,AMT,DV,SEX", "#id,time,amt,dv,sex"), {}),
    "empty instead of '.'": (_PLAIN.replace(".,", ",").replace(",.", ",").replace("1.5", "1.5"), {}),
    "blank lines and comments": (_PLAIN.replace("1,1.5", "\n#note, of a kind\n1,1.5") + "\n\n", {}),
    "C column": ("C," + _PLAIN.replace("\n", "\n.,", 3).replace(".,2,0", "C,9,9,9,9,9\n.,2,0"), {}),
    "IGNORE=@": ("TABLE NO.  1\n" + _PLAIN.replace("2,0", "ID,TIME,AMT,DV,SEX\n2,0"), {"ignore": "@"}),
    "exponents": (_PLAIN.replace("100", "1.0E+02").replace("2.5", "25d-1"), {}),
    "quoted newline": (
        _PLAIN.replace("\n", ",NOTE\n", 1).replace("M\n", 'M,"two\nlines"\n').replace("F\n", "F,.\n"),
        {},
    ),
}


@pytest.mark.parametrize(("text", "options"), FORMS.values(), ids=FORMS)
def test_every_form_of_a_file_says_the_same(text, options, table):
    found, _ = table(text, **options)
    assert (found.ids, found.starts.tolist()) == (("1", "2"), [0, 2, 3])
    assert found.time.tolist() == [0, 1.5, 0]
    assert found.amount.tolist() == [100, 0, 50]
    assert found.value[found.observed].tolist() == [2.5]
    assert [found.covariates["SEX"].decode(v) for v in found.covariates["SEX"].values] == ["M", "M", "F"]


def test_numbers_are_read_exactly(tmp_path):
    """As Python reads them, to the last bit, whatever way they are spelled."""
    generator = random.Random(7)
    words = ["0", "-0", "+5", "5.", ".5", "-.5", "1e3", "1E-3", "123456789012345678", "0.1234567890123456789", "1e-320"]
    for _ in range(5000):
        number = generator.uniform(-1, 1) * 10 ** generator.randint(-9, 9)
        words.append(generator.choice(("{:.3f}", "{!r}", "{:.6g}", "{:.0f}", "{:.17g}")).format(number))
    path = tmp_path / "numbers.csv"
    path.write_text("X\n" + "\n".join(words) + "\n")
    np.testing.assert_array_equal(delimited.read(path).numbers("X"), [float(word) for word in words])


def test_simulated_patients_from_a_table(table):
    """The same concentrations from a table's patient and from one written by hand."""
    (one,), _ = table("ID,TIME,AMT,DV\n1,0,100,.\n1,2,.,1.4\n")[0].bind(
        Oral(), {"column AMT": "oral", "column DV": "concentration"}
    )
    other = Patient("1", doses=[DoseRecord("100 mg")], observations=[Observation("concentration", 2.0, 1.4)])
    words = {"deviations": {"clearance": np.zeros((1, 1))}}
    both = [twin.solve_many(Oral(), [p.bind(Oral())], None, [1.0, 5.0], **words) for p in (one, other)]
    np.testing.assert_array_equal(both[0]["concentration"], both[1]["concentration"])


def test_ids_that_change_from_run_to_run_are_said(tmp_path, monkeypatch):
    """Draws belong to the id: with another one, a patient's results are others, too."""
    path = tmp_path / "data.csv"
    path.write_text("ID,TIME,AMT,CMT,DV\n7,0,100,1,.\n7,4,.,2,5\n")
    monkeypatch.delenv("TWIN_PSEUDONYM_KEY", raising=False)
    words = "pseudonyms, and draws with them, differ in the next run; set TWIN_PSEUDONYM_KEY"
    table, report = nonmem.read_table(path)
    _, used = table.bind(Oral(), {"cmt 1": "oral", "cmt 2": "concentration"})
    assert report.counts[NOBODY, FLAGGED, words] == used.counts[NOBODY, FLAGGED, words] == 1
    kept, report = nonmem.read_table(path, keep_ids=True)
    _, used = kept.bind(Oral(), {"cmt 1": "oral", "cmt 2": "concentration"})
    assert not any(words in reason for one in (report, used) for _, _, reason in one.counts)
    monkeypatch.setenv("TWIN_PSEUDONYM_KEY", "a key of the study")
    table, report = nonmem.read_table(path)
    assert not any(words in reason for _, _, reason in report.counts)


@pytest.mark.parametrize(
    "mapping",
    [
        {"cmt 1": {"to": ["oral", "concentration"]}},
        {"cmt 1": {"to": "oral", "unit": "mg"}, "column DV": {"to": "concentration", "unit": "mg/L"}},
    ],
)
def test_one_compartment_is_dosed_and_observed(tmp_path, mapping):
    path = tmp_path / "data.csv"
    path.write_text("ID,TIME,AMT,CMT,DV\n7,0,100,1,.\n7,4,.,1,5\n")
    (person,), _ = nonmem.read_table(path)[0].bind(Oral(), mapping)
    assert [(dose.treatment, dose.amount) for dose in person.doses] == [("oral", 100.0)]
    assert [(seen.observable, seen.value) for seen in person.observations] == [("concentration", 5.0)]
