"""Courses: many individuals' histories as arrays, and the differentiable function that solves them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import TwinError, suggest
from ..model import DiseaseModel
from ..population.individual import Draw, individual_at, with_covariates, with_own
from ..regimen.schedule import Mode, Schedule
from ..solver.choose import Choice, choose, compile_key
from ..solver.ensemble import Setup, make_differentiable, solve_batch, windows
from ..solver.ensemble.event_table import fixed_ranks
from ..solver.question import Question
from ..solver.reference.course import Course, solve_course
from ..types import Array
from .people import bind_patients, bind_regimen, covariate_numbers, find_doubts, schedule_all, to_numbers
from .program import problem_of
from .question import make_question, require_covered, require_no_chance, require_own_names, select_outcomes
from .times import course_span, look_times, resolution_of, time_points

_TOGETHER = 64  # lanes of a block, where there are so many
_DEVIATION, _COVARIATE, _TYPICAL, _FACTOR = "deviation of ", "covariate of ", "typical ", "factor of "


class Courses:
    """What `solve_many` prepares: the histories of some patients as arrays, and the function that solves them.

    `arrays` have patients first. Take rows of them, and pass those as an argument of your own compiled function,
    to solve many patients a part at a time with one program.
    """

    def __init__(
        self, model: DiseaseModel, patients: Any, regimen: Any = None, times: Any = None, *, outcomes: Any = (),
        until: Any = None, solver: str = "auto", dtype: str = "float64", rtol: float | None = None,
        atol: float | None = None, max_steps: int | None = None, room: int = 0, doses: int = 0, forward: bool = False,
        towards: Mapping[str, Any] | None = None,
    ):  # fmt: skip
        """`room` is for how many times at least there is to be room, and `doses` for how many doses, so that programs
        are shared. `forward`: what diffrax solves is differentiated forward instead of in reverse. `towards` are
        regimens that differ from the regimen by amounts alone: with a factor of 1, one is given instead; with 0.5, what
        is half way.
        """
        people = bind_patients(model, patients)
        built = bind_regimen(model, regimen)
        wanted = _times(times, len(people), model.time_unit)
        spans = [course_span(model, [(built, p.doses)], t, until) for p, t in zip(people, wanted, strict=True)]
        asked = select_outcomes(model, outcomes)
        require_no_chance(asked)
        for _, end in spans:
            require_covered(asked, end, model.time_unit)
        courses = [(p, built, end) for p, (_, end) in zip(people, spans, strict=True)]
        schedules = schedule_all(model, courses, doses)
        seen = tuple(model.observables()) if wanted[0].size else ()
        require_own_names(asked, seen)
        self._parts = {
            name: _part(model, people, built, other, [end for _, end in spans], name)
            for name, other in (towards or {}).items()
        }
        self.model, self.people = model, len(people)
        self.doubts = find_doubts(model, people, {"": built})
        self.question = make_question(model, asked, schedules, observables=seen)
        self.choice = choose(
            model, solver, relative=rtol, absolute=atol, dtype=dtype, max_steps=max_steps, together=True,
            steady=self.question.steady, forward=forward,
        )  # fmt: skip
        self.number = np.dtype(dtype)
        self.count = max(room, *(len(t) for t in wanted))
        self._apart = (schedules, wanted, spans)
        self.arrays = self._arrays(schedules, wanted, spans) if self.choice.method else {}

    def __call__(
        self, parameters: Mapping[str, Any], deviations: Mapping[str, Any], arrays: Mapping[str, Any] | None = None,
        *, covariates: Mapping[str, Any] | None = None, typical: Mapping[str, Any] | None = None,
        factors: Mapping[str, Any] | None = None, population: Mapping[str, Any] | None = None, still: bool = False,
    ) -> dict[str, Array]:  # fmt: skip
        """As `solve_many`; of the patients whose rows `arrays` are, if given. `typical`: name -> (patient, draw), the
        population's typical values that covariates and deviations act on, with derivatives; `population`: the same
        without, which costs a pass less for each.

        Where individuals stand `still`, derivatives are with respect to typical values and factors alone.
        """
        people = self.people if arrays is None else len(arrays["span"])
        factors = factors or {}
        if factors.keys() != self._parts.keys():
            raise TwinError(f"factors are of {sorted(factors)}; they belong to what is given in towards, one each")
        given = (parameters, deviations, covariates or {}, typical or {}, factors)
        own, shape = _own(self.model, *given, people, self.number)
        held = {
            _TYPICAL + n: jnp.broadcast_to(jnp.asarray(v, self.number), shape)
            for n, v in (population or {}).items()
            if _TYPICAL + n not in own
        }
        if self.choice.method:
            found = self._together(own, held, shape, self.arrays if arrays is None else arrays, still)
        else:
            found = _each(self.model, self.choice, self.question, *self._apart, own | held, self._parts)
        return {n: v.reshape(*shape, *v.shape[1:]) for n, v in found.items()}

    def _arrays(self, schedules: Schedule, wanted: list[np.ndarray], spans: list[tuple[float, float]]) -> Any:
        model, number, tolerance = self.model, self.number, (self.choice.relative, self.choice.absolute)
        tables = [
            windows(np.pad(t, (0, self.count - len(t)), constant_values=np.inf), e)
            for t, (_, e) in zip(wanted, spans, strict=True)
        ]
        samples, bounds = (np.stack(column).astype(number) for column in zip(*tables, strict=True))
        found = {
            "schedule": jax.tree.map(lambda x: x.astype(number) if x.dtype.kind == "f" else x, schedules),
            "span": np.array([(s, e, resolution_of(model, s, e), *tolerance) for s, e in spans], number),
            "samples": samples,
            "bounds": bounds,
            "parts": {name: part.astype(number) for name, part in self._parts.items()},
        }
        if self.question.fixed:
            ends = sorted({e for _, e in spans})
            ranks = np.stack([fixed_ranks(model, schedules, e, infused=self.question.infused) for e in ends])
            found["rank"] = ranks[np.array([ends.index(e) for _, e in spans]), np.arange(len(spans))]
        return found

    def _together(
        self, own: dict[str, Array], held: dict[str, Array], shape: tuple[int, int], arrays: Any, still: bool
    ) -> dict[str, Array]:
        """By the ensemble engine, whole blocks of lanes."""
        held = held | {n: v for n, v in own.items() if still and not n.startswith((_FACTOR, _TYPICAL))}
        own = {n: v for n, v in own.items() if n not in held}
        population = _population(self.model, self.number)
        rest = jax.tree.map(jnp.asarray, dict(arrays))
        found = _in_blocks(
            type(self.model), compile_key(self.choice), self.question, shape, population, own, held, rest
        )
        return found | {n: v[:, : self.count] for n, v in found.items() if n in self.question.observables}


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _in_blocks(
    kind: type[DiseaseModel], choice: Choice, question: Question, shape: tuple[int, int],
    population: dict[str, Array], own: dict[str, Array], held: dict[str, Array], arrays: dict[str, Any],
) -> dict[str, Array]:  # fmt: skip
    """Results (patient and draw, ...) of (patients, draws); compiled once for a model, a question and these sizes."""
    who, kept = _lanes(shape), shape[0] * shape[1]
    rest = jax.tree.map(lambda x: x[who], arrays)
    place = np.minimum(np.arange(len(who)), kept - 1)
    padded, rest["held"] = ({n: v.reshape(-1)[place] for n, v in some.items()} for some in (own, held))
    plain, looped = (
        functools.partial(_run, Setup(kind(), choice, question, looped=looped)) for looped in (False, True)
    )  # fmt: skip
    found = make_differentiable(plain, looped)(padded, (population, rest))
    samples = {n: v[:, :kept].T for n, v in found.samples.items()}
    return samples | {n: v[:kept] for n, v in found.outcomes.items()} | {"status": found.status[:kept]}


def _run(setup: Setup, own: dict[str, Array], given: tuple[dict[str, Array], dict[str, Any]]) -> Any:
    population, rest = given

    def lane(own: dict[str, Array], schedule: Schedule, parts: dict[str, Array], span: Array, rank: Any) -> Any:
        person = functools.partial(_person, setup.model, population, own)
        return problem_of(setup, _dose_by(schedule, parts, own), person, span, rank, {})

    ranked, own = rest.get("rank"), own | rest["held"]
    problems = jax.vmap(lane, in_axes=(0, 0, 0, 0, None if ranked is None else 0))(
        own, rest["schedule"], rest["parts"], rest["span"], ranked
    )
    problem = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), problems)
    samples, bounds = (jnp.moveaxis(rest[name], 0, -1) for name in ("samples", "bounds"))
    return solve_batch(setup, problem, samples, bounds, together=_block(problem.start.shape[-1]))


def _each(
    model: DiseaseModel, choice: Choice, question: Question, schedules: Schedule, wanted: list[np.ndarray],
    spans: list[tuple[float, float]], own: dict[str, Array], parts: dict[str, np.ndarray],
) -> dict[str, Array]:  # fmt: skip
    """One by one, by diffrax: what the engine cannot solve."""
    number = next(iter(own.values())).dtype
    population = _population(model, number)
    count = max(len(t) for t in wanted)
    found: dict[str, list[Array]] = {}
    for i, (times, (start, end)) in enumerate(zip(wanted, spans, strict=True)):
        resolution = resolution_of(model, start, end)
        given = {
            "samples": times, "after": np.zeros(len(times), bool), "start": np.array(start), "end": np.array(end),
            "looks": look_times(dict(question.outcomes), start, end, resolution), "resolution": np.array(resolution),
            "tolerance": (np.array(choice.relative), np.array(choice.absolute)),
        }  # fmt: skip
        mine = jax.tree.map(lambda x, i=i: x[i], (schedules, parts))
        (schedule, part), given = jax.tree.map(lambda x: _number(x, number), (mine, given))
        course = _draws(
            type(model), compile_key(choice), question, schedule, population, {n: v[i] for n, v in own.items()}, given,
            part,
        )  # fmt: skip
        gap = ((0, 0), (0, count - len(times)))
        series = {n: jnp.pad(v, gap, constant_values=jnp.nan) for n, v in course.samples.items()}
        for name, values in (series | course.outcomes | {"status": course.status}).items():
            found.setdefault(name, []).append(values)
    return {name: jnp.concatenate(values) for name, values in found.items()}


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _draws(
    kind: type[DiseaseModel], choice: Choice, question: Question, schedule: Schedule, population: dict[str, Array],
    own: dict[str, Array], given: dict[str, Any], parts: dict[str, Array],
) -> Course:  # fmt: skip
    """A patient's draws, each by itself."""
    model = kind()

    def one(own: dict[str, Array]) -> Course:
        person = functools.partial(_person, model, population, own)
        dosed = _dose_by(schedule, parts, own)
        return solve_course(model, choice, question, dosed, person, **given, chances={})

    return jax.vmap(one)(own)


def _dose_by(schedule: Schedule, parts: Mapping[str, Array], own: Mapping[str, Array]) -> Schedule:
    """The schedule with its amounts moved by an individual's own factors."""
    amount = schedule.amount
    for name, part in parts.items():
        amount = amount + own[_FACTOR + name] * part
    return dataclasses.replace(schedule, amount=amount)


def _part(
    model: DiseaseModel, people: list[Any], base: Any, other: Any, ends: list[float], name: str
) -> np.ndarray:  # fmt: skip
    """How much more each dose of another regimen is (patient, dose); an error if more than amounts differ."""
    towards = bind_regimen(model, other)
    first, second = (
        schedule_all(model, [(p, one, end) for p, end in zip(people, ends, strict=True)]) for one in (base, towards)
    )
    apart = [dataclasses.replace(one, amount=np.zeros(0)) for one in (first, second)]
    same = jax.tree.map(lambda a, b: a.shape == b.shape and np.array_equal(a, b), *apart)
    if base.reacts or towards.reacts or not all(jax.tree.leaves(same)):
        raise TwinError(f"'{name}' changes more than the amounts of doses, and only amounts have a factor")
    if np.any((first.mode == Mode.RATE) | (first.mode == Mode.MODELLED_RATE)):
        raise TwinError("doses are given at a rate, so that amounts change how long; write how long, as 'over 1 h'")
    return second.amount - first.amount


def _person(model: DiseaseModel, population: dict[str, Array], own: dict[str, Array], signals: Array) -> Any:
    own = {n: v for n, v in own.items() if not n.startswith(_FACTOR)}
    normals = {n.removeprefix(_DEVIATION): v for n, v in own.items() if n.startswith(_DEVIATION)}
    covariates = {n.removeprefix(_COVARIATE): v for n, v in own.items() if n.startswith(_COVARIATE)}
    typical = {n.removeprefix(_TYPICAL): v for n, v in own.items() if n.startswith(_TYPICAL)}
    values = {n: v for n, v in own.items() if not n.startswith((_DEVIATION, _COVARIATE, _TYPICAL))}
    signals = with_covariates(model, signals, covariates)
    usual = with_own(individual_at(model, Draw(normals, population | typical, jnp.bool_(True)), signals), values)
    return model.during(usual)


def _population(model: DiseaseModel, number: Any) -> dict[str, Array]:
    return {n: jnp.asarray(getattr(model.typical(), n), number) for n in model.parameters()}


def _own(
    model: DiseaseModel, parameters: Mapping[str, Any], deviations: Mapping[str, Any],
    covariates: Mapping[str, Any], typical: Mapping[str, Any], factors: Mapping[str, Any], people: int, number: Any,
) -> tuple[dict[str, Array], tuple[int, int]]:  # fmt: skip
    """What individuals have of their own, by name, all but parameters marked; and (patients, draws)."""
    if not parameters and not deviations and not typical and not factors:
        raise TwinError("no parameters are given; name at least one, with values (patient, draw)")
    own = {}
    for name in [*parameters, *deviations, *typical]:
        if name not in model.parameters():
            raise TwinError(f"model '{model.name}' has no parameter '{name}'; {suggest(name, model.parameters())}")
    for name, values in parameters.items():
        own[name] = to_numbers(f"parameters['{name}']", values, jnp.asarray, number)
    for name, values in deviations.items():
        if model.parameters()[name].spread is None:
            raise TwinError(f"parameter '{name}' has no declared spread to deviate by; give its value in parameters")
        if name in parameters:
            raise TwinError(f"parameter '{name}' is given as a value and as a deviation; keep one")
        own[_DEVIATION + name] = to_numbers(f"deviations['{name}']", values, jnp.asarray, number)
    for name, values in typical.items():
        own[_TYPICAL + name] = to_numbers(f"typical['{name}']", values, jnp.asarray, number)
    for name, values in covariates.items():
        if name not in model.covariates():
            raise TwinError(f"model '{model.name}' has no covariate '{name}'; {suggest(name, model.covariates())}")
        traced = isinstance(values, jax.Array)
        own[_COVARIATE + name] = jnp.asarray(values if traced else covariate_numbers(name, values, model), number)
    for name, values in factors.items():
        own[_FACTOR + name] = to_numbers(f"factors['{name}']", values, jnp.asarray, number)
    shapes = {v.shape for v in own.values()}
    shape = next(iter(shapes))
    if len(shapes) > 1 or len(shape) != 2 or shape[0] != people:
        said = ", ".join(f"'{n.rpartition(' of ')[2]}' {v.shape}" for n, v in own.items())
        raise TwinError(f"parameters have shapes {said}; all need ({people}, draws): patients, then draws")
    return own, (shape[0], shape[1])


def _times(times: Any, people: int, unit: str) -> list[np.ndarray]:
    if times is None:
        return [np.zeros(0)] * people
    ragged = not isinstance(times, str) and len(times) > 0 and np.ndim(times[0]) == 1
    if ragged and len(times) != people:
        raise TwinError(f"times are given for {len(times)} patients; there are {people}")
    each = [time_points(t, unit) for t in times] if ragged else [time_points(times, unit)] * people
    for one in each:
        if not np.all(np.isfinite(one)) or np.any(np.diff(one) < 0):
            raise TwinError("times must be finite and in ascending order")
    return each


def _lanes(shape: tuple[int, int]) -> np.ndarray:
    """The patient of each lane, padded to whole blocks with the last."""
    count = shape[0] * shape[1]
    block = _block(count)
    lanes = np.minimum(np.arange(-(-count // block) * block), count - 1)
    return lanes // shape[1]


def _block(lanes: int) -> int:
    """Lanes of a block: a sampler that moves one chain must not pay for 64."""
    return min(_TOGETHER, 1 << max(lanes - 1, 0).bit_length())


def _number(x: np.ndarray, number: Any) -> Array:
    return jnp.asarray(x, number if x.dtype.kind == "f" else None)


def is_wide() -> bool:
    return jnp.asarray(0.0).dtype == jnp.float64
