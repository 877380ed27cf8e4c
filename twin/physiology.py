"""Formulas of the clinic that several models use to place a patient: renal function from a creatinine."""

from __future__ import annotations

from .types import Scalar


def creatinine_clearance(*, age: Scalar, weight: Scalar, creatinine: Scalar, female: Scalar) -> Scalar:
    """Cockcroft and Gault 1976, in mL/min and not per body surface; creatinine in mg/dL, `female` 1 or 0.

    Studies cap it or raise low creatinines in ways of their own: that belongs in the model.
    """
    return (140 - age) * weight / (72 * creatinine) * (1 - 0.15 * female)
