"""FHIR R4: real bundles against counts by other code, and each form of value, dose and file by hand."""

import collections
import datetime
import gzip
import json

import pytest

from tests.ingest.records import PERSON, RXNORM, WHO, bundle, concept, drug, line, observation, quantity, written
from twin.ingest import fhir, read_patients
from twin.ingest.chart import Code
from twin.ingest.report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, NOBODY, READ, UNUSED
from twin.library import load_model

UTC = datetime.UTC
NINE = datetime.datetime(2024, 5, 6, 9, tzinfo=UTC)
BACKWARDS = {"start": "2024-05-05", "end": "2024-05-01"}
NOWHERE = {"medicationCodeableConcept": None, "medicationReference": {"reference": "Medication/no"}}
SYNTHEA = [
    "alzheimer_donepezil", "atrial_fibrillation_warfarin", "diabetes_allergies", "diabetes_ckd_insulin",
    "diabetes_metformin", "prostate_cancer_docetaxel",
]  # fmt: skip


def read(folder, *resources, **more):
    """The one chart of a bundle with the usual person."""
    charts, report = fhir.read(written(folder, bundle(PERSON, *resources, **more)))
    (chart,) = charts
    return chart, report


def count(report, kind, words):
    return sum(n for (_, how, why), n in report.counts.items() if how == kind and words in why)


# --- real files ---------------------------------------------------------------------------------------


def independent(path):
    """(code, number or text, unit, date) of every value in a bundle, by other means than the reader's."""
    found = collections.Counter()
    for entry in json.loads(path.read_text())["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] != "Observation":
            continue
        for node in [resource, *resource.get("component", [])]:
            key = node["code"]["coding"][0]["code"]
            when = datetime.datetime.fromisoformat(resource["effectiveDateTime"])
            if "valueQuantity" in node:
                found[key, node["valueQuantity"]["value"], node["valueQuantity"]["code"], when] += 1
            elif "valueCodeableConcept" in node:
                found[key, node["valueCodeableConcept"]["coding"][0]["code"], None, when] += 1
    return found


@pytest.mark.parametrize("name", SYNTHEA)
def test_synthea_bundles_are_read_without_loss(shared_data, name):
    path = shared_data / "fhir_synthea_r4" / f"{name}.json"
    (chart,), report = fhir.read(path)
    ours = collections.Counter(
        (r.codes[0].value, r.value, r.unit, r.time) for r in chart.readings if r.codes[0].system == "loinc"
    )
    assert ours == independent(path)
    kinds = collections.Counter(e["resource"]["resourceType"] for e in json.loads(path.read_text())["entry"])
    for kind, n in kinds.items():
        how = READ if kind in ("Patient", "Observation", "Condition", "MedicationRequest") else UNUSED
        assert report.counts[chart.id, how, kind] + report.counts[NOBODY, how, kind] == n, kind
    if chart.died:
        dated = [r.time.date() for r in chart.readings]
        assert name == "alzheimer_donepezil"
        assert max(dated) >= chart.died  # Synthea goes on after death; the values are carried
    # None of Synthea's orders in these files has both a dose and a time at which it stopped.
    assert count(report, DROPPED, "MedicationRequest") == kinds["MedicationRequest"]


def test_a_real_order_without_a_dose_says_that_somebody_is_on_a_drug(shared_data):
    """All of its MedicationRequests lack a dose that can be read; that they were written is known all the same."""
    code = "rxnorm 860975"  # metformin, 500 mg, extended release
    told = {code: {"to": "prior_chemotherapy", "levels": {"present": "treated"}}}
    path = shared_data / "fhir_synthea_r4" / "diabetes_metformin.json"
    (patient,), report = read_patients("fhir", path, load_model("docetaxel"), mapping=told)
    assert patient.covariates["prior_chemotherapy"] == "treated"
    assert count(report, DROPPED, "MedicationRequest") == 3
    assert not report.losses()


def test_a_folder_of_bundles_and_conditions(shared_data):
    folder = shared_data / "fhir_synthea_r4"
    charts, report = fhir.read(folder)
    assert len(charts) == len({chart.id for chart in charts}) == 6
    conditions = [
        entry["resource"] for p in folder.glob("*.json") for entry in json.loads(p.read_text())["entry"]
        if entry["resource"]["resourceType"] == "Condition"
    ]  # fmt: skip
    said = collections.Counter(
        r.value for c in charts for r in c.readings if r.codes[0].system == "snomed" and r.unit is None
    )
    assert said["present"] == len(conditions)
    assert said["absent"] == sum("abatementDateTime" in c for c in conditions)
    assert report.total(READ) == 6 + 55 + 31 + 833 + 86


def test_nothing_that_identifies_leaves_the_reader(shared_data):
    path = shared_data / "fhir_synthea_r4" / "atrial_fibrillation_warfarin.json"
    (chart,), report = fhir.read(path)
    (person,) = (
        e["resource"] for e in json.loads(path.read_text())["entry"] if e["resource"]["resourceType"] == "Patient"
    )
    words = [person["id"], person["name"][0]["family"], person["telecom"][0]["value"], person["address"][0]["city"]]
    words += [one["value"] for one in person["identifier"]]
    said = repr(chart) + repr(report.rows()) + report.text()
    assert not [word for word in words if word in said]


# --- values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"valueQuantity": quantity(5.5, "mmol/L")}, (5.5, "mmol/L", 0)),
        ({"valueQuantity": {"value": 3, "unit": "thou/uL"}}, (3.0, "thou/uL", 0)),
        (
            {"valueQuantity": {"value": 3, "unit": "tablets", "system": "http://local", "code": "T"}},
            (3.0, "tablets", 0),
        ),
        ({"valueQuantity": quantity(5, None)}, (5.0, None, 0)),
        ({"valueQuantity": quantity(0.5, "mg/L", comparator="<")}, (0.5, "mg/L", -1)),
        ({"valueQuantity": quantity(0.5, "mg/L", comparator="<=")}, (0.5, "mg/L", -1)),
        ({"valueQuantity": quantity(500, "mg/L", comparator=">")}, (500.0, "mg/L", 1)),
        ({"valueString": "<0.5"}, (0.5, None, -1)),
        ({"valueString": " 7.2 "}, (7.2, None, 0)),
        ({"valueString": "7,2"}, ("7,2", None, 0)),  # a decimal comma, or two numbers: stays text
        ({"valueString": "haemolysed"}, ("haemolysed", None, 0)),
        ({"valueInteger": 3}, (3.0, None, 0)),
        ({"valueBoolean": True}, ("true", None, 0)),
        ({"valueCodeableConcept": concept("8517006", "http://snomed.info/sct")}, ("8517006", None, 0)),
        ({"valueCodeableConcept": {"text": "*1/*3"}}, ("*1/*3", None, 0)),
    ],
)
def test_forms_of_values(tmp_path, said, expected):
    chart, report = read(
        tmp_path, observation(valueQuantity=None, **said) if "valueQuantity" not in said else observation(**said)
    )
    (reading,) = chart.readings
    assert (reading.value, reading.unit, reading.bound) == expected
    assert reading.codes == (Code("loinc", "2345-7"),)
    assert reading.time == datetime.datetime(2024, 5, 6, 8, tzinfo=UTC)
    assert report.total(DROPPED) == 0
    assert "entry 2 (Observation)" in reading.where


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"valueQuantity": None}, "no value"),
        ({"valueQuantity": None, "dataAbsentReason": concept("not-performed", "x")}, "no value (not-performed)"),
        ({"valueString": "5"}, "two values in one"),
        ({"valueQuantity": {"unit": "mg"}}, "a quantity without a number"),
        ({"valueQuantity": quantity("5.5")}, "a quantity that is no number"),
        ({"valueQuantity": quantity(True)}, "a quantity that is no number"),
        ({"valueQuantity": quantity(5, comparator="ad")}, "a comparator"),
        ({"valueQuantity": None, "valueRange": {"low": quantity(1)}}, "valueRange is not read"),
        ({"valueQuantity": None, "valueRatio": {}}, "valueRatio is not read"),
        ({"status": "entered-in-error"}, "entered-in-error"),
        ({"status": "cancelled"}, "cancelled"),
        ({"effectiveDateTime": "2024-13-45"}, "a time that is none"),
        ({"effectiveDateTime": "yesterday"}, "a time that is none"),
        ({"effectiveDateTime": 20240506}, "a time that is no text"),
        ({"code": "2345-7"}, "not built as FHIR R4 says"),
        ({"valueQuantity": [1]}, "not built as FHIR R4 says"),
        ({"code": {"coding": {"code": "2345-7"}}}, "not built as FHIR R4 says"),
        ({"component": [5]}, "not built as FHIR R4 says"),
    ],
)
def test_values_that_are_dropped(tmp_path, said, words):
    """The good one beside it is read."""
    chart, report = read(tmp_path, observation(**said), observation(id="good"))
    assert len(chart.readings) == 1
    assert (report.total(DROPPED), count(report, DROPPED, words)) == (1, 1)


@pytest.mark.parametrize(
    ("said", "time", "words"),
    [
        ({"status": "preliminary"}, datetime.datetime(2024, 5, 6, 8, tzinfo=UTC), "preliminary"),
        ({"effectiveDateTime": "2024"}, datetime.datetime(2024, 7, 1), "year only"),
        ({"effectiveDateTime": "2024-05"}, datetime.datetime(2024, 5, 15), "month only"),
        ({"effectiveDateTime": "2024-05-06"}, datetime.datetime(2024, 5, 6), "without a clock time"),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": "2024-05-06T09:00:00Z"}}, NINE, "start"),
        ({"effectiveDateTime": None, "issued": "2024-05-06T09:00:00.000Z"}, NINE, "time of issue"),
    ],
)
def test_values_that_are_flagged(tmp_path, said, time, words):
    chart, report = read(tmp_path, observation(**said))
    assert [r.time for r in chart.readings] == [time]
    assert (report.total(FLAGGED), count(report, FLAGGED, words)) == (1, 1)


def test_components_have_their_own_codes(tmp_path):
    parts = [{"code": concept(c), "valueQuantity": quantity(v, "mm[Hg]")} for c, v in (("8480-6", 120), ("8462-4", 80))]
    chart, _ = read(tmp_path, observation(code=concept("85354-9"), valueQuantity=None, component=parts))
    assert [(r.codes[0].value, r.value) for r in chart.readings] == [("8480-6", 120.0), ("8462-4", 80.0)]


def test_sampled_data(tmp_path):
    """By hand: origin 2, factor 0.5, five minutes apart; E is an error, L and U lie beyond the limits 40 and 400."""
    sampled = {
        "origin": {"value": 2, "unit": "mg/dL"}, "period": 300_000, "factor": 0.5, "dimensions": 1,
        "lowerLimit": 40, "upperLimit": 400, "data": "200 E 210.5 L U x",
    }  # fmt: skip
    chart, report = read(tmp_path, observation(valueQuantity=None, valueSampledData=sampled))
    minutes = [(r.time - chart.readings[0].time).total_seconds() / 60 for r in chart.readings]
    assert minutes == [0, 10, 15, 20]
    assert [(r.value, r.bound) for r in chart.readings] == [(102.0, 0), (107.25, 0), (22.0, -1), (202.0, 1)]
    assert {r.unit for r in chart.readings} == {"mg/dL"}
    assert report.counts[chart.id, READ, "Observation sample"] == 6
    assert report.total(DROPPED) == 2


def test_conditions(tmp_path):
    said = {"resourceType": "Condition", "code": concept("1", "http://snomed.info/sct"), "subject": WHO}
    refuted = said | {"verificationStatus": concept("refuted", "x")}
    past = said | {"onsetDateTime": "2020-01-01T00:00:00Z", "abatementDateTime": "2021-01-01T00:00:00Z"}
    chart, report = read(tmp_path, past, refuted)
    assert [(r.value, r.time.year) for r in chart.readings] == [("present", 2020), ("absent", 2021)]
    assert count(report, DROPPED, "refuted") == 1


# --- drugs --------------------------------------------------------------------------------------------


def test_what_was_administered(tmp_path):
    given = drug(
        "MedicationAdministration",
        effectivePeriod={"start": "2024-05-06T08:00:00Z", "end": "2024-05-06T09:30:00Z"},
        dosage={"dose": quantity(120, "mg")},
    )
    drip = drug(
        "MedicationAdministration",
        effectivePeriod={"start": "2024-05-06T08:00:00Z", "end": "2024-05-06T10:00:00Z"},
        dosage={"rateQuantity": quantity(5, "mg/h")},
    )
    chart, _ = read(tmp_path, given, drip)
    assert [(g.amount, g.unit, g.over, g.certain) for g in chart.given] == [
        (120, "mg", "1.5 h", True),
        (10, "mg", "2 h", True),
    ]


def timed(**repeat):
    return line(timing={"repeat": repeat})


@pytest.mark.parametrize(
    ("said", "every", "doses"),
    [
        # ten days at one dose a day; a last day without a clock time counts
        (
            [timed(frequency=1, period=1, periodUnit="d", boundsPeriod={"start": "2024-05-01", "end": "2024-05-10"})],
            24,
            10,
        ),
        ([timed(frequency=2, period=1, periodUnit="d", boundsDuration=quantity(5, "d"))], 12, 10),
        ([timed(frequency=1, period=8, periodUnit="h", count=6)], 8, 6),
        ([timed(frequency=1, period=1, periodUnit="wk", boundsDuration=quantity(4, "wk"))], 168, 4),
        ([line(timing={"code": concept("BID", "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation")})], 12, None),
        ([line()], 24, None),
    ],
)
def test_how_often(tmp_path, said, every, doses):
    order = drug("MedicationRequest", status="active", dosageInstruction=said, authoredOn="2024-05-01T08:00:00Z")
    chart, _ = read(tmp_path, order)
    (given,) = chart.given
    assert (float(given.every.removesuffix(" h")), given.doses, given.certain) == (every, doses, False)


@pytest.mark.parametrize(
    ("repeat", "first", "every", "doses"),
    [
        # Wednesday 1 May to Tuesday 14 May 2024: two Mondays (6, 13), two Thursdays (2, 9)
        ({"dayOfWeek": ["mon", "thu"], "period": 1, "periodUnit": "wk", "frequency": 2}, [6, 2], 168, [2, 2]),
        ({"dayOfWeek": ["wed"]}, [1], 168, [2]),
        ({"timeOfDay": ["08:00:00", "20:00"], "frequency": 2, "period": 1, "periodUnit": "d"}, [1, 1], 24, [14, 14]),
        ({"dayOfWeek": ["tue"], "timeOfDay": ["20:00:00"]}, [7], 168, [2]),
    ],
)
def test_named_days_and_times(tmp_path, repeat, first, every, doses):
    bounds = {"boundsPeriod": {"start": "2024-05-01", "end": "2024-05-14"}}
    chart, report = read(tmp_path, drug("MedicationStatement", dosage=[timed(**repeat, **bounds)]))
    assert [g.time.day for g in chart.given] == first
    assert [float(g.every.removesuffix(" h")) for g in chart.given] == [every] * len(first)
    assert [g.doses for g in chart.given] == doses
    assert report.total(DROPPED) == 0


def test_doses_at_given_times(tmp_path):
    events = ["2024-05-01T08:00:00Z", "2024-05-03T08:00:00Z"]
    chart, _ = read(tmp_path, drug("MedicationStatement", dosage=[line(timing={"event": events})]))
    assert [g.time.day for g in chart.given] == [1, 3]


@pytest.mark.parametrize(
    ("kind", "said", "words"),
    [
        ("MedicationAdministration", {"status": "not-done"}, "not-done"),
        ("MedicationAdministration", {"effectiveDateTime": "2024-05-06T08:00:00Z"}, "without a dose"),
        ("MedicationRequest", {"status": "cancelled"}, "cancelled"),
        ("MedicationRequest", {"intent": "proposal", "dosageInstruction": [line()]}, "no order"),
        ("MedicationRequest", {"doNotPerform": True, "dosageInstruction": [line()]}, "not to give"),
        ("MedicationRequest", {}, "without a dosage"),
        ("MedicationRequest", {"dosageInstruction": [line(asNeededBoolean=True)]}, "as needed"),
        ("MedicationRequest", {"dosageInstruction": [line(timing={})]}, "without a timing"),
        ("MedicationRequest", {"dosageInstruction": [line()]}, "nothing says when"),
        ("MedicationRequest", {"dosageInstruction": [timed(period=0, periodUnit="d")]}, "no time apart"),
        (
            "MedicationRequest",
            {"dosageInstruction": [timed(frequency=3, dayOfWeek=["mon"])]},
            "do not fit the frequency",
        ),
        ("MedicationRequest", {"dosageInstruction": [timed(dayOfWeek=["Monday"])]}, "not built as FHIR"),
        ("MedicationRequest", {"dosageInstruction": [timed(timeOfDay=["8 pm"])]}, "not built as FHIR"),
        ("MedicationRequest", {"dosageInstruction": [timed(period=1, periodUnit="fortnight")]}, "not built as FHIR"),
        ("MedicationStatement", {"dosage": [line()], "effectivePeriod": BACKWARDS}, "ends before"),
        ("MedicationStatement", NOWHERE, "no medication here"),
    ],
)
def test_doses_that_are_dropped(tmp_path, kind, said, words):
    chart, report = read(tmp_path, drug(kind, **{"authoredOn": "2024-05-01T08:00:00Z"} | said))
    assert not chart.given
    assert (report.total(DROPPED), count(report, DROPPED, words)) == (1, 1)


@pytest.mark.parametrize("place", ["contained", "bundle"])
def test_a_medication_elsewhere_and_its_strength(tmp_path, place):
    strength = {"numerator": quantity(5, "mg"), "denominator": quantity(1, "tablet")}
    medication = {
        "resourceType": "Medication", "id": "m", "code": concept("855332", RXNORM),
        "ingredient": [{"itemCodeableConcept": concept("11289", RXNORM), "strength": strength}],
    }  # fmt: skip
    where = "#m" if place == "contained" else "Medication/m"
    order = drug(
        "MedicationStatement",
        status="active",
        medicationCodeableConcept=None,
        medicationReference={"reference": where},
        effectiveDateTime="2024-05-01T08:00:00Z",
        dosage=[line(1.5, "tablet")],
        contained=[medication] if place == "contained" else None,
    )
    chart, report = read(tmp_path, order, *([medication] if place == "bundle" else []))
    (given,) = chart.given
    assert (given.amount, given.unit) == (7.5, "mg")
    assert [code.value for code in given.codes] == ["855332", "11289"]
    assert count(report, CONVERTED, "strength") == 1


# --- who and which file -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    ["Patient/jane-doe-1", "http://server/fhir/Patient/jane-doe-1", "Patient/jane-doe-1/_history/3", "urn:uuid:1"],
)
def test_ways_to_refer_to_a_person(tmp_path, reference):
    said = bundle(observation(subject={"reference": reference}))
    said["entry"].append({"fullUrl": "urn:uuid:1", "resource": PERSON})  # after what refers to it
    (chart,), _ = fhir.read(written(tmp_path, said))
    assert len(chart.readings) == 1


def test_a_record_of_nobody_here_is_counted(tmp_path):
    chart, report = read(
        tmp_path, observation(), observation(subject={"reference": "Patient/other"}), observation(subject=None)
    )
    assert len(chart.readings) == 1
    assert report.counts[NOBODY, DROPPED, "Observation that refers to no patient here"] == 2


def test_the_same_resource_twice(tmp_path):
    chart, report = read(
        tmp_path, PERSON, observation(id="a"), observation(id="a"), observation(id="a", status="amended")
    )
    assert len(chart.readings) == 2
    assert report.total(DUPLICATE) == 2
    assert count(report, FLAGGED, "one id") == 1


def test_a_bulk_export(tmp_path):
    """Two people over three files, one of them gzipped, with the readings' file first by name."""
    other = PERSON | {"id": "b", "gender": "male"}
    of_other = observation(subject={"reference": "Patient/b"}, valueQuantity=quantity(5))
    written(tmp_path, "\n".join(json.dumps(r) for r in (PERSON, other)), "Patient.ndjson")
    written(tmp_path, f"{json.dumps(observation())}\r\n\r\n{json.dumps(of_other)}\r\n", "Observation.ndjson")
    packed = gzip.compress(json.dumps(observation(id="z")).encode())
    written(tmp_path, packed, "Observation.2.ndjson.gz")
    charts, report = fhir.read(tmp_path)
    assert [(c.sex, len(c.readings)) for c in charts] == [("female", 2), ("male", 1)]
    assert report.total(READ) == 5
    assert "Observation.ndjson, line 3" in charts[1].readings[0].where


def test_a_mark_at_the_start_gzip_and_further_pages(tmp_path):
    raw = json.dumps(bundle(PERSON, observation(), type="searchset", link=[{"relation": "next", "url": "x"}]), indent=1)
    for name, content in (
        ("a.json", b"\xef\xbb\xbf" + raw.replace("\n", "\r\n").encode()),
        ("b.json.gz", gzip.compress(raw.encode())),
    ):
        (chart,), report = fhir.read(written(tmp_path, content, name))
        assert len(chart.readings) == 1
        assert report.counts[NOBODY, FLAGGED, "the search has further pages, which are not in this file"] == 1


def test_a_person_without_everything(tmp_path):
    said = {"resourceType": "Patient", "id": "x", "birthDate": "1950", "deceasedDateTime": "2020-01-01T00:00:00Z"}
    (chart,), report = fhir.read(written(tmp_path, bundle(said)))
    assert (chart.birth_date, chart.sex, chart.died) == (datetime.date(1950, 7, 1), None, datetime.date(2020, 1, 1))
    assert count(report, FLAGGED, "year only") == count(report, FLAGGED, "without a sex") == 1
