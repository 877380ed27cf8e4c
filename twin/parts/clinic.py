"""Formulas of the clinic that several models use to place a patient: renal function, fat-free mass."""

from __future__ import annotations

from ..types import Scalar
from .effects import hill


def creatinine_clearance(*, age: Scalar, weight: Scalar, creatinine: Scalar, female: Scalar) -> Scalar:
    """Cockcroft and Gault 1976, in mL/min and not per body surface; creatinine in mg/dL, `female` 1 or 0.

    Studies cap it or raise low creatinines in ways of their own: that belongs in the model.
    """
    return (140 - age) * weight / (72 * creatinine) * (1 - 0.15 * female)


def fat_free_mass(*, age: Scalar, weight: Scalar, height: Scalar, female: Scalar) -> Scalar:
    """Al-Sallami 2015, in kg, from birth on; age in years, height in cm, `female` 1 or 0.

    That of adults (Janmahasatian 2005) times how far a child's has come: boys lack some, girls have some to lose.
    """
    index = weight / (height / 100) ** 2
    man = (0.88 + 0.12 * hill(age, 13.4, 12.7)) * 9270 * weight / (6680 + 216 * index)
    woman = (1.11 - 0.11 * hill(age, 7.1, 1.1)) * 9270 * weight / (8780 + 244 * index)
    return female * woman + (1 - female) * man
