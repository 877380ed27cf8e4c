"""One row a measurement: what was predicted of it, and how far it is from that, in the ways that tools compare.

IWRES: errors from the patient's own course. CWRES: from a linearised population (Hooker 2007), here around each
patient's mean. NPDE: among replicates, patients' measurements made uncorrelated (Comets 2008); what was censored is
drawn below its limit, as are replicates that would have been (Nguyen 2012).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...check.npde import npde
from ...target import Read
from .limits import limits_of
from .predictions import Predictions

_BAND = (0.05, 0.95)


def residuals(predictions: Predictions) -> xr.Dataset:
    """The table of all measurements (measurement), by patient, observable and time.

    `typical` is the course of a typical person with the patient's covariates (PRED), `own` that of the patient's mean
    numbers (IPRED) with `own_low` and `own_high`, `low` and `high` where 90 % of new measurements of the patient would
    be, `population_low` and `population_high` those of people like the patient.
    """
    target, each = predictions.target, []
    cwres = conditional_residuals(predictions)
    scores = distribution_errors(predictions)
    for name in predictions.names:
        read = target.data.read[name]
        who, which = np.nonzero(read.real)
        lower, upper = limits_of(read)
        pick = lambda x, at=(who, which): x[at]  # noqa: E731
        own, again, new = (
            np.quantile(x, _BAND, axis=1)
            for x in (predictions.true(name, "own"), predictions.repeats[name], predictions.replicates[name])
        )
        z = predictions.residuals(name)
        nothing = np.full(read.value.shape, np.nan)
        columns = {
            "patient": np.array([target.patients[i].id for i in who], object),
            "observable": np.full(len(who), name, object), "time": pick(read.time), "value": pick(read.value),
            "bound": pick(read.bound), "lower_limit": pick(lower), "upper_limit": pick(upper),
            "typical": pick(predictions.true(name, "typical")[:, 0]),
            "own": pick(predictions.true(name, "middle")[:, 0]),
            "own_low": pick(own[0]), "own_high": pick(own[1]), "low": pick(again[0]), "high": pick(again[1]),
            "population_low": pick(new[0]), "population_high": pick(new[1]),
            "iwres": pick(nothing if z is None else np.where(read.bound == 0, z[:, 0], np.nan)),
            "cwres": pick(cwres[name]), "npde": pick(scores[name]),
        }  # fmt: skip
        each.append((who, columns))
    order = np.lexsort((np.concatenate([c["time"] for _, c in each]), np.concatenate([w for w, _ in each])))
    joined = {word: np.concatenate([c[word] for _, c in each])[order] for word in each[0][1]}
    return xr.Dataset({word: ("measurement", values) for word, values in joined.items()})


def shrinkage(table: xr.Dataset) -> dict[str, float]:
    """1 - SD of IWRES, by observable: how much of the errors has gone into patients' own courses."""
    found = {}
    for name in dict.fromkeys(table["observable"].values):
        z = table["iwres"].values[table["observable"].values == name]
        z = z[np.isfinite(z)]
        if len(z) > 1:
            found[str(name)] = float(1 - z.std(ddof=1))
    return found


def conditional_residuals(predictions: Predictions) -> dict[str, np.ndarray]:
    """CWRES (patient, measurement); not a number of what was censored, or is normal on no scale."""
    reads = predictions.target.data.read
    linear = {n: predictions.linear(n) for n in predictions.names}
    found = {n: np.full(reads[n].value.shape, np.nan) for n in predictions.names}
    middle = predictions.places["middle"][:, 0]
    for i in range(len(middle)):
        rest, slope, sd, kept = [], [], [], {}
        for name, one in linear.items():
            if one is None:
                continue
            _, sds, slopes = one
            z = predictions.residuals(name)
            keep = kept[name] = reads[name].real[i] & (reads[name].bound[i] == 0)
            # what was measured less what the linearised course of a typical person is
            rest.append((sds[i] * z[i, 0] + slopes[i].T @ middle[i])[keep])  # type: ignore[index]
            slope.append(slopes[i].T[keep])
            sd.append(sds[i][keep])
        if not sum(map(np.sum, kept.values())):
            continue
        a, error = np.concatenate(slope), np.concatenate(sd)
        values, vectors = np.linalg.eigh(a @ a.T + np.diag(error**2))
        scores = vectors @ ((vectors.T @ np.concatenate(rest)) / np.sqrt(values))
        for name, keep in kept.items():
            found[name][i, keep], scores = scores[: keep.sum()], scores[keep.sum() :]
    return found


def distribution_errors(predictions: Predictions) -> dict[str, np.ndarray]:
    """NPDE (patient, measurement); not a number of classes and events."""
    reads, names = predictions.target.data.read, predictions.numbers
    found = {n: np.full(reads[n].value.shape, np.nan) for n in predictions.names}
    generators = [np.random.default_rng(seed) for seed in predictions.sky.seeds(predictions.seed, 5004)]
    for i, generator in enumerate(generators):
        kept = {n: reads[n].real[i] for n in names}
        both = [
            _draw_beyond(reads[n], predictions.replicates[n][i][:, kept[n]], i, kept[n], generator)
            for n in names if kept[n].any()
        ]  # fmt: skip
        if not any(one.any() for one in kept.values()):
            continue
        scores = npde(np.concatenate([v for v, _ in both]), np.concatenate([a for _, a in both], axis=1), generator)
        for name, keep in kept.items():
            found[name][i, keep], scores = scores[: keep.sum()], scores[keep.sum() :]
    return found


def _draw_beyond(
    read: Read, new: np.ndarray, patient: int, keep: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A patient's values, and their replicates (draw, measurement), with what is beyond a limit drawn among the
    replicates that are, for either alike: so they can be compared, and say nothing more than that they are beyond.
    """
    values, bound, drawn = read.value[patient, keep].copy(), read.bound[patient, keep], new.copy()
    for limits, side in zip(limits_of(read), (-1, 1), strict=True):
        limit = limits[patient, keep]
        for k in np.flatnonzero(np.isfinite(limit)):
            beyond = side * (new[:, k] - limit[k]) > 0
            if not beyond.any():
                continue  # a censored value is then the limit itself: further out than any replicate
            among = new[beyond, k]
            drawn[beyond, k] = generator.choice(among, beyond.sum())
            if bound[k] == side:
                values[k] = generator.choice(among)
    return values, drawn
