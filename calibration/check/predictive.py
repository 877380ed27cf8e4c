"""Is the model right for these patients, and the calibration right at all? Checks of both.

`checks` asks of each measurement where it lies among those replicated from the posterior, and (NPDE) from the prior;
`vpc` the same of a cohort over time; `forecast` hides each patient's later measurements and predicts them; `sbc`
calibrates patients drawn from the prior and asks whether the truth ranks evenly among their draws.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import xarray as xr

from ..posterior import Posterior
from ..target import Target
from .npde import npde
from .replicates import place_of, replicates

_BINS = 20


# --- replicated measurements --------------------------------------------------------------------------


def checks(posterior: Posterior, *, draws: int = 500, seed: int = 0) -> xr.Dataset:
    """One row a measurement that was read: its place among replicates from the posterior, its NPDE, and intervals.

    `pit` is the share of the posterior's replicates below it. `npde` is standard normal if model and population fit:
    its place among the prior's replicates, after a patient's replicates are made uncorrelated (Comets 2008).
    """
    target = posterior.target
    some = posterior.u[:, np.linspace(0, posterior.draws - 1, min(draws, posterior.draws)).round().astype(int)]
    after = replicates(target, some, seed)
    generator = np.random.default_rng(seed)
    before = replicates(target, generator.standard_normal((len(target), draws, target.prior.size)), seed + 1)
    columns = ("of_patient", "observable", "time", "value", "pit", "npde", "q5", "q95")
    rows: dict[str, list[Any]] = {name: [] for name in columns}
    for i, patient in enumerate(target.patients):
        read = [(o, place_of(target, i, o)) for o in patient.observations if o.bound == 0]
        if not read:
            continue
        values = np.array([o.value for o, _ in read])
        among = np.stack([before[o.observable][i, :, k] for o, k in read], -1)
        scores = npde(values, among, generator)
        for (one, k), score in zip(read, scores, strict=True):
            new = after[one.observable][i, :, k]
            pit = (np.sum(new < one.value) + 0.5) / (len(new) + 1)
            low, high = np.quantile(new, (0.05, 0.95))
            given = (patient.id, one.observable, one.time, one.value, pit, score, low, high)
            for name, value in zip(rows, given, strict=True):
                rows[name].append(value)
    as_array = lambda name: np.array(rows[name], object if name in columns[:2] else float)  # noqa: E731
    return xr.Dataset({name: ("observation", as_array(name)) for name in columns})


def vpc(target: Target, *, bins: int = 8, corrected: bool = False, simulations: int = 200, seed: int = 0) -> xr.Dataset:
    """The visual predictive check of a cohort: quantiles of measurements in bins of time, and what the model expects.

    `corrected` divides by each measurement's typical prediction and multiplies by the bin's (Bergstrand 2011).
    """
    generator = np.random.default_rng(seed)
    u = generator.standard_normal((len(target), simulations, target.prior.size))
    new = replicates(target, u, seed)
    with jax.enable_x64(True):
        zero = np.zeros((len(target), 1, target.prior.size))
        typical = target.of_draws("true", lambda features, data, u, keys: features["true"], zero)
    found = {}
    for name in target.seen:
        here = target.data.read[name]
        kept = here.real & (here.bound == 0)
        times, values = here.time[kept], here.value[kept]
        among = np.moveaxis(new[name], 1, -1)[kept]  # (measurement, simulation)
        middle = np.asarray(typical[name][name])[:, 0][kept]
        edges = np.unique(times)  # each time by itself, if there are few
        if len(edges) > bins:
            edges = np.unique(np.quantile(times, np.linspace(0, 1, bins + 1)))[:-1]
        place = np.searchsorted(edges, times, side="right") - 1
        table = []
        for b in np.unique(place):
            mine = place == b
            scale = np.median(middle[mine]) / middle[mine] if corrected else np.ones(mine.sum())
            seen = np.quantile(values[mine] * scale, (0.1, 0.5, 0.9))
            each = np.quantile(among[mine] * scale[:, None], (0.1, 0.5, 0.9), axis=0)  # (quantile, simulation)
            low, high = np.quantile(each, (0.025, 0.975), axis=1)
            table.append(np.concatenate([[np.median(times[mine]), mine.sum()], seen, low, high]))
        columns = ["time", "count", *(f"{kind}_{q}" for kind in ("seen", "low", "high") for q in (10, 50, 90))]
        for column, values_of in zip(columns, np.array(table).T, strict=True):
            found[f"{name}_{column}"] = (f"{name}_bin", values_of)
    return xr.Dataset(found)
