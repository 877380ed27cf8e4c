"""RODAS4, a stiffly accurate Rosenbrock method of order 4(3), as a diffrax solver.

Chosen over the implicit Runge-Kutta methods of diffrax because it solves only linear systems: there is
no Newton iteration to stall when the rounding noise of a very stiff right-hand side exceeds its tolerance
(Robertson's problem to t = 1e11 does that).

Coefficients: Hairer & Wanner, Solving Ordinary Differential Equations II, section IV.7 (code RODAS).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax
import jax
import jax.numpy as jnp

from ..tableau import GAMMA, SLOPES, TIMES, A, C

_WRITTEN_OUT = 8  # states up to which the linear algebra is written out


def _solver(matrix: Any) -> Callable[[Any], Any]:
    """Solves with one factorisation: written out for few states, LAPACK beyond.

    Without pivoting, which is safe for the matrices of compartments and reactions (1/(gamma h) - J with the
    losses of a state on its diagonal) and an order of magnitude faster in a batch than a call a matrix. A
    pivot that does vanish gives a step that is not a number, which the controller rejects and shortens.
    """
    n = matrix.shape[0]
    if n > _WRITTEN_OUT:
        factors = jax.scipy.linalg.lu_factor(matrix)
        return lambda right: jax.scipy.linalg.lu_solve(factors, right)
    a = [[matrix[i, j] for j in range(n)] for i in range(n)]
    for k in range(n):
        a[k][k] = 1 / a[k][k]
        for i in range(k + 1, n):
            a[i][k] = a[i][k] * a[k][k]
            for j in range(k + 1, n):
                a[i][j] = a[i][j] - a[i][k] * a[k][j]

    def solve(right: Any) -> Any:
        x = [right[i] for i in range(n)]
        for i in range(n):
            for k in range(i):
                x[i] = x[i] - a[i][k] * x[k]
        for i in reversed(range(n)):
            for k in range(i + 1, n):
                x[i] = x[i] - a[i][k] * x[k]
            x[i] = x[i] * a[i][i]
        return jnp.stack(x)

    return solve


class Rodas4(diffrax.AbstractAdaptiveSolver):
    """For stiff systems of a few states: one Jacobian and one LU factorisation a step."""

    term_structure: ClassVar = diffrax.ODETerm
    interpolation_cls: ClassVar = diffrax.LocalLinearInterpolation

    def order(self, terms: Any) -> int:
        return 4

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> None:
        return None

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        return terms.vf(t0, y0, args)

    def step(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: Any, made_jump: Any) -> Any:
        h = t1 - t0
        (jacobian, in_time), _ = jax.jacfwd(lambda y, t: (terms.vf(t, y, args),) * 2, (0, 1), has_aux=True)(y0, t0)
        matrix = jnp.eye(y0.shape[0], dtype=y0.dtype) / (GAMMA * h) - jacobian
        solve = _solver(matrix)
        stages: list[Any] = []
        for time, slope, a, c in zip(TIMES, SLOPES, A, C, strict=True):
            at = y0 + sum((w * u for w, u in zip(a, stages, strict=True)), jnp.zeros_like(y0))
            right = terms.vf(t0 + time * h, at, args) + slope * h * in_time
            right = right + sum((w / h * u for w, u in zip(c, stages, strict=True)), jnp.zeros_like(y0))
            stages.append(solve(right))
        y1 = at + stages[-1]
        return y1, stages[-1], {"y0": y0, "y1": y1}, None, diffrax.RESULTS.successful
