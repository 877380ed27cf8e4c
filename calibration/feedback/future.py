"""What comes of a dose: the aim of each draw of each lane, were it given from the next dose on.

Time counts from the next dose here, so that one window holds for all lanes, whenever they decide.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from twin.errors import TwinError
from twin.model import DiseaseModel, Individual, pack, unpack
from twin.patient import BoundPatient
from twin.quantity import Span
from twin.run.courses import Courses
from twin.run.reacting.choosing import Asked

from ..parallel import Once, in_parts
from .patients import dose_of

_TOLERANCE = 1e-8
_TOGETHER = 2048  # courses of a call


class Future:
    """The courses of lanes, of which `aims(doses)` is what they come to, were a dose given from now on."""

    def __init__(self, asked: Asked, people: Sequence[BoundPatient], unknowns: Sequence[dict[str, np.ndarray]]):
        """`unknowns` are values, deviations and covariates (lane, draw)."""
        require_no_clock(asked.choosing.model)
        self.asked, self.people, self.unknowns = asked, people, unknowns
        self.treatment = list(asked.model.treatments())[asked.treatment]
        shortest = min([*asked.choosing.every, np.min(asked.every, initial=np.inf, where=np.isfinite(asked.every))])
        self.room = asked.room[0] + self._count(shortest)
        self._zero: np.ndarray | None = None

    def _count(self, every: float) -> int:
        """How many doses there are until the window ends."""
        return max(1, math.ceil(self.asked.choosing.aim.until / every - 1e-9)) if math.isfinite(every) else 1

    def space(self, every: np.ndarray) -> None:
        """Doses are so far apart from now on, lane by lane."""
        asked, model, until = self.asked, self.asked.choosing.model, self.asked.choosing.aim.until
        moved, begins = [], []
        for i, person in enumerate(self.people):
            now, step = float(asked.next_time[i]), float(every[i])
            how = self.treatment, int(asked.mode[i]), float(asked.length[i])
            later = [dose_of(1.0, k * step if k else 0.0, *how) for k in range(self._count(step))]
            before = [dataclasses.replace(dose, time=Span(dose.time.value - now)) for dose in person.doses]
            series = {name: tuple((t - now, v) for t, v in changes) for name, changes in person.series.items()}
            moved.append(dataclasses.replace(person, doses=(*before, *later), series=series, observations=()))
            begins.append([min([0.0, *(dose.time.value for dose in person.doses)]) - now])
        with jax.enable_x64(True):
            self.courses = Courses(
                model, moved, None, begins, outcomes={"aim": asked.choosing.aim}, until=until, rtol=_TOLERANCE,
                doses=self.room,
            )  # fmt: skip
        if not self.courses.choice.method:
            raise TwinError(f"a dose cannot be chosen under model '{model.name}': {self.courses.choice.reason}")
        schedule = self.courses.arrays["schedule"]
        index = list(model.treatments()).index(self.treatment)
        self.chosen = (schedule.time > -1e-9) & np.isfinite(schedule.time) & (schedule.treatment == index)

    @property
    def is_linear(self) -> bool:
        """Whether the states are linear in the dose; an observable may still not be."""
        return self.courses.choice.method == "exact"

    @property
    def of_nothing(self) -> np.ndarray:
        """What it comes to without another dose, however far apart these would be."""
        if self._zero is None:
            self._zero = self.aims(np.zeros(len(self.people)))
        return self._zero

    def aims(self, doses: np.ndarray, lanes: np.ndarray | None = None) -> np.ndarray:
        """The aim (lane, draw) of each lane's dose; not a number where a course could not be solved."""
        lanes = np.arange(len(self.people)) if lanes is None else lanes
        arrays = jax.tree.map(lambda x: x[lanes], self.courses.arrays)
        amount = np.where(self.chosen[lanes], doses[:, None], arrays["schedule"].amount)
        arrays = arrays | {"schedule": dataclasses.replace(arrays["schedule"], amount=amount)}
        own = [{name: v[lanes] for name, v in each.items()} for each in self.unknowns]
        draws = next(iter({**own[0], **own[1]}.values())).shape[1]

        def part(rows: np.ndarray) -> dict[str, np.ndarray]:
            values, deviations, drawn = ({name: v[rows] for name, v in each.items()} for each in own)
            given = jax.tree.map(lambda x: x[rows], arrays)
            found = self.courses(values, deviations, given, covariates=drawn)
            return {name: np.asarray(found[name]) for name in ("aim", "status")}

        with jax.enable_x64(True):
            found = in_parts(Once(part), len(doses), most=max(1, _TOGETHER // draws))
        return np.where(found["status"] == 0, found["aim"], np.nan)


def require_no_clock(model: DiseaseModel) -> None:
    """Refuse a model whose equations read the time itself: courses are moved in time here."""
    if reads_time(type(model)):
        raise TwinError(f"a dose cannot be chosen under model '{model.name}': its equations read the time itself")


@functools.cache
def reads_time(kind: type[DiseaseModel]) -> bool:
    """Whether anything that a model says of rates and observables depends on what time it is."""
    model, half = kind(), jnp.float32(0.5)
    person = jax.tree.map(jnp.float32, Individual(kind.Parameters(), kind.Covariates(), kind.Inputs()))

    def everything(t: Any, flat: list[Any], p: Individual) -> Any:
        y = unpack(kind.State, flat)
        return pack(model.derivatives(t, y, p)), [seen.value(model, t, y, p) for seen in model.observables().values()]

    with jax.numpy_dtype_promotion("standard"):
        traced = jax.make_jaxpr(everything)(half, [half] * len(kind.states()), person).jaxpr
    read = [v for equation in traced.eqns for v in equation.invars] + list(traced.outvars)
    return any(v is traced.invars[0] for v in read)
