"""Three compartments: golden values of the specification (M1), printed to 1e-6."""

from __future__ import annotations

import twin
from tests.generic import any_drug
from tests.generic.any_drug import COURSE, OUTCOMES, design

__all__ = ["COURSE", "OUTCOMES", "REFERENCES", "compute", "design"]

KNOWN = {
    "100 mg intravenous": (1.439226, 0.634686, 0.251830, 0.164249),
}
REFERENCES = any_drug.references(KNOWN, 6e-7)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    return any_drug.compute(twin.load_model("three_compartments"), KNOWN)
