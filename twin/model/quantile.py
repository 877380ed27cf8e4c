"""Quantiles without a closed form: a standard normal number -> the number of another distribution with its share below.

Newton's steps match the logarithm of the smaller share, which neither underflows nor cancels. That logarithm is
concave on the scales used here (logit, asinh), so after the first the steps approach from one side and overshoot never.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, log_ndtr

from ..types import Array, Scalar

_STEPS = 16  # a seventeenth changes nothing for the shapes that `prior.py` allows
_FARTHEST = 30.0  # a step goes


def beta_quantile(alpha: float, beta: float, z: Scalar) -> Array:
    """Of a beta distribution, found on the logit scale."""
    z = jnp.asarray(z)
    upper = z > 0  # there the share above is the smaller: that of the mirror image
    a, b = jnp.where(upper, beta, alpha).astype(z.dtype), jnp.where(upper, alpha, beta).astype(z.dtype)
    size = math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)

    def log_share(y: Array) -> Array:
        share = betainc(a, b, jax.nn.sigmoid(y))
        holds = share > 10 * jnp.finfo(z.dtype).tiny  # else it underflows; its first term is near enough there
        first = a * jax.nn.log_sigmoid(y) + b * jax.nn.log_sigmoid(-y) - jnp.log(a) - size
        return jnp.where(holds, jnp.log(jnp.where(holds, share, 1.0)), first)

    def log_density(y: Array) -> Array:
        return a * jax.nn.log_sigmoid(y) + b * jax.nn.log_sigmoid(-y) - size

    share = log_ndtr(jnp.where(upper, -z, z))  # not abs, whose slope at 0 is another's
    y = _solve(log_share, log_density, share, start=(share + jnp.log(a) + size) / a)  # of a small x: x^a / (a B)
    return jax.nn.sigmoid(jnp.where(upper, -y, y))


def student_quantile(degrees: float, z: Scalar) -> Array:
    """Of Student's t, found on the scale of asinh, on which its tails are straight."""
    z, n = jnp.asarray(z), degrees
    constant = math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - 0.5 * math.log(n * math.pi)
    shape, half = jnp.full_like(z, n / 2), jnp.full_like(z, 0.5)

    def log_share(y: Array) -> Array:
        return jnp.log(0.5 * betainc(shape, half, n / (n + jnp.sinh(y) ** 2)))

    def log_density(y: Array) -> Array:
        return constant - (n + 1) / 2 * jnp.log1p(jnp.sinh(y) ** 2 / n) + jnp.log(jnp.cosh(y))

    below = jnp.where(z > 0, -z, z)
    y = _solve(log_share, log_density, log_ndtr(below), start=jnp.arcsinh(below))
    return jnp.sinh(jnp.where(z > 0, -y, y))


def _solve(
    log_share: Callable[[Array], Array], log_density: Callable[[Array], Array], share: Array, *, start: Array
) -> Array:
    """Where the share below has this logarithm; the last step carries the derivative, so no loop is differentiated."""

    def step(y: Array) -> Array:
        here = log_share(y)
        return y - jnp.clip((here - share) * jnp.exp(here - log_density(y)), -_FARTHEST, _FARTHEST)

    fixed = jax.lax.stop_gradient
    found = jax.lax.fori_loop(0, _STEPS, lambda _, y: fixed(step(y)), fixed(start))
    return step(found)
