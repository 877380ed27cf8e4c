"""Small synthetic FHIR records for tests: no real persons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOINC, RXNORM = "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
PERSON = {"resourceType": "Patient", "id": "jane-doe-1", "gender": "female", "birthDate": "1950-02-03"}
WHO = {"reference": "Patient/jane-doe-1"}


def concept(code: str, system: str = LOINC) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def quantity(value: Any, unit: str | None = "mg/dL", **more: Any) -> dict[str, Any]:
    said = {"value": value, "system": UCUM, "code": unit, "unit": unit} if unit else {"value": value}
    return said | more


def observation(**more: Any) -> dict[str, Any]:
    """A glucose of 100 mg/dL; None takes a key away."""
    said = {
        "resourceType": "Observation", "status": "final", "code": concept("2345-7"), "subject": WHO,
        "effectiveDateTime": "2024-05-06T08:00:00Z", "valueQuantity": quantity(100.0),
    }  # fmt: skip
    return {k: v for k, v in (said | more).items() if v is not None}


def drug(kind: str, **more: Any) -> dict[str, Any]:
    said = {
        "resourceType": kind,
        "status": "completed",
        "medicationCodeableConcept": concept("11289", RXNORM),
        "subject": WHO,
    }
    return {k: v for k, v in (said | more).items() if v is not None}


def line(value: float = 5.0, unit: str | None = "mg", **more: Any) -> dict[str, Any]:
    """One line of an order: once a day."""
    said = {
        "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": quantity(value, unit)}],
    }
    return said | more


def bundle(*resources: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]} | more


def written(folder: Path, value: Any, name: str = "bundle.json") -> Path:
    """The file that holds a value, or a text or bytes as they are."""
    path = folder / name
    raw = value if isinstance(value, bytes | str) else json.dumps(value)
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return path
