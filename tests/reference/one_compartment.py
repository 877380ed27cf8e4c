"""One compartment: golden values of the specification (M1), printed to 1e-6."""

from __future__ import annotations

import twin
from tests.generic import any_drug
from tests.generic.any_drug import COURSE, OUTCOMES, design

__all__ = ["COURSE", "OUTCOMES", "REFERENCES", "compute", "design"]

KNOWN = {
    "100 mg intravenous": (1.809675, 1.340640, 0.602388, 0.181436),
    "100 mg oral": (1.053632, 1.155649, 0.525720, 0.158344),
}
REFERENCES = any_drug.references(KNOWN, 6e-7)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    return any_drug.compute(twin.load_model("one_compartment"), KNOWN, absorption=1.2, bioavailability=0.8)
