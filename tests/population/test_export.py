"""Persons written in others' formats: read back by our own readers they go the same courses; each row is marked."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import json
import re
import warnings

import numpy as np
import pytest

import twin
import twin.units
from cli.main import main
from twin.api.export import find_courses, write_courses
from twin.errors import TwinError
from twin.export.adam import short_names
from twin.export.nonmem import column_names

from .test_scenario import POPULATION

WARFARIN = (
    POPULATION.replace("size: 40", "size: 6")
    + """\
regimens:
  fixed: 5 mg q24h x14
  titrated: # in one of whom something is decided
    start: 5 mg q24h
    feedback:
      measure: inr
      at: [day 4, day 8]
      rules: [{below: 2, dose: 7.5 mg}, {above: 3, dose: 2.5 mg}, {dose: same}]
outcomes: [highest_inr, first_therapeutic]
until: 14 day
times: [0, day 3, day 5.5, day 14]
seed: 7
"""
)
FACTOR8 = """\
model: factor8
population:
  size: 5
  covariates:
    weight: {log_normal: {median: 75 kg, cv: 0.2}}
    %s
regimens: {short: 2000 IU over 10 min q24h x3, long: 2000 IU over 3 h q24h x3}
outcomes: [trough]
until: 72 h
times: [1 h, 8 h, 24 h, 72 h]
seed: 3
"""


def others_of(model):
    """The other covariates, at the model's own values."""
    return "\n    ".join(f"{name}: reference" for name in twin.load_model(model).covariates() if name != "weight")


CASES = {
    "tablets, as was decided": (WARFARIN, "titrated"), "infusions": (FACTOR8 % others_of("factor8"), "long"),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory):
    """Courses, and the folder with all formats of them."""
    text, regimen = CASES[request.param]
    folder = tmp_path_factory.mktemp("export")
    (folder / "q.yaml").write_text(text, encoding="utf-8")
    courses = find_courses(folder / "q.yaml", regimen=regimen)
    write_courses(courses, folder, ["table", "patients", "nonmem", "cdisc", "fhir"])
    return courses, folder, regimen


# What a format cannot say exactly: FHIR's times are whole microseconds, a length of infusion six digits.
FORMATS = {"patients": 1e-9, "nonmem": 1e-9, "fhir": 1e-6}


@pytest.mark.parametrize("form", FORMATS)
def test_read_back_persons_go_the_same_courses(written, form):
    """With the parameters that were drawn, patients read back have the courses that were measured."""
    courses, folder, regimen = written
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", twin.DomainWarning)
        scenario = twin.load_scenario(folder / f"{form}.yaml")
        first = twin.load_scenario(folder / "q.yaml")
        people = first.people()
        times = first.settings.times
        was = twin.simulate(
            first.model, first.patients, regimens={regimen: first.regimens[regimen]}, times=times, noise=True,
            settings=first.settings, outcomes=first.outcomes, **people.own(),
        )  # fmt: skip
        own = {name: values[:, None] for name, values in courses.parameters.items()}
        again = twin.simulate(
            scenario.model, scenario.patients, regimens={"as given": None}, draws=1, times=times, individuals=own,
            until=first.settings.until,
        )  # fmt: skip
    assert len(scenario.patients) == len(courses)
    for name in first.model.observables():
        before, now = was["predictions"][name].values[0, 0], again["predictions"][name].values[:, 0, 0]
        assert now == pytest.approx(before, rel=FORMATS[form], abs=FORMATS[form] * np.abs(before).max()), name
    for i, patient in enumerate(scenario.patients):
        for seen in patient.observations:
            k = int(np.argmin(np.abs(np.array(times) - seen.time)))
            assert seen.value == was["measurements"][seen.observable].values[0, 0, i, k]  # to the last bit
        assert len(patient.observations) == len(times) * len(courses.observables)
        for name, value in patient.covariates.items():
            assert value == people.covariates[name][i]


def test_every_row_says_that_it_is_synthetic(written):
    courses, folder, _ = written
    seed = courses.origin.seed
    told = f"synthetic: model {courses.model.name}, patient-twin {courses.origin.version}, seed {seed}"
    table = (folder / "nonmem.csv").read_text("utf-8").splitlines()
    assert table[1].startswith(f"# {told}")
    marks = [table[0].split(",").index(name) for name in ("SYNTH", "SEED")]
    assert {tuple(row.split(",")[k] for k in marks) for row in table[2:]} == {("1", str(seed))}
    for path in (folder / "patients").iterdir():
        assert f"note: '{told}" in path.read_text("utf-8")
    for path in (folder / "fhir").iterdir():
        bundle = json.loads(path.read_text("utf-8"))
        resources = [bundle, *(entry["resource"] for entry in bundle["entry"])]
        assert len(resources) > 10
        for one in resources:
            assert one["meta"]["security"][0]["code"] == "HTEST"
            assert one["meta"]["tag"][0]["display"].startswith(told)
    for path in [*(folder / "cdisc").glob("*.csv"), folder / "people.csv"]:
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        word, number = ("synthetic", "seed") if path.name == "people.csv" else ("SYNTHFL", "SIMSEED")
        assert {(row[word], row[number]) for row in rows} == {("true" if word == "synthetic" else "Y", str(seed))}


def test_events_of_a_table_stand_in_nonmems_order(written):
    courses, folder, _ = written
    with (folder / "nonmem.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    keys = [(int(row["ID"]), float(row["TIME"]), int(row["EVID"])) for row in rows]
    assert keys == sorted(keys)  # readings before a dose at their time
    assert len(rows) == len(courses.doses) + len(courses.readings.person)
    for row in rows:
        assert (row["DV"] == ".") == (row["EVID"] == "1") == (row["MDV"] == "1")
        assert (float(row["AMT"]) > 0) == (row["EVID"] == "1")


# --- CDISC --------------------------------------------------------------------------------------------

# Dataset-JSON 1.1 as CDISC publishes it: what stands at the top, what a column may say, which types there are.
TOP = {
    "datasetJSONCreationDateTime": str, "datasetJSONVersion": str, "fileOID": str, "dbLastModifiedDateTime": str,
    "originator": str, "sourceSystem": dict, "studyOID": str, "metaDataVersionOID": str, "metaDataRef": str,
    "itemGroupOID": str, "records": int, "name": str, "label": str, "columns": list, "rows": list,
}  # fmt: skip
NEEDED = {"datasetJSONCreationDateTime", "datasetJSONVersion", "itemGroupOID", "records", "name", "label", "columns"}
COLUMN = {
    "itemOID": str, "name": str, "label": str, "dataType": str, "targetDataType": str, "length": int,
    "displayFormat": str, "keySequence": int,
}  # fmt: skip
TYPES = {"string": str, "integer": int, "float": (int, float), "double": (int, float), "boolean": bool}


def test_datasets_are_dataset_json(written):
    _, folder, _ = written
    found = sorted((folder / "cdisc").glob("*.json"))
    assert {"adsl.json", "adppk.json", "adbds.json"} <= {path.name for path in found}
    for path in found:
        data = json.loads(path.read_text("utf-8"))
        assert data.keys() >= NEEDED
        assert all(isinstance(value, TOP[key]) for key, value in data.items())
        assert re.fullmatch(r"1\.1\.\d+", data["datasetJSONVersion"])
        datetime.datetime.fromisoformat(data["datasetJSONCreationDateTime"])
        assert data["sourceSystem"].keys() == {"name", "version"}
        assert data["records"] == len(data["rows"])
        columns = data["columns"]
        assert (
            len({column["itemOID"] for column in columns})
            == len({column["name"] for column in columns})
            == len(columns)
        )
        for k, column in enumerate(columns):
            assert column.keys() >= {"itemOID", "name", "label", "dataType"}
            assert all(isinstance(value, COLUMN[key]) for key, value in column.items())
            assert re.fullmatch("[A-Z_][A-Z0-9_]{0,7}", column["name"])  # as XPT and ADaM have it
            assert len(column["label"]) <= 40
            values = [row[k] for row in data["rows"]]
            assert all(isinstance(v, TYPES[column["dataType"]]) or (v is None) for v in values), column
            if column["dataType"] == "string":
                assert column["length"] == max(1, *(len(v) for v in values))
        keys = [c["name"] for c in sorted(columns, key=lambda c: c.get("keySequence", 99)) if "keySequence" in c]
        assert keys[:2] == ["STUDYID", "USUBJID"]
        whole = [dict(zip([c["name"] for c in columns], row, strict=True)) for row in data["rows"]]
        assert [row["USUBJID"] for row in whole] == sorted(row["USUBJID"] for row in whole)


def test_what_adam_derives(written):
    courses, folder, _ = written
    rows = {}
    for path in (folder / "cdisc").glob("*.json"):
        data = json.loads(path.read_text("utf-8"))
        names = [column["name"] for column in data["columns"]]
        rows[data["name"]] = [dict(zip(names, row, strict=True)) for row in data["rows"]]
    assert [row["SUBJID"] for row in rows["ADSL"]] == list(courses.ids)
    assert {row["SAFFL"] for row in rows["ADSL"]} == {"Y"}
    assert len(rows["ADPPK"]) == len(courses.doses) + len(courses.readings.person)
    for row in rows["ADBDS"]:
        days = row["ARELTM"] / (24 if courses.model.time_unit == "h" else 1)
        assert row["ADY"] == np.floor(days) + 1  # there is no day 0
        if row["CHG"] is not None:
            assert row["CHG"] == row["AVAL"] - row["BASE"]
            assert row["ABLFL"] == ""
    flagged = [row for row in rows["ADBDS"] if row["ABLFL"] == "Y"]
    assert all(row["AVAL"] == row["BASE"] and row["ARELTM"] == 0 for row in flagged)
    for name, (values, unit, _) in courses.events.items():
        days = values * twin.units.factor(unit, "day")
        mine = [row for row in rows["ADTTE"] if row["PARAMCD"] == short_names(courses.events)[name]]
        assert [row["CNSR"] for row in mine] == [int(np.isinf(value)) for value in values]
        assert [row["AVAL"] for row in mine] == pytest.approx(np.minimum(days, 14.0))


def test_names_are_short_and_different():
    names = ["baseline_inr", "baseline_inr_two", "age", "AGE", "9lives", "creatinine_clearance", "creatinine_clear"]
    found = short_names(names, taken={"AGE"})
    assert len(set(found.values())) == len(names)
    assert all(re.fullmatch("[A-Z][A-Z0-9]{0,7}", one) for one in found.values())
    assert "AGE" not in found.values()
    assert column_names(["rate", "RATE_", "age"]) == {"rate": "RATE_", "RATE_": "RATE__", "age": "AGE"}


def test_transport_files_hold_the_same(written):
    pyreadstat = pytest.importorskip("pyreadstat", reason="needs the extra 'export'")
    courses, folder, _ = written
    for path in write_courses(courses, folder, ["xpt"]):
        frame, about = pyreadstat.read_xport(str(path))
        data = json.loads((folder / "cdisc" / f"{path.stem}.json").read_text("utf-8"))
        assert list(frame.columns) == [column["name"] for column in data["columns"]]
        assert about.column_labels == [column["label"] for column in data["columns"]]
        assert len(frame) == data["records"]
        numbers = [k for k, column in enumerate(data["columns"]) if column["dataType"] != "string"]
        wanted = np.array([[np.nan if row[k] is None else row[k] for k in numbers] for row in data["rows"]], float)
        assert np.allclose(frame.iloc[:, numbers].astype(float), wanted, rtol=1e-14, equal_nan=True)  # IBM's floats


@pytest.mark.parametrize(("form", "module"), [("xpt", "pyreadstat"), ("parquet", "pyarrow")])
def test_without_the_extra_a_format_says_what_to_install(written, form, module, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(TwinError, match=rf"needs {module}; install 'patient-twin\[export\]'"):
        write_courses(*written[:2], [form])


# --- the command --------------------------------------------------------------------------------------


def test_the_command_describes_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.yaml").write_text(WARFARIN, encoding="utf-8")
    main(["population", "q.yaml", "--size", "4", "--seed", "9", "--format", "table", "--regimen", "titrated"])
    said = capsys.readouterr().out
    assert "q: 4 persons of warfarin_hamberg2010, seed 9" in said
    assert re.search(r"age +year  \d+\.?\d* \[", said)
    assert re.search(r"vkorc1 +GG \d", said)
    assert said.endswith("q-population: people.csv; all of it synthetic\n")
    with (tmp_path / "q-population" / "people.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {row["seed"] for row in rows} == {"9"}
    assert {"clearance", "highest_inr", "first_therapeutic", "height"} <= rows[0].keys()


REFUSED = {
    "patients": ("model: warfarin\npatients: [{id: ana}]\n", [], "has patients and no population"),
    "no regimen": (POPULATION, [], "say under which regimen persons are written: fixed, titrated"),
    "unknown regimen": (POPULATION, ["--regimen", "fixd"], "unknown regimen 'fixd'; did you mean 'fixed'?"),
    "no times": (POPULATION, ["--regimen", "fixed"], "does not say when persons are measured; add 'times:"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_one_sentence(case, tmp_path, capsys):
    text, words, expected = REFUSED[case]
    regimens = WARFARIN[WARFARIN.index("regimens:") : WARFARIN.index("outcomes:")]
    times = "" if case == "no times" else "times: [day 3]\n"
    (tmp_path / "q.yaml").write_text(text + regimens + times, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["population", str(tmp_path / "q.yaml"), "--format", "table", "--out", str(tmp_path / "out"), *words])
    assert end.value.code == 1
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error")]
    assert expected in line
    assert not (tmp_path / "out").exists()


def test_a_steady_state_is_written_where_a_format_can_say_it(written, tmp_path):
    courses, _, _ = written
    first = np.diff(courses.doses.person, prepend=-1) > 0
    steady = dataclasses.replace(courses.doses, steady=first.astype(int), interval=np.where(first, 24.0, 0.0))
    courses = dataclasses.replace(courses, doses=steady)
    with pytest.raises(TwinError, match="a steady state is not given dose by dose"):
        write_courses(courses, tmp_path, ["fhir"])
    write_courses(courses, tmp_path, ["nonmem", "patients"])
    for form in ("nonmem", "patients"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", twin.DomainWarning)
            dose, *rest = twin.load_scenario(tmp_path / f"{form}.yaml").patients[0].doses
        assert (dose.steady_state, dose.every.within("h")) == (1, 24.0)
        assert not any(one.steady_state for one in rest)


def test_a_modelled_rate_is_written_for_nonmem_alone(written, tmp_path):
    courses, _, _ = written
    modelled = np.where(courses.doses.duration > 0, 0.0, -2.0)
    courses = dataclasses.replace(courses, doses=dataclasses.replace(courses.doses, modelled=modelled))
    if not modelled.any():
        return
    with pytest.raises(TwinError, match="a modelled RATE or SS 2 has no place in this format"):
        write_courses(courses, tmp_path, ["patients"])
    table, _ = write_courses(courses, tmp_path, ["nonmem"])
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert {row["RATE"] for row in rows if row["EVID"] == "1"} == {"-2"}
