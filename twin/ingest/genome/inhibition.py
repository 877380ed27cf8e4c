"""Drugs that make an enzyme work as if its genes were worse: activity scores with an inhibitor.

    phenoconvert(2.0, "paroxetine")     # 0.0: a strong inhibitor of CYP2D6

For a model that declares it. Strength: FDA's table of inhibitors as in PMC7292748; drugs on which sources differ
(abiraterone, fluvoxamine, terbinafine) are left out: say 'strong' or 'moderate' instead. Factors of CYP2D6: Cicali
2021, doi 10.1002/cpt.2354. No factor is agreed for other enzymes: a model has to say its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import TwinError, suggest

STRENGTHS = ("strong", "moderate", "weak")
INHIBITORS: Mapping[str, Mapping[str, str]] = {
    "CYP2D6": {
        "bupropion": "strong", "fluoxetine": "strong", "paroxetine": "strong", "quinidine": "strong",
        "cinacalcet": "moderate", "duloxetine": "moderate", "mirabegron": "moderate",
    },
    "CYP2C9": {"amiodarone": "moderate", "fluconazole": "moderate", "miconazole": "moderate"},
    "CYP2C19": {"fluconazole": "strong", "fluoxetine": "strong", "fluvoxamine": "strong", "ticlopidine": "strong"},
}  # fmt: skip
FACTORS: Mapping[str, Mapping[str, float]] = {"CYP2D6": {"strong": 0.0, "moderate": 0.5, "weak": 1.0}}


def phenoconvert(
    activity: float, inhibitor: str, gene: str = "CYP2D6", factors: Mapping[str, float] | None = None
) -> float:
    """The activity score under an inhibitor, named or by its strength; `factors` by strength where a model has them."""
    known = INHIBITORS.get(gene, {})
    strength = inhibitor if inhibitor in STRENGTHS else known.get(inhibitor.lower())
    if strength is None:
        raise TwinError(f"'{inhibitor}' is not in our table of inhibitors of {gene}; {suggest(inhibitor, known)}")
    table = factors if factors is not None else FACTORS.get(gene)
    if table is None or strength not in table:
        raise TwinError(
            f"no factor is agreed for a {strength} inhibitor of {gene}; declare it with the model (factors=)"
        )
    return activity * table[strength]
