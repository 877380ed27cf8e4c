"""The vocabularies of records that a model may declare codes in, and a mapping may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

# Vocabularies that readers speak, by the name a mapping calls them. Any other must be a URI, as FHIR has them.
SYSTEMS = (
    "activity", "atc", "cmt", "column", "cvx", "dicom", "dvid", "gene", "hcpcs", "icd9cm", "icd10", "icd10cm", "lesion",
    "loinc", "meal", "ndc", "omop", "person", "phenotype", "pump", "rxnorm", "segmentation", "snomed",
)  # fmt: skip
