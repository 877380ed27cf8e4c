"""Amounts by their gradient: where a regimen is fixed in advance and its amounts may be anything between two.

The courses of all draws are a differentiable function of how far each amount is towards its largest
(`twin.run.courses`), so is the mean of their scores, and L-BFGS climbs it from the best of a coarse grid. A probability
has no gradient; it is smoothed while climbing, and only there. Where products come in steps, those around the summit go
into the race like any candidates.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from ..errors import TwinError
from ..regimen import Regimen
from ..regimen.template import Between, Candidate, Level, Template
from ..result.objective import Statistic
from ..run.courses import Courses, is_wide
from ..run.program import deviations_of
from ..scenario.optimise_entry import Aim, problems_of
from ..types import Array
from .bench import Bench
from .race import Group, Race, race_all

_MOST_DRAWS = 1024  # to climb by; the race then has all
_MOST_FIXED = 64  # combinations of what has no gradient, each climbed by itself
_NARROWER = (1.0, 0.25)  # the smoothing of one climb, then of the next, which begins where that has ended
_GRID = {1: 9, 2: 5, 3: 3}  # values of each amount to begin from


def race_summits(bench: Bench, aim: Aim, groups: Sequence[Group]) -> list[Race]:
    """The race of what lies around the summits, for every group its own."""
    if bench.settings.uncertainty:
        raise TwinError("a search by gradients has no uncertainty of population values; use method: table, with steps")
    return [race_all(bench, aim, _around(bench, aim, group), [group])[0] for group in groups]


def _around(bench: Bench, aim: Aim, group: Group) -> list[Candidate]:
    """The candidates nearest to each summit: the summit itself where any amount can be given."""
    template = aim.template
    moving, fixed = _moving(template), [name for name in template.slots if name not in _moving(template)]
    rest = list(itertools.product(*(template.levels(name) for name in fixed)))
    if len(rest) > _MOST_FIXED:
        raise TwinError(f"{len(rest)} combinations of {', '.join(fixed)} are too many to climb one by one; use a table")
    found: dict[Candidate, None] = {}
    for held in rest:
        summit = _climb(bench, aim, group, moving, dict(zip(fixed, held, strict=True)))
        near = {name: _nearest(template.slots[name], value) for name, value in summit.items()}
        for some in itertools.product(*near.values()):
            values = dict(zip(fixed, held, strict=True)) | dict(zip(near, some, strict=True))
            candidate = tuple(values[name] for name in template.slots)
            if not problems_of(template, candidate, bench.model):
                found[candidate] = None
    return list(found)


def _moving(template: Template) -> list[str]:
    """The slots that are climbed along: any value between two, or three numbers of one unit and more."""
    found = []
    for name, values in template.slots.items():
        several = isinstance(values, Between) or (len(values) > 2 and len({level.unit for level in values}) == 1)
        if several and (isinstance(values, Between) or name in _amounts(template)):
            found.append(name)
    if not 1 <= len(found) <= 3:
        raise TwinError(f"{len(found)} amounts have a gradient here; one to three can be climbed along; use a table")
    return found


def _amounts(template: Template) -> set[str]:
    """The slots with steps that change nothing but amounts of doses."""
    found = set()
    for name, values in template.slots.items():
        if isinstance(values, Between):
            continue
        first = {n: _low(v) for n, v in template.slots.items()}
        regimens = [template.regimen(tuple((first | {name: v}).values())) for v in (values[0], values[-1])]
        apart = [dataclasses.replace(r, doses=tuple(dataclasses.replace(d, amount=0.0) for d in r.doses))
                 for r in regimens]  # fmt: skip
        if apart[0] == apart[1]:
            found.add(name)
    return found


def _low(values: Any) -> Level:
    return _ends(values)[0]


def _ends(values: Any) -> tuple[Level, Level]:
    if isinstance(values, Between):
        return values.level(values.low), values.level(values.high)
    ordered = sorted(values, key=lambda level: level.number if level.number is not None else 0.0)
    return ordered[0], ordered[-1]


def _nearest(values: Any, value: float) -> tuple[Level, ...]:
    """The products on either side and one further, or the value itself."""
    if isinstance(values, Between):
        return (values.level(value),)
    ordered = sorted(values, key=lambda level: level.number)
    k = int(np.searchsorted([level.number for level in ordered], value))
    return tuple(ordered[max(0, k - 2) : k + 2])


def _climb(
    bench: Bench, aim: Aim, group: Group, moving: Sequence[str], held: dict[str, Level]
) -> dict[str, float]:  # fmt: skip
    """Where the objective is best, by amount."""
    template = aim.template
    ends = {name: _ends(template.slots[name]) for name in moving}

    def regimen(**some: Level) -> Regimen:
        values = {name: ends[name][0] for name in moving} | held | some
        return template.regimen(tuple(values[name] for name in template.slots))

    value = _objective(bench, aim, group, regimen(), {name: regimen(**{name: ends[name][1]}) for name in moving})
    grid = np.linspace(0, 1, _GRID[len(moving)])
    starts = np.array(list(itertools.product(grid, repeat=len(moving))))
    heights = np.array([float(value(start, 1.0)[0]) for start in starts])
    if not np.isfinite(heights).any():
        raise TwinError(f"'{aim.objectives[0].name}' is not finite anywhere on the grid; there is nothing to climb")
    scale = np.ptp(heights[np.isfinite(heights)]) or 1.0

    def descend(x: np.ndarray, part: float) -> tuple[float, np.ndarray]:
        height, slope = value(x, part)
        return -float(height) / scale, -np.asarray(slope, float) / scale

    best = starts[np.nanargmax(heights)]
    for part in _NARROWER if aim.objectives[0].statistic.kind == "probability" else _NARROWER[:1]:
        best = minimize(
            descend, best, (part,), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(moving),
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 100},
        ).x  # fmt: skip
    low_high = {name: [level.number or 0.0 for level in pair] for name, pair in ends.items()}
    return {n: lo + float(x) * (hi - lo) for (n, (lo, hi)), x in zip(low_high.items(), best, strict=True)}


def _objective(
    bench: Bench, aim: Aim, group: Group, base: Regimen, towards: dict[str, Regimen]
) -> Callable[[np.ndarray, float], tuple[Array, Array]]:
    """One group's objective by factors (amount,) and a part of its smoothing, larger is better; and its gradient."""
    batch = bench.batch([base], group)
    draws = min(bench.search, _MOST_DRAWS)
    now = batch.now
    move = lambda one: one if now is None else one.after(now, bench.model.time_unit)  # noqa: E731
    courses = Courses(
        bench.model, batch.patients, move(base), outcomes=dict(batch.outcomes), until=float(batch.arrays["span"][1]),
        solver=bench.settings.solver, dtype=bench.settings.dtype, rtol=bench.settings.rtol, atol=bench.settings.atol,
        towards={name: move(one) for name, one in towards.items()},
    )  # fmt: skip
    normals = deviations_of(batch.task(batch.choice), batch.arrays, draws)
    own = {name: values[:, :draws] for name, values in batch.arrays["individuals"].items()}
    normals = {name: values for name, values in normals.items() if name not in own}
    some = {name: values[:, :draws] for name, values in batch.arrays["covariates"].items()}
    objective, shape = aim.objectives[0], (len(batch.patients), draws)
    names = list(towards)

    def solve(x: Array) -> dict[str, Array]:
        factors = {name: jnp.broadcast_to(x[k], shape) for k, name in enumerate(names)}
        return courses(own, normals, covariates=some, factors=factors, still=True)

    def height(x: Array, part: Array) -> Array:
        return objective.sign * jnp.nanmean(_smooth_scores(objective.statistic, solve(x), part))

    both = jax.jit(jax.value_and_grad(height))

    def value(x: np.ndarray, part: float) -> tuple[Array, Array]:
        with _precision(bench):
            return jax.device_get(both(*(jnp.asarray(one, bench.settings.dtype) for one in (x, part))))

    return value


def _precision(bench: Bench) -> contextlib.AbstractContextManager[Any]:
    return jax.enable_x64(True) if bench.settings.dtype == "float64" and not is_wide() else contextlib.nullcontext()


def _smooth_scores(statistic: Statistic, found: dict[str, Array], part: Array) -> Array:
    """Scores that can be differentiated; the edges of a range are smoothed over a part of what draws are apart."""
    if statistic.formula is not None:
        return statistic.formula.ask(found)
    x = found[statistic.of]
    if statistic.kind == "mean":
        return x
    edges = [
        (edge, sign)
        for edge, sign in ((statistic.low, 1), (statistic.above, 1), (statistic.high, -1), (statistic.below, -1))
        if np.isfinite(edge)
    ]
    least = 0.02 * max(abs(edge) for edge, _ in edges) or 1e-9
    width = part * jnp.maximum(1.06 * jnp.nanstd(x) * x.size**-0.2, least)  # by Silverman's rule
    width = jax.lax.stop_gradient(width)
    inside = jnp.ones_like(x)
    for edge, sign in edges:
        inside = inside * jax.scipy.special.ndtr(sign * (x - edge) / width)
    return inside
