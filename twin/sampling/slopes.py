"""What would be measured at each time, and how it moves with every unknown: courses with their derivatives, as NumPy.

Times are solved once, whichever sets of them are tried later: a set is rows of these arrays.
"""

from __future__ import annotations

import dataclasses
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
_ROOM = 32  # times come in multiples of so many, so that programs are shared
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
        value, slope = jax.tree.map(np.asarray, _program(courses, tuple(measured))(moved, given))
    failed = int(np.sum(value["status"] != 0))
    if failed:
        raise TwinError(
            f"patient '{person.id}': {failed} of {value['status'].size} courses could not be solved; check doses, "
            "parameters and solver"
        )
    rows = np.argsort(order, kind="stable")
    last = lambda x: np.moveaxis(x, 0, -1)[0]  # noqa: E731  # (unknown, patient, draw, ...) -> (draw, ..., unknown)
    return Slopes(
        tuple((group, name) for group in _MOVED for name in moved[group]),
        **{name: value[name][0][:, rows] for name in ("true", "mean", "sd")},
        of_mean=last(slope["mean"])[:, rows], of_sd=last(slope["sd"])[:, rows],
        outcomes={n: v[0] for n, v in value["outcomes"].items()},
        of_outcomes={n: last(v) for n, v in slope["outcomes"].items()},
    )  # fmt: skip


def _program(courses: Courses, measured: tuple[str, ...]) -> Callable[..., Any]:
    """The compiled function of (numbers that move, what is given); equal questions share it."""
    alone = () if courses.choice.method else (courses,)  # by diffrax, histories are compiled in
    key = (
        type(courses.model), tuple(sorted(courses.model.values.items())), compile_key(courses.choice), courses.question,
        courses.count, measured, *alone,
    )  # fmt: skip
    if key not in _PROGRAMS:
        while len(_PROGRAMS) >= _MOST_PROGRAMS:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        careful = not courses.choice.method
        function = lambda moved, given: _slopes(courses, measured, moved, given)  # noqa: E731
        _PROGRAMS[key] = jax.jit(function, compiler_options=compiler_options(careful=careful))
    return _PROGRAMS[key]


def _slopes(courses: Courses, measured: tuple[str, ...], moved: Any, given: Any) -> tuple[Any, Any]:
    """What `_look` finds, and its derivative by each unknown (unknown, ...): each draw depends on its own alone."""
    names = [(group, name) for group in _MOVED for name in moved[group]]

    def along(k: Array) -> tuple[Any, Any]:
        unit = {
            g: {n: jnp.where(k == names.index((g, n)), jnp.ones_like(v), 0.0) for n, v in several.items()}
            for g, several in moved.items()
        }
        value, slope, status = jax.jvp(lambda m: _look(courses, measured, m, given), (moved,), (unit,), has_aux=True)
        return value | {"status": status}, slope

    return jax.vmap(along, out_axes=(None, 0))(jnp.arange(len(names)))


def _look(courses: Courses, measured: tuple[str, ...], moved: Any, given: Any) -> tuple[dict[str, Any], Array]:
    """Arrays (patient, draw, time, observable) of what would be measured, outcomes, and how each course ended."""
    typical, deviations, individuals = (moved[group] for group in _MOVED)
    found = courses(individuals, deviations, given["arrays"], covariates=given["covariates"], typical=typical)
    person = _person(courses.model, moved, given)
    noises = [courses.model.observables()[name].noise for name in measured]
    forms = [noise.normal_form(found[n], person) for n, noise in zip(measured, noises, strict=True) if noise]
    value = {
        "true": jnp.stack([found[n] for n in measured], -1),
        "mean": jnp.stack([mean for mean, _ in forms], -1),
        "sd": jnp.stack([jnp.broadcast_to(sd, jnp.shape(mean)) for mean, sd in forms], -1),
        "outcomes": {name: found[name] for name, _ in courses.question.outcomes},
    }
    return value, found["status"]


def _person(model: DiseaseModel, moved: Any, given: Any) -> Any:
    """The parameters (patient, draw, 1) of individuals at their first covariates."""
    shape = (*next(iter(v.shape for several in moved.values() for v in several.values())), 1)
    wide = lambda several: {n: v[..., None] for n, v in several.items()}  # noqa: E731
    signals = jnp.broadcast_to(given["signals"][:, None, None, None], (len(given["signals"]), *shape))
    signals = with_covariates(model, signals, wide(given["covariates"]))
    population = {n: jnp.asarray(getattr(model.typical(), n), float) for n in model.parameters()}
    draw = Draw(wide(moved["deviations"]), population | wide(moved["typical"]), jnp.bool_(True))
    return with_own(individual_at(model, draw, signals), wide(moved["individuals"])).parameters


def _signals(model: DiseaseModel, person: BoundPatient) -> np.ndarray:
    """Covariates and inputs at the start."""
    return np.array(
        [*(person.covariates[n] for n in model.covariates()), *(one.default for one in model.inputs().values())]
    )
