"""solve(): one individual's course, as a pure function that can be differentiated."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import DomainWarning, TwinError, suggest
from ..model import DiseaseModel, Individual, Outcome
from ..model.domain import admit
from ..population.individual import Draw, individual_at, reference_covariates, with_own
from ..quantity import parse_time
from ..regimen import Regimen
from ..regimen.schedule import Schedule, build_schedule, span_of
from ..run.plan import covers, look_times, make_question, resolution_of, select_outcomes
from ..settings import check_length
from ..solver.choose import Choice, choose
from ..solver.question import Question
from ..solver.reference.course import Course, solve_course
from ..solver.status import Status
from ..types import Array


def solve(
    model: DiseaseModel,
    regimen: Any = None,
    times: Sequence[float] | Array | None = None,
    *,
    covariates: Mapping[str, float | str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
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
        times: in the model's time unit; those of the regimen's observation rows if it came from events.
        covariates, parameters: what differs from the reference and from the typical; parameters may be traced
            by JAX and are this individual's own (no spread is added).
        inputs: name -> constant value over the course.
        amounts: replaces the regimen's written-out amounts in order of time, for gradients by dose.
        forward: differentiate in forward mode (`jax.jvp`, `jax.jacfwd`) instead of reverse.
        check: raise if the course fails; False returns what there is (needed inside a JAX transformation).

    Returns:
        name -> array: observables and 'state.<name>' (time,), outcomes (), and 'status'.
    """
    built = Regimen.build(regimen)
    for problem in built.check(model):
        raise TwinError(problem)
    values = _covariate_values(model, covariates or {})
    samples, after = _samples(built, times)
    start, end = _span(model, built, samples, until)
    asked = select_outcomes(model, outcomes)
    covers(asked, end, model.time_unit)
    series = _constant(model, inputs or {}, start)
    schedule = build_schedule(model, built, end=end, covariates=values, series=series)
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
            arrays = _with_amounts(arrays, jnp.asarray(amounts, number))
        given = {
            "samples": jnp.asarray(samples, number), "after": jnp.asarray(after), "looks": jnp.asarray(looks, number),
            "start": jnp.asarray(start, number), "end": jnp.asarray(end, number),
            "resolution": jnp.asarray(resolution_of(model, start, end), number),
        }  # fmt: skip
        population, own = _parameters(model, parameters or {}, number)
        course = _solved(type(model), choice, question, arrays, population, own, given)
    if check and int(course.status) != Status.OK:
        raise TwinError(f"the course of model '{model.name}' failed: {Status.meanings[int(course.status)]}")
    states = {f"state.{name}": course.states[:, i] for i, name in enumerate(model.states())}
    return {**course.samples, **course.outcomes, **states, "status": course.status}


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _solved(
    kind: type[DiseaseModel], choice: Choice, question: Question, schedule: Schedule, population: dict[str, Array],
    own: dict[str, Array], given: dict[str, Array],
) -> Course:  # fmt: skip
    """Compiled once for a model, a question and the number of doses and samples, whatever their times and sizes."""
    model = kind()

    def person(signals: Array) -> Individual:
        return with_own(individual_at(model, Draw({}, population, jnp.bool_(True)), signals), own)

    return solve_course(model, choice, question, schedule, person, **given, chances={})


def _parameters(model: DiseaseModel, own: Mapping[str, Any], number: Any) -> tuple[dict[str, Array], dict[str, Array]]:
    """Every parameter's value in the population, and the individual's own values of some."""
    for name in own:
        if name not in model.parameters():
            raise TwinError(f"model '{model.name}' has no parameter '{name}'; {suggest(name, model.parameters())}")
    typical = model.typical()
    population = {n: jnp.asarray(own.get(n, getattr(typical, n)), number) for n in model.parameters()}
    return population, {name: population[name] for name in own}


def _wide_already() -> bool:
    return jnp.asarray(0.0).dtype == jnp.float64


def _span(model: DiseaseModel, regimen: Regimen, samples: np.ndarray, until: Any) -> tuple[float, float]:
    start, last = span_of(regimen, (), model.time_unit)
    if samples.size:
        start, last = min(start, float(samples.min())), max(last, float(samples.max()))
    return start, last if until is None else parse_time(until, model.time_unit)


def _samples(regimen: Regimen, times: Any) -> tuple[np.ndarray, np.ndarray]:
    if times is not None:
        return np.asarray(times, float), np.zeros(len(times), bool)
    return np.array([t for t, _ in regimen.samples], float), np.array([a for _, a in regimen.samples], bool)


def _covariate_values(model: DiseaseModel, given: Mapping[str, float | str]) -> dict[str, float]:
    values = reference_covariates(model)
    for name, value in given.items():
        declared = model.covariates().get(name)
        if declared is None:
            raise TwinError(f"model '{model.name}' has no covariate '{name}'; {suggest(name, model.covariates())}")
        values[name] = _admitted("covariate", name, value, declared, model)
    return values


def _constant(model: DiseaseModel, inputs: Mapping[str, Any], start: float) -> dict[str, Any]:
    for name in inputs:
        if name not in model.inputs():
            raise TwinError(f"model '{model.name}' has no input '{name}'; {suggest(name, model.inputs())}")
    declared = model.inputs()
    return {n: ((start, _admitted("input", n, value, declared[n], model)),) for n, value in inputs.items()}


def _admitted(word: str, name: str, value: Any, declared: Any, model: DiseaseModel) -> float:
    try:
        return admit(name, value, declared, model.name, lambda doubt: warnings.warn(doubt, DomainWarning, stacklevel=5))
    except TwinError as problem:
        raise TwinError(f"{word} '{name}', {problem}") from None


def _with_amounts(schedule: Schedule, amounts: Array) -> Schedule:
    if amounts.shape != schedule.amount.shape:
        raise TwinError(f"amounts has shape {amounts.shape}; the regimen has {schedule.amount.shape[0]} doses")
    return dataclasses.replace(schedule, amount=amounts)
