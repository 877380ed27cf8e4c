"""Files that are no FHIR record: each gives one clear sentence with the place, and no chart."""

import gzip
import io
import json
import re
import zipfile

import pytest

from tests.ingest.records import PERSON, WHO, bundle, concept, drug, line, observation, quantity, written
from twin.errors import TwinError
from twin.ingest import fhir, read_patients
from twin.ingest.sources import bind
from twin.library import load_model

GOOD = json.dumps(bundle(PERSON, observation()))


def zipped(text: str) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("bundle.json", text)
    return raw.getvalue()


# what the file holds -> what the sentence says
CASES = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "truncated": (GOOD[:-20], "cut off at line 1, column"),
    "cut inside a text": (GOOD[: GOOD.index("jane") + 2], "cut off at line 1, column"),
    "two documents": (GOOD + GOOD, "no valid JSON at line 1, column"),
    "not JSON": ("<Bundle xmlns='http://hl7.org/fhir'/>", "no valid JSON at line 1, column 1"),
    "single quotes": (GOOD.replace('"', "'"), "no valid JSON"),
    "trailing comma": (GOOD[:-1] + ",}", "no valid JSON"),
    "NaN": (GOOD.replace("100.0", "NaN"), "holds NaN, which is no number of JSON"),
    "Infinity": (GOOD.replace("100.0", "-Infinity"), "holds -Infinity, which is no number of JSON"),
    "a number without end": (GOOD.replace("100.0", "9" * 5000), "a number of thousands of digits"),
    "a key twice": (GOOD.replace('"id"', '"gender": "male", "id"', 1), "a key is given twice in one object"),
    "deep lists": ("[" * 1_000_000, "nested deeper than any record"),
    "deep objects": ('{"a":' * 1_000_000 + "1" + "}" * 1_000_000, "nested deeper than any record"),
    "deep inside a good one": (GOOD.replace("100.0", "[" * 100_000 + "]" * 100_000), "nested deeper than any record"),
    "UTF-16": (GOOD.encode("utf-16"), "not UTF-8 text"),
    "Latin-1": (GOOD.replace("jane", "jané").encode("latin-1"), "not UTF-8 text"),
    "binary": (b"\x00\x01\x02" * 50, "no valid JSON"),
    "a zip archive": (zipped(GOOD), "is a zip archive"),
    "a zip bomb": (gzip.compress(b"[" + b"0," * 60_000_000 + b"0]"), "expands more than 400 times"),
    "a bomb of lines": (gzip.compress(b"\n" * 60_000_000), "expands more than 400 times"),
    "a cut gzip": (gzip.compress(GOOD.encode())[:-30], "cut off or damaged"),
    "a list": (json.dumps([PERSON]), "has no resourceType"),
    "a number": ("5", "has no resourceType"),
    "no resourceType": (json.dumps({"entry": []}), "has no resourceType"),
    "resourceType of another kind": (json.dumps({"resourceType": 5}), "has no resourceType"),
    "one resource": (json.dumps(PERSON), "is a Patient, not a Bundle"),
    "another kind of resource": (json.dumps({"resourceType": "Questionnaire"}), "is a Questionnaire, not a Bundle"),
    "a history": (json.dumps(bundle(PERSON, type="history")), "holds old versions"),
    "no entries": (json.dumps(bundle()), "without entries"),
    "entries of another kind": (json.dumps({"resourceType": "Bundle", "entry": "x"}), "without entries"),
    "an entry of another kind": (json.dumps(bundle() | {"entry": [{"resource": 5}]}), "entry 1: is no FHIR"),
    "entries without resources": (json.dumps({"resourceType": "Bundle", "entry": [5, {}]}), "holds no Patient"),
    "nobody": (json.dumps(bundle(observation())), "holds no Patient"),
    "all of others": (
        json.dumps(bundle(PERSON, observation(subject={"reference": "Patient/other"}))),
        "none of its 1 records refers to a Patient in it",
    ),
    "a person without an id": (json.dumps(bundle({"resourceType": "Patient"})), "entry 1 .*without an id"),
    "two people with one id": (
        json.dumps(bundle(PERSON, PERSON | {"gender": "male"})),
        r"entry 2 \(Patient\): a second, different Patient with the id of patient p-",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_sentence(tmp_path, name):
    content, words = CASES[name]
    path = written(tmp_path, content, "bundle.json")
    with pytest.raises(TwinError) as problem:
        fhir.read(path)
    said = str(problem.value)
    assert re.search(words, said), said
    assert said.startswith("bundle.json")
    assert "\n" not in said
    assert len(said) < 200
    assert "jane" not in said


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([GOOD], "holds no Patient"),  # a bundle is no line of an export
        ([json.dumps(PERSON), json.dumps(observation())[:-5]], "line 2: cut off"),
        ([json.dumps(PERSON), "[" * 1_000_000], "line 2: nested deeper"),
        ([json.dumps(PERSON), "5"], "line 2: is no FHIR resource"),
        ([json.dumps(PERSON), "{}\0"], "line 2: not text"),
    ],
)
def test_one_sentence_about_a_line(tmp_path, lines, words):
    with pytest.raises(TwinError, match=words):
        fhir.read(written(tmp_path, "\n".join(lines), "export.ndjson"))


def places(value, at=()):
    """Every place in a document."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*at, key))


def changed(value, at, junk):
    if not at:
        return junk
    copied = value.copy()
    copied[at[0]] = changed(value[at[0]], at[1:], junk)
    return copied


ORDER = drug("MedicationRequest", status="active", authoredOn="2024-05-01", dosageInstruction=[line()])
GIVEN = drug("MedicationAdministration", effectiveDateTime="2024-05-01T08:00:00Z", dosage={"dose": quantity(5, "mg")})
SAMPLES = {"origin": {"value": 1, "unit": "mg/dL"}, "period": 60_000, "dimensions": 1, "data": "100 E L"}
SAMPLED = observation(
    valueQuantity=None, valueSampledData=SAMPLES, component=[{"code": concept("1-8"), "valueInteger": 1}]
)
PROBLEM = {"resourceType": "Condition", "code": concept("1"), "subject": WHO, "onsetDateTime": "2020"}
WHOLE = bundle(PERSON, observation(), SAMPLED, ORDER, GIVEN, PROBLEM)
JUNK = [None, True, -1, 1e308, "", "x", "<", [], [None], [[]], {}, {"a": None}, "9999-12-31T23:59:59Z", "0001-01-01"]


@pytest.mark.parametrize("at", list(places(WHOLE)), ids=lambda at: ".".join(map(str, at)) or "all")
def test_anything_anywhere(tmp_path, at):
    """Whatever stands in any place: one sentence, or patients that can be used and a report that says what went."""
    model = load_model("type1_diabetes_replaybg")
    for junk in JUNK:
        said = outcome(written(tmp_path, changed(WHOLE, at, junk)), model)
        assert said.startswith("bundle.json")


def outcome(path, model):
    """The one sentence that a reader says, or its report, where the patients can be used."""
    try:
        patients, report = read_patients("fhir", path, model, orders="use")
    except TwinError as problem:
        return str(problem) if "\n" not in str(problem) else "more than one line"
    _, refused = bind(patients, model)
    assert not refused
    return report.text()


def test_cut_anywhere(tmp_path):
    for end in range(len(GOOD)):
        with pytest.raises(TwinError, match=r"cut off|no valid JSON|is empty"):
            fhir.read(written(tmp_path, GOOD[:end]))


def test_a_folder_without_records(tmp_path):
    with pytest.raises(TwinError, match=r"holds no \.json bundle"):
        fhir.read(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(TwinError, match=r"no\.json: cannot be read"):
        fhir.read(tmp_path / "no.json")


def test_time_going_backwards_is_put_in_order(tmp_path):
    """Records come in any order; nothing is lost by it."""
    times = ["2024-05-08T08:00:00Z", "2024-05-06T08:00:00Z", "2024-05-07T08:00:00Z"]
    said = bundle(PERSON, *(observation(effectiveDateTime=t) for t in times))
    (chart,), _ = fhir.read(written(tmp_path, said))
    assert len(chart.readings) == 3
