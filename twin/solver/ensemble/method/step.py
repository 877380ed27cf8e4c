"""What a step of either method is given and gives back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from ....types import Array

Lanes = list[Array]  # one array of lanes for each integrated state
Flow = Callable[[Array, Lanes], Lanes]  # (time since the stretch began, states) -> rates of change


class Step(NamedTuple):
    """The end of a step, and what is known on the way there."""

    end: Lanes
    slopes: Lanes  # at the end, where the next step can use them; empty otherwise
    error: Lanes
    dense: Callable[[Any], Lanes]  # share of the step -> states
    rate: Array | None  # step times fastest rate, if the method can tell


def hide_count(count: int, like: Array) -> Array:
    """A number of turns as one that the compiler cannot know, so that it does not write a loop out.

    It states its type: in a kernel, Pallas gives a bare number chosen by a single condition the condition's type, one
    bit, and Triton refuses a loop whose bounds differ in type.
    """
    return jnp.where(jnp.max(jnp.where(like > 0, 1.0, 0.0)) < 2, jnp.int32(count), jnp.int32(0))


def combine(weights: Sequence[Any], values: Sequence[Any]) -> Any:
    """The weighted sum; zero weights cost nothing."""
    terms = [w * v for w, v in zip(weights, values, strict=True) if not (isinstance(w, float) and w == 0.0)]
    return functools.reduce(lambda a, b: a + b, terms)


def norm(a: Lanes, b: Lanes) -> Any:
    """The squared distance."""
    return functools.reduce(lambda s, d: s + d, [(x - y) * (x - y) for x, y in zip(a, b, strict=True)])
