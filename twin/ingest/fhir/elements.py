"""The pieces that FHIR resources are made of: codings, date-times, quantities."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ..chart import Code, Said
from ..report import FLAGGED

# Resources that exports hold; another word where a resource's kind belongs may be anybody's, and is not repeated.
KINDS = frozenset({
    "Account", "AllergyIntolerance", "Appointment", "AuditEvent", "Basic", "Binary", "BodyStructure", "Bundle",
    "CarePlan", "CareTeam", "Claim", "ClaimResponse", "ClinicalImpression", "Communication", "Composition", "Condition",
    "Consent", "Contract", "Coverage", "DetectedIssue", "Device", "DeviceRequest", "DeviceUseStatement",
    "DiagnosticReport", "DocumentReference", "Encounter", "EpisodeOfCare", "ExplanationOfBenefit",
    "FamilyMemberHistory", "Flag", "Goal", "Group", "HealthcareService", "ImagingStudy", "Immunization", "List",
    "Location", "Measure", "MeasureReport", "Media", "Medication", "MedicationAdministration", "MedicationDispense",
    "MedicationRequest", "MedicationStatement", "MolecularSequence", "NutritionOrder", "Observation",
    "OperationOutcome", "Organization", "Parameters", "Patient", "Person", "Practitioner", "PractitionerRole",
    "Procedure", "Provenance", "Questionnaire", "QuestionnaireResponse", "RelatedPerson", "RequestGroup",
    "ResearchStudy", "ResearchSubject", "RiskAssessment", "Schedule", "ServiceRequest", "Slot", "Specimen", "Substance",
    "Task", "ValueSet", "VisionPrescription",
})  # fmt: skip
# What a resource that is built otherwise than FHIR says may raise anywhere.
WRONG_SHAPE = (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError)
Json = Mapping[str, Any]


class Note(Protocol):
    """Counts what became of a record, and why."""

    def __call__(self, how: str, reason: str, count: int = 1, /) -> None: ...


# What readers and mappings call the vocabularies that FHIR names by URI.
SYSTEMS = {
    "http://loinc.org": "loinc",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "rxnorm",
    "http://www.whocc.no/atc": "atc",
    "http://snomed.info/sct": "snomed",
    "http://hl7.org/fhir/sid/icd-10": "icd10",
    "http://hl7.org/fhir/sid/icd-10-cm": "icd10cm",
    "http://hl7.org/fhir/sid/ndc": "ndc",
    "http://hl7.org/fhir/sid/cvx": "cvx",
}
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_SIDES = {"<": -1, "<=": -1, ">": 1, ">=": 1}


def kind_of(resource: Json) -> str:
    """A resource's kind, if it is a known one."""
    said = resource["resourceType"]
    return said if said in KINDS else "another kind of resource"


class Unreadable(Exception):
    """Why a piece of a record cannot be taken; the words go into the report, so they hold none of a person's."""


class Value(NamedTuple):
    """What was observed: a number or a text, its unit as written, and the side on which the truth lies."""

    value: Said
    unit: str | None = None
    bound: int = 0


def codes_of(concept: Json | None) -> tuple[Code, ...]:
    """A CodeableConcept's codings."""
    found = []
    for coding in (concept or {}).get("coding", ()):
        if coding.get("code"):
            system = str(coding.get("system", ""))
            display = str(coding.get("display") or (concept or {}).get("text", ""))
            found.append(Code(SYSTEMS.get(system, system), str(coding["code"]), display))
    return tuple(found)


def code_of(concept: Json | None) -> str:
    """The first code of a CodeableConcept, or its text."""
    codes = codes_of(concept)
    return codes[0].value if codes else str((concept or {}).get("text", ""))


def moment(text: Any, what: str, note: Note) -> datetime.datetime:
    """A FHIR date-time. One known only to the year, month or day is taken at its middle, or at 0:00, and flagged."""
    if not isinstance(text, str):
        raise Unreadable(f"{what} with a time that is no text")
    partial = re.fullmatch(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", text)
    try:
        if not partial:
            return datetime.datetime.fromisoformat(text)
        year, month, day = partial.groups()
        if day is None:
            note(FLAGGED, f"{what} dated to the {'year' if month is None else 'month'} only, taken at its middle")
        else:
            note(FLAGGED, f"{what} without a clock time, taken at 0:00")
        return datetime.datetime(int(year), int(month or 7), int(day or (1 if month is None else 15)))
    except ValueError:
        raise Unreadable(f"{what} with a time that is none") from None


def is_day(text: Any) -> bool:
    """Whether a date-time has no clock time: as an end, it includes the day."""
    return isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None


def number(value: Any) -> float:
    """A JSON number as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        raise Unreadable("a quantity that is no number")
    return float(value)


def unit_of(quantity: Json) -> str | None:
    """The unit as the file has it: the UCUM code where there is one, else the words."""
    ucum = str(quantity.get("system", "http://unitsofmeasure.org")).rstrip("/").endswith("unitsofmeasure.org")
    for word in ((quantity.get("code") if ucum else None), quantity.get("unit"), quantity.get("code")):
        if word:
            return str(word)
    return None


def quantity(said: Json) -> Value:
    """A Quantity; its comparator says on which side of the number the truth lies."""
    comparator = said.get("comparator")
    if comparator is not None and comparator not in _SIDES:
        raise Unreadable("a comparator that is not <, <=, > or >=")
    if said.get("value") is None:
        raise Unreadable("a quantity without a number")
    return Value(number(said["value"]), unit_of(said), 0 if comparator is None else _SIDES[comparator])


def text(said: Any) -> Value:
    """A string: '<0.5' and '7.2' are numbers, anything else (with a decimal comma, too) stays text."""
    match = re.fullmatch(rf"([<>]=?)?\s*({_NUMBER})", str(said).strip())
    if match:
        return Value(float(match[2]), None, _SIDES.get(match[1] or "", 0))
    return Value(str(said))
