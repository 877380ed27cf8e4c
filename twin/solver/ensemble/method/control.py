"""How long a step may be: the error of states and of what outcomes see, and a PI controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ....types import Array
from .step import Lanes

_SAFETY, _SHRINK, _GROW = 0.9, 0.1, 8.0
_SEEN = 10.0  # how many times the relative tolerance an outcome's interpolant may be off
_FAINT = 1e-2  # of the largest value seen: below it, an observable is held to an absolute error


class Verdict(NamedTuple):
    """Whether a step counts, the factor for the next one, and the logarithm of its error."""

    accepted: Array
    factor: Array
    log_error: Array
    finite: Array


def state_error(error: Lanes, before: Lanes, after: Lanes, relative: Array, absolute: Array) -> Any:
    """The squared error in units of the tolerance, averaged over states; 0 if there is none."""
    total: Any = 0.0
    for e, a, b in zip(error, before, after, strict=True):
        scaled = e / (absolute + relative * jnp.maximum(jnp.abs(a), jnp.abs(b)))
        total = total + scaled * scaled
    return total / max(len(error), 1)


def seen_error(defects: Mapping[str, Array], scales: Mapping[str, Array], relative: Array) -> Any:
    """The squared error of the cubics that outcomes are taken on, in units of its tolerance; the largest counts.

    The defect is that of one cubic over the whole step, at its middle; two over its halves are 16 times closer.
    """
    total: Any = 0.0
    for name, defect in defects.items():
        share = defect / allowed_defect(scales[name], relative)
        total = jnp.maximum(total, jnp.where(share * share < 1e30, share * share, 0.0))  # a value that is not finite
    return total


def allowed_defect(scale: Array, relative: Array) -> Array:
    """How far one cubic over a step may be off in its middle."""
    return 16 * _SEEN * relative * scale + 1e-30


def scale(seen: Array, largest: Array) -> Array:
    """The size an observable's error is held against."""
    return jnp.maximum(jnp.abs(seen), _FAINT * largest)


def judge(squared: Array, log_before: Array, order: int) -> Verdict:
    """The verdict on a step with this squared error; one that is not a number is rejected."""
    squared = jax.lax.stop_gradient(squared)
    finite = squared < 1e30
    accepted = squared <= 1.0
    log_error = 0.5 * jnp.log(jnp.maximum(jnp.where(finite, squared, 1.0), 1e-12))
    share = 1.0 / order
    factor = _SAFETY * jnp.exp(-0.7 * share * log_error + 0.4 * share * log_before)
    factor = jnp.clip(factor, _SHRINK, jnp.where(accepted, _GROW, 0.9))
    return Verdict(accepted, jnp.where(finite, factor, _SHRINK), log_error, finite)
