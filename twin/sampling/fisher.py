"""The Fisher information of a population's values in sets of measurements: first order around the typical subject.

A subject's measurements are taken as normal: mean f at deviations 0, variance G Omega G' + H, where G = df/deviation
(on the scale on which a parameter's spread is normal) and H is the residual error's variance at f. *Reduced*: the
variance says nothing of typical values (a block-diagonal matrix); *full*: it does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..model import DiseaseModel
from ..population.individual import cholesky
from .slopes import Slopes

_TOGETHER = 4_000_000  # numbers of the largest array of sets that are worked on together
STEP = 0.01  # of a typical value, for the derivative of slopes; of fourth order, so its error is about step^4 / 30
SHIFTS = (-2, -1, 1, 2)
_WEIGHTS = np.array([1.0, -8.0, 8.0, -1.0]) / 12


@dataclasses.dataclass(frozen=True)
class Unknowns:
    """The numbers of a population that are not known, in order: typical values, (co)variances, error variances."""

    typical: tuple[str, ...]
    spread: tuple[str, ...]
    error: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]  # whose covariance is declared
    varied: tuple[str, ...]  # all parameters that vary, the known ones too

    @property
    def labels(self) -> tuple[str, ...]:
        """What each is called."""
        return (
            *self.typical, *(f"variance of {n}" for n in self.spread), *(f"covariance of {a} and {b}" for a, b in
            self.pairs), *(f"variance of {n}" for n in self.error),
        )  # fmt: skip

    def values(self, model: DiseaseModel) -> np.ndarray:
        """As the model declares them."""
        typical, omega = model.typical(), omega_of(model, self.varied)
        place = self.varied.index
        return np.array(
            [*(float(getattr(typical, n)) for n in self.typical), *(omega[place(n), place(n)] for n in self.spread),
             *(omega[place(a), place(b)] for a, b in self.pairs),
             *(float(getattr(typical, n)) ** 2 for n in self.error)]
        )  # fmt: skip

    def units(self, model: DiseaseModel) -> list[str]:
        """Of each; a variance of a spread is on the scale on which it is normal."""
        declared = model.parameters()
        squared = {n: "1" if declared[n].unit == "1" else f"({declared[n].unit})^2" for n in self.error}
        return [
            *(declared[n].unit for n in self.typical), *("1" for _ in (*self.spread, *self.pairs)), *squared.values()
        ]  # fmt: skip


def scales(model: DiseaseModel, names: Sequence[str]) -> np.ndarray:
    """The standard deviations of parameters on the scale on which they are normal; 1 where there is none."""
    declared = model.parameters()
    spreads = [declared[name].spread for name in names]
    return np.array([(one.normal_sd if one is not None else None) or 1.0 for one in spreads])


def correlations(model: DiseaseModel, names: Sequence[str]) -> np.ndarray:
    """Of deviations, as the model declares them."""
    varied, lower = cholesky(model)
    rows = [varied.index(name) for name in names]
    return (lower @ lower.T)[np.ix_(rows, rows)]


def omega_of(model: DiseaseModel, names: Sequence[str]) -> np.ndarray:
    """The covariance of parameters on the scale on which they are normal."""
    sd = scales(model, names)
    return correlations(model, names) * np.outer(sd, sd)


@dataclasses.dataclass(frozen=True)
class Rows:
    """What the information needs of each time: arrays (time, observable, ...)."""

    of_typical: np.ndarray  # (..., typical) of the mean
    of_spread: np.ndarray  # (..., varied) of the mean, on the normal scales
    variance: np.ndarray  # of the residual error
    of_error: np.ndarray  # (..., error) of the variance, by error variances
    omega: np.ndarray
    spread: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    spread_moves: np.ndarray | None = None  # (..., varied, typical), where the information is full
    variance_moves: np.ndarray | None = None  # (..., typical)


def with_shifts(value: float, count: int, full: bool) -> np.ndarray:
    """A typical value in each draw, of which 4 are shifted for each of `count` typical values if `full`."""
    return np.full((1, 1 + len(SHIFTS) * count * full), value)


def shift(own: dict[str, np.ndarray], names: Sequence[str]) -> None:
    """Moves each typical value in four draws of its own."""
    for i, name in enumerate(names):
        for k, by in enumerate(SHIFTS):
            own[name][0, 1 + len(SHIFTS) * i + k] += by * step_of(own[name][0, 0])


def step_of(value: float) -> float:
    return STEP * (abs(value) or 1.0)


def rows_of(model: DiseaseModel, unknowns: Unknowns, slopes: Slopes, *, full: bool) -> Rows:
    """From the typical subject (the first draw), and the shifted ones where the information is full."""
    place = {unknown: i for i, unknown in enumerate(slopes.unknowns)}
    typical = [place["typical", n] for n in unknowns.typical]
    errors = [place["typical", n] for n in unknowns.error]
    varied = [place["deviations", n] for n in unknowns.varied]
    sd = scales(model, unknowns.varied)
    sizes = np.array([float(getattr(model.typical(), n)) for n in unknowns.error])
    spread_of = lambda draw: slopes.of_mean[draw][..., varied] / sd  # noqa: E731
    first = slopes.sd[0][..., None]
    rows = Rows(
        of_typical=slopes.of_mean[0][..., typical],
        of_spread=spread_of(0),
        variance=slopes.sd[0] ** 2,
        of_error=first * slopes.of_sd[0][..., errors] / sizes,  # d sd^2 / d error^2
        omega=omega_of(model, unknowns.varied),
        spread=tuple(unknowns.varied.index(n) for n in unknowns.spread),
        pairs=tuple((unknowns.varied.index(a), unknowns.varied.index(b)) for a, b in unknowns.pairs),
    )
    if not full:
        return rows
    moves = []
    for i, name in enumerate(unknowns.typical):
        draws = 1 + len(SHIFTS) * i + np.arange(len(SHIFTS))
        change = np.tensordot(_WEIGHTS, np.stack([spread_of(k) for k in draws]), 1)
        moves.append(change / step_of(float(getattr(model.typical(), name))))
    variance_moves = 2 * first * slopes.of_sd[0][..., typical]
    return dataclasses.replace(rows, spread_moves=np.stack(moves, -1), variance_moves=variance_moves)


def information_of(rows: Rows, sets: np.ndarray) -> np.ndarray:
    """Of one subject, in each of the sets (set, time) of rows: (set, unknown, unknown)."""
    points = sets.shape[1] * rows.variance.shape[1]
    unknowns = rows.of_typical.shape[-1] + len(rows.spread) + len(rows.pairs) + rows.of_error.shape[-1]
    size = max(1, _TOGETHER // max(1, points * points * unknowns))
    return np.concatenate([_information(rows, sets[i : i + size]) for i in range(0, len(sets), size)])


def _information(rows: Rows, sets: np.ndarray) -> np.ndarray:
    points = sets.shape[1] * rows.variance.shape[1]
    take = lambda x: x[sets].reshape(len(sets), points, *x.shape[2:])  # noqa: E731
    of_typical, of_spread, variance, of_error = map(
        take, (rows.of_typical, rows.of_spread, rows.variance, rows.of_error)
    )
    diagonal = np.eye(of_typical.shape[1])
    whole = of_spread @ rows.omega @ of_spread.swapaxes(1, 2) + variance[:, :, None] * diagonal
    inverse = np.linalg.inv(whole)
    count = of_typical.shape[-1]
    outer = lambda a, b: of_spread[..., a, None] * of_spread[:, None, :, b]  # noqa: E731
    parts = [outer(a, a) for a in rows.spread] + [outer(a, b) + outer(b, a) for a, b in rows.pairs]
    parts += [of_error[..., k, None] * diagonal for k in range(of_error.shape[-1])]
    first = count
    if rows.spread_moves is not None and rows.variance_moves is not None:
        moves, half = take(rows.spread_moves), of_spread @ rows.omega
        one_side = np.einsum("sikt,sjk->tsij", moves, half)
        parts = [
            *(one_side + one_side.swapaxes(2, 3) + np.moveaxis(take(rows.variance_moves), -1, 0)[..., None] * diagonal),
            *parts,
        ]
        first = 0
    unknowns = first + len(parts)
    found = np.zeros((len(sets), unknowns, unknowns))
    if parts:
        weighed = np.stack([inverse @ part for part in parts], 1)
        found[:, first:, first:] = 0.5 * np.einsum("skij,slji->skl", weighed, weighed)
    found[:, :count, :count] += of_typical.swapaxes(1, 2) @ inverse @ of_typical
    return found


def shrinkage_of(model: DiseaseModel, unknowns: Unknowns, rows: Rows, chosen: np.ndarray) -> np.ndarray:
    """Variance of each deviation that a subject's measurements leave, over that before, by the same linearisation."""
    variance = rows.variance[chosen].ravel()
    of_spread = rows.of_spread[chosen].reshape(len(variance), len(rows.omega))
    prior = np.linalg.inv(rows.omega)
    after = np.linalg.inv(prior + of_spread.T @ (of_spread / variance[:, None]))
    return np.diag(after) / np.diag(rows.omega)
