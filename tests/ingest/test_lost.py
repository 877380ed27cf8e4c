"""Doses that a reader or a mapping would lose, patients whom a model refuses: said first, and nothing runs."""

from __future__ import annotations

import dataclasses

import pytest
from click.testing import CliRunner

from cli.main import twin as command
from tests.ingest.records import PERSON, bundle, drug, line, observation, written
from tests.ingest.test_assemble import DRUG, FIVE, assembled, at
from tests.ingest.test_omop import TABLES, write
from twin.errors import TwinError
from twin.ingest.chart import Chart, Code, Given, Lost
from twin.ingest.report import DROPPED, REFUSED, UNUSED
from twin.scenario import check, load_scenario

ORDER = dataclasses.replace(FIVE, certain=False)
NAMED = (Code("rxnorm", "855332", "Warfarin Sodium 5 MG Oral Tablet"),)
TABLED = (Code("cmt", "1"), Code("column", "AMT"))

# what is given -> what of it is lost to the warfarin model, under which mapping and choices
LOSSES = {
    "without a unit": (dataclasses.replace(FIVE, unit="tablet"), {}, {}, "say 'each' or 'unit' in the mapping"),
    "in a wrong unit": (dataclasses.replace(FIVE, unit="mL"), {}, {}, "does not fit"),
    "without a time": (dataclasses.replace(FIVE, time=None), {}, {}, "without a time"),
    "an order nobody decided on": (ORDER, {}, {}, "write 'orders: use' to take it as given, or 'orders: refuse'"),
    "a product nobody mapped": (Given(NAMED, 1.0, "tablet", at(1)), {}, {}, "warfarin: rxnorm 855332 feeds nothing"),
    "a table's row": (Given(TABLED, 5.0, None, 1.0), {}, {}, "dose: cmt 1 feeds nothing"),
}
KEPT = {
    "used": (FIVE, {}, {}),
    "an order that is refused": (ORDER, {}, {"orders": "refuse"}),
    "an order that is used": (ORDER, {}, {"orders": "use"}),
    "a product mapped to nothing": (Given(NAMED, 1.0, "tablet", at(1)), {"rxnorm 855332": None}, {}),
    "another drug": (Given((Code("rxnorm", "1", "Aspirin 100 MG Oral Tablet"),), 1.0, "mg", at(1)), {}, {}),
    "a row mapped to nothing": (Given(TABLED, 5.0, None, 1.0), {"cmt 1": None}, {}),
}


@pytest.mark.parametrize(("given", "mapping", "choices", "words"), LOSSES.values(), ids=LOSSES)
def test_no_dose_of_the_models_drug_is_lost_quietly(given, mapping, choices, words):
    patient, report = assembled(Chart("p", given=(given,)), mapping=mapping, **choices)
    assert not patient.doses
    (said,) = report.losses()
    assert said.startswith("1 dose lost: ")
    assert words in said
    assert sum(report.total(kind) for kind in (DROPPED, UNUSED)) == 1, "it is one note beside the one it had"


@pytest.mark.parametrize(("given", "mapping", "choices"), KEPT.values(), ids=KEPT)
def test_what_is_used_decided_on_or_anothers_is_not_lost(given, mapping, choices):
    _, report = assembled(Chart("p", given=(given,)), mapping=mapping, **choices)
    assert not report.losses()


UNREAD = Lost(DRUG, "MedicationRequest: without a dosage", at(1), certain=False)


@pytest.mark.parametrize(
    ("chart", "choices", "count"),
    [
        (Chart("p", lost=(UNREAD,)), {}, 1),
        (Chart("p", lost=(UNREAD,)), {"orders": "use"}, 1),
        (Chart("p", lost=(UNREAD,)), {"orders": "refuse"}, 0),
        (Chart("p", lost=(UNREAD,), given=(FIVE,)), {"orders": "use"}, 0),
        (Chart("p", lost=(dataclasses.replace(UNREAD, certain=True),), given=(FIVE,)), {"orders": "refuse"}, 1),
        (Chart("p", given=(Given(NAMED, 1.0, "tablet", at(1), certain=False),)), {"orders": "refuse"}, 0),
    ],
)
def test_an_order_that_cannot_be_read_is_lost_where_orders_count(chart, choices, count):
    assert len(assembled(chart, **choices)[1].losses()) == count


# --- scenarios ----------------------------------------------------------------------------------------

ASK = """model: warfarin
patients:
  - {from: fhir, path: bundle.json, id: ana%s}
regimens: {usual: 5 mg q24h x7}
"""
UNREADABLE = {
    "without a dosage": drug("MedicationRequest", status="active", authoredOn="2024-05-01"),
    "as needed": drug(
        "MedicationRequest", status="active", authoredOn="2024-05-01", dosageInstruction=[line(asNeededBoolean=True)]
    ),
    "without a dose": drug("MedicationAdministration", effectiveDateTime="2024-05-05T20:00:00Z"),
    "that is not built as FHIR": drug("MedicationAdministration", effectiveDateTime="2024-05-05", dosage=[1]),
}


def called(folder, *options):
    return CliRunner().invoke(command, ["check", str(folder / "ask.yaml"), *options])


@pytest.mark.parametrize("resource", UNREADABLE.values(), ids=UNREADABLE)
def test_twin_check_says_lost_doses_first_and_exits_2(tmp_path, resource):
    written(tmp_path, bundle(PERSON, resource, observation()))
    written(tmp_path, ASK % ", orders: use", "ask.yaml")
    found = called(tmp_path)
    assert found.exit_code == 2, found.output
    assert found.output.startswith("error: bundle.json: 1 dose lost: tablet: ")
    assert "--allow-dropped" in found.output
    allowed = called(tmp_path, "--allow-dropped")
    assert allowed.exit_code == 0, allowed.output
    assert allowed.output.startswith("warning: bundle.json: 1 dose lost")
    with pytest.raises(TwinError, match="1 dose lost"):
        load_scenario(tmp_path / "ask.yaml")
    assert load_scenario(tmp_path / "ask.yaml", allow_dropped=True).patients


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "draft"])
def test_what_was_never_given_is_no_loss(tmp_path, status):
    written(tmp_path, bundle(PERSON, drug("MedicationRequest", status=status, authoredOn="2024-05-01"), observation()))
    written(tmp_path, ASK % "", "ask.yaml")
    assert called(tmp_path).exit_code == 0


def test_a_drug_that_the_record_has_only_in_words_is_lost_by_its_name(tmp_path):
    said = {"text": "Warfarin 5 mg tablet"}
    order = drug("MedicationRequest", status="active", medicationCodeableConcept=said, dosageInstruction=[line()])
    written(tmp_path, bundle(PERSON, order | {"authoredOn": "2024-05-01"}, observation()))
    written(tmp_path, ASK % ", orders: use", "ask.yaml")
    assert "warfarin: without a code feeds nothing" in called(tmp_path).output


def test_infusions_of_an_omop_extract_without_a_unit_are_lost_doses(tmp_path):
    """What happened to all 15 of one: the strength has no unit, so that 20 pieces are no amount."""
    tables = TABLES | {"drug_strength": (TABLES["drug_strength"][0], "401,500,,,,,,")}
    tables["concept"] = tuple(row.replace("500,One,RxNorm,0500", "500,One,RxNorm,3639") for row in TABLES["concept"])
    write(tmp_path / "cdm", tables)
    entry = "{from: omop, path: cdm, cohort: SELECT 1 AS person_id, mapping: {rxnorm 3639: infusion}}"
    text = f"model: docetaxel\npatients: [{entry}]\nregimens: {{usual: 75 mg/m2 over 1 h}}\n"
    found = check(written(tmp_path, text, "ask.yaml"))
    assert len(found.lost) == 1
    assert "infusion: " in found.lost[0]
    assert found.scenario is None


# --- patients whom the model refuses ------------------------------------------------------------------

COHORT = """model: vancomycin
patients:
  - {from: nonmem, path: data.csv, keep_ids: true, mapping: {column AMT: infusion, column DV: vancomycin,
     column WT: weight}}
regimens: {usual: 1000 mg over 1 h q12h x4}
"""


@pytest.fixture
def cohort(tmp_path):
    """A grown-up, and a child whose weight was read five times: the model is for adults."""
    adult = ["1,0,1000,.,80", "1,24,.,15,80"]
    child = [f"2,{time},{100 if time == 0 else '.'},.,{10 + time}" for time in range(5)]
    written(tmp_path, "\n".join(["ID,TIME,AMT,DV,WT", *adult, *child, "2,6,.,8,14"]) + "\n", "data.csv")
    written(tmp_path, COHORT, "ask.yaml")
    return tmp_path


def test_a_refused_patient_is_one_line_and_says_how_to_go_on(cohort):
    found = called(cohort)
    assert found.exit_code == 1
    errors = [line for line in found.output.splitlines() if line.startswith("error")]
    assert len(errors) == 2
    assert "patient '2'" in errors[0]
    assert "model 'vancomycin_goti2018' is not for such patients: body weight must be within" in errors[0]
    assert "(and 5 more of this patient)" in errors[0]
    assert "1 of 2 patients are refused; --skip-refused goes on without them" in errors[1]


def test_the_others_go_on_if_that_is_asked_for(cohort):
    found = called(cohort, "--skip-refused")
    assert found.exit_code == 0, found.output
    assert "warning: left out: patient '2'" in found.output
    scenario = load_scenario(cohort / "ask.yaml", skip_refused=True)
    assert [patient.id for patient in scenario.patients] == ["1"]
    assert scenario.reports[0].total(REFUSED) == 1


def test_a_cohort_of_whom_all_are_refused_does_not_run(cohort):
    table = (cohort / "data.csv").read_text().splitlines()
    written(cohort, "\n".join([table[0], *(row for row in table if row.startswith("2,"))]) + "\n", "data.csv")
    assert called(cohort, "--skip-refused").exit_code == 1


def test_a_patient_whom_the_scenario_writes_out_is_never_skipped(tmp_path):
    """Nobody else can mend it: every reading is an error at its own key, and the option changes nothing."""
    weights = "[{time: 0, value: 10}, {time: 1 day, value: 11}]"
    people = f"[{{id: child, covariates: {{weight: {weights}}}}}, {{id: ann, covariates: {{weight: 80}}}}]"
    text = f"model: vancomycin\npatients: {people}\nregimens: {{usual: 1000 mg over 1 h q12h x4}}\n"
    written(tmp_path, text, "ask.yaml")
    for options in ((), ("--skip-refused",)):
        found = called(tmp_path, *options)
        assert found.exit_code == 1
        errors = [one for one in found.output.splitlines() if one.startswith("error")]
        assert len(errors) == 2
        for i, one in enumerate(errors):
            assert f"ask.yaml:2: key 'patients[0].covariates.weight[{i}].value': 1{i} kg: model" in one
