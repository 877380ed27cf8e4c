"""Simulation-based calibration: of patients drawn from the prior, the truth ranks evenly among their draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from scipy.special import gammaincc

from twin.errors import TwinError
from twin.library import as_model
from twin.model import DiseaseModel
from twin.patient import BoundPatient, Patient

from ..fit import calibrate
from ..ladder import from_prior
from ..posterior import DISTRUST, TRUST
from ..prior import Prior
from ..target import Target
from .predictive import _BINS
from .replicates import as_measured, replicates


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Ranks of the truth among posterior draws: uniform on 0 to `draws` if the calibration is right."""

    names: tuple[str, ...]
    ranks: np.ndarray  # (replicate, unknown), of those that are trusted
    draws: int
    left_out: int  # replicates whose posterior says not to trust it
    trusted: int  # of those counted, the ones that need no caution
    contraction: np.ndarray  # how much narrower than the prior each became (replicate, unknown)

    @property
    def p_values(self) -> dict[str, float]:
        """Of a chi-square test of each unknown's ranks in 20 bins."""
        found = {}
        for i, name in enumerate(self.names):
            counts, possible = (self._bin_counts(ranks) for ranks in (self.ranks[:, i], np.arange(self.draws + 1)))
            expected = len(self.ranks) * possible / (self.draws + 1)  # bins may hold different numbers of ranks
            some = possible > 0  # where draws are fewer than bins
            statistic = np.sum((counts - expected)[some] ** 2 / expected[some])
            found[name] = float(gammaincc((some.sum() - 1) / 2, statistic / 2))
        return found

    def _bin_counts(self, ranks: np.ndarray) -> np.ndarray:
        return np.histogram((ranks + 0.5) / (self.draws + 1), bins=_BINS, range=(0, 1))[0]

    @property
    def uniform(self) -> bool:
        """Whether no unknown's ranks differ from uniform at 1 %, Bonferroni-corrected."""
        return min(self.p_values.values()) > 0.01 / len(self.names)


def sbc(
    model: DiseaseModel | str, design: Patient | BoundPatient, count: int = 200, *, method: str = "auto",
    draws: int = 199, seed: int = 0, priors: Mapping[str, Mapping[str, Any]] | None = None, censored: str = "m3",
    rtol: float | None = None, atol: float | None = None, distort: Any = None,
) -> Ranks:  # fmt: skip
    """Calibrates patients drawn from the prior, with the design's doses and the times (and limits) of its measurements.

    What `calibrate` is told, it is told here: by `censored="m1"`, what falls beyond a limit is drawn, and left out.
    `distort` alters the draws (patient, draw, unknown) before ranking: to see that a wrong sampler is caught.
    """
    model = as_model(model)
    template = design.bind(model)
    if not template.observations:
        raise TwinError("the design has no measurements; give their times, with any values")
    people = [dataclasses.replace(template, id=f"{seed}-{i}") for i in range(count)]
    with jax.enable_x64(True):
        prior = Prior.of(model, priors)
        first = Target(model, people, prior, rtol=rtol, atol=atol)
        truth = from_prior(first, 0, count, np.random.default_rng(seed))[:, None]  # whom the model admits
        new = replicates(first, truth, seed)
        drawn = [dataclasses.replace(p, observations=as_measured(first, i, new)) for i, p in enumerate(people)]
    posterior = calibrate(
        model, drawn, method=method, draws=draws, seed=seed, priors=priors, censored=censored, rtol=rtol, atol=atol
    )
    u = posterior.u if distort is None else distort(posterior.u)
    noise = 1e-9 * np.random.default_rng(seed + 1).standard_normal(u.shape)  # a draw taken twice is no tie
    ranks = np.sum(u + noise < truth, axis=1)
    verdicts = np.array(posterior.verdict)
    good = verdicts != DISTRUST
    if not good.any():
        raise TwinError(
            f"method '{method}' gives none of {count} simulated patients a posterior to be trusted, so no truth can be "
            "ranked; take another method"
        )
    counted = {"left_out": int(np.sum(~good)), "trusted": int(np.sum(verdicts == TRUST))}
    return Ranks(first.prior.unknowns, ranks[good], draws, contraction=posterior.contraction[good], **counted)
