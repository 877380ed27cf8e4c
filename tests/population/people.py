"""What these tests share: a model with a number, a sex and a genotype, and a table of people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin.population.virtual import Population

from ..toys import Scaled

FIXED = {"weight": "70 kg", "sex": "male", "gene": "GG"}


def build(**said: Any) -> Population:
    """A population of the toy, each covariate that nothing is said of at one value."""
    return Population.build(Scaled(), {"covariates": {**FIXED, **said.pop("covariates", {})}, **said})


def write_table(path: Path, columns: dict[str, Any]) -> Path:
    """Columns as a CSV file; not a number is an empty cell."""
    rows = [",".join(columns)]
    for cells in zip(*columns.values(), strict=True):
        rows.append(",".join("" if one != one else one if isinstance(one, str) else repr(float(one)) for one in cells))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def cohort(size: int, seed: int = 3) -> dict[str, np.ndarray]:
    """A table that no Gaussian copula made: weight by sex and age, a skewed creatinine, three grades."""
    random = np.random.default_rng(seed)
    female = random.random(size) < 0.55
    age = np.clip(random.gamma(9, 6, size) + 18, 18, 95)
    weight = np.where(female, 68, 84) * np.exp(0.18 * random.normal(size=size) - 0.002 * (age - 60))
    creatinine = np.exp(0.3 * random.normal(size=size)) * np.where(female, 0.8, 1.0) * (age / 60) ** 0.4
    grades = np.digitize(age + 15 * random.normal(size=size), [60, 85]).astype(float)
    return {"age": age, "weight": weight, "creatinine": creatinine, "female": female * 1.0, "grade": grades}
