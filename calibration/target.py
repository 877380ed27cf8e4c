"""What a batch of patients' data say: the log posterior of their unknowns, as pure functions for any method.

A target holds numbers as arrays with patients first (`data`), so that one compiled program serves any rows of them:
patients with few and with many doses and observations are padded and masked, and no patient's result depends on who
else is there.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from twin.errors import TwinError
from twin.model import DiseaseModel
from twin.model.noise import Noise, Seen
from twin.patient import BoundPatient
from twin.population.individual import Draw, individual_at, with_covariates, with_own
from twin.population.keys import fold, patient_key
from twin.run.courses import Courses
from twin.run.processor import compiler_options
from twin.solver.choose import compile_key
from twin.types import Array

from .parallel import Once, in_parts
from .prior import Prior


class Read(NamedTuple):
    """Measurements of one observable as arrays (patient, measurement), padded."""

    place: np.ndarray  # among the patient's times
    value: np.ndarray
    bound: np.ndarray
    time: np.ndarray
    real: np.ndarray  # whether it is one


class Belief(NamedTuple):
    """A population as numbers that compiled functions take, in the place of the model's and the prior's own."""

    typical: Mapping[str, np.ndarray]  # typical values by parameter (patient,)
    centre: np.ndarray  # where deviations are at standard normal numbers of 0 (patient, unknown)
    lower: np.ndarray  # and how far these move them (patient, unknown, unknown)


class Data(NamedTuple):
    """What a compiled function reads of patients, who come first in every array."""

    courses: Any  # histories, as `Courses` has them
    signals: np.ndarray  # covariates and inputs at the start
    chances: Mapping[str, Mapping[str, np.ndarray]]  # of covariates that are not certain
    since: np.ndarray  # what is measured earlier is known
    read: Mapping[str, Read]  # by observable
    belief: Belief | None = None  # what is believed of them before their data; the prior's own numbers if left out


_PROGRAMS: dict[Any, dict[Any, Any]] = {}
_KEEPING = threading.Lock()  # threads ask together: each would make a program of its own
_MOST_PROGRAMS = 8  # kinds of targets whose programs are kept
_FAILED = -1e300  # the log likelihood of a course that could not be solved
POSSIBLE = -1e200  # whoever can be has a log posterior above it
_RELATIVE = 1e-5  # tolerance: moves log densities by less than 1e-3 (docs/calibration.md), far less than noise does
_SLICE = 128  # draws of a patient that are solved together ...
_SLICES = 8  # ... and how many such slices make one call; on a CPU more would leave the caches


class Target:
    """The posterior of some patients. Unknowns `u` are (patient, draw, unknown)."""

    def __init__(
        self, model: DiseaseModel, patients: Sequence[BoundPatient], prior: Prior | None = None, *,
        solver: str = "auto", rtol: float | None = None, atol: float | None = None, since: Sequence[float] = (),
        room: tuple[int, int] = (0, 0),
    ):  # fmt: skip
        """`since` (patient,): what is measured earlier is known, where measurements to come are drawn.

        There is `room` for so many doses and measurements at least, so that programs are shared.
        """
        prior = prior or Prior.of(model)
        self.model, self.patients = prior.model, tuple(patients)
        self.how = {"solver": solver, "rtol": rtol, "atol": atol}
        self.prior = dataclasses.replace(prior, drawn=tuple(sorted({n for p in self.patients for n in p.chances})))
        if not self.prior.names:
            raise TwinError(f"model '{model.name}' declares no spread, so nothing about a patient can be learned")
        observables = self.model.observables()
        for patient in self.patients:
            for name in {o.observable for o in patient.observations}:
                if observables[name].noise is None:
                    raise TwinError(
                        f"patient '{patient.id}': observable '{name}' declares no noise, so its measurements say "
                        "nothing; declare one in the model, or leave them out"
                    )
        self.seen = tuple(
            n for n in observables if any(o.observable == n for p in self.patients for o in p.observations)
        )
        times = [_times(p) for p in self.patients]
        self.courses = Courses(
            self.model,
            self.patients,
            None,
            times,
            solver=solver,
            rtol=_RELATIVE if rtol is None else rtol,
            atol=atol,
            room=_round_up(max(room[1], *map(len, times))),
            doses=room[0],
            forward=True,
        )
        self.data = Data(
            courses=self.courses.arrays, signals=self._signals(), chances=self._chances(),
            since=np.array(since or [-np.inf] * len(self.patients), float),
            read={name: self._read(name, times, room[1]) for name in self.seen},
        )  # fmt: skip

    def of(self, patients: Sequence[BoundPatient]) -> Target:
        """The same model, prior and solver for other patients."""
        return Target(self.model, patients, self.prior, **self.how)

    def with_belief(self, belief: Belief) -> Target:
        """The same under another population, with the same programs: the numbers are data."""
        other = copy.copy(self)
        other.data = self.data._replace(belief=belief)
        vars(other).pop("_kind", None)
        return other

    def __len__(self) -> int:
        return len(self.patients)

    def rows(self, which: np.ndarray) -> Data:
        """The data of some patients."""
        return jax.tree.map(lambda x: x[which], self.data)

    @property
    def counts(self) -> np.ndarray:
        """How many measurements each patient has."""
        return np.array([len(p.observations) for p in self.patients])

    # --- pure functions of (u, data) ---------------------------------------------------------------------

    def features(self, u: Array, data: Data, *, anybody: bool = False) -> dict[str, Any]:
        """What the likelihood depends on: what is true at each measurement (patient, draw, time), and parameters.

        `anybody`: also of people whom the model does not admit.
        """
        values, deviations = self.split(u, data)
        covariates, population = self.covariates(u, data), self.population(data)
        found = self.courses(values, deviations, data.courses or None, covariates=covariates, population=population)
        return self.read_courses(found, self.person(u, data), anybody=anybody, data=data)

    def read_courses(
        self, found: dict[str, Array], person: Any, *, data: Data, anybody: bool = False
    ) -> dict[str, Any]:
        """What of solved courses the likelihood depends on."""
        solved = found.pop("status") == 0
        held = {n: jnp.where(solved[..., None], v, 1.0) for n, v in found.items()}
        true = {n: {m: _take(held[m], jnp.asarray(data.read[n].place)) for m in held} for n in self.seen}
        if self.is_selective and not anybody:  # nobody has what the model says nobody has
            solved = solved & jnp.broadcast_to(self.model.admissible(person), (*solved.shape, 1))[..., 0]
        return {"true": true, "person": person.parameters, "solved": solved}

    def split(self, u: Array, data: Data) -> tuple[dict[str, Array], dict[str, Array]]:
        """The own values of parameters and the deviations of others, from standard normal numbers."""
        if data.belief is None:
            return self.prior.split(u)
        z = jnp.einsum("pij,pdj->pdi", jnp.asarray(data.belief.lower, u.dtype), u) + data.belief.centre[:, None]
        return {}, {n: z[..., i] for i, n in enumerate(self.prior.names)}

    def population(self, data: Data) -> dict[str, Array]:
        """Typical values (patient, 1), where a belief has them."""
        return {n: v[:, None] for n, v in data.belief.typical.items()} if data.belief is not None else {}

    def terms(self, features: dict[str, Any], data: Data) -> dict[str, Array]:
        """The log density of each measurement (patient, draw, measurement), 0 where there is none."""
        found = {}
        for name in self.seen:
            seen = self.measurements(name, features, data)
            density = self.noise(name).log_density(seen)
            found[name] = jnp.where(data.read[name].real[:, None], density, 0.0)
        return found

    @property
    def is_selective(self) -> bool:
        """Whether there are people whom the model does not admit."""
        return type(self.model).admissible is not DiseaseModel.admissible

    def log_likelihood(self, u: Array, data: Data, *, anybody: bool = False) -> Array:
        """(patient, draw)."""
        features = self.features(u, data, anybody=anybody)
        return self.likelihood_of(features, data)

    def likelihood_of(self, features: dict[str, Any], data: Data) -> Array:
        """The log likelihood from features; very low where a course could not be solved."""
        total: Any = jnp.zeros(features["solved"].shape)
        for terms in self.terms(features, data).values():
            total = total + jnp.sum(terms, -1)
        return jnp.where(features["solved"] & (jnp.abs(total) < jnp.inf), total, _FAILED)

    def log_posterior(self, u: Array, data: Data, *, anybody: bool = False) -> Array:
        """Up to the same constant for all: the prior of `u` is standard normal."""
        return self.log_likelihood(u, data, anybody=anybody) - 0.5 * jnp.sum(u * u, -1)

    # --- many patients and draws -----------------------------------------------------------------------------

    def of_draws(
        self, name: Any, use: Any, u: np.ndarray, who: np.ndarray | None = None, seed: int = 0, solve: Any = None
    ) -> Any:
        """`use(features, data, u, keys)` of every draw `u` (patient, draw, unknown) of the patients `who`, as NumPy.

        All uses share the program that solves courses. A row of what `use` sees is a slice of one patient's draws;
        its key is the patient's own, so nobody's random numbers depend on who else is there. `solve`: a name and a
        function, instead of `features`.
        """
        who = np.arange(len(self)) if who is None else who
        with jax.enable_x64(True):
            return self._of_draws(name, use, u, who, seed, solve or ("features", self.features))

    def _of_draws(self, name: Any, use: Any, u: np.ndarray, who: np.ndarray, seed: int, solve: Any) -> Any:
        if not self.courses.choice.method:  # by diffrax, all patients at once
            whole = np.zeros((len(self), *u.shape[1:]))
            whole[who] = u
            found = self._apply(name, use, whole, self.data, self._keys(np.arange(len(self)), seed), solve)
            return jax.tree.map(lambda x: x[who], found)
        draws = u.shape[1]
        slices = -(-draws // _SLICE)
        rows = np.pad(u, ((0, 0), (0, slices * _SLICE - draws), (0, 0)), mode="edge").reshape(-1, _SLICE, u.shape[-1])
        owner, number = np.repeat(who, slices), np.tile(np.arange(slices), len(who))
        keys = fold(np.repeat(self._keys(who, seed), slices, axis=0), number)
        found = in_parts(
            lambda part: self._apply(name, use, rows[part], self.rows(owner[part]), keys[part], solve),
            len(rows),
            most=_SLICES,
        )
        return jax.tree.map(lambda x: x.reshape(len(who), -1, *x.shape[2:])[:, :draws], found)

    def _apply(self, name: Any, use: Any, u: np.ndarray, data: Data, keys: np.ndarray, solve: Any) -> Any:
        features = self.compile_once(*solve)(u, data)
        used = self.compile_once(name, lambda f, d, u, k: use(f, d, u, jax.random.wrap_key_data(k)))
        return jax.tree.map(np.asarray, used(features, data, u, keys))

    def _keys(self, who: np.ndarray, seed: int) -> np.ndarray:
        return np.stack([patient_key(seed, self.patients[i].id) for i in who])

    def evaluate(self, u: np.ndarray, who: np.ndarray | None = None) -> np.ndarray:
        """`log_posterior` (patient, draw)."""

        def height(features: Any, data: Data, u: Array, keys: Array) -> Array:
            return self.likelihood_of(features, data) - 0.5 * jnp.sum(u * u, -1)

        return self.of_draws("posterior", height, u, who)

    # --- compiled ------------------------------------------------------------------------------------------

    def compile_once(self, name: Any, function: Any, *, careful: bool = False) -> Any:
        """The compiled form of a function of arrays that reads nothing else of this target but what `_kind` holds.

        `careful` undoes what `twin.fast_cpu` asks of XLA, which aborts on some reverse-mode programs.
        """
        with _KEEPING:
            programs = _PROGRAMS.setdefault(self._kind, {})
            if name not in programs:
                programs[name] = Once(jax.jit(function, compiler_options=compiler_options(careful=careful)))
                while len(_PROGRAMS) > _MOST_PROGRAMS:
                    del _PROGRAMS[next(iter(_PROGRAMS))]
            return programs[name]

    @functools.cached_property
    def _kind(self) -> Any:
        """What a compiled function of this target depends on; equal targets share their programs."""
        prior, courses = self.prior, self.courses
        numbers = (
            (tuple(sorted(self.model.values.items())), prior.lower.tobytes(), prior.widths.tobytes())
            if self.data.belief is None
            else ()
        )
        alone = () if courses.choice.method else (self,)  # by diffrax, histories are compiled in
        return (
            type(self.model), numbers, prior.names, tuple(sorted(prior.replaced.items())), prior.drawn, self.seen,
            compile_key(courses.choice), courses.question, courses.count, *alone,
        )  # fmt: skip

    # --- measurements drawn anew -------------------------------------------------------------------------------

    def replicate(
        self, features: dict[str, Any], data: Data, keys: Array, *, going_on: bool = False
    ) -> dict[str, Array]:
        """Measurements drawn anew from each draw, by observable (patient, draw, measurement); one known to a bound is
        read. `keys` are (patient,). `going_on`: from those before the patient's time `since`, which stay as they were.
        """
        found = {}
        for i, name in enumerate(self.seen):
            seen, noise = self.measurements(name, features, data), self.noise(name)
            shape = seen.true.shape
            person = jax.tree.map(lambda x, shape=shape: jnp.broadcast_to(x[..., 0], shape[:2]), seen.p)
            each = jax.vmap(lambda key, i=i, n=shape[1]: jax.random.split(jax.random.fold_in(key, i), n))(keys)

            def one(measured: Any, bound: Any, true: Any, times: Any, since: Any, p: Any, k: Any, noise: Any = noise):
                if not going_on:
                    return noise.sample(true, times, p, key=k)
                return noise.continue_from(Seen(measured, bound, true, times, p, {}), times < since, key=k)

            drawn = (seen.measured, seen.bound, seen.true, seen.times)
            measured, bound, true, times = (jnp.broadcast_to(x, shape) for x in drawn)
            since = jnp.broadcast_to(data.since[:, None], shape[:2])
            found[name] = jax.vmap(jax.vmap(one))(measured, bound, true, times, since, person, each)
        return found

    def replicated_likelihood(self, features: dict[str, Any], data: Data, keys: Array) -> Array:
        """The log likelihood of measurements drawn anew from each draw, cut off where the patient's own are."""
        new, total = self.replicate(features, data, keys), jnp.zeros(features["solved"].shape)
        for name in self.seen:
            here = data.read[name]
            bound, limit = here.bound[:, None], here.value[:, None]
            beyond = jnp.where(bound < 0, new[name] < limit, new[name] > limit)
            cut = jnp.where((bound != 0) & beyond, bound, 0)
            seen = self.measurements(name, features, data)._replace(
                measured=jnp.where(cut != 0, limit, new[name]), bound=cut
            )
            density = self.noise(name).log_density(seen)
            total = total + jnp.sum(jnp.where(here.real[:, None], density, 0.0), -1)
        return jnp.where(features["solved"], total, _FAILED)

    # --- arrays ----------------------------------------------------------------------------------------------

    def noise(self, name: str) -> Noise:
        """That of an observable that was measured."""
        noise = self.model.observables()[name].noise
        assert noise is not None  # else its measurements were refused
        return noise

    def measurements(self, name: str, features: dict[str, Any], data: Data) -> Seen:
        """What was measured of an observable, beside what is true then."""
        here, true = data.read[name], features["true"][name]
        measured, bound, times = (jnp.asarray(x)[:, None] for x in (here.value, here.bound, here.time))
        return Seen(measured, bound, true[name], times, features["person"], true)

    def covariates(self, u: Array, data: Data) -> dict[str, Array]:
        """Covariates that are not certain (patient, draw); not a number for patients whose own is."""
        found = {}
        for j, name in enumerate(self.prior.drawn):
            table = data.chances[name]
            share = jax.scipy.special.ndtr(u[..., len(self.prior.names) + j])
            place = jnp.sum(share[..., None] >= table["until"][:, None, :-1], axis=-1)
            found[name] = jnp.take_along_axis(table["value"], place, axis=1)
        return found

    def person(self, u: Array, data: Data) -> Any:
        """Individuals at their first covariates (patient, draw, 1)."""
        values, deviations = self.split(u, data)
        number = data.signals.dtype
        population = {n: jnp.asarray(getattr(self.model.typical(), n), number) for n in self.model.parameters()}
        population |= {n: v[..., None] for n, v in self.population(data).items()}
        signals = jnp.moveaxis(data.signals, -1, 0)[..., None, None]
        shape = (*u.shape[:2], 1)
        covariates = {n: v[..., None] for n, v in self.covariates(u, data).items()}
        if covariates:
            signals = with_covariates(self.model, jnp.broadcast_to(signals, (len(signals), *shape)), covariates)
        draw = Draw({n: v[..., None] for n, v in deviations.items()}, population, jnp.bool_(True))
        own = {n: v[..., None] for n, v in values.items()}
        person = with_own(individual_at(self.model, draw, signals), own)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, shape), person)

    def _signals(self) -> np.ndarray:
        inputs = self.model.inputs()
        rows = [
            [*(p.covariates[n] for n in self.model.covariates()), *(inputs[n].default for n in inputs)]
            for p in self.patients
        ]
        return np.array(rows, float).reshape(len(self.patients), -1)

    def _chances(self) -> dict[str, dict[str, np.ndarray]]:
        """Of each covariate that is not certain: values, and up to which share of draws each is taken."""
        found = {}
        for name in self.prior.drawn:
            most = max(len(p.chances.get(name, ())) for p in self.patients)
            shape = (len(self.patients), most)
            table = {"value": np.full(shape, np.nan), "until": np.ones(shape)}
            for i, patient in enumerate(self.patients):
                rows = patient.chances.get(name, ())
                for k, (value, chance) in enumerate(rows):
                    table["value"][i, k:] = value
                    table["until"][i, k] = chance
                table["until"][i, : len(rows)] = np.cumsum(table["until"][i, : len(rows)])
                table["until"][i, max(len(rows) - 1, 0) :] = 2.0  # the last takes what is left
            found[name] = table
        return found

    def _read(self, name: str, times: list[list[float]], room: int) -> Read:
        each = [[o for o in p.observations if o.observable == name] for p in self.patients]
        most = _round_up(max(room, *map(len, each)))
        shape = (len(each), most)
        found = Read(
            place=np.zeros(shape, np.int32), value=np.ones(shape), bound=np.zeros(shape, np.int32),
            time=np.zeros(shape), real=np.zeros(shape, bool),
        )  # fmt: skip
        for i, observations in enumerate(each):
            n = len(observations)
            for k, one in enumerate(observations):
                found.place[i, k] = times[i].index(one.time)
                found.value[i, k], found.bound[i, k], found.time[i, k] = one.value, one.bound, one.time
            found.real[i, :n] = True
            if n:  # what is padded repeats the last, later and later
                found.place[i, n:], found.value[i, n:] = found.place[i, n - 1], found.value[i, n - 1]
                found.time[i, n:] = found.time[i, n - 1] + np.arange(1, most - n + 1)
        return found


def _take(course: Array, place: Array) -> Array:
    """The values of a course (patient, draw, time) at each patient's places."""
    return jnp.take_along_axis(course, jnp.broadcast_to(place[:, None], (*course.shape[:2], place.shape[1])), axis=2)


def _times(patient: BoundPatient) -> list[float]:
    """When something was measured; and a later time where a course would have no length."""
    times = sorted({o.time for o in patient.observations})
    return times if times and times[-1] > min(0.0, times[0]) else [*times, max([0.0, *times]) + 1.0]


def _round_up(count: int) -> int:
    """A size that similar batches share, so that one more measurement compiles nothing."""
    return count if count <= 2 else -(-count // 4) * 4
