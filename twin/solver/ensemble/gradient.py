"""Forward sensitivities: derivatives of samples and outcomes, propagated with the state.

The body is differentiated forward at its own steps: each step's length is a number, not a function of the
parameters, except where it ends at an event whose time is one. So derivatives cost a lane about one more
trajectory each, share its steps, and are those of the numbers returned, not of an equation solved elsewhere.

Each lane depends on its own parameters only, so one pass a parameter gives the derivatives of all lanes. With
all of them at hand the rule below is a product, which JAX can also transpose: `jax.grad` works, at the price
of one forward pass a parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...types import Array

Own = dict[str, Array]  # parameter -> (lane,)


def make_differentiable(plain: Callable[[Own, Any], Any], run: Callable[[Own, Any], Any]) -> Callable[[Own, Any], Any]:
    """`plain(own, rest)`, whose floating results have lanes as their last axis, with derivatives in `own` alone.

    `run` is the same in the form that is differentiated.
    """

    @jax.custom_jvp
    def solve(own: Own, rest: Any) -> Any:
        return plain(own, rest)

    @solve.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        own, rest = primals
        moved, _ = tangents
        names = list(own)

        def along(k: Array) -> Any:
            unit = {n: jnp.where(k == i, jnp.ones_like(own[n]), 0.0) for i, n in enumerate(names)}
            return jax.jvp(lambda o: run(o, rest), (own,), (unit,))

        if not names:
            return run(own, rest), jax.tree.map(_zero_tangent, jax.eval_shape(run, own, rest))
        value, each = jax.vmap(along, out_axes=(None, 0))(jnp.arange(len(names)))

        def total(found: Array, slopes: Array) -> Array:
            if not jnp.issubdtype(found.dtype, jnp.floating):
                return _zero_tangent(found)
            return sum((slopes[k] * moved[n] for k, n in enumerate(names)), jnp.zeros_like(found))

        return value, jax.tree.map(total, value, each)

    return solve


def _zero_tangent(x: Any) -> Any:
    """The tangent of what does not move."""
    if jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.zeros(x.shape, x.dtype)
    return np.zeros(x.shape, jax.dtypes.float0)
