"""simulate(): patients x draws x regimens as one batch, every regimen on the same individuals.

import twin
model = twin.load_model("warfarin")
result = twin.simulate(
    model, twin.Patient("ana", covariates={"age": 71}),
    regimens={"usual": "5 mg q24h x30", "lower": "3 mg q24h x30"},
    outcomes=["highest_inr"], draws=500, seed=7,
)
result["outcomes/highest_inr"].median("draw")
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import xarray as xr

from ..errors import DomainWarning, TwinError
from ..library import as_model
from ..model import DiseaseModel, Outcome
from ..patient import BoundPatient, Patient
from ..result import dataset
from ..result.twin import Twin
from ..run.batch import Own
from ..run.plan import prepare
from ..run.runner import run
from ..settings import MOST_DRAWS, Settings, Times

DEFAULT = Settings()


def simulate(
    model: DiseaseModel | str | Twin,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient] | None = None,
    *,
    regimens: Mapping[str, Any],
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    settings: Settings = DEFAULT,
    draws: int | None = None,
    seed: int | None = None,
    now: float | str | None = None,
    until: float | str | None = None,
    times: Times | None = None,
    solver: str | None = None,
    dtype: str | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    spread: bool | None = None,
    uncertainty: bool | None = None,
    noise: bool | None = None,
    individuals: Mapping[str, Any] | None = None,
    deviations: Mapping[str, Any] | None = None,
    covariates: Mapping[str, Any] | None = None,
    ledger: xr.DataTree | None = None,
    choose: Callable[..., Any] | None = None,
    chunk: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.DataTree:
    """Simulate every patient under every regimen, and return outcome distributions.

    Args:
        model: from `load_model`, its name, or your own.
        patients: one patient or several. Each is drawn `draws` times from the model's between-patient spread.
        regimens: name -> text ("5 mg q24h x14"), an explicit list, None, or a `Regimen`.
        outcomes: names of the model's outcomes, or name -> `Outcome` of your own; all the model's if None.
        settings: all of what follows in one object; what is said beside it replaces its values.
        draws, seed: of each patient, and what makes them the same again.
        now: what lies before is history: patients' own doses end there, regimens begin there and count their times from
            it, and outcomes look from it on unless they say since when.
        until: the end, in the model's time unit or as text ("90 day"); by default when the last dose has had
            its interval, or at the model's own horizon where no regimen repeats a dose.
        times: when to store the course of every observable, in the model's time unit or with a unit ("12 h"); 101
            times if None, none if empty. A time at which a dose is given shows the moment before it.
        solver: "auto", or one by name, which is used or refused, never replaced: "linear", "adaptive", "stiff" and
            "ode" (each trajectory by itself), "ensemble", "tsit5" and "rosenbrock" (many at once).
        rtol, atol: tolerances of the adaptive solvers.
        spread: False simulates the typical patient with these covariates.
        uncertainty: also draw the population's typical values from their standard errors.
        noise: also store measured values, with the model's residual error.
        individuals: parameter name -> values (patient, draw) to use instead of drawing them, such as estimates
            from elsewhere; parameters that are not named are drawn as usual.
        deviations: the same, but how far each is from typical, in standard deviations of its declared spread, so
            that a change of a covariate changes it; what `calibration` gives.
        covariates: covariate name -> values (patient, draw) instead of the patients' own: numbers, text such as
            "180 lb", levels or their numbers; not a number keeps a patient's own. Without it, covariates that have
            chances are drawn.
        ledger: a result of regimens that react, with the same patients, regimens and draws: what was given there is
            given again, and nothing is decided.
        choose: who chooses doses where a rule says `dose: chosen`: `calibration.choose_dose`, or your own
            (`twin.run.reacting.choosing` says what is asked).
        chunk: how many trajectories are in flight at once; changes memory, never a result.
        progress: called with (done, total) trajectories.

    Returns:
        A DataTree: /outcomes (patient, regimen, draw), /predictions (patient, regimen, draw, time), /prior (parameters:
        patient, draw; /posterior if individuals or deviations are given), /sample_stats (status), /constant_data,
        /observed_data; provenance in attrs.
    """
    how = settings.but(
        draws=draws, seed=seed, now=now, until=until, times=times, solver=solver, dtype=dtype, rtol=rtol, atol=atol,
        spread=spread, uncertainty=uncertainty, noise=noise,
    )  # fmt: skip
    if how.draws > MOST_DRAWS:
        raise TwinError(f"draws {how.draws} is not between 1 and {MOST_DRAWS}; for more, take twin.stream")
    own = Own(individuals or {}, deviations or {}, covariates or {})
    if isinstance(model, Twin):
        if patients is not None or individuals or deviations or covariates:
            raise TwinError("a twin has its patients and their draws; leave patients and draws' own values out")
        if draws not in (None, model.draws):
            raise TwinError(f"the twin has {model.draws} draws of each patient, not {draws}; leave draws out")
        how, own, model, patients = how.but(draws=model.draws), model.own, model.model, model.patients
    elif patients is None:
        raise TwinError("no patients are given; give some, or a Twin instead of the model")
    handed = {"ledger": ledger, "choose_dose": choose}
    return _answer(model, patients, regimens, outcomes, how, own, range(how.draws), chunk, workers, progress, handed)


def stream(
    model: DiseaseModel | str,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    *,
    regimens: Mapping[str, Any],
    part: int = 100_000,
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    settings: Settings = DEFAULT,
    draws: int | None = None,
    seed: int | None = None,
    now: float | str | None = None,
    until: float | str | None = None,
    times: Times | None = (),
    solver: str | None = None,
    dtype: str | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    spread: bool | None = None,
    uncertainty: bool | None = None,
    noise: bool | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[xr.DataTree]:
    """`simulate` in parts, for more draws than memory holds: reduce each part to what you need, and forget it.

    Args:
        part: how many draws of every patient a part has; together the parts are the draws that one call of
            `simulate` with this seed would give, number by number.
        progress: called with (done, total) draws.

    Returns:
        An iterator of results as `simulate` gives them; their `draw` coordinates follow one another.
    """
    how = settings.but(
        draws=draws, seed=seed, now=now, until=until, times=times, solver=solver, dtype=dtype, rtol=rtol, atol=atol,
        spread=spread, uncertainty=uncertainty, noise=noise,
    )  # fmt: skip
    for first in range(0, how.draws, part):
        numbers = range(first, min(first + part, how.draws))
        yield _answer(model, patients, regimens, outcomes, how, Own(), numbers, None, workers, None)
        gc.collect()  # a tree refers to itself, and would stay until Python looks for such
        if progress:
            progress(numbers.stop, how.draws)


def _answer(
    model: DiseaseModel | str, patients: Any, regimens: Mapping[str, Any], outcomes: Any, how: Settings,
    own: Own, draws: range, chunk: int | None, workers: int | None, progress: Any,
    handed: Mapping[str, Any] = MappingProxyType({}),
) -> xr.DataTree:  # fmt: skip
    began = time.perf_counter()
    batch = prepare(as_model(model), patients, regimens, outcomes, how, own=own, draws=draws, **handed)
    for doubt in batch.doubts:
        warnings.warn(doubt, DomainWarning, stacklevel=3)
    values, told = run(batch, chunk=chunk, workers=workers, progress=progress)
    seconds = time.perf_counter() - began - told["compile_seconds"]
    attributes = {"seed": how.seed, "spread": how.spread, "uncertainty": how.uncertainty}
    return dataset.build(batch, values, attributes | told | {"run_seconds": round(seconds, 3)})
