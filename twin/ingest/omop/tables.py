"""The tables of the OMOP CDM v5.4 that are read: which columns are needed, which are used where they are there."""

from __future__ import annotations

import datetime
import math
from typing import Any, NamedTuple

from ...errors import TwinError


class Form(NamedTuple):
    """A table: its key, the columns it must have, and those it may have."""

    key: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    reason: str = ""  # what is lost without the table; a table without a reason is needed


TABLES = {
    "person": Form(
        "person_id", ("year_of_birth",), ("gender_concept_id", "month_of_birth", "day_of_birth", "birth_datetime")
    ),
    "measurement": Form(
        "measurement_id",
        ("person_id", "measurement_concept_id", "measurement_date"),
        ("measurement_datetime", "operator_concept_id", "value_as_number", "value_as_concept_id", "unit_concept_id",
         "unit_source_value", "measurement_source_concept_id"),
        "no measurement is read",
    ),
    "drug_exposure": Form(
        "drug_exposure_id",
        ("person_id", "drug_concept_id", "drug_exposure_start_date"),
        ("drug_exposure_start_datetime", "drug_exposure_end_date", "drug_exposure_end_datetime", "quantity",
         "days_supply", "sig", "drug_type_concept_id", "drug_source_concept_id"),
        "no drug is read",
    ),
    "condition_occurrence": Form(
        "condition_occurrence_id",
        ("person_id", "condition_concept_id", "condition_start_date"),
        ("condition_start_datetime", "condition_end_date", "condition_end_datetime", "condition_source_concept_id"),
        "no condition is read",
    ),
    "death": Form("person_id", ("death_date",), (), "no death is read"),
    "drug_strength": Form(
        "drug_concept_id",
        ("ingredient_concept_id",),
        ("amount_value", "amount_unit_concept_id", "numerator_value", "numerator_unit_concept_id",
         "denominator_value", "denominator_unit_concept_id"),
        "drugs are counted pieces, without their strength",
    ),
    "concept": Form("concept_id", ("vocabulary_id", "concept_code"), ("concept_name",)),
}  # fmt: skip

SEXES = {8507: "male", 8532: "female", 8521: "other"}
OPERATORS = {0: 0, 4172703: 0, 4171756: -1, 4171754: -1, 4172704: 1, 4171755: 1}  # none, =, <, <=, >, >=
# drug_type_concept_id of what was administered, not prescribed, dispensed or reported.
ADMINISTERED = {32818, 38000180, 38000181, 38000182, 43542356, 43542357, 43542358}
# What readers and mappings call OMOP's vocabularies.
SYSTEMS = {
    "LOINC": "loinc", "RxNorm": "rxnorm", "ATC": "atc", "SNOMED": "snomed", "ICD10": "icd10", "ICD10CM": "icd10cm",
    "NDC": "ndc", "CVX": "cvx", "HCPCS": "hcpcs",
}  # fmt: skip


class Row:
    """One row of a table, its fields read as what they must be; a TwinError names the row, not what it holds."""

    def __init__(self, where: str, fields: dict[str, Any]):
        self.where, self.fields = where, fields

    def number(self, name: str) -> float | None:
        """A number, or None where the field is empty."""
        said = self.fields.get(name)
        if said is None or str(said).strip() == "" or said != said:  # a NaN of Parquet is an empty field
            return None
        try:
            value = float(said)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise TwinError(f"{self.where}: {name} is no number; mend it or leave it empty")
        return value

    def concept(self, name: str) -> int:
        """A concept's id; 0, OMOP's 'no matching concept', where the field is empty."""
        value = self.number(name) or 0.0
        if value != int(value):
            raise TwinError(f"{self.where}: {name} is no whole number")
        return int(value)

    def text(self, name: str) -> str | None:
        said = self.fields.get(name)
        return None if said is None or not str(said).strip() else str(said).strip()

    def moment(self, start: str) -> tuple[datetime.datetime | None, bool]:
        """The moment of `start`_datetime, or of `start`_date at 0:00; and whether it has a clock time."""
        for name in (f"{start}_datetime", f"{start}_date"):
            said = self.text(name)
            if said is not None:
                try:
                    found = datetime.datetime.fromisoformat(said)
                except ValueError:
                    raise TwinError(f"{self.where}: {name} is no date that exists; write it as 2024-05-31") from None
                return found, found.time() != datetime.time()
        return None, False
