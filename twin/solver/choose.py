"""What a solver is asked, and how it is chosen: exact where a model is linear, adaptive where it is not."""

from __future__ import annotations

import dataclasses
import functools

from ..errors import TwinError, suggest
from ..model import DiseaseModel
from ..settings import COURSE_SOLVERS, METHODS, SOLVERS, check_tolerance
from .doses import uses_transit
from .linear.proof import linear_block
from .linear.structure import exact_in_time


@dataclasses.dataclass(frozen=True)
class Choice:
    """The solver that runs, why, and how closely it is held to the equations."""

    name: str
    reason: str
    relative: float = 1e-7
    absolute: float = 1e-10
    max_steps: int = 16384
    forward: bool = False  # differentiate forward instead of in reverse
    exact: bool = False  # the linear block is advanced exactly, not integrated
    method: str = ""  # of the ensemble engine, which runs this choice: "auto", "tsit5", "rosenbrock" or "exact"


def compile_key(choice: Choice) -> Choice:
    """What of a choice a program depends on: the tolerances are among its arguments."""
    return dataclasses.replace(choice, reason="", relative=0.0, absolute=0.0)


@functools.cache
def _is_linear(kind: type[DiseaseModel]) -> str:
    """Why the model is not wholly linear; empty if it is."""
    block = linear_block(kind)
    rest = [name for i, name in enumerate(kind.states()) if i not in block.states]
    if rest:
        named = ", ".join(rest[:3]) + (", ..." if len(rest) > 3 else "")
        return f"{len(rest)} of {len(kind.states())} states are not declared linear ({named})"
    if uses_transit(kind()):
        return "a treatment enters through a transit chain"
    return ""


def _runs_exactly(model: DiseaseModel, solver: str, nonlinear: str) -> bool:
    """Whether the linear block is exact: always under 'linear', otherwise beside a rest that is integrated."""
    if solver == "linear":
        return True
    kind = type(model)
    beside = bool(linear_block(kind).states) and bool(nonlinear) and exact_in_time(kind) and not uses_transit(model)
    return solver in ("adaptive", "stiff", *METHODS) and beside


def _not_together(model: DiseaseModel, steady: bool, nonlinear: str) -> str:
    """Why the ensemble engine cannot solve a model; empty if it can."""
    if uses_transit(model):
        return "a treatment enters through a transit chain"
    if not nonlinear and not exact_in_time(type(model)):
        return "the linear block has no closed form"
    if steady and nonlinear:
        return "a steady state of a nonlinear model is found by repetition"
    return ""


def choose(
    model: DiseaseModel,
    asked: str = "auto",
    *,
    relative: float | None = None,
    absolute: float | None = None,
    dtype: str = "float64",
    max_steps: int | None = None,
    forward: bool = False,
    together: bool = False,
    steady: bool = False,
) -> Choice:
    """The solver for a model. One asked for by name is used or refused, never replaced.

    `together` tells that many trajectories are to be solved at once, `steady` that some begin in a steady state.
    """
    names = SOLVERS if together else COURSE_SOLVERS
    if asked not in names:
        raise TwinError(f"unknown solver '{asked}'; {suggest(asked, names)}")
    if dtype not in ("float64", "float32"):
        raise TwinError(f"unknown dtype '{dtype}'; write float64 or float32")
    nonlinear = _is_linear(type(model))
    if asked == "linear" and nonlinear:
        raise TwinError(f"solver 'linear' cannot solve model '{model.name}': {nonlinear}; use 'auto' or 'adaptive'")
    barred = _not_together(model, steady, nonlinear)
    if asked in METHODS and barred:
        raise TwinError(f"solver '{asked}' cannot solve model '{model.name}': {barred}; use 'auto' or 'adaptive'")
    if asked != "auto":
        choice = Choice(asked, "asked for by name")
    elif not nonlinear:
        choice = Choice("linear", "every state is linear, so the course is exact")
    elif together and not barred:
        choice = Choice("ensemble", nonlinear)
    elif model.stiff:
        choice = Choice("stiff", f"{barred or nonlinear}; the model is declared stiff")
    else:
        choice = Choice("adaptive", barred or nonlinear)
    if dtype == "float32":  # as close as its 24 bits allow over a course
        choice = dataclasses.replace(choice, relative=1e-5, absolute=1e-7)
    given = {"relative": relative, "absolute": absolute}
    for name, value in given.items():
        check_tolerance(name, value)
    given |= {"max_steps": max_steps}
    exact = _runs_exactly(model, choice.name, nonlinear)
    choice = dataclasses.replace(
        choice, forward=forward, exact=exact, method=_method(model, choice.name, together, barred)
    )
    return dataclasses.replace(choice, **{k: v for k, v in given.items() if v is not None})


def _method(model: DiseaseModel, name: str, together: bool, barred: str) -> str:
    """How the ensemble engine runs a solver; empty if it does not."""
    if not together or barred:
        return ""
    if name == "linear":
        return "exact"
    if name == "ensemble" and model.stiff:
        return "rosenbrock"
    return METHODS.get(name, "")
