"""Reference solutions of the workloads by methods that share nothing with the engine, to better than 1e-10.

W1: the matrix exponential between doses. W2 and Lorenz: DOP853 on all individuals at once, all states, tolerance
1e-13. W3: LSODA, one individual after another, tolerance 1e-13. Kept in a cache folder, since W3 takes a minute.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from equations import PROBLEMS, Problem, Stretch
from scipy.integrate import solve_ivp
from scipy.linalg import expm

CHECKED = 200  # individuals compared with their reference
TOLERANCE = 1e-13
NOTHING = 1e-30  # absolute tolerance: cell pools fall to 1e-6 of where they began


@dataclasses.dataclass(frozen=True)
class Reference:
    """What should be found, and how large each output grows over the course."""

    values: np.ndarray  # (individual, output, time)
    largest: np.ndarray  # (individual, output)


def reference(name: str, parameters: np.ndarray) -> Reference:
    """The reference of a workload for these parameters (individual, parameter), from the cache if it is there."""
    kept = cache_folder() / f"{name}-{_fingerprint(name, parameters)}.npz"
    if kept.exists():
        return Reference(**np.load(kept))
    found = _reference(PROBLEMS[name], parameters)
    if not np.all(np.isfinite(found.values)):
        raise RuntimeError(f"the reference of {name} is not finite; nothing can be compared with it")
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(f".{os.getpid()}.npz")
    np.savez(partial, **vars(found))
    partial.rename(kept)  # whole or not at all, should two runs meet
    return found


def cache_folder() -> Path:
    """Where references are kept: TWIN_BENCHMARK_CACHE, or a folder among the temporary files."""
    return Path(os.environ.get("TWIN_BENCHMARK_CACHE", Path(tempfile.gettempdir()) / "twin-benchmark-references"))


def _fingerprint(name: str, parameters: np.ndarray) -> str:
    """Changes with the individuals, the equations and the methods."""
    here = Path(__file__)
    sources = here.read_bytes() + (here.parent / "equations.py").read_bytes()
    return hashlib.sha256(sources + name.encode() + np.ascontiguousarray(parameters).tobytes()).hexdigest()[:16]


def _reference(problem: Problem, parameters: np.ndarray) -> Reference:
    """Solved at the times that are watched, of which the wanted ones are part."""
    courses = _solve(dataclasses.replace(problem, times=problem.watched), parameters)
    wanted = np.searchsorted(problem.watched, problem.times)
    return Reference(courses[:, :, wanted], np.abs(courses).max(axis=-1))


def _solve(problem: Problem, parameters: np.ndarray) -> np.ndarray:
    if problem.linear:
        return np.stack([_course(problem, p[:, None], _exponential)[0] for p in parameters])
    if problem.stiff:
        return np.stack([_course(problem, p[:, None], _lsoda)[0] for p in parameters])
    return _course(problem, parameters.T, _dop853)


Advance = Callable[[Problem, np.ndarray, np.ndarray, Stretch], dict[float, np.ndarray]]


def _course(problem: Problem, parameters: np.ndarray, advance: Advance) -> np.ndarray:
    """Outputs (individual, output, time); `advance` gives the states at the samples and at the end of a stretch."""
    number = parameters.shape[1]
    y = _rows(problem.start(tuple(parameters)), number)
    found = {0.0: y}
    for stretch in problem.stretches():
        y = y.copy()
        y[0] += stretch.bolus
        found |= advance(problem, y, parameters, stretch)
        y = found[stretch.end]
    outputs = [_rows(problem.outputs(tuple(found[t]), tuple(parameters)), number) for t in problem.samples]
    return np.stack(outputs, axis=-1).transpose(1, 0, 2)


def _rows(values: tuple, number: int) -> np.ndarray:
    return np.stack([np.broadcast_to(np.asarray(value, float), number) for value in values])


def _stops(stretch: Stretch) -> list[float]:
    return sorted({*stretch.samples, stretch.end})


def _exponential(problem: Problem, y: np.ndarray, parameters: np.ndarray, stretch: Stretch) -> dict[float, np.ndarray]:
    """A linear system without input: the rates of the unit vectors are the columns of its matrix."""
    p = tuple(parameters[:, 0])
    matrix = np.stack([problem.rates(tuple(unit), p, 0.0) for unit in np.eye(problem.states)], axis=1)
    return {t: expm(matrix * (t - stretch.begin)) @ y for t in _stops(stretch)}


def _dop853(problem: Problem, y: np.ndarray, parameters: np.ndarray, stretch: Stretch) -> dict[float, np.ndarray]:
    """Ends a step at every sample: its dense output is of lower order than its steps."""
    p, shape, found, begin = tuple(parameters), y.shape, {}, stretch.begin

    def rates(t: float, flat: np.ndarray) -> np.ndarray:
        return np.concatenate(problem.rates(tuple(flat.reshape(shape)), p, stretch.infusion))

    for end in _stops(stretch):
        solved = solve_ivp(rates, (begin, end), y.ravel(), method="DOP853", rtol=TOLERANCE, atol=NOTHING)
        if not solved.success:
            raise RuntimeError(f"the reference failed between {begin:g} and {end:g}: {solved.message}")
        y = found[end] = solved.y[:, -1].reshape(shape)
        begin = end
    return found


def _lsoda(problem: Problem, y: np.ndarray, parameters: np.ndarray, stretch: Stretch) -> dict[float, np.ndarray]:
    p, stops = tuple(parameters[:, 0]), _stops(stretch)

    def rates(t: float, states: np.ndarray) -> tuple:
        return problem.rates(tuple(states), p, stretch.infusion)

    solved = solve_ivp(
        rates, (stretch.begin, stretch.end), y[:, 0], method="LSODA", rtol=TOLERANCE, atol=NOTHING, t_eval=stops
    )
    if not solved.success:
        raise RuntimeError(f"the reference failed in {stretch.begin:g} to {stretch.end:g}: {solved.message}")
    return {t: solved.y[:, [i]] for i, t in enumerate(stops)}
