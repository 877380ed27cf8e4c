"""Readers of patients' own files: records, genomes, images, wearables and tables -> charts -> validated patients.

from twin.ingest import read_patients

patients, report = read_patients("fhir", "bundle.json", model, mapping={"loinc 38875-1": "inr"})
print(report.text())                                   # what was read, converted, dropped, flagged
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sources import Source, join_patients, read_patients

__all__ = ["READERS", "Source", "join_patients", "read_patients"]

# By the word after `from:` in a scenario: the module, and its function whose keyword arguments are the options.
READERS = {
    "fhir": ("fhir", "read"),
    "nonmem": ("nonmem", "read_table"),
    "omop": ("omop", "read"),
    "genome": ("genome", "read"),
    "imaging": ("imaging", "read"),
    "wearable": ("wearable", "read"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'twin.ingest' has no attribute '{name}'")
    return getattr(importlib.import_module(".sources", __name__), name)
