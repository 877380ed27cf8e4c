"""Tsit5, an explicit Runge-Kutta method of order 5(4), on lists of scalars: one array of lanes a state.

Coefficients: Tsitouras 2011, Computers & Mathematics with Applications 62:770.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ....types import Array
from .step import Flow, Lanes, Step, combine, hide_count, norm

_TIMES = (0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0)
_A = (
    (),
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
    (0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774),
)
_ERROR = (
    0.00178001105222577714,
    0.0008164344596567469,
    -0.007880878010261995,
    0.1447110071732629,
    -0.5823571654525552,
    0.45808210592918697,
    -1 / 66,
)


def _share(s: Any) -> tuple[Any, ...]:
    """The weights of the slopes at the share `s` of a step: the free interpolant of order 4."""
    return (
        -1.0530884977290216 * s * (s - 1.3299890189751412) * (s * s - 1.4364028541716351 * s + 0.7139816917074209),
        0.1017 * s * s * (s * s - 2.1966568338249754 * s + 1.2949852507374631),
        2.490627285651252793 * s * s * (s * s - 2.38535645472061657 * s + 1.57803468208092486),
        -16.54810288924490272 * (s - 1.21712927295533244) * (s - 0.61620406037800089) * s * s,
        47.37952196281928122 * (s - 1.203071208372362603) * (s - 0.658047292653547382) * s * s,
        -34.87065786149660974 * (s - 1.2) * (s - 0.666666666666666667) * s * s,
        2.5 * (s - 1) * (s - 0.6) * s * s,
    )


def _written_out(flow: Flow, t: Array, h: Array, z: Lanes, first: Lanes) -> tuple[list[Lanes], Lanes, Lanes]:
    """The slopes of all stages, and the states of the last two."""
    slopes, at = [first], z
    for time, row in zip(_TIMES[1:], _A[1:], strict=True):
        before = at
        at = [y + h * combine(row, [k[d] for k in slopes]) for d, y in enumerate(z)]
        slopes.append(flow(t + time * h, at))
    return slopes, before, at


def _in_a_loop(flow: Flow, t: Array, h: Array, z: Lanes, first: Lanes) -> tuple[list[Lanes], Lanes, Lanes]:
    """The same, with the model's equations compiled once instead of six times."""
    n, count = len(z), len(_A)
    rows = jnp.asarray([[*row, *[0.0] * (count - len(row))] for row in _A], h.dtype)
    times = jnp.asarray(_TIMES, h.dtype)

    def stage(i: Array, held: Any) -> Any:
        slopes, _, at = held
        row = rows[i]
        here = [z[d] + h * sum(row[j] * slopes[d][j] for j in range(count - 1)) for d in range(n)]
        found = flow(t + times[i] * h, here)
        return [k.at[i].set(f) for k, f in zip(slopes, found, strict=True)], at, here

    begin = [jnp.zeros((count, *h.shape), h.dtype).at[0].set(k) for k in first]
    slopes, before, at = jax.lax.fori_loop(1, hide_count(count, h), stage, (begin, z, z))
    return [[slopes[d][j] for d in range(n)] for j in range(count)], before, at


class Explicit:
    """For models whose fastest rate is not far above what has to be followed."""

    order, stiff = 5, False

    @staticmethod
    def start(flow: Flow, t: Array, z: Lanes) -> Lanes:
        """The slopes at the start of a stretch; later steps inherit the last one's."""
        return flow(t, z)

    @staticmethod
    def step(flow: Flow, t: Array, h: Array, z: Lanes, first: Lanes, *, looped: bool) -> Step:
        stages = _in_a_loop if looped else _written_out
        slopes, before, at = stages(flow, t, h, z, first)
        error = [h * combine(_ERROR, [k[d] for k in slopes]) for d in range(len(z))]

        def dense(s: Any) -> Lanes:
            weights = _share(s)
            return [y + h * combine(weights, [k[d] for k in slopes]) for d, y in enumerate(z)]

        # The last two stages are both at the end of the step: how much their slopes differ over how much they
        # do is the fastest rate there (Hairer & Wanner, section IV.2).
        moved, turned = norm(at, before), norm(slopes[6], slopes[5])
        rate = h * jnp.sqrt(turned / jnp.where(moved > 0, moved, 1.0))
        return Step(at, slopes[6], error, dense, rate)
