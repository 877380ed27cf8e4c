"""How a question is to be answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a question is to be answered, apart from the model, the patients, the regimens and the outcomes."""

    draws: range
    seed: int
    until: float | str | None
    times: Sequence[float] | np.ndarray | None
    solver: str
    dtype: str
    rtol: float | None
    atol: float | None
    spread: bool
    uncertainty: bool
    noise: bool
    individuals: Mapping[str, Any]
    deviations: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    covariates: Mapping[str, Any] = dataclasses.field(default_factory=dict)
