"""What a fit found as rows: every estimate with its errors and interval, and every patient's own parameters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from twin.model.spread import LogNormal

from .report import names_of
from .statement import Level, Statement
from .uncertainty import KINDS

NORMAL_95 = 1.959964  # standard errors of a two-sided interval of 95 %
TYPICAL, COEFFICIENT, ERROR, VARIANCE, CORRELATION, OF_CLASS, SHARE = (
    "typical value", "coefficient", "error", "variance", "correlation", "typical value of a class", "share of a class",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One number that was estimated, and how exact it is by each kind of standard error."""

    name: str
    kind: str
    meaning: str
    unit: str
    value: float
    errors: dict[str, float]
    low: dict[str, float]  # ends of the 95 % interval, which is made on the scale of the estimation
    high: dict[str, float]
    width: float  # of a variance: the CV of a log-normal spread, the SD of any other; else NaN
    width_unit: str  # '%' or 'SD'


@dataclasses.dataclass(frozen=True)
class Scale:
    """Where an estimate is normal, so that intervals stay among what it can be."""

    to: str

    def interval(self, value: float, error: float) -> tuple[float, float]:
        if not math.isfinite(error):
            return math.nan, math.nan
        there, back, slope = _SCALES[self.to]
        with np.errstate(all="ignore"):
            half = NORMAL_95 * error * abs(slope(value))
            return float(back(there(value) - half)), float(back(there(value) + half))


_SCALES = {
    "identity": (lambda v: v, lambda z: z, lambda v: 1.0),
    "log": (np.log, np.exp, lambda v: 1 / v),
    "logit": (lambda v: np.log(v / (1 - v)), lambda z: 1 / (1 + np.exp(-z)), lambda v: 1 / (v * (1 - v))),
    "fisher": (np.arctanh, np.tanh, lambda v: 1 / (1 - v**2)),
}


def estimates_of(fit: Any) -> list[Estimate]:
    """Every estimate, in the order of `fit.numbers`."""
    errors = {kind: fit.errors(kind) for kind in KINDS}
    rows = []
    for name, (kind, meaning, unit, width) in zip(names_of(fit.statement), _describe(fit.statement), strict=True):
        value = fit.numbers[name]
        own = {k: errors[k][name] for k in KINDS}
        ends = {k: _interval(fit.statement, name, kind, value, e) for k, e in own.items()}
        size, size_unit = _width(value, width)
        rows.append(Estimate(
            name, kind, meaning, unit, value, own, {k: e[0] for k, e in ends.items()},
            {k: e[1] for k, e in ends.items()}, size, size_unit,
        ))  # fmt: skip
    return rows


def _describe(statement: Statement) -> Iterator[tuple[str, str, str, str]]:
    """Kind, meaning, unit, and for variances how the width is said, of each name of `names_of`."""
    declared = statement.model.parameters()
    coefficients = {n for several in statement.model.covariate_effects.values() for n in several}
    noises = [one.noise for one in statement.model.observables().values() if one.noise is not None]
    errors = {n for noise in noises for n in noise.parameters}
    for name in statement.estimated:
        kind = COEFFICIENT if name in coefficients else ERROR if name in errors else TYPICAL
        yield kind, declared[name].meaning, declared[name].unit, ""
    levels: tuple[tuple[str, Level], ...] = (
        ("between patients", statement.between), ("between occasions", statement.occasion),
        ("between sites", statement.site),
    )  # fmt: skip
    for words, level in levels:
        for a, b in level.entries:
            one, other = (declared[statement.effects[e]] for e in (a, b))
            log = isinstance(one.spread, LogNormal)
            if a == b:
                yield VARIANCE, f"{one.meaning}, {words}", "1" if log else f"({one.unit})^2", "%" if log else "SD"
            else:
                yield CORRELATION, f"{other.meaning} with {one.meaning}, {words}", "1", ""
    for c in range(1, statement.classes):
        for e in statement.moved:
            own = declared[statement.effects[e]]
            yield OF_CLASS, f"{own.meaning} in class {c + 1}", own.unit, ""
    for c in range(1, statement.classes):
        yield SHARE, f"share of patients in class {c + 1}", "1", ""


def _width(value: float, unit: str) -> tuple[float, str]:
    if unit == "%":
        return 100 * math.sqrt(math.expm1(value)), unit
    return (math.sqrt(value) if unit else math.nan), unit


def _interval(statement: Statement, name: str, kind: str, value: float, error: float) -> tuple[float, float]:
    fixed = {VARIANCE: "log", CORRELATION: "fisher", SHARE: "logit"}
    if kind in fixed:
        return Scale(fixed[kind]).interval(value, error)
    if kind == OF_CLASS or name in statement.effects:
        return _on_spread(statement, name.partition(" in class")[0], value, error)
    return Scale("log" if statement.logs[statement.estimated.index(name)] else "identity").interval(value, error)


def _on_spread(statement: Statement, name: str, value: float, error: float) -> tuple[float, float]:
    spread = statement.model.parameters()[name].spread
    assert spread is not None
    step = 1e-6 * (abs(value) or 1.0)
    there = [float(spread.to_normal(jnp.asarray(v))) for v in (value - step, value, value + step)]
    half = NORMAL_95 * error * abs(there[2] - there[0]) / (2 * step)
    ends = sorted(float(spread.from_normal(jnp.asarray(there[1] + side * half))) for side in (-1, 1))
    return ends[0], ends[1]


# --- patients --------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Individuals:
    """What is known of every patient's own parameters (patient, coordinate)."""

    parameters: tuple[str, ...]
    occasions: tuple[int, ...]  # 0 where all have the same
    units: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    deviation: np.ndarray  # mean distance from what is typical of such a patient, in the population's SDs
    deviation_sd: np.ndarray


def individuals_of(fit: Any) -> Individuals:
    """Means and standard deviations over every patient's weighted draws, on the parameters' own scale."""
    statement, people = fit.statement, fit.people
    declared = statement.model.parameters()
    names = tuple(statement.effects[one.effect] for one in statement.coordinates)
    weights = people.weights.sum(1)[..., None]
    values = np.stack(
        [np.asarray(declared[n].spread.from_normal(people.phi[..., k])) for k, n in enumerate(names)],
        axis=-1,  # type: ignore[union-attr]
    )
    mean = (weights * values).sum(1)
    sd = np.sqrt((weights * (values - mean[:, None]) ** 2).sum(1))
    unit = people.sds
    return Individuals(
        names, tuple(one.occasion for one in statement.coordinates), tuple(declared[n].unit for n in names), mean, sd,
        people.means / unit, np.sqrt(np.diagonal(people.covariances, axis1=1, axis2=2)) / unit,
    )  # fmt: skip
