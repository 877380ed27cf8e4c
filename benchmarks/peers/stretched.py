"""For workers that solve one stretch of one individual at a time: the loop around it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from equations import Problem, Stretch

# states at the start of a stretch, its parameters, and the stretch -> states at its samples and at its end
Advance = Callable[[np.ndarray, np.ndarray, Stretch], tuple[np.ndarray, np.ndarray]]


def courses(problem: Problem, parameters: np.ndarray, advance: Advance) -> np.ndarray:
    """Courses (individual, output, time) of every individual; one that fails is not a number."""
    stretches = tuple(problem.stretches())
    return np.stack([_course(problem, stretches, p, advance) for p in parameters])


def _course(problem: Problem, stretches: tuple[Stretch, ...], p: np.ndarray, advance: Advance) -> np.ndarray:
    y = np.array(problem.start(tuple(p)), float)
    found = [y[None]] if problem.samples[0] == 0 else []
    for stretch in stretches:
        y = y.copy()
        y[0] += stretch.bolus
        states, y = advance(y, p, stretch)
        found.append(states)
    states = np.concatenate(found).T
    return np.stack([np.broadcast_to(v, states.shape[1]) for v in problem.outputs(tuple(states), tuple(p))])


def stops(stretch: Stretch) -> np.ndarray:
    """Begin, samples and end, as tools want them that return the state at given times."""
    return np.array(sorted({stretch.begin, *stretch.samples, stretch.end}))


def split(states: np.ndarray, stretch: Stretch) -> tuple[np.ndarray, np.ndarray]:
    """(samples, end) from the states (time, state) at `stops`."""
    return states[1 : 1 + len(stretch.samples)], states[-1]
