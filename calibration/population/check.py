"""Whether a fit can be trusted: what its draws, other draws and its curvature say of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ..method.pareto import TRUSTED, smooth
from ..posterior import CAUTION, DISTRUST, TRUST
from .climb import POOLED, Top, k_hats, likelihood_of
from .cloud import SLICE, Cloud, Sky, pool
from .marginal import Marginal
from .people import People
from .report import names_of
from .shape import adapt, guess_around, scatter_cloud
from .uncertainty import Covariances

_STILL = 0.05  # standard errors that noise may move an estimate
_CONDITION = 1e4
_SHRUNK = 0.5
_APART = 4.0  # Monte-Carlo standard errors


@dataclasses.dataclass(frozen=True)
class Checks:
    """What was found; `doubts` make the numbers unreliable, `cautions` ask to look at the data."""

    minus_two_ll: float
    minus_two_ll_error: float
    fresh: float  # -2 log likelihood by an independent method or draws
    fresh_error: float
    k: np.ndarray  # k-hat of each patient's draws (patient,)
    k_score: np.ndarray  # and of what they say of variances
    noise: float  # of the estimates, in standard errors, at most
    doubts: tuple[str, ...]
    cautions: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return DISTRUST if self.doubts else CAUTION if self.cautions else TRUST

    @property
    def reasons(self) -> tuple[str, ...]:
        return (*self.doubts, *self.cautions)


def check(sky: Sky, top: Top, covariances: Covariances, seed: int) -> Checks:
    """Checks a fit where it ended."""
    x = top.x
    clouds = top.clouds
    value, error = deviance(sky, clouds, top.origin, x)
    fresh = _draw_anew(sky, top, seed)  # nodes are checked by draws, draws by others
    drawn = pool(fresh if top.grid else clouds)
    other, other_error = deviance(sky, fresh, top.origin, x)
    k, k_score = k_hats(sky, drawn, x), _score_k(sky, top, drawn)
    sds = np.sqrt(np.diagonal(covariances.matrices["R"])) if "R" in covariances.matrices else None
    noise = float(np.max(top.noise / sds)) if sds is not None else math.inf
    doubts = [*_doubts(sky, top, covariances, noise, k, k_score)]
    apart = abs(other - value) / max(math.hypot(error, other_error), 1e-6)
    if apart > _APART and abs(other - value) > 0.05:
        doubts.append(
            f"-2 log likelihood is {value:.3f}, and {other:.3f} by other draws (standard error {other_error:.3f})"
        )
    return Checks(value, error, other, other_error, k, k_score, noise, tuple(doubts), tuple(_cautions(sky, top)))


def _draw_anew(sky: Sky, top: Top, seed: int) -> list[Cloud]:
    """Clouds that the fit has not seen."""
    if top.guess is None:
        guess = adapt(sky, top.x, guess_around(top.places), sky.seeds(seed, 900))
        each, at = SLICE, top.x
    else:
        guess, each, at = top.guess, top.clouds[0].draws, top.origin
    return [scatter_cloud(sky, at, guess, each, sky.seeds(seed, 901 + i)) for i in range(POOLED)]


def deviance(sky: Sky, clouds: Sequence[Cloud], origin: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """-2 log likelihood over pooled clouds, less the bias of its noise, and that noise as a standard error."""
    each = np.stack([likelihood_of(sky, one, origin).values(x) for one in clouds])
    count = len(clouds)
    total = np.logaddexp.reduce(each, axis=0) - math.log(count)
    if count == 1:
        return float(-2 * total.sum()), 0.0
    variance = np.exp(each - total).var(0, ddof=1) / count
    return float(-2 * total.sum() - variance.sum()), float(2 * np.sqrt(variance.sum()))


def _score_k(sky: Sky, top: Top, cloud: Cloud) -> np.ndarray:
    """The largest k-hat of a patient's weights times squared deviations, which variances are made of."""
    logs = np.logaddexp.reduce(Marginal(sky.statement, cloud).log_weights(top.x), axis=1)
    away = cloud.phi - sky.means(top.x)[:, None, 0]
    with np.errstate(divide="ignore"):
        return np.max([smooth(logs + 2 * np.log(np.abs(away[..., i])))[1] for i in range(away.shape[-1])], axis=0)


def name_patients(sky: Sky, which: np.ndarray, most: int = 5) -> str:
    """Patients by name, the first few."""
    names = [f"'{sky.target.patients[i].id}'" for i in np.flatnonzero(which)]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ("patient " if len(names) == 1 else "patients ") + ", ".join(names[:most]) + more


def _doubts(
    sky: Sky, top: Top, covariances: Covariances, noise: float, k: np.ndarray, k_score: np.ndarray
) -> list[str]:
    found = []
    if not top.still:
        found.append(f"rounds had not settled after {len(top.rounds)}: the estimates still moved")
    if not covariances.downward:
        found.append("the likelihood is flat or rises in some direction: some numbers cannot be told from these data")
    if noise > 2 * _STILL and math.isfinite(noise):
        found.append(f"the draws' noise moves an estimate by {noise:.2f} of its standard error; take more draws")
    if not top.grid and np.any(k > TRUSTED):
        found.append(f"k-hat is above {TRUSTED} (at most {k.max():.2f}) for {name_patients(sky, k > TRUSTED)}")
    elif not top.grid and np.any(k_score > 1.0):
        found.append(f"variances rest on few draws of {name_patients(sky, k_score > 1.0)}")
    return found


def _cautions(sky: Sky, top: Top) -> list[str]:
    statement, found = sky.statement, []
    if top.places.several.any():
        found.append(f"more than one mode of the individual parameters of {name_patients(sky, top.places.several)}")
    found += [f"{names_of(statement)[i]} is next to 0 and has no standard error; leave it out" for i in
              np.flatnonzero(top.maximum.pinned)]  # fmt: skip
    for name, value in People(sky, top).shrinkage.items():
        if value > _SHRUNK:
            found.append(f"deviations of '{name}' shrink by {100 * value:.0f} %: individual values say little of it")
    return found
