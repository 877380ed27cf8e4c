"""The continual reassessment method: one parameter moves a skeleton of toxicities; its posterior chooses the dose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import expit, logit

from ...errors import TwinError
from .rule import STOP, EscalationRule, at, highest

_NODES = 96  # on either side of what the safety rule asks about; errors below 1e-7 up to 100 persons
_REACH = 6.0  # SDs of the prior


@dataclass(frozen=True)
class Crm(EscalationRule):
    """skeleton: toxicities at each dose by what is thought before, rising.
    model: "power", skeleton ** exp(b), or "logistic" with a fixed `intercept`; b is normal about 0.
    variance: of b, before.
    by: a dose's toxicity is that at the mean of b ("plug-in") or its own mean ("mean").
    safety: stop once the lowest dose exceeds the target by this probability.
    enough: a trial stops where it would stay at a dose that so many have had.

    No dose is skipped on the way up.
    """

    skeleton: tuple[float, ...]
    target: float = 0.25
    model: Literal["power", "logistic"] = "power"
    variance: float = 1.34
    intercept: float = 3.0
    by: Literal["plug-in", "mean"] = "plug-in"
    safety: float | None = 0.95
    enough: int | None = None

    def __post_init__(self):
        s = np.array(self.skeleton, float)
        if not (s.size and np.all((s > 0) & (s < 1)) and np.all(np.diff(s) > 0)):
            raise TwinError(f"CRM: skeleton {self.skeleton}; give shares between 0 and 1 that rise")
        if not 0 < self.target < 1 or self.variance <= 0:
            raise TwinError(f"CRM: target {self.target}, variance {self.variance}; a share, and a number above 0")
        if self.model not in ("power", "logistic") or self.by not in ("plug-in", "mean"):
            raise TwinError(f"CRM: model '{self.model}' by '{self.by}'; power or logistic, by plug-in or mean")

    @property
    def doses(self) -> int:  # type: ignore[override]
        return len(self.skeleton)

    def toxicity_at(self, b: np.ndarray) -> np.ndarray:
        """The toxicity (..., dose) of each dose for values of the parameter."""
        s, slope = np.array(self.skeleton), np.exp(b)[..., None]
        if self.model == "power":
            return s**slope
        return expit(self.intercept + slope * (logit(s) - self.intercept))

    @cached_property
    def _grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Nodes, log weights under the prior, log toxicities and their complements, and which are below `edge`, where
        the lowest dose has the target."""
        sd, s, ends = np.sqrt(self.variance), self.skeleton[0], _REACH * np.sqrt(self.variance)
        if self.model == "power":
            slope = np.log(self.target) / np.log(s)
        else:
            slope = (logit(self.target) - self.intercept) / (logit(s) - self.intercept)
        edge = np.clip(np.log(slope) if slope > 0 else -ends, -0.999 * ends, 0.999 * ends)
        x, w = np.polynomial.legendre.leggauss(_NODES)
        parts = ((-ends, edge), (edge, ends))
        b = np.concatenate([low + (high - low) * (x + 1) / 2 for low, high in parts])
        log_weight = np.concatenate([np.log(w * (high - low) / 2) for low, high in parts]) - 0.5 * (b / sd) ** 2
        p = np.clip(self.toxicity_at(b), 1e-300, 1 - 1e-16)
        return b, log_weight, np.log(p), np.log1p(-p), np.arange(b.size) < _NODES

    def _posterior(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        """Weights (..., node) that sum to 1."""
        _, prior, log_p, log_q, _ = self._grid
        log_weight = prior + toxic @ log_p.T + (treated - toxic) @ log_q.T
        weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
        return weight / weight.sum(axis=-1, keepdims=True)

    def toxicity(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        """What each dose's toxicity (..., dose) is thought to be."""
        return self._toxicity(self._posterior(treated, toxic))

    def _toxicity(self, weight: np.ndarray) -> np.ndarray:
        b = self._grid[0]
        return self.toxicity_at(weight @ b) if self.by == "plug-in" else weight @ self.toxicity_at(b)

    def unsafe(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        """The probability (...,) that even the lowest dose exceeds the target."""
        return (self._posterior(treated, toxic) * self._grid[4]).sum(axis=-1)

    def choose(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        counts = np.concatenate([treated, toxic], axis=-1)
        different, which = np.unique(counts.reshape(-1, 2 * self.doses), axis=0, return_inverse=True)
        weight = self._posterior(*np.split(different, 2, axis=1))  # trials that have seen the same are one
        best = np.abs(self._toxicity(weight) - self.target).argmin(axis=-1)
        if self.safety is not None:
            best = np.where((weight * self._grid[4]).sum(axis=-1) > self.safety, STOP, best)
        return best[which.reshape(-1)].reshape(counts.shape[:-1])

    def decide(self, treated: np.ndarray, toxic: np.ndarray, dose: np.ndarray) -> np.ndarray:
        best = self.choose(treated, toxic)
        found = np.minimum(best, np.maximum(highest(treated > 0) + 1, dose))
        if self.enough is not None:
            found = np.where((found == dose) & (at(treated, dose) >= self.enough), STOP, found)
        return found
