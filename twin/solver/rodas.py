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

_WRITTEN_OUT = 8  # states up to which the linear algebra is written out
GAMMA = 0.25
TIMES = (0.0, 0.386, 0.21, 0.63, 1.0, 1.0)
SLOPES = (0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0)  # weights of df/dt
A = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0),
)
C = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)
DENSE = (  # the interpolant: y0 (1 - s) + s (y1 + (1 - s) (d0 + s d1)), of order 3
    (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662),
    (-0.6762803392806898, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872),
)


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
