"""The visual predictive check: percentiles of the data over time among those of replicated data sets.

The share that was censored is checked as such, and what was censored counts as beyond all that was read. Corrected for
predictions (Bergstrand 2011), differences of doses and covariates within a bin do not hide what the model gets wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import xarray as xr

from twin.errors import TwinError, suggest
from twin.regimen.schedule import write_out

from .limits import is_beyond, limits_of
from .predictions import Predictions

PERCENTILES = (5, 50, 95)
_INTERVAL = (0.025, 0.5, 0.975)
_LEVELS = 4  # values of a covariate, at most, that make strata of their own; else halves


@dataclasses.dataclass(frozen=True)
class _Part:
    """Measurements of an observable in one panel: (measurement,), and replicates (data set, measurement)."""

    time: np.ndarray
    value: np.ndarray  # infinite beyond a limit
    new: np.ndarray
    scale: np.ndarray  # what is predicted of each
    limits: np.ndarray  # lower and upper (2, measurement)


def vpc(
    predictions: Predictions, *, bins: int | Sequence[float] = 8, corrected: bool = False, by: str | None = None,
    after_dose: bool = False,
) -> xr.Dataset:  # fmt: skip
    """Percentiles 5, 50, 95 of the data in bins of time, and the 95 % intervals of replicated data sets (bin).

    Args:
        bins: how many, with equal counts (or one a time, where there are no more times); or their edges.
        corrected: each value is corrected for its typical prediction.
        by: a covariate at the start; its values, or halves, are strata.
        after_dose: time since the last dose, instead of time.

    Returns:
        One row a bin: observable, stratum, time (the median), count; seen_5, low_5, middle_5, high_5 and so on, which
        are not a number below what could be read; and seen, low, middle, high of the share `below` and `above` limits,
        and where these are (`limit_below`, `limit_above`).
    """
    strata = _strata(predictions, by)
    rows = []
    for name in predictions.numbers:
        for stratum, who in strata.items():
            part = _collect(predictions, name, who, after_dose)
            if part.time.size:
                rows += [{"observable": name, "stratum": stratum, **row} for row in _table(part, bins, corrected)]
    if not rows:
        raise TwinError(
            "predictive check: of these patients no numbers were measured, whose percentiles could be checked"
        )
    columns = {word: np.array([row[word] for row in rows]) for word in rows[0]}
    columns |= {word: columns[word].astype(object) for word in ("observable", "stratum")}
    return xr.Dataset({word: ("bin", values) for word, values in columns.items()}, {}, {"corrected": int(corrected)})


def _strata(predictions: Predictions, by: str | None) -> dict[str, np.ndarray]:
    """Who belongs to each stratum."""
    patients = predictions.target.patients
    if by is None:
        return {"": np.ones(len(patients), bool)}
    known = predictions.target.model.covariates()
    if by not in known:
        raise TwinError(f"predictive check by '{by}': the model knows no such covariate; {suggest(by, known)}")
    values = np.array([one.covariates[by] for one in patients])
    several = np.unique(values)
    levels = getattr(known[by], "levels", ())
    if len(several) <= _LEVELS:
        return {f"{by} {levels[int(v)] if levels else f'{v:g}'}": values == v for v in several}
    middle = float(np.median(values))
    return {f"{by} up to {middle:g}": values <= middle, f"{by} above {middle:g}": values > middle}


def _collect(predictions: Predictions, name: str, who: np.ndarray, after_dose: bool) -> _Part:
    read = predictions.target.data.read[name]
    kept = read.real & who[:, None]
    lower, upper = limits_of(read)
    new = predictions.replicates[name]
    below, above = is_beyond(new, lower, upper)
    new = np.where(below, -np.inf, np.where(above, np.inf, new))
    value = np.where(read.bound == 0, read.value, np.where(read.bound < 0, -np.inf, np.inf))
    time = _since_dose(predictions, read.time) if after_dose else read.time
    return _Part(
        time[kept], value[kept], np.moveaxis(new, 1, -1)[kept].T, predictions.true(name, "typical")[:, 0][kept],
        np.stack([lower[kept], upper[kept]]),
    )  # fmt: skip


def _since_dose(predictions: Predictions, time: np.ndarray) -> np.ndarray:
    """Times (patient, measurement) since the last dose; since the start, before the first."""
    found = time.copy()
    for i, patient in enumerate(predictions.target.patients):
        end = float(time[i].max())
        begins = np.sort([
            one.time for dose in patient.doses
            for one in write_out(dose, predictions.target.model, patient.covariates, end)
        ])  # fmt: skip
        last = np.searchsorted(begins, time[i], side="right") - 1
        found[i] = np.where(last >= 0, time[i] - begins[np.maximum(last, 0)], time[i]) if len(begins) else time[i]
    return found


def _table(part: _Part, bins: int | Sequence[float], corrected: bool) -> list[dict[str, float]]:
    place, rows = _bin(part.time, bins), []
    for b in np.unique(place):
        mine = place == b
        value, new = part.value[mine], part.new[:, mine]
        if corrected:
            value, new = (_correct(x, part.scale[mine]) for x in (value, new))
        row = {"time": float(np.median(part.time[mine])), "count": int(mine.sum())}
        for percent in PERCENTILES:
            each = _quantile(new, percent / 100)
            said = [_quantile(value, percent / 100), *(_quantile(each, share) for share in _INTERVAL)]
            row |= _four(str(percent), [float(v) if np.isfinite(v) else float("nan") for v in said])
        for word, beyond in (("below", -np.inf), ("above", np.inf)):
            shares = np.mean(new == beyond, axis=1)
            row[f"limit_{word}"] = _middle(part.limits[int(word == "above")][mine])
            row |= _four(word, [float(np.mean(value == beyond)), *np.quantile(shares, _INTERVAL).tolist()])
        rows.append(row)
    return rows


def _four(word: str, said: Sequence[float]) -> dict[str, float]:
    return dict(zip((f"{kind}_{word}" for kind in ("seen", "low", "middle", "high")), said, strict=True))


def _middle(limits: np.ndarray) -> float:
    """Of those that there are."""
    return float(np.median(limits[np.isfinite(limits)])) if np.isfinite(limits).any() else float("nan")


def _bin(time: np.ndarray, bins: int | Sequence[float]) -> np.ndarray:
    """Which bin each time is in."""
    if not isinstance(bins, int):
        edges = np.sort(np.asarray(bins, float))
        if time.min() < edges[0] or time.max() > edges[-1]:
            raise TwinError(
                f"predictive check, bins from {edges[0]:g} to {edges[-1]:g}: there are times from {time.min():g} to "
                f"{time.max():g}; widen the bins"
            )
        return np.minimum(np.searchsorted(edges, time, side="right") - 1, len(edges) - 2)
    edges = np.unique(time)
    if len(edges) > bins:
        edges = np.unique(np.quantile(time, np.linspace(0, 1, bins + 1)))[:-1]
    return np.searchsorted(edges, time, side="right") - 1


def _correct(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """By the ratio of predictions, or by their difference where one is not positive."""
    middle = np.median(scale)
    return values * (middle / scale) if np.all(scale > 0) else values + (middle - scale)


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Along the last axis; infinite where one of the two values that it lies between is."""
    ordered = np.sort(values, axis=-1)
    place = share * (ordered.shape[-1] - 1)
    low, part = ordered[..., int(place)], place - int(place)
    high = ordered[..., min(int(place) + 1, ordered.shape[-1] - 1)]
    with np.errstate(invalid="ignore"):
        found = low + part * (high - low)
    infinite = np.where(np.isinf(low), low, high)
    return np.where(np.isfinite(found), found, infinite)
