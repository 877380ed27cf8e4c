"""Patients who do not go with the others: whose own numbers, errors or weight in the fit are beyond what is likely.

A patient far away widens the population until they no longer look strange in it, so each who may be is compared with
the population that the others alone give. It costs no solve.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from twin.errors import TwinError
from twin.model import LogNormal
from twin.model.noise import Seen
from twin.types import Array

from ..climb import Top
from ..cloud import Cloud, Sky, numbers_of
from ..marginal import Marginal, move_along, person_of
from ..people import People
from ..report import names_of, slopes
from ..statement import Statement
from .leaving_out import Without

LEVEL = 0.01  # one right fit in a hundred names somebody
_ROOM = 10.0  # times LEVEL: a closer look is worth it
_OVER = 2.0  # times that a step of Newton's tells too much of a patient's influence
_TOLD = 0.5  # of a number's variance between patients, at least, that a patient's data resolve
_MOST = 4  # patients who are left out, one after the other


@dataclasses.dataclass(frozen=True)
class Surprise:
    """A patient who does not go with the others, and why; `p_value` is for all that was looked at."""

    patient: str
    reason: str
    p_value: float

    def __str__(self) -> str:
        return f"patient '{self.patient}': {self.reason}"


def surprising_patients(
    sky: Sky, top: Top, curvatures: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
) -> tuple[Surprise, ...]:
    """Patients whose own numbers, errors or influence are beyond what is likely, the most surprising first.

    `curvatures`: the patients' log likelihoods with derivatives where the fit ended, if somebody has them.
    """
    look = _Look(sky, top, None if sky.sites else curvatures)
    found = [one for i in look.suspects for one in look.examine(i)]
    return tuple(sorted(found, key=lambda one: one.p_value))


@dataclasses.dataclass(frozen=True)
class _Look:
    sky: Sky
    top: Top
    given: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    @functools.cached_property
    def people(self) -> People:
        return People(self.sky, self.top)

    @functools.cached_property
    def without(self) -> Without:
        return Without(self.sky, self.top, self.given)

    @functools.cached_property
    def distances(self) -> np.ndarray:
        """How far each patient's mean is from the population, in what is likely (patient, coordinate)."""
        return _distances(self.sky.statement, self.top.x, self.people.means, self.people.covariances)

    @functools.cached_property
    def misfits(self) -> np.ndarray:
        """Predictive p-values of each patient's squared errors (patient,)."""
        everybody = np.arange(len(self.sky.target))
        return _misfits(self.sky.statement, self.top.x, self.top.cloud, self.people.weights.sum(1), everybody)[0]

    @functools.cached_property
    def middle(self) -> float:
        """What half of all samples would move the fit by: with more, a patient alone decides."""
        return float(stats.chi2.median(len(self.top.x)))

    @property
    def suspects(self) -> list[int]:
        """Who is worth a closer look, strangest first."""
        count, size = self.distances.shape
        if count < 4:  # of fewer, nobody can say who the others are
            return []
        # A standard deviation that a patient has widened themselves says how far the others' would have them be.
        inside = np.minimum(self.distances**2, (count - 1) * (1 - 1e-9))
        far = np.sqrt(inside * (count - 2) / (count - 1 - inside)).max(1)
        each = _ROOM * LEVEL / count
        score = np.max([
            np.log(np.maximum(2 * stats.t.sf(far, count - 2), 1e-300)) / math.log(each / size),
            np.log(np.maximum(self.misfits, 1e-300)) / math.log(each),
            self.without.displacement / (_OVER * self.middle),
        ], axis=0)  # fmt: skip
        order = np.argsort(-score, kind="stable")[:_MOST]
        return [int(i) for i in order if score[i] > 1]

    def examine(self, patient: int) -> list[Surprise]:
        """What is strange of a patient in the population of the others."""
        x, covered = self.without.maximise(patient)
        name = self.sky.target.patients[patient].id
        found = [self._place(patient, x), self._errors(patient, x), self._influence(patient, x, covered)]
        return [Surprise(name, reason, p) for reason, p in found if p < LEVEL]

    def _place(self, patient: int, x: np.ndarray) -> tuple[str, float]:
        statement, people = self.sky.statement, self.people
        whose = np.array([patient])
        weights = _weigh(statement, x, self.top.cloud.rows(whose))
        phi = self.top.cloud.phi[whose]
        mean = np.einsum("pk,pki->pi", weights, phi)
        apart = phi - mean[:, None]
        covariance = np.einsum("pk,pki,pkj->pij", weights, apart, apart)
        shares = people.classes[patient] / people.classes[patient].sum()
        away = mean - np.einsum("c,pci->pi", shares, self.sky.means(x)[whose])
        far = _distances(statement, x, away, covariance)[0]
        others = len(self.sky.target) - 1  # whose mean and variance are estimates, too
        p = 2 * stats.t.sf(np.abs(far) / math.sqrt(1 + 1 / others), others - 1) * far.size * (others + 1)
        k = int(np.argmin(p))
        return self._say(k, away[0, k], far[k]), float(min(p[k], 1.0))

    def _say(self, k: int, away: float, far: float) -> str:
        own = self.sky.statement.coordinates[k]
        where = f" in occasion {own.occasion}" if own.occasion else ""
        effect = self.sky.statement.effects[own.effect]
        told = f"'{effect}'{where} is {abs(far):.1f} standard deviations from where the other patients' are"
        if isinstance(self.sky.statement.model.parameters()[effect].spread, LogNormal):
            told += f", {math.exp(away):.2g} times what is typical"
        return told + "; see whether doses, times and units are right"

    def _errors(self, patient: int, x: np.ndarray) -> tuple[str, float]:
        whose = np.array([patient])
        weights = _weigh(self.sky.statement, x, self.top.cloud.rows(whose))
        p, size, count = _misfits(self.sky.statement, x, self.top.cloud, weights, whose)
        told = (
            f"measurements are {size[0]:.1f} standard errors (root mean square of {count[0]:.0f}) from their own course"
        )
        return told + "; see whether each is right", float(min(p[0] * len(self.sky.target), 1.0))

    def _influence(self, patient: int, x: np.ndarray, covered: bool) -> tuple[str, float]:
        whole = self.without.whole
        lost = 2 * (whole(self.top.x) - whole(x))
        if lost < self.middle:
            return "", 1.0
        statement, errors = self.sky.statement, np.linalg.inv(-self.top.maximum.curvature)
        along = slopes(statement, self.top.x)
        moved = along @ (x - self.top.x) / np.sqrt(np.einsum("ni,ij,nj->n", along, errors, along))
        k = int(np.argmax(np.abs(moved)))
        about = "" if covered else " about"
        told = f"without them, '{names_of(statement)[k]}' would be{about} {abs(moved[k]):.1f} standard errors "
        return told + ("higher" if moved[k] > 0 else "lower"), float(stats.chi2.sf(lost, len(x)) * 2 * LEVEL)


def _distances(statement: Statement, x: np.ndarray, away: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Deviations' means over what these vary by between patients: by less than deviations, where data say less.

    Where data say next to nothing, means are as far from normal as data are: they are not looked at.
    """
    total = np.diagonal(np.asarray(statement.covariance(numbers_of(statement, x), sites=True)))
    own = np.diagonal(covariances, axis1=1, axis2=2)
    left = total - own
    return np.where(left > _TOLD * total, away / np.sqrt(np.maximum(left, 1e-300)), 0.0)


def _weigh(statement: Statement, x: np.ndarray, cloud: Cloud) -> np.ndarray:
    logs = np.logaddexp.reduce(Marginal(statement, cloud).log_weights(x), axis=1)
    weights = np.exp(logs - logs.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def _misfits(
    statement: Statement, x: np.ndarray, cloud: Cloud, weights: np.ndarray, whose: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictive p-values, root mean squares and numbers of the errors of some patients: of new errors on each draw's
    course, how many would be larger.
    """
    squares, count = Marginal(statement, cloud.rows(whose)).apply(_squares, x)
    beyond = np.where(count > 0, stats.chi2.sf(squares, np.maximum(count, 1)), 1.0)
    mean = np.einsum("pk,pk->p", weights, squares / np.maximum(count, 1))
    return np.einsum("pk,pk->p", weights, beyond), np.sqrt(mean), count[:, 0]


def _squares(statement: Statement, x: Array, cloud: Cloud) -> tuple[Array, Array]:
    """Squared errors of what was read, in standard deviations, summed, and their number (patient, draw)."""
    numbers = statement.numbers(x)
    person = person_of(statement, numbers, cloud)
    squares: Any = jnp.zeros(cloud.log_base.shape, x.dtype)
    count = squares
    for name, sums in cloud.sums.items():
        scale = statement.model.observables()[name].noise.scale  # type: ignore[union-attr, arg-type]
        squares = squares + sums.squares / getattr(person, scale)[..., 0] ** 2  # type: ignore[arg-type]
        count = count + sums.number
    for name, true in cloud.true.items():
        noise, read = statement.model.observables()[name].noise, cloud.read[name]
        moved = move_along(statement, x, cloud, name, true)
        seen = Seen(
            *(jnp.asarray(v)[:, None] for v in (read.value, read.bound)), moved[name],
            jnp.asarray(read.time)[:, None], person, moved,
        )  # fmt: skip
        try:
            z = noise.residual(seen)  # type: ignore[union-attr]
        except TwinError:  # counts, classes and events have none
            continue
        real = (read.real & (read.bound == 0))[:, None]
        squares = squares + jnp.sum(jnp.where(real, z * z, 0.0), -1)
        count = count + jnp.sum(real, -1, dtype=count.dtype)
    return jax.lax.stop_gradient(squares), count
