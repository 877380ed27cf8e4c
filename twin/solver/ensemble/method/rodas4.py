"""RODAS4, a stiffly accurate Rosenbrock method of order 4(3), on lists of scalars.

The Jacobian is found by forward differentiation of the model's own equations; the linear algebra is written
out without pivoting. What is structurally zero in either costs nothing.

Coefficients: Hairer & Wanner, Solving Ordinary Differential Equations II, section IV.7 (code RODAS).
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from ....types import Array
from ...tableau import DENSE, GAMMA, SLOPES, TIMES, A, C
from .step import Flow, Lanes, Step, combine, hide_count

Matrix = list[list[Any]]  # None where structurally zero


def _written_out(
    flow: Flow, t: Array, h: Array, z: Lanes, factors: Matrix, in_time: list[Any]
) -> tuple[list[Lanes], Lanes]:
    """The increments of all stages, and the state of the last."""
    stages: list[Lanes] = []
    at, inverse = z, 1 / h
    for time, slope, a, c in zip(TIMES, SLOPES, A, C, strict=True):
        if stages:
            at = [y + combine(a, [u[d] for u in stages]) for d, y in enumerate(z)]
        right = flow(t + time * h, at)
        if slope != 0.0:
            right = [r if s is None else r + slope * h * s for r, s in zip(right, in_time, strict=True)]
        if stages:
            right = [r + inverse * combine(c, [u[d] for u in stages]) for d, r in enumerate(right)]
        stages.append(_solve_lu(factors, right))
    return stages, at


def _in_a_loop(
    flow: Flow, t: Array, h: Array, z: Lanes, factors: Matrix, in_time: list[Any]
) -> tuple[list[Lanes], Lanes]:
    """The same, with the model's equations compiled once instead of six times."""
    n, count = len(z), len(A)
    states, sources = (jnp.asarray([[*row, *[0.0] * (count - len(row))] for row in table], h.dtype) for table in (A, C))
    times, slopes = jnp.asarray(TIMES, h.dtype), jnp.asarray(SLOPES, h.dtype)
    inverse = 1 / h

    def stage(i: Array, held: Any) -> Any:
        stages, _ = held
        here = [z[d] + sum(states[i, j] * stages[d][j] for j in range(count - 1)) for d in range(n)]
        right = flow(t + times[i] * h, here)
        right = [r if s is None else r + slopes[i] * h * s for r, s in zip(right, in_time, strict=True)]
        more = [sum(sources[i, j] * stages[d][j] for j in range(count - 1)) for d in range(n)]
        found = _solve_lu(factors, [r + inverse * m for r, m in zip(right, more, strict=True)])
        return [k.at[i].set(u) for k, u in zip(stages, found, strict=True)], here

    begin = [jnp.zeros((count, *h.shape), h.dtype)] * n
    stages, at = jax.lax.fori_loop(0, hide_count(count, h), stage, (begin, z))
    return [[stages[d][j] for d in range(n)] for j in range(count)], at


class Rosenbrock:
    """For stiff models: one Jacobian and one factorisation a step."""

    order, stiff = 4, True

    @staticmethod
    def start(flow: Flow, t: Array, z: Lanes) -> Lanes:
        return []

    @staticmethod
    def step(flow: Flow, t: Array, h: Array, z: Lanes, first: Lanes, *, looped: bool) -> Step:
        n = len(z)
        jacobian, in_time = _jacobian(flow, t, z)
        factors = _factorise(jacobian, 1 / (GAMMA * h))
        stages, at = (_in_a_loop if looped else _written_out)(flow, t, h, z, factors, in_time)
        end = [y + u for y, u in zip(at, stages[-1], strict=True)]
        bends = [[combine(row, [u[d] for u in stages[: len(row)]]) for row in DENSE] for d in range(n)]

        def dense(s: Any) -> Lanes:
            rest, result = 1 - s, []
            for y0, y1, rows in zip(z, end, bends, strict=True):
                bend = functools.reduce(lambda high, low: low + s * high, reversed(rows))
                result.append(y0 * rest + s * (y1 + rest * bend))
            return result

        return Step(end, [], stages[-1], dense, None)


def _jacobian(flow: Flow, t: Array, z: Lanes) -> tuple[Matrix, list[Any]]:
    """df_i/dz_j by column, and df/dt; None where no path leads from one to the other."""
    n = len(z)
    names = [t, *z]
    columns = []
    for j in range(n + 1):

        def along(x: Array, j: int = j) -> Lanes:
            values = [*names[:j], x, *names[j + 1 :]]
            return flow(values[0], values[1:])

        reached = _which_depend(along, names[j])
        _, column = jax.jvp(along, (names[j],), (jnp.ones_like(names[j]),))
        columns.append([c if r else None for c, r in zip(column, reached, strict=True)])
    return [[columns[j + 1][i] for j in range(n)] for i in range(n)], columns[0]


def _which_depend(function: Any, x: Array) -> list[bool]:
    """Which results of a function of one value depend on it at all."""
    traced = jax.make_jaxpr(function)(x).jaxpr
    found = set(traced.invars)
    for equation in traced.eqns:
        if any(not isinstance(v, core.Literal) and v in found for v in equation.invars):
            found.update(equation.outvars)
    return [not isinstance(v, core.Literal) and v in found for v in traced.outvars]


def _factorise(jacobian: Matrix, diagonal: Array) -> Matrix:
    """LU of `diagonal` I - J in place, without pivoting, pivots inverted.

    Safe for compartments and reactions, whose losses stand on the diagonal; a pivot that does vanish makes a
    step that is not a number, which is rejected and shortened.
    """
    n = len(jacobian)
    a: Matrix = [[None if jacobian[i][j] is None else -jacobian[i][j] for j in range(n)] for i in range(n)]
    for k in range(n):
        a[k][k] = diagonal if a[k][k] is None else diagonal + a[k][k]
    for k in range(n):
        a[k][k] = 1 / a[k][k]
        for i in range(k + 1, n):
            if a[i][k] is None:
                continue
            a[i][k] = a[i][k] * a[k][k]
            for j in range(k + 1, n):
                if a[k][j] is not None:
                    less = a[i][k] * a[k][j]
                    a[i][j] = -less if a[i][j] is None else a[i][j] - less
    return a


def _solve_lu(a: Matrix, right: Lanes) -> Lanes:
    n, x = len(a), list(right)
    for i in range(n):
        for k in range(i):
            if a[i][k] is not None:
                x[i] = x[i] - a[i][k] * x[k]
    for i in reversed(range(n)):
        for k in range(i + 1, n):
            if a[i][k] is not None:
                x[i] = x[i] - a[i][k] * x[k]
        x[i] = x[i] * a[i][i]
    return x
