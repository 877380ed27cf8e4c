"""Clouds: each patient's individual parameters as stored draws or nodes, with what their courses say of the data.

A course depends on an individual's parameters and not on the population they come from, so a cloud is solved once and
then serves any population that is not too far: its draws are weighted anew.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from twin.population.keys import patient_key
from twin.types import Array

from ..method.importance import DEGREES, Guess
from ..target import Belief, Data, Read, Target
from .compile import careful
from .statement import Numbers, Statement

SLICE = 128  # draws go through programs in rows of so many, so that any number of them shares these
EMPTY = -1e290  # the log weight of a draw that says nothing


class Sums(NamedTuple):
    """What measurements of one observable say of a draw, where one error sizes all their standard deviations."""

    number: np.ndarray  # of measurements (patient, draw)
    squares: np.ndarray  # of errors at a size of 1 (patient, draw)
    logs: np.ndarray  # of standard deviations at a size of 1, summed (patient, draw)


class Cloud(NamedTuple):
    """Draws of every patient (patient, draw, ...). Arrays have patients first, so that parts of them can be taken."""

    phi: np.ndarray  # coordinates (patient, draw, coordinate)
    log_base: np.ndarray  # log of a draw's share of the integral before any density (patient, draw)
    solved: np.ndarray
    signals: np.ndarray  # (patient, covariate)
    sums: dict[str, Sums]
    true: dict[str, dict[str, np.ndarray]]  # of observables without sums: each that its noise asks (..., measurement)
    slopes: dict[str, dict[str, np.ndarray]]  # along typical values without effects (patient, draw, value, measurement)
    read: dict[str, Read]
    origin: np.ndarray  # those typical values where courses were solved (patient, value)

    def rows(self, which: np.ndarray) -> Cloud:
        """The clouds of some patients."""
        return jax.tree.map(lambda x: x[which], self)

    def each(self, by_draw: Callable[[Any], Any], by_patient: Callable[[Any], Any]) -> Cloud:
        """The cloud with every array changed, in one way where it has draws, in another where it has not."""
        draws = (self.phi, self.log_base, self.solved, self.sums, self.true, self.slopes)
        phi, base, solved, sums, true, slopes = jax.tree.map(by_draw, draws)
        signals, read, origin = jax.tree.map(by_patient, (self.signals, self.read, self.origin))
        return Cloud(phi, base, solved, signals, sums, true, slopes, read, origin)

    @property
    def draws(self) -> int:
        """How many of each patient."""
        return self.log_base.shape[1]


def pool(clouds: Sequence[Cloud]) -> Cloud:
    """One cloud of several of the same patients, made around the same population: the mean of their integrals."""
    even = [one._replace(log_base=one.log_base - math.log(len(clouds))) for one in clouds]
    first = even[0]
    if len(even) == 1:
        return first
    draws = [(c.phi, c.log_base, c.solved, c.sums, c.true, c.slopes) for c in even]
    phi, base, solved, sums, true, slopes = jax.tree.map(lambda *x: np.concatenate(x, axis=1), *draws)
    return first._replace(phi=phi, log_base=base, solved=solved, sums=sums, true=true, slopes=slopes)


@dataclasses.dataclass(frozen=True)
class Sky:
    """Patients whose clouds are made: their data under the statement of a fit."""

    target: Target
    statement: Statement
    summed: tuple[str, ...]  # observables of which sums say everything
    floor: np.ndarray  # how far down each number of the vector may go: spreads and errors that are next to 0
    sites: tuple[float, ...] = ()  # which site each patient belongs to, where there are any

    def believe(self, x: np.ndarray, group: int = 0) -> Target:
        """The patients as of one class under the population of a vector, sites' deviations among what they may have."""
        numbers, people = numbers_of(self.statement, x), len(self.target)
        effect = [one.effect for one in self.statement.coordinates]
        root, units = self.root(x), self.statement.units
        belief = Belief(
            {n: np.full(people, float(v)) for n, v in numbers.typical.items()},
            np.tile(numbers.shift[group][effect] / units, (people, 1)),
            np.broadcast_to(root / units[:, None], (people, *root.shape)),
        )
        return self.target.with_belief(belief)

    def keys(self, seed: int) -> list[np.ndarray]:
        """Each patient's own key."""
        return [patient_key(seed, one.id) for one in self.target.patients]

    def seeds(self, *numbers: int) -> list[np.random.SeedSequence]:
        """Seeds of each patient's own draws, by a seed and further numbers."""
        return [np.random.SeedSequence([*map(int, key), *numbers[1:]]) for key in self.keys(numbers[0])]

    def root(self, x: np.ndarray) -> np.ndarray:
        """The lower factor of what is believed of a patient's coordinates."""
        numbers = numbers_of(self.statement, x)
        return np.linalg.cholesky(np.asarray(self.statement.covariance(numbers, sites=True)))

    def means(self, x: np.ndarray) -> np.ndarray:
        """Where patients' coordinates are centred, by class (patient, class, coordinate)."""
        with jax.enable_x64(True):
            return np.asarray(means_of(self.statement, x, self.target.data.signals))

    def solve(self, x: np.ndarray, u: np.ndarray, log_base: np.ndarray, which: np.ndarray | None = None) -> Cloud:
        """The cloud of draws `u` (patient, draw, standard normal number) around a population."""
        target, statement = self.believe(x), self.statement
        more = -u.shape[1] % SLICE  # what fills the last row up has no weight
        u = np.pad(u, ((0, 0), (0, more), (0, 0)), mode="edge")
        log_base = np.pad(log_base, ((0, 0), (0, more)), constant_values=EMPTY)
        who = np.arange(len(target)) if which is None else which
        solve = (("slopes", statement), functools.partial(_slopes, target, statement)) if statement.along else None
        key = ("cloud", self.summed)
        found = target.of_draws(
            key, lambda features, data, u, keys: _keep(target, self.summed, features, data), u, who, solve=solve
        )
        phi = self.means(x)[who][:, None, 0] + u @ self.root(x).T
        origin = np.array([x[statement.estimated.index(n)] for n in statement.along])
        return Cloud(
            phi, log_base, found["solved"], target.data.signals[who],
            {n: Sums(*v) for n, v in found["sums"].items()}, found["true"], found["slopes"],
            {n: target.rows(who).read[n] for n in target.seen}, np.tile(origin, (len(who), 1)),
        )  # fmt: skip

    def resolve(self, x: np.ndarray, cloud: Cloud) -> Cloud:
        """The same draws with courses solved where values without effects are those of another vector."""
        u = (cloud.phi - self.means(x)[:, None, 0]) @ np.linalg.inv(self.root(x)).T
        return self.solve(x, u, cloud.log_base)._replace(phi=cloud.phi)


def numbers_of(statement: Statement, x: np.ndarray) -> Numbers:
    """The population that a vector says, as NumPy."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, _numbers(statement, jnp.asarray(x)))


@careful
def _numbers(statement: Statement, x: Array) -> Numbers:
    return statement.numbers(x)


@careful
def means_of(statement: Statement, x: Array, signals: Array) -> Array:
    numbers = statement.numbers(x)
    return jax.vmap(lambda row: statement.means(numbers, row))(signals)


def _keep(target: Target, summed: tuple[str, ...], features: dict[str, Any], data: Data) -> dict[str, Any]:
    """What a cloud keeps of solved courses."""
    found: dict[str, Any] = {"solved": features["solved"], "sums": {}, "true": {}, "slopes": {}}
    unit = _Ones()
    for name in target.seen:
        if name in summed:
            seen = target.measurements(name, features, data)._replace(p=unit)
            z, log_sd = target.noise(name).standardise(seen)
            real = data.read[name].real[:, None]
            count = jnp.broadcast_to(jnp.sum(real, -1), z.shape[:2]).astype(z.dtype)
            found["sums"][name] = Sums(
                count, jnp.sum(jnp.where(real, z * z, 0), -1), jnp.sum(jnp.where(real, log_sd, 0), -1)
            )
            continue
        asked = {n: v for n, v in features["true"][name].items() if n == name or n == target.noise(name).asks}
        found["true"][name] = asked
        if "slopes" in features:
            found["slopes"][name] = {n: features["slopes"][name][n] for n in asked}
    return found


class _Ones:
    """Parameters that are all 1."""

    def __getattr__(self, name: str) -> Any:
        return jnp.ones(())


def _slopes(target: Target, statement: Statement, u: Array, data: Data) -> dict[str, Any]:
    """Features with the slopes of true values along typical values, coordinates held where they are."""
    along = statement.along
    values, deviations = target.split(u, data)
    population = target.population(data)
    numbers = jnp.stack([statement.to_number(n, population[n][:, 0]) for n in along], -1)  # (patient, value)

    def at(moved: Array) -> tuple[Any, Any]:
        typical = {
            n: jnp.broadcast_to(statement.from_number(n, moved[:, j])[:, None], u.shape[:2])
            for j, n in enumerate(along)
        }
        found = target.courses(
            values, deviations, data.courses or None, covariates=target.covariates(u, data), typical=typical,
            population=population, still=True,
        )  # fmt: skip
        features = target.read_courses(found, target.person(u, data), data=data)
        return features["true"], features

    units = jnp.eye(len(along), dtype=u.dtype)

    def one(unit: Array) -> Any:
        return jax.jvp(at, (numbers,), (jnp.broadcast_to(unit, numbers.shape),), has_aux=True)[1:]

    moves, features = jax.vmap(one, out_axes=(0, None))(units)
    return features | {"slopes": jax.tree.map(lambda x: jnp.moveaxis(x, 0, 2), moves)}


# --- where draws are ------------------------------------------------------------------------------------------------


def scatter(guess: Guess, uniform: np.ndarray) -> np.ndarray:
    """Draws of a guess (patient, draw, unknown) from numbers between 0 and 1 (patient, draw, unknown + 2).

    Parts of the guess get their shares of the draws, in order.
    """
    from scipy.special import gammaincinv, ndtri

    people, count, _ = uniform.shape
    size = guess.centre.shape[-1]
    found = np.empty((people, count, size))
    stretch = np.sqrt(DEGREES / (2 * gammaincinv(DEGREES / 2, uniform[..., 1])))
    z = ndtri(uniform[..., 2:])
    for i in range(people):
        part = np.searchsorted(np.cumsum(guess.share[i])[:-1], uniform[i, :, 0], side="right")
        for m in np.unique(part):
            own = part == m
            found[i, own] = guess.centre[i, m] + stretch[i, own, None] * (z[i, own] @ guess.root[i, m].T)
    return found


def spread_evenly(count: int, size: int, seeds: list[Any]) -> np.ndarray:
    """Scrambled Sobol numbers of each patient (patient, count, size), each from its own seed."""
    from scipy.stats import qmc

    found = [qmc.Sobol(size, rng=np.random.default_rng(seed)).random(count) for seed in seeds]
    return np.clip(np.stack(found), 1e-12, 1 - 1e-12)


@functools.cache
def nodes(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes of a standard normal (node, unknown) and the logarithms of their weights times density."""
    place, weight = np.polynomial.hermite_e.hermegauss(count)
    grid = np.stack(np.meshgrid(*[place] * size, indexing="ij"), -1).reshape(-1, size)
    logs = np.log(weight) + 0.5 * place**2  # of the weight against no density at all
    total = functools.reduce(np.add.outer, [logs] * size).ravel()
    keep = total - 0.5 * np.sum(grid**2, -1) > -60 * math.log(10)
    return grid[keep], total[keep]
