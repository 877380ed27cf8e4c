"""Drug effects that several models share, written so that they are safe at a concentration of zero."""

from __future__ import annotations

import jax.numpy as jnp

from ..types import Scalar

_LARGEST = 40.0  # log-odds; exp(40) and its square are finite in single precision, and 1 - hill is below 1e-17


def hill(concentration: Scalar, half: Scalar, exponent: Scalar) -> Scalar:
    """The share of the full effect: c^n / (half^n + c^n), between 0 and 1.

    Below an exponent of 1 the slope at zero is infinite, and a gradient taken there would be no number.
    Here both the value and the slope are 0 at and below zero (a solver may undershoot), and the power is
    taken as a log-odds, which neither overflows for steep curves nor underflows for shallow ones.
    """
    present = concentration > 0
    safe = jnp.where(present, concentration, 1.0)  # the branch not taken must have a finite slope too
    log_odds = exponent * (jnp.log(safe) - jnp.log(half))
    odds = jnp.exp(jnp.minimum(jnp.maximum(log_odds, -_LARGEST), _LARGEST))
    return jnp.where(present, odds / (1 + odds), 0.0)


def power(base: Scalar, exponent: Scalar) -> Scalar:
    """base^exponent for a base that is never negative but for rounding; 0, with slope 0, at and below zero."""
    present = base > 0
    safe = jnp.where(present, base, 1.0)
    return jnp.where(present, jnp.exp(exponent * jnp.log(safe)), 0.0)
