"""Saturable elimination: C + Km log C falls by Vmax/V an hour, so C is Lambert's function, by SciPy."""

from __future__ import annotations

import twin
from tests.generic import any_drug
from tests.generic.any_drug import COURSE, OUTCOMES, design

__all__ = ["COURSE", "OUTCOMES", "REFERENCES", "compute", "design"]

KNOWN = {
    "100 mg intravenous": (1.90126, 1.620645, 0.9954384, 0.4031563),
}
REFERENCES = any_drug.references(KNOWN, 2e-6)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    return any_drug.compute(twin.load_model("michaelis_menten"), KNOWN)
