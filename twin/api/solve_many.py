"""solve_many(): many individuals' courses at the speed of the ensemble engine, with derivatives.

import jax, twin
model = twin.load_model("warfarin")
patients = [twin.Patient("ana", covariates={"age": 71}), twin.Patient("ben")]

def inr(clearance):                                   # (patient, draw)
    found = twin.solve_many(model, patients, "5 mg q24h x14", [168, 336], parameters={"clearance": clearance})
    return found["inr"]                               # (patient, draw, time)

jax.jacfwd(inr), jax.grad(lambda c: inr(c).sum())     # both work
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from ..errors import DomainWarning
from ..library import as_model
from ..model import DiseaseModel, Outcome
from ..patient import BoundPatient, Patient
from ..run.courses import Courses, is_wide
from ..settings import Times
from ..types import Array


def solve_many(
    model: DiseaseModel | str,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    regimen: Any = None,
    times: Times | Sequence[Times] | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    deviations: Mapping[str, Any] | None = None,
    covariates: Mapping[str, Any] | None = None,
    outcomes: Sequence[str] | Mapping[str, Outcome] = (),
    until: float | str | None = None,
    solver: str = "auto",
    dtype: str = "float64",
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int | None = None,
    towards: Mapping[str, Any] | None = None,
    factors: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """The courses of many individuals, each with its own dosing history, as a pure function of their parameters.

    Nothing is drawn: use it inside your own inference or optimisation. Call it inside `jax.jit`, and it is
    prepared once.

    Args:
        model: from `load_model`, its name, or your own.
        patients: their covariates and dosing histories.
        regimen: given to every patient besides their own doses.
        times: when observables are wanted, for all patients or a list for each; doses of that time come after.
        parameters: name -> values (patient, draw) of these individuals; the others are typical for the patient's
            covariates. May be traced by JAX; derivatives forward and in reverse are with respect to these.
        deviations: name -> (patient, draw), how far these parameters are from typical, in standard deviations of
            their declared spread; so a change of a covariate changes them, which it does not change `parameters`.
            Derivatives are with respect to these, too.
        covariates: name -> (patient, draw), these draws' own values of a covariate: numbers, "180 lb", levels or
            their numbers; only numbers where JAX traces them.
        towards: name -> a regimen that differs from `regimen` by amounts alone.
        factors: name -> (patient, draw), how far towards that regimen amounts are moved: 0 is `regimen`, 1 the other,
            2 as far again. Derivatives are with respect to these, too: that is how a dose is optimised.

    Returns:
        name -> array: observables (patient, draw, time), not numbers past a patient's own times, outcomes
        (patient, draw), and 'status' (0 is ok; values of a failed course are not numbers).
    """
    courses = Courses(
        as_model(model), patients, regimen, times, outcomes=outcomes, until=until, solver=solver, dtype=dtype,
        rtol=rtol, atol=atol, max_steps=max_steps, towards=towards,
    )  # fmt: skip
    for doubt in courses.doubts:
        warnings.warn(doubt, DomainWarning, stacklevel=2)
    with jax.enable_x64(True) if dtype == "float64" and not is_wide() else contextlib.nullcontext():
        return courses(parameters or {}, deviations or {}, covariates=covariates or {}, factors=factors)
