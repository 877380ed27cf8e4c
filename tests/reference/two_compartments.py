"""Two compartments: golden values of the specification (M1), printed to 1e-6."""

from __future__ import annotations

import twin
from tests.generic import any_drug
from tests.generic.any_drug import COURSE, OUTCOMES, design

__all__ = ["COURSE", "OUTCOMES", "REFERENCES", "compute", "design"]

KNOWN = {
    "100 mg intravenous": (1.497519, 0.734184, 0.324339, 0.222378),
    "100 mg intravenous over 2 h": (0.866745, 0.916942, 0.341406, 0.228538),
    "100 mg oral": (0.941919, 0.704376, 0.271534, 0.182035),
}
REFERENCES = any_drug.references(KNOWN, 6e-7)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    return any_drug.compute(twin.load_model("two_compartments"), KNOWN, absorption=1.2, bioavailability=0.8)
