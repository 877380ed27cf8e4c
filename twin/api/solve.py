"""solve(): one individual's course, as a pure function that can be differentiated."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import numbers
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import DomainWarning, TwinError, suggest
from ..library import as_model
from ..model import DiseaseModel, Individual, Outcome
from ..patient import BoundPatient, Change, Patient, Series, Value
from ..population.individual import Draw, individual_at, with_own
from ..regimen import Regimen
from ..regimen.schedule import Schedule
from ..run.people import bind_regimen, find_doubts, schedule_one, to_numbers
from ..run.question import make_question, require_covered, require_no_chance, require_own_names, select_outcomes
from ..run.times import course_span, look_times, resolution_of, time_points
from ..settings import Times, check_length
from ..solver.choose import Choice, choose, compile_key
from ..solver.question import Question
from ..solver.reference.course import Course, solve_course
from ..solver.status import Status
from ..types import Array


def solve(
    model: DiseaseModel | str,
    regimen: Any = None,
    times: Times | None = None,
    *,
    covariates: Mapping[str, Value | Series | Sequence[Change]] | None = None,
    parameters: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Value | Sequence[Change]] | None = None,
    amounts: Any = None,
    outcomes: Sequence[str] | Mapping[str, Outcome] = (),
    until: float | str | None = None,
    solver: str = "auto",
    dtype: str = "float64",
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int | None = None,
    forward: bool = False,
    check: bool = True,
) -> dict[str, Array]:
    """The course of one individual: every observable at `times`, every outcome, and every state.

    Args:
        model: from `load_model`, its name, or your own.
        times: in the model's time unit or with a unit ("12 h"); those of the regimen's observation rows if it came
            from events.
        covariates: what differs from the reference, as a `Patient` has it: a number, "180 lb", a level, or values
            over time.
        parameters: what differs from the typical: this individual's own (no spread is added); may be traced by JAX.
        inputs: name -> a value over the whole course, or values over time.
        solver: "auto", "linear", "adaptive", "stiff" or "ode".
        amounts: replaces the regimen's written-out amounts in order of time, for gradients by dose.
        forward: differentiate in forward mode (`jax.jvp`, `jax.jacfwd`) instead of reverse.
        check: raise if the course fails; False returns what there is (needed inside a JAX transformation).

    Returns:
        name -> array: observables and 'state.<name>' (time,), outcomes (), and 'status'.
    """
    model = as_model(model)
    built = bind_regimen(model, regimen)
    samples, after = _samples(built, times, model.time_unit)
    start, end = course_span(model, [(built, ())], samples, until, moment=True)
    person = _person(model, covariates or {}, inputs or {}, start)
    for doubt in find_doubts(model, [person], {"": built}):
        warnings.warn(doubt, DomainWarning, stacklevel=2)
    asked = select_outcomes(model, outcomes)
    require_no_chance(asked)
    require_own_names(asked, [*model.observables(), *(f"state.{name}" for name in model.states())])
    require_covered(asked, end, model.time_unit)
    schedule = schedule_one(model, person, built, end)
    question = make_question(model, asked, schedule, observables=tuple(model.observables()))
    choice = choose(
        model, solver, relative=rtol, absolute=atol, dtype=dtype, max_steps=max_steps, forward=forward
    )  # fmt: skip
    check_length(end - start, model.resolution, model.time_unit)
    looks = look_times(asked, start, end, resolution_of(model, start, end))
    wide = dtype == "float64" and not _wide_already()
    with jax.enable_x64(True) if wide else contextlib.nullcontext():
        number = jnp.dtype(dtype)
        arrays = jax.tree.map(lambda x: jnp.asarray(x, number) if x.dtype.kind == "f" else jnp.asarray(x), schedule)
        if amounts is not None:
            arrays = _with_amounts(arrays, to_numbers("amounts", amounts, jnp.asarray, number))
        given = {
            "samples": jnp.asarray(samples, number), "after": jnp.asarray(after), "looks": jnp.asarray(looks, number),
            "start": jnp.asarray(start, number), "end": jnp.asarray(end, number),
            "resolution": jnp.asarray(resolution_of(model, start, end), number),
            "tolerance": (jnp.asarray(choice.relative, number), jnp.asarray(choice.absolute, number)),
        }  # fmt: skip
        population, own = _parameters(model, parameters or {}, number)
        course = _solve(type(model), compile_key(choice), question, arrays, population, own, given)
    if check and int(course.status) != Status.OK:
        raise TwinError(f"the course of model '{model.name}' failed: {Status.meanings[int(course.status)]}")
    states = {f"state.{name}": course.states[:, i] for i, name in enumerate(model.states())}
    return {**course.samples, **course.outcomes, **states, "status": course.status}


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _solve(
    kind: type[DiseaseModel], choice: Choice, question: Question, schedule: Schedule, population: dict[str, Array],
    own: dict[str, Array], given: dict[str, Any],
) -> Course:  # fmt: skip
    """Compiled once for a model, a question and the number of doses and samples, whatever their times and sizes."""
    model = kind()

    def person(signals: Array) -> Individual:
        return model.during(with_own(individual_at(model, Draw({}, population, jnp.bool_(True)), signals), own))

    return solve_course(model, choice, question, schedule, person, **given, chances={})


def _parameters(model: DiseaseModel, own: Mapping[str, Any], number: Any) -> tuple[dict[str, Array], dict[str, Array]]:
    """Every parameter's value in the population, and the individual's own values of some."""
    for name in own:
        if name not in model.parameters():
            raise TwinError(f"model '{model.name}' has no parameter '{name}'; {suggest(name, model.parameters())}")
    typical = model.typical()
    values = {n: own.get(n, getattr(typical, n)) for n in model.parameters()}
    population = {n: to_numbers(f"parameters['{n}']", v, jnp.asarray, number) for n, v in values.items()}
    return population, {name: population[name] for name in own}


def _wide_already() -> bool:
    return jnp.asarray(0.0).dtype == jnp.float64


def _samples(regimen: Regimen, times: Any, unit: str) -> tuple[np.ndarray, np.ndarray]:
    if times is not None:
        samples = time_points(times, unit)
        return samples, np.zeros(len(samples), bool)
    return np.array([t for t, _ in regimen.samples], float), np.array([a for _, a in regimen.samples], bool)


def _person(
    model: DiseaseModel, covariates: Mapping[str, Any], inputs: Mapping[str, Any], start: float
) -> BoundPatient:
    """Who is followed, as a patient is read; a bare value of an input holds from the start."""
    held = {n: [Change(start, v)] if _is_bare(v) else v for n, v in inputs.items()}
    person = Patient("individual", covariates=covariates, inputs=held).bind(model)
    for name in person.chances:
        raise TwinError(f"covariate '{name}' has chances, and solve follows one individual; give its value")
    return person


def _is_bare(value: Any) -> bool:
    return isinstance(value, numbers.Number | str)


def _with_amounts(schedule: Schedule, amounts: Array) -> Schedule:
    if amounts.shape != schedule.amount.shape:
        raise TwinError(f"amounts has shape {amounts.shape}; the regimen has {schedule.amount.shape[0]} doses")
    return dataclasses.replace(schedule, amount=amounts)
