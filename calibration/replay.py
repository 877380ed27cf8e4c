"""replay(): a patient's measurements as they arrive: how the twin and its forecast sharpen, and when it drifts.

    steps, forecasts = calibration.replay(model, patient, every="7 day")
    steps["sd"].sel(unknown="clearance")          # narrower and narrower
    steps["drift"]                                # small: what came did not fit what was known

At each cut the twin knows what was measured before it and predicts what is measured until the next. All cuts of all
patients are calibrated together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from twin.errors import TwinError
from twin.library import as_model
from twin.model import DiseaseModel
from twin.patient import BoundPatient, Patient
from twin.quantity import parse_time
from twin.result.dataset import words
from twin.run.people import bind_patients

from .check.forecast import crps
from .check.replicates import replicates
from .fit import calibrate
from .ladder import surprise
from .posterior import UNKNOWN, Posterior
from .target import Target

STEP, FORECAST = "step", "forecast"
_MOST = 500  # cuts of all patients


class Cut(NamedTuple):
    """A patient at a time: what is known, and what comes until the next cut."""

    time: float
    known: BoundPatient
    coming: BoundPatient


class Replay(NamedTuple):
    """`steps`: the twin at each cut; `forecasts`: each measurement and what was predicted of it before it came."""

    steps: xr.Dataset
    forecasts: xr.Dataset


def replay(
    model: DiseaseModel | str,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    *,
    every: float | str,
    draws: int = 500,
    seed: int = 0,
    method: str = "auto",
    priors: Mapping[str, Mapping[str, Any]] | None = None,
    censored: str = "m3",
    rtol: float | None = None,
    atol: float | None = None,
) -> Replay:
    """Calibrates each patient again whenever `every` has passed and something new was measured.

    Args:
        every: how often, in model time units or as text ('1 day'), from each patient's first measurement on.
    """
    model = as_model(model)
    step = parse_time(every, model.time_unit) if isinstance(every, str) else float(every)
    if not step > 0:
        raise TwinError(f"replay every {every} is not a time above 0; write '1 day'")
    people = bind_patients(model, patients)
    cuts = [(patient, cut) for patient in people for cut in _cuts(patient, step)]
    if not cuts:
        raise TwinError("no patient has observations to replay")
    if len(cuts) > _MOST:
        raise TwinError(f"replay every {every} makes {len(cuts)} calibrations; at most {_MOST} are made: take longer")
    posterior = calibrate(
        model, [cut.known for _, cut in cuts], method=method, draws=draws, seed=seed, priors=priors,
        censored=censored, rtol=rtol, atol=atol,
    )  # fmt: skip
    coming = [i for i, (_, cut) in enumerate(cuts) if cut.coming.observations]
    drift = np.full(len(cuts), np.nan)
    rows: list[dict[str, Any]] = []
    if coming:
        with jax.enable_x64(True):
            target = Target(model, [cuts[i][1].coming for i in coming], posterior.prior, rtol=rtol, atol=atol)
            drift[coming] = surprise(target, posterior.u[coming], seed + 1)
            whole = [_whole_record(cuts[i][1]) for i in coming]
            since = [min(o.time for o in cuts[i][1].coming.observations) for i in coming]
            target = Target(model, whole, posterior.prior, rtol=rtol, atol=atol, since=since)
        rows = _prediction_rows(target, posterior.u[coming], seed + 2, [(cuts[i][0].id, i) for i in coming])
    return Replay(_steps(cuts, posterior, drift), _table(rows))


def _cuts(patient: BoundPatient, step: float) -> list[Cut]:
    """From what is known before the first measurement to everything; a step in which nothing comes makes no cut."""
    seen = sorted(patient.observations, key=lambda o: o.time)
    if not seen:
        return []
    times, found = [o.time for o in seen], []
    place = np.floor((np.array(times) - times[0]) / step + 1e-9).astype(int)
    for number in [*sorted(set(place.tolist())), int(place[-1]) + 1]:
        known = tuple(o for o, k in zip(seen, place, strict=True) if k < number)
        coming = tuple(o for o, k in zip(seen, place, strict=True) if k == number)
        one = dataclasses.replace(patient, id=f"{patient.id}\0{number}", observations=known)
        found.append(Cut(times[0] + number * step, one, dataclasses.replace(one, observations=coming)))
    return found


def _whole_record(cut: Cut) -> BoundPatient:
    """What is known and what comes: where errors are alike at neighbouring times, a forecast goes on from them."""
    return dataclasses.replace(cut.known, observations=cut.known.observations + cut.coming.observations)


def _steps(cuts: list[tuple[BoundPatient, Cut]], posterior: Posterior, drift: np.ndarray) -> xr.Dataset:
    summary, of_step = posterior.summary(), (STEP, UNKNOWN)
    data: dict[str, Any] = {
        "of_patient": (STEP, words(patient.id for patient, _ in cuts)),
        "time": (STEP, np.array([cut.time for _, cut in cuts])),
        "known": (STEP, posterior.stats["observations"].astype(int), {"description": "measurements known"}),
        "drift": (STEP, drift, {"description": "predictive p-value of what comes until the next step"}),
        "method": (STEP, words(posterior.method)),
        "verdict": (STEP, words(posterior.verdict)),
    }
    for name in ("mean", "sd", "q5", "median", "q95"):
        data[name] = (of_step, summary[name].values)
    return xr.Dataset(data, {UNKNOWN: words(posterior.prior.names)})


def _prediction_rows(target: Target, u: np.ndarray, seed: int, owners: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """A row for each measurement to come: what was predicted of it."""
    drawn, rows = replicates(target, u, seed, going_on=True), []
    for i, (patient, (owner, step)) in enumerate(zip(target.patients, owners, strict=True)):
        counts = dict.fromkeys(target.seen, 0)
        for one in patient.observations:
            values = drawn[one.observable][i, :, counts[one.observable]]
            counts[one.observable] += 1
            if one.time < target.data.since[i]:
                continue
            low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
            score = float(crps(np.array([one.value]), values[None])) if one.bound == 0 else np.nan
            rows.append(
                {"of_patient": owner, "step": step, "observable": one.observable, "time": one.time,
                 "value": one.value, "bound": one.bound, "q5": low, "median": middle, "q95": high, "crps": score}
            )  # fmt: skip
    return rows


def _table(rows: list[dict[str, Any]]) -> xr.Dataset:
    texts = ("of_patient", "observable")
    names = ("of_patient", "step", "observable", "time", "value", "bound", "q5", "median", "q95", "crps")
    data = {n: words(r[n] for r in rows) if n in texts else np.array([r[n] for r in rows]) for n in names}
    return xr.Dataset({name: (FORECAST, values) for name, values in data.items()})
