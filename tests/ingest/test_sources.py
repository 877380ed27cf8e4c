"""Patients' own records in scenarios and from Python: readers, options, joins, what is printed and stored."""

import dataclasses
import functools
import hashlib
import json
import types
import typing

import pytest
import xarray as xr
from click.testing import CliRunner

from cli.main import twin as command
from cli.report.posterior_figure import _courses
from tests.ingest.records import PERSON, RXNORM, bundle, concept, drug, line, observation, quantity, written
from twin.errors import TwinError
from twin.ingest import READERS, Source, fhir, join_patients, read_patients
from twin.ingest.chart import Chart, Code, Reading
from twin.ingest.options import hints
from twin.ingest.report import FLAGGED, NOBODY, UNUSED, USED, Report
from twin.ingest.sources import _join
from twin.library import load_model
from twin.result import dataset
from twin.scenario import check, load_scenario
from twin.scenario.record_entry import Reader

WARFARIN = load_model("warfarin")
INR = {"code": concept("6301-6"), "valueQuantity": quantity(2.5, "{INR}")}
TAKEN = drug(
    "MedicationAdministration", effectiveDateTime="2024-05-05T20:00:00Z", dosage={"dose": quantity(5, "mg")}
)  # fmt: skip
SCENARIO = """model: warfarin
patients:
  - {from: fhir, path: records/bundle.json, id: ana%s}
regimens: {usual: 5 mg q24h x7}
"""


@pytest.fixture
def folder(tmp_path):
    """A scenario beside one person's bundle: a dose, an INR the next morning, and a glucose nobody asks for."""
    (tmp_path / "records").mkdir()
    written(tmp_path / "records", bundle(PERSON, TAKEN, observation(**INR), observation()))
    written(tmp_path, SCENARIO % "", "ask.yaml")
    return tmp_path


# --- readers and their options ------------------------------------------------------------------------


def test_scenarios_know_every_reader():
    assert set(typing.get_args(Reader)) == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_every_reader_states_its_options(name):
    assert isinstance(hints(name), dict)


def test_from_python(folder):
    (patient,), report = read_patients("fhir", folder / "records" / "bundle.json", WARFARIN, id="ana")
    assert [(o.observable, o.time, o.value) for o in patient.observations] == [("inr", 12.0, 2.5)]
    assert [(d.treatment, d.amount, d.time) for d in patient.doses] == [("tablet", "5.0 mg", 0.0)]
    assert patient.covariates["age"] == pytest.approx(74.25, abs=0.01)
    assert report.counts["ana", UNUSED, "loinc 2345-7"] == 1
    assert report.total(USED, "ana") == 3


@pytest.mark.parametrize(
    ("reader", "options", "words"),
    [
        ("fihr", {}, "did you mean 'fhir'"),
        ("fhir", {"zerro": "first dose"}, "did you mean 'zero'"),
        ("fhir", {"id": "ana", "zero": "some day"}, "is no moment"),
        ("fhir", {"person": 5}, "option 'person' of reader 'fhir'"),
        ("omop", {}, "reader 'omop' needs the option 'cohort'"),
        ("fhir", {"person": "nobody"}, "none of its 1 people"),
        ("nonmem", {"names": 5}, "option 'names' of reader 'nonmem'"),
        ("fhir", {"mapping": {"loinc 6301-6": "inn"}}, "did you mean 'inr'"),
    ],
)
def test_wrong_words(folder, reader, options, words):
    with pytest.raises(TwinError, match=words):
        read_patients(reader, folder / "records" / "bundle.json", WARFARIN, **options)


def test_one_person_of_several(tmp_path):
    other = PERSON | {"id": "b"}
    path = written(tmp_path, bundle(PERSON, other, observation(**INR)))
    with pytest.raises(TwinError, match="is of 2 people, and 'id' names one"):
        read_patients("fhir", path, WARFARIN, id="ana")
    (patient,), report = read_patients("fhir", path, WARFARIN, id="ana", person="jane-doe-1")
    assert (patient.id, len(patient.observations)) == ("ana", 1)
    assert report.counts[NOBODY, UNUSED, "another person's record"] == 1


def test_names_that_change_are_flagged(folder, monkeypatch):
    path = folder / "records" / "bundle.json"
    monkeypatch.delenv("TWIN_PSEUDONYM_KEY", raising=False)
    assert any(who == NOBODY and how == FLAGGED for who, how, _ in read_patients("fhir", path, WARFARIN)[1].counts)
    monkeypatch.setenv("TWIN_PSEUDONYM_KEY", "a key of the study")
    first, report = read_patients("fhir", path, WARFARIN)
    assert not any(who == NOBODY for who, _, _ in report.counts)
    assert first[0].id == read_patients("fhir", path, WARFARIN)[0][0].id


# --- joins --------------------------------------------------------------------------------------------


def test_two_bundles_of_one_person(tmp_path):
    """The second is of another hospital: another id, another date of birth, the INR of the first once more."""
    a = written(tmp_path, bundle(PERSON, TAKEN, observation(**INR)), "a.json")
    there = PERSON | {"id": "4711", "birthDate": "1951-02-03"}
    whose = {"subject": {"reference": "Patient/4711"}}
    later = observation(**INR, **whose, effectiveDateTime="2024-05-08T08:00:00Z")
    b = written(tmp_path, bundle(there, observation(**INR, **whose), later), "b.json")
    sources = [Source("fhir", str(a)), Source("fhir", str(b))]
    (patient,), report = join_patients(sources, WARFARIN, id="ana")
    assert [o.time for o in patient.observations] == [12.0, 60.0]
    assert report.counts["ana", FLAGGED, "sources differ on birth date; the first is taken"] == 1
    assert report.source == "a.json, b.json"
    assert len(join_patients(sources, WARFARIN)[0]) == 2  # two identifiers, and nobody says that they are one person


def test_three_modalities_of_one_person(tmp_path):
    """Laboratory values, a genotype and a weight scale, each file without the others' identifier."""
    a = written(tmp_path, bundle(PERSON, TAKEN, observation(**INR)), "a.json")
    b = written(tmp_path, "gene,diplotype\nCYP2C9,*1/*3\nVKORC1,GA\n", "genes.csv")
    sources = [Source("fhir", str(a)), Source("genome", str(b))]
    (patient,), report = join_patients(sources, WARFARIN, id="ana")
    assert {name: patient.covariates[name] for name in ("cyp2c9", "vkorc1")} == {"cyp2c9": "*1/*3", "vkorc1": "GA"}
    assert len(patient.observations) == 1
    c = written(tmp_path, "time,weight\n2024-05-05 07:00,70.5\n", "scale.csv")
    scale = Source("wearable", str(c), {"units": {"weight": "kg"}, "zone": "UTC"})
    diabetes = load_model("type1_diabetes_replaybg")
    (patient,), report = join_patients([Source("fhir", str(a)), scale], diabetes, id="ana")
    assert patient.covariates["weight"] == 70.5
    assert report.reader == "fhir + wearable"


def test_people_are_joined_by_their_identifier():
    gene = Reading((Code("gene", "CYP2C9"),), "*1/*1")
    one, other = [Chart("p-1"), Chart("p-2", sex="male")], [Chart("p-2", readings=(gene,)), Chart("p-3")]
    charts, _ = _join([(one, Report("a", "x")), (other, Report("b", "y"))], None)
    assert [chart.id for chart in charts] == ["p-1", "p-2", "p-3"]
    assert charts[1] == Chart("p-2", sex="male", readings=(gene,))


def test_a_table_and_a_bundle(tmp_path):
    """Bare numbers are times since time 0, in their unit; dates count from the first dose, 12 h before the INR."""
    a = Source("fhir", str(written(tmp_path, bundle(PERSON, TAKEN, observation(**INR)), "a.json")))
    b = str(written(tmp_path, "ID,TIME,DV,BASE\n1,2.5,3.1,1.1\n", "b.csv"))
    mapping = {"column DV": "inr", "column BASE": "baseline_inr"}
    with pytest.raises(TwinError, match="say 'carry' for all"):
        join_patients([a, Source("nonmem", b)], WARFARIN, id="ana", mapping=mapping)
    for own, choices in (({"time_unit": "day"}, {}), ({}, {"time_unit": "day"})):
        sources = [a, Source("nonmem", b, own)]
        (patient,), _ = join_patients(sources, WARFARIN, id="ana", mapping=mapping, carry="forward", **choices)
        assert [(o.time, o.value) for o in patient.observations] == [(12.0, 2.5), (60.0, 3.1)]
        assert patient.covariates["baseline_inr"] == 1.1
    with pytest.raises(TwinError, match="no option 'orders'; say it beside 'join'"):
        join_patients([Source("fhir", a.path, {"orders": "use"})], WARFARIN)


# --- scenarios ----------------------------------------------------------------------------------------


def test_a_scenario_reads_records(folder):
    scenario = load_scenario(folder / "ask.yaml")
    (patient,) = scenario.patients
    assert (patient.id, len(patient.observations), len(patient.doses)) == ("ana", 1, 1)
    assert patient.assumed == ("cyp2c9", "vkorc1", "baseline_inr")
    raw = (folder / "records" / "bundle.json").read_bytes()
    assert scenario.fingerprints["records/bundle.json"] == hashlib.sha256(raw).hexdigest()
    (report,) = scenario.reports
    assert report.total(USED) == 3


def test_records_are_read_once(folder, monkeypatch):
    calls = []
    own = fhir.read

    @functools.wraps(own)
    def read(path, **options):
        calls.append(path)
        return own(path, **options)

    monkeypatch.setattr(fhir, "read", read)
    load_scenario(folder / "ask.yaml")
    assert len(calls) == 1


def test_twin_check_prints_the_report(folder):
    found = CliRunner().invoke(command, ["check", str(folder / "ask.yaml")])
    assert found.exit_code == 0, found.output
    assert "bundle.json (fhir): 1 patient" in found.output
    assert "observable inr" in found.output
    assert "loinc 2345-7" in found.output
    assert "reference value" in found.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (", mapping: {loinc 6301-6: inn}", "ask.yaml:3: key 'patients[0]': mapping 'loinc 6301-6': model"),
        (", mapping: {loinc 6301-6: {to: inr, too: inr}}", "unknown key; did you mean 'to'"),
        (", mapping: {loinc 6301-6: {to: inr, take: last}}", "'all' or 'start'"),
        (", mapping: [inr]", "is not a mapping"),
        (", carry: sideways", "'forward' or 'backward'"),
        (", ordres: use", "reader 'fhir' has no option 'ordres'; did you mean 'orders'"),
        (", zone: Mars/Base", "unknown time zone"),
        (", since: [1]", "is neither a number nor text"),
        ("}\n  - {from: fhir, path: records/bundle.json, id: ana", "a second patient is called 'ana'"),
        ("}\n  - {from: dicom, path: x", "is not allowed; write 'fhir'"),
        ("}\n  - {from: fhir", "key 'patients[1].path': is missing"),
        ("}\n  - {from: fhir, path: no.json", "no.json: cannot be read"),
        ("}\n  - {join: [{from: fhir, path: records/bundle.json, id: b}]", "reader 'fhir' has no option 'id'"),
        ("}\n  - {join: []", "is empty"),
    ],
)  # fmt: skip
def test_wrong_entries(folder, more, words):
    written(folder, SCENARIO % more, "ask.yaml")
    found = check(folder / "ask.yaml")
    assert len(found.problems) == 1, found.problems
    assert words in found.problems[0]


def test_joined_in_a_scenario(folder):
    join = "}\n  - {join: [{from: fhir, path: records/bundle.json}, {from: fhir, path: records/bundle.json}], id: both"
    written(folder, SCENARIO % join, "ask.yaml")
    scenario = load_scenario(folder / "ask.yaml")
    ana, both = scenario.patients
    assert dataclasses.replace(both, id="ana") == ana


def test_products_are_counted_pieces(folder):
    tablets = drug(
        "MedicationStatement", medicationCodeableConcept=concept("855332", RXNORM),
        effectivePeriod={"start": "2024-05-05", "end": "2024-05-11"}, dosage=[line(1, "tablet")],
    )  # fmt: skip
    written(folder / "records", bundle(PERSON, tablets, observation(**INR)))
    more = ", orders: use, mapping: {rxnorm 855332: {to: tablet, each: 5 mg}}"
    written(folder, SCENARIO % more, "ask.yaml")
    scenario = load_scenario(folder / "ask.yaml")
    (patient,) = scenario.patients
    (dose,) = patient.doses
    assert (dose.amount, dose.unit, dose.count) == (5.0, "mg", 7)


def test_the_report_is_stored_with_a_result(folder, tmp_path):
    scenario = load_scenario(folder / "ask.yaml")
    tree = dataset.with_ingest(xr.DataTree.from_dict({"/outcomes": xr.Dataset()}), scenario.reports)
    dataset.save(tree, tmp_path / "out")
    stored = dataset.load(tmp_path / "out")["ingest"].to_dataset()
    (report,) = scenario.reports
    columns = ("of_patient", "kind", "reason", "count")
    assert list(zip(*(stored[c].values.tolist() for c in columns), strict=True)) == report.rows()
    assert set(stored["source"].values.tolist()) == {"bundle.json"}
    assert "jane" not in json.dumps(stored.to_dict(), default=str)
    dataset.add_ingest(tmp_path / "out" / dataset.FILE, scenario.reports)
    assert dataset.load(tmp_path / "out")["ingest"].to_dataset().identical(stored)


def test_a_result_without_records_has_no_report():
    tree = xr.DataTree.from_dict({"/outcomes": xr.Dataset()})
    assert dataset.with_ingest(tree, []) is tree


def test_a_posteriors_course_begins_with_what_is_simulated(folder, monkeypatch):
    """An INR from before the first dose lies before the course, which starts with the doses."""
    before = observation(**INR, effectiveDateTime="2024-05-05T08:00:00Z")
    written(folder / "records", bundle(PERSON, TAKEN, before, observation(**INR)))
    scenario = load_scenario(folder / "ask.yaml")
    patients = scenario.patients
    assert [o.time for o in patients[0].observations] == [-12.0, 12.0]
    monkeypatch.setattr("twin.simulate", lambda *_, **__: {"predictions": xr.Dataset()}, raising=False)
    _, _, times = _courses(types.SimpleNamespace(model=WARFARIN, patients=patients, draws=5, individuals={}), 0)
    assert (times[0], times[-1]) == (0.0, pytest.approx(12.6))
