"""What would be measured at each time, and how it moves with every unknown: courses with their derivatives, as NumPy.

Times are solved once, whichever sets of them are tried later: a set is rows of these arrays.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import TwinError
from ..model import DiseaseModel, Outcome
from ..patient import BoundPatient
from ..population.individual import Draw, individual_at, with_covariates, with_own
from ..run.courses import Courses
from ..run.processor import compiler_options
from ..solver.choose import compile_key
from ..types import Array

Own = Mapping[str, Mapping[str, np.ndarray]]  # "typical", "deviations", "individuals", "covariates": (patient, draw)

_MOVED = ("typical", "deviations", "individuals")
_ROOM = 128  # times come in multiples of so many, so that programs are shared
_PROGRAMS: dict[Any, Callable[..., Any]] = {}
_MOST_PROGRAMS = 16


@dataclasses.dataclass(frozen=True)
class Slopes:
    """Of each draw of a patient at each time, and how it moves with each unknown.

    `mean` and `sd` are those of a measurement on the scale on which its error is normal, `true` is on its own.
    """

    unknowns: tuple[tuple[str, str], ...]  # what it is, and its name: ("typical", "clearance")
    true: np.ndarray  # (draw, time, observable)
    mean: np.ndarray  # the same
    sd: np.ndarray
    of_mean: np.ndarray  # (draw, time, observable, unknown)
    of_sd: np.ndarray
    outcomes: Mapping[str, np.ndarray]  # (draw,)
    of_outcomes: Mapping[str, np.ndarray]  # (draw, unknown)

    def only(self, times: np.ndarray) -> Slopes:
        """At some of its times."""
        some = {name: getattr(self, name)[:, times] for name in ("true", "mean", "sd", "of_mean", "of_sd")}
        return dataclasses.replace(self, **some)


def find_slopes(
    model: DiseaseModel, person: BoundPatient, regimen: Any, times: np.ndarray, measured: Sequence[str], own: Own, *,
    outcomes: Mapping[str, Outcome], until: float, **how: Any,
) -> Slopes:  # fmt: skip
    """Solves the draws of a patient, with derivatives by every number of `own` that is no covariate."""
    order = np.argsort(times, kind="stable")
    room = -(-len(times) // _ROOM) * _ROOM
    courses = Courses(
        model, [person], regimen, times[order], outcomes=outcomes, until=until, room=room, forward=True, **how
    )
    # in the order of names, which is that of JAX
    moved = {group: {n: np.asarray(v, float) for n, v in sorted(own.get(group, {}).items())} for group in _MOVED}
    given = {"signals": _signals(model, person), "arrays": courses.arrays or None}
    given["covariates"] = {n: np.asarray(v, float) for n, v in own.get("covariates", {}).items()}
    with jax.enable_x64(True):
        value, slope, status = _program(courses)(moved, given)
        forms = _forms(type(model), tuple(measured), (value["seen"], value["person"]), (slope["seen"], slope["person"]))
        value, slope, status = jax.tree.map(np.asarray, (value | forms[0], slope | forms[1], status))
    failed = int(np.sum(status != 0))
    if failed:
        raise TwinError(
            f"patient '{person.id}': {failed} of {status.size} courses could not be solved; check doses, "
            "parameters and solver"
        )
    rows = np.argsort(order, kind="stable")
    last = lambda x: np.moveaxis(x, 0, -1)[0]  # noqa: E731  # (unknown, patient, draw, ...) -> (draw, ..., unknown)
    return Slopes(
        tuple((group, name) for group in _MOVED for name in moved[group]),
        true=np.stack([value["seen"][name][0] for name in measured], -1)[:, rows],
        mean=value["mean"][0][:, rows], sd=value["sd"][0][:, rows],
        of_mean=last(slope["mean"])[:, rows], of_sd=last(slope["sd"])[:, rows],
        outcomes={n: v[0] for n, v in value["outcomes"].items()},
        of_outcomes={n: last(v) for n, v in slope["outcomes"].items()},
    )  # fmt: skip


def _program(courses: Courses) -> Callable[..., Any]:
    """The compiled function of (numbers that move, what is given); equal questions share it."""
    alone = () if courses.choice.method else (courses,)  # by diffrax, histories are compiled in
    key = (
        type(courses.model), tuple(sorted(courses.model.values.items())), compile_key(courses.choice), courses.question,
        courses.count, *alone,
    )  # fmt: skip
    if key not in _PROGRAMS:
        while len(_PROGRAMS) >= _MOST_PROGRAMS:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        careful = not courses.choice.method
        function = lambda moved, given: _slopes(courses, moved, given)  # noqa: E731
        _PROGRAMS[key] = jax.jit(function, compiler_options=compiler_options(careful=careful))
    return _PROGRAMS[key]


def _slopes(courses: Courses, moved: Any, given: Any) -> tuple[Any, Any, Array]:
    """What `_look` finds, its derivative by each unknown (unknown, ...), and status."""
    names = [(group, name) for group in _MOVED for name in moved[group]]

    def along(k: Array) -> tuple[Any, Any, Array]:
        unit = {
            g: {n: jnp.where(k == names.index((g, n)), jnp.ones_like(v), 0.0) for n, v in several.items()}
            for g, several in moved.items()
        }
        return jax.jvp(lambda m: _look(courses, m, given), (moved,), (unit,), has_aux=True)

    # one tangent moves all draws, as each depends on numbers of its own alone
    return jax.vmap(along, out_axes=(None, 0, None))(jnp.arange(len(names)))


def _look(courses: Courses, moved: Any, given: Any) -> tuple[dict[str, Any], Array]:
    """Observables (patient, draw, time), outcomes and parameters of each individual, and how each course ended."""
    typical, deviations, individuals = (moved[group] for group in _MOVED)
    found = courses(individuals, deviations, given["arrays"], covariates=given["covariates"], typical=typical)
    value = {
        "seen": {name: found[name] for name in courses.question.observables},
        "outcomes": {name: found[name] for name, _ in courses.question.outcomes},
        "person": _person(courses.model, moved, given),
    }
    return value, found["status"]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _forms(kind: type[DiseaseModel], measured: tuple[str, ...], value: Any, slope: Any) -> tuple[Any, Any]:
    """Mean and standard deviation (..., time, observable) of measuring, and their derivatives (unknown, ...)."""

    def form(value: Any) -> dict[str, Array]:
        seen, person = value
        noises = [kind.observables()[name].noise for name in measured]
        pairs = [noise.normal_form(seen[n], person) for n, noise in zip(measured, noises, strict=True) if noise]
        return {
            "mean": jnp.stack([jnp.asarray(mean) for mean, _ in pairs], -1),
            "sd": jnp.stack([jnp.broadcast_to(sd, jnp.shape(mean)) for mean, sd in pairs], -1),
        }

    along = lambda one: jax.jvp(form, (value,), (one,))  # noqa: E731
    return jax.vmap(along, out_axes=(None, 0))(slope)


def _person(model: DiseaseModel, moved: Any, given: Any) -> Any:
    """The parameters (patient, draw, 1) of individuals at their first covariates."""
    shape = (*next(iter(v.shape for several in moved.values() for v in several.values())), 1)
    wide = lambda several: {n: v[..., None] for n, v in several.items()}  # noqa: E731
    signals = jnp.broadcast_to(given["signals"][:, None, None, None], (len(given["signals"]), *shape))
    signals = with_covariates(model, signals, wide(given["covariates"]))
    population = {n: jnp.asarray(getattr(model.typical(), n), float) for n in model.parameters()}
    draw = Draw(wide(moved["deviations"]), population | wide(moved["typical"]), jnp.bool_(True))
    person = with_own(individual_at(model, draw, signals), wide(moved["individuals"])).parameters
    return jax.tree.map(lambda x: jnp.broadcast_to(x, shape), person)


def _signals(model: DiseaseModel, person: BoundPatient) -> np.ndarray:
    """Covariates and inputs at the start."""
    return np.array(
        [*(person.covariates[n] for n in model.covariates()), *(one.default for one in model.inputs().values())]
    )
