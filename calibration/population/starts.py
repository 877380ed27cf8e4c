"""Several starts: short climbs from around a model's own numbers, and the best of them climbed to the end."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from .climb import LogPrior, Top, climb, likelihood_of
from .cloud import Sky, numbers_of
from .statement import Statement

_FAR = 0.5  # of starts, on the scale of logarithms: typical values and standard deviations
_SAME = 1.0  # of -2 log likelihood, within which two starts came to the same


@dataclasses.dataclass(frozen=True)
class Starts:
    """Where several starts came to: what was climbed, and -2 log likelihood (or posterior density) there."""

    x: np.ndarray  # (start, number)
    heights: np.ndarray  # -2 log likelihood (start,); infinite where a start came to nothing
    settled: np.ndarray  # (start,)
    noise: np.ndarray  # of the heights

    @property
    def near(self) -> np.ndarray:
        """Which came to the best, as far as their noise can tell (start,)."""
        first = int(np.argmin(self.heights))
        return self.heights - self.heights[first] < _SAME + 3 * np.hypot(self.noise, self.noise[first])

    @property
    def best(self) -> int:
        """The least noisy of these, and the first of them."""
        return int(np.argmin(np.where(self.near, self.noise, np.inf)))

    @property
    def agreeing(self) -> int:
        return int(self.near.sum())

    @property
    def caution(self) -> str | None:
        """What to say where only one of several came there."""
        if len(self.heights) < 2 or self.agreeing > 1:
            return None
        return f"only 1 of {len(self.heights)} starts came to the best maximum; take more starts"


def climb_from_several(
    sky: Sky, x: np.ndarray, count: int, *, draws: int, seed: int, grid: bool | None, log_prior: LogPrior | None
) -> tuple[Top, Starts]:  # fmt: skip
    """The best of `count` starts, the first of them the model's own numbers."""
    generator = np.random.default_rng([seed, 85])
    begin = [x, *(scatter_start(sky.statement, x, generator) for _ in range(count - 1))]
    tops = [_try(sky, one, draws, seed, grid, log_prior) for one in begin]
    found = Starts(
        np.stack([one if top is None else top.x for one, top in zip(begin, tops, strict=True)]),
        np.array([math.inf if top is None else -2 * top.maximum.value for top in tops]),
        np.array([top is not None and top.still for top in tops]),
        np.array([0.0 if top is None or top.grid else _noise(sky, top) for top in tops]),
    )
    first = tops[found.best]
    begun = x if first is None else first.x
    return climb(sky, begun, draws=draws, seed=seed, grid=grid, log_prior=log_prior), found


def scatter_start(statement: Statement, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Another start: typical values and standard deviations times something of around 1, correlations as they were."""
    numbers, size = numbers_of(statement, x), len(statement.effects)
    typical = dict(numbers.typical)
    for name in statement.estimated:
        typical[name] = typical[name] * np.exp(_FAR * generator.standard_normal())
    scales = [np.exp(_FAR * generator.standard_normal(size)) for _ in range(3)]
    matrices = [
        matrix * np.outer(scale, scale)
        for matrix, scale in zip((numbers.omega, numbers.gamma, numbers.site), scales, strict=True)
    ]
    away = _FAR * generator.standard_normal(numbers.shift.shape) * np.sqrt(np.diagonal(numbers.omega))
    shift = np.where(np.arange(statement.classes)[:, None] > 0, numbers.shift + away, 0.0)
    return statement.pack(numbers._replace(
        typical=typical, omega=matrices[0], gamma=matrices[1], site=matrices[2], shift=shift
    ))  # fmt: skip


def _try(
    sky: Sky, x: np.ndarray, draws: int, seed: int, grid: bool | None, log_prior: LogPrior | None
) -> Top | None:  # fmt: skip
    try:
        found = climb(sky, x, draws=draws, seed=seed, grid=grid, log_prior=log_prior, brief=True)
    except np.linalg.LinAlgError:  # a start so far off that matrices lose their shape
        return None
    return found if np.isfinite(found.maximum.value) else None


def _noise(sky: Sky, top: Top) -> float:
    """Of -2 log likelihood by few draws."""
    worth = likelihood_of(sky, top.cloud, top.origin).worth(top.x)
    return float(2 * np.sqrt(np.sum(np.maximum(1 / worth.effective - 1 / top.cloud.draws, 0.0))))
