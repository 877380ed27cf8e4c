"""Readers of patients' own files: records, genomes, images, wearables and tables -> charts -> validated patients.

from twin.ingest import read_patients

patients, report = read_patients("fhir", "bundle.json", model, mapping={"loinc 38875-1": "inr"})
print(report.text())                                   # what was read, converted, dropped, flagged
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .options import READERS
    from .sources import Source, join_patients, read_patients

__all__ = ["READERS", "Source", "join_patients", "read_patients"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'twin.ingest' has no attribute '{name}'")
    home = ".options" if name == "READERS" else ".sources"
    return getattr(importlib.import_module(home, __name__), name)
