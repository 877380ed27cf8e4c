"""FHIR R4: a bundle a person with their covariates, readings and administered doses; each resource is test data.

A code of our own (urn:patient-twin:...) names what the model calls a thing, beside the codes that the model declares.
Time 0 is a day of the year 2000, which nobody lived.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import units
from ..errors import TwinError
from .courses import Courses
from .nonmem import reading_scenario
from .text import write_json, write_yaml

_OURS = "urn:patient-twin"
_ZERO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, _OURS)
_SYSTEMS = {
    "loinc": "http://loinc.org",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "atc": "http://www.whocc.no/atc",
    "snomed": "http://snomed.info/sct",
}
_TEST = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "test health data",
}  # fmt: skip
_LEAP = 365.25


def write_fhir(courses: Courses, folder: Path) -> list[Path]:
    """`fhir/<id>.json`, a bundle a person, and `fhir.yaml`, the scenario that reads them back."""
    if courses.doses.steady.any():
        raise TwinError(
            "a steady state is not given dose by dose, and has no place in FHIR; write the courses as nonmem"
        )
    doses, readings = courses.doses, courses.readings
    of_dose = np.searchsorted(doses.person, np.arange(len(courses) + 1))
    of_reading = np.searchsorted(readings.person, np.arange(len(courses) + 1))
    shown = {name: courses.spell(name) for name in (*courses.covariates, *courses.others)}
    for i, who in enumerate(courses.ids):
        writer = _Person(courses, who)
        entries = [
            writer.patient({name: values[i] for name, values in shown.items()}),
            *(writer.covariate(name, values[i]) for name, values in shown.items()),
            *(writer.dose(k) for k in range(of_dose[i], of_dose[i + 1])),
            *(writer.reading(k) for k in range(of_reading[i], of_reading[i + 1])),
        ]
        bundle = {"resourceType": "Bundle", "type": "collection", "meta": writer.meta, "entry": entries}
        write_json(folder / "fhir" / f"{who}.json", bundle)
    return [write_yaml(folder / "fhir.yaml", _scenario(courses), str(courses.origin))]


class _Person:
    """One person's resources."""

    def __init__(self, courses: Courses, who: str):
        self.courses, self.who, self.model = courses, who, courses.model
        told = {"system": f"{_OURS}:synthetic", "code": "synthetic", "display": str(courses.origin)}
        self.meta = {"security": [_TEST], "tag": [told]}

    def entry(self, kind: str, number: str, content: Mapping[str, Any]) -> dict[str, Any]:
        name = f"{self.courses.origin}/{self.who}/{kind}/{number}"
        own = str(uuid.uuid5(_NAMES, name))
        about = {} if kind == "Patient" else {"subject": {"reference": self.subject}}
        resource = {"resourceType": kind, "id": self.who if kind == "Patient" else own, "meta": self.meta}
        return {"fullUrl": f"urn:uuid:{own}", "resource": resource | about | dict(content)}

    @property
    def subject(self) -> str:
        return f"Patient/{self.who}"

    def patient(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Sex and birth where there are such columns; the exact age is an Observation."""
        sex = str(known.get("sex", "unknown"))
        content: dict[str, Any] = {"gender": sex if sex in ("female", "male", "other") else "unknown"}
        if "age" in known and units.are_compatible(self.courses.unit_of("age"), "year"):
            years = units.convert(float(known["age"]), self.courses.unit_of("age"), "year")
            content["birthDate"] = (_ZERO - datetime.timedelta(days=years * _LEAP)).date().isoformat()
        return self.entry("Patient", "0", content)

    def covariate(self, name: str, value: Any) -> dict[str, Any]:
        declared = self.model.covariates().get(name)
        codes = [] if declared is None else _codes(declared.codes)
        said = {"valueCodeableConcept": {"text": value}} if isinstance(value, str) else self.quantity(name, value)
        return self.entry("Observation", f"covariate {name}", {
            "status": "final", "code": {"coding": [_own("covariate", name), *codes]}, "effectiveDateTime": _moment(0.0),
            **said,
        })  # fmt: skip

    def quantity(self, name: str, value: float) -> dict[str, Any]:
        return {"valueQuantity": {"value": float(value), "unit": self.courses.unit_of(name)}}

    def reading(self, k: int) -> dict[str, Any]:
        readings = self.courses.readings
        name = self.courses.observables[readings.observable[k]]
        declared = self.model.observables()[name]
        return self.entry("Observation", f"reading {k}", {
            "status": "final",
            "code": {"coding": [_own("observable", name), *_codes(declared.codes)]},
            "effectiveDateTime": self.moment(readings.time[k]),
            "valueQuantity": {"value": float(readings.value[k]), "unit": declared.unit},
        })  # fmt: skip

    def dose(self, k: int) -> dict[str, Any]:
        doses = self.courses.doses
        name, declared = list(self.model.treatments().items())[doses.treatment[k]]
        begin = self.moment(doses.time[k])
        when: dict[str, Any] = {"effectiveDateTime": begin}
        if doses.duration[k] > 0:
            when = {"effectivePeriod": {"start": begin, "end": self.moment(doses.time[k] + doses.duration[k])}}
        return self.entry("MedicationAdministration", f"dose {k}", {
            "status": "completed",
            "medicationCodeableConcept": {
                "coding": [_own("treatment", name), *_codes(declared.codes)], "text": declared.meaning,
            },
            **when,
            "dosage": {"dose": {"value": float(doses.amount[k]), "unit": declared.unit}},
        })  # fmt: skip

    def moment(self, time: float) -> str:
        return _moment(units.convert(float(time), self.model.time_unit, "s"))


def _moment(seconds: float) -> str:
    return (_ZERO + datetime.timedelta(seconds=seconds)).isoformat()


def _own(kind: str, name: str) -> dict[str, str]:
    return {"system": f"{_OURS}:{kind}", "code": name, "display": re.sub("_", " ", name)}


def _codes(codes: Mapping[str, tuple[str, ...]]) -> list[dict[str, str]]:
    """The first of the codes that the model declares in each vocabulary that FHIR names."""
    return [
        {"system": _SYSTEMS[word], "code": several[0]}
        for word, several in codes.items()
        if word in _SYSTEMS and several
    ]


def _scenario(courses: Courses) -> dict[str, Any]:
    mapping = {f"{_OURS}:{kind} {name}": name for kind, name in _names(courses)}
    zero = _ZERO.isoformat()
    source = {"from": "fhir", "path": "fhir", "zero": zero, "mapping": mapping}
    return reading_scenario(courses, [source])


def _names(courses: Courses) -> Iterator[tuple[str, str]]:
    for kind, names in (
        ("observable", courses.observables), ("covariate", courses.model.covariates()),
        ("treatment", courses.model.treatments()),
    ):  # fmt: skip
        yield from ((kind, name) for name in names)
