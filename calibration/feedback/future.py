"""What comes of a dose: the aim of each draw of each lane, were it given from the next dose on.

Time counts from the next dose here, so that one window holds for all lanes, whenever they decide.
"""

from __future__ import annotations

import dataclasses
import functools
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
    """The courses of lanes under one interval; `aims(doses)` is what they come to."""

    def __init__(
        self, asked: Asked, people: Sequence[BoundPatient], unknowns: Sequence[dict[str, np.ndarray]], every: np.ndarray
    ):
        model, until = asked.choosing.model, asked.choosing.aim.until
        require_no_clock(model)
        self.unknowns = unknowns
        treatment = list(asked.model.treatments())[asked.treatment]
        moved, begins = [], []
        for i, person in enumerate(people):
            now, step = float(asked.next_time[i]), float(every[i])
            count = int(np.ceil(until / step - 1e-9)) if np.isfinite(step) else 1
            later = [
                dose_of(1.0, k * step, treatment, int(asked.mode[i]), float(asked.length[i]))
                for k in range(max(count, 1))
            ]
            before = [dataclasses.replace(dose, time=Span(dose.time.value - now)) for dose in person.doses]
            series = {name: tuple((t - now, v) for t, v in changes) for name, changes in person.series.items()}
            moved.append(dataclasses.replace(person, doses=(*before, *later), series=series, observations=()))
            begins.append([min(0.0, *(dose.time.value for dose in person.doses)) - now])
        room = asked.room[0] + max(len(person.doses) for person in moved) - max(len(person.doses) for person in people)
        with jax.enable_x64(True):
            self.courses = Courses(
                model, moved, None, begins, outcomes={"aim": asked.choosing.aim}, until=until, rtol=_TOLERANCE,
                doses=room,
            )  # fmt: skip
        if not self.courses.choice.method:
            raise TwinError(f"a dose cannot be chosen under model '{model.name}': {self.courses.choice.reason}")
        index = list(model.treatments()).index(treatment)
        schedule = self.courses.arrays["schedule"]
        ours = (schedule.time > -1e-9) & np.isfinite(schedule.time) & (schedule.treatment == index)
        self.chosen = np.where(ours, 1.0, 0.0)

    def aims(self, doses: np.ndarray) -> np.ndarray:
        """The aim (lane, draw) of each lane's dose; not a number where a course could not be solved."""
        arrays = self.courses.arrays
        schedule = arrays["schedule"]
        amount = np.where(self.chosen > 0, doses[:, None], schedule.amount)
        arrays = arrays | {"schedule": dataclasses.replace(schedule, amount=amount)}
        values, deviations, drawn = self.unknowns
        draws = next(iter({**values, **deviations}.values())).shape[1]

        def part(rows: np.ndarray) -> dict[str, np.ndarray]:
            own = [{name: v[rows] for name, v in each.items()} for each in (values, deviations, drawn)]
            found = self.courses(own[0], own[1], jax.tree.map(lambda x: x[rows], arrays), covariates=own[2])
            return {name: np.asarray(found[name]) for name in ("aim", "status")}

        with jax.enable_x64(True):
            most = max(1, _TOGETHER // draws)
            found = in_parts(Once(part), len(doses), most=most)
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
