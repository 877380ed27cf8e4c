"""How a question is answered: by how many draws, until when, by what solver, how closely. The same for every door."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import TwinError, show, suggest

Times = Sequence[float | str] | np.ndarray | str | float  # in the model's time unit, or with a unit: "12 h"
MOST_DRAWS = 10**7  # of each patient, in one result
MOST_STREAMED = 2**31 - 1
MOST_LOOKS = 1_000_000  # at which outcomes look at one course: a century of hours
DTYPES = ("float64", "float32")
# One trajectory at a time, differentiable both ways ("ode" integrates every state, linear ones too) ...
COURSE_SOLVERS = ("auto", "linear", "adaptive", "stiff", "ode")
# ... and many at once: "ensemble" chooses its method by itself, the last two name it.
METHODS = {"ensemble": "auto", "tsit5": "tsit5", "rosenbrock": "rosenbrock"}
SOLVERS = (*COURSE_SOLVERS, *METHODS)


def check_length(length: float, resolution: float | None, unit: str) -> None:
    """Raises TwinError for a course that is too long to be looked at in the steps of a model."""
    if resolution and length > MOST_LOOKS * resolution:
        most = MOST_LOOKS * resolution
        raise TwinError(
            f"a course of {length:g} {unit} is longer than the {most:g} {unit} allowed; set an earlier until"
        )


def check_tolerance(name: str, value: Any) -> None:
    """Raises TwinError for a tolerance that no solver can keep to; None leaves it to the solver."""
    if value is not None and not (isinstance(value, int | float | np.number) and 0 < value < 1):
        raise TwinError(f"{name} tolerance {show(value)} is not between 0 and 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How a question is answered, apart from the model, the patients, the regimens and the outcomes.

    `until` is when the course ends and `times` when it is stored. What lies before `now` is history: regimens begin
    there, their times are counted from it, and outcomes look from it on unless they say since when. `spread` draws
    patients from the model's between-patient variability, `uncertainty` also population values from their standard
    errors, and `noise` adds the error of measurements. `rtol` and `atol` are the tolerances of the adaptive solvers.
    """

    draws: int = 100
    seed: int = 0
    now: float | str | None = None
    until: float | str | None = None
    times: Times | None = None
    solver: str = "auto"
    dtype: str = "float64"
    rtol: float | None = None
    atol: float | None = None
    spread: bool = True
    uncertainty: bool = False
    noise: bool = False

    def __post_init__(self):
        for name in ("draws", "seed"):
            if not isinstance(getattr(self, name), int | np.integer):
                raise TwinError(f"{name} {show(getattr(self, name))} is not a whole number; write one such as 100")
        if not 1 <= self.draws <= MOST_STREAMED:
            raise TwinError(f"draws {self.draws} is not between 1 and {MOST_STREAMED}")
        if self.solver not in SOLVERS:
            raise TwinError(f"unknown solver '{self.solver}'; {suggest(self.solver, SOLVERS)}")
        if self.dtype not in DTYPES:
            raise TwinError(f"unknown dtype '{self.dtype}'; write {' or '.join(DTYPES)}")
        for name, value in (("relative", self.rtol), ("absolute", self.atol)):
            check_tolerance(name, value)

    def but(self, **said: Any) -> Settings:
        """The same with other values of what is said; None says nothing."""
        return dataclasses.replace(self, **{name: value for name, value in said.items() if value is not None})
