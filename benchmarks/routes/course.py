"""The course that every route computes: an oral drug, Michaelis-Menten loss, steps of each lane's own.

Bogacki-Shampine 3(2) under a loop over steps, under a loop over a lane's doses. Results: the amount at the end, the
largest amount and how many steps were tried. `course` is written once for whatever holds a lane: a scalar, or arrays
whose lanes wait for each other. Routes that take no JAX function repeat it in their own language.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

DOSES, END = 5, 96.0  # the last row of a table lies past the end
ABSORPTION, HALF = 1.1, 40.0  # 1/h, mg
RELATIVE, ABSOLUTE = 1e-4, 1e-4


class Lane(NamedTuple):
    time: Any
    next: Any  # the row of its next dose
    depot: Any
    central: Any
    step: Any
    largest: Any
    tried: Any


def course(weight: Any, row: Callable[[str, Any], Any], power: Any = jnp.power) -> tuple[Any, Any, Any]:
    """`row("time" or "amount", i)` reads row i of each lane's own table of doses."""
    zero = jnp.zeros_like(weight)
    most = 12.0 * jnp.exp(0.75 * jnp.log(weight / 70.0))  # mg/h

    def flow(depot: Any, central: Any) -> tuple[Any, Any]:
        absorbed = ABSORPTION * depot
        return -absorbed, absorbed - most * central / (HALF + central)

    def stretch(now: Lane) -> Lane:
        due = (now.time < END) & (row("time", now.next) <= now.time)
        depot = now.depot + jnp.where(due, row("amount", now.next), 0.0)
        following = now.next + jnp.where(due, 1, 0).astype(jnp.int32)
        stop = jnp.where(now.time < END, jnp.minimum(row("time", following), END), now.time)
        now = now._replace(next=following, depot=depot, step=zero + 0.01)
        return jax.lax.while_loop(lambda at: _any(at.time < stop), lambda at: advance(at, stop), now)

    def advance(at: Lane, stop: Any) -> Lane:
        last = at.step >= stop - at.time
        h = jnp.where(last, stop - at.time, at.step)
        d, c = at.depot, at.central
        d1, c1 = flow(d, c)
        d2, c2 = flow(d + h / 2 * d1, c + h / 2 * c1)
        d3, c3 = flow(d + h * 3 / 4 * d2, c + h * 3 / 4 * c2)
        depot, central = d + h / 9 * (2 * d1 + 3 * d2 + 4 * d3), c + h / 9 * (2 * c1 + 3 * c2 + 4 * c3)
        d4, c4 = flow(depot, central)
        off_depot = h / 72 * (-5 * d1 + 6 * d2 + 8 * d3 - 9 * d4) / (ABSOLUTE + RELATIVE * jnp.abs(depot))
        off_central = h / 72 * (-5 * c1 + 6 * c2 + 8 * c3 - 9 * c4) / (ABSOLUTE + RELATIVE * jnp.abs(central))
        error = jnp.sqrt((off_depot * off_depot + off_central * off_central) / 2)
        factor = jnp.clip(0.9 * power(jnp.maximum(error, 1e-6), -1 / 3), 0.2, 5.0)
        busy = at.time < stop
        go = busy & (error <= 1)
        return Lane(
            jnp.where(go, jnp.where(last, stop, at.time + h), at.time), at.next,
            jnp.where(go, depot, d), jnp.where(go, central, c), jnp.where(busy, h * factor, at.step),
            jnp.where(go, jnp.maximum(at.largest, central), at.largest),
            at.tried + jnp.where(busy, 1, 0).astype(jnp.int32),
        )  # fmt: skip

    whole = jnp.zeros(weight.shape, jnp.int32)
    begin = Lane(zero, whole, zero, zero, zero + 0.01, zero, whole)
    end = jax.lax.while_loop(lambda now: _any(now.time < END), stretch, begin)
    return end.central, end.largest, end.tried


def _any(which: Any) -> Any:
    return jnp.max(jnp.where(which, jnp.float32(1), jnp.float32(0))) > 0


def lane(weight: Any, time: Any, amount: Any) -> tuple[Any, Any, Any]:
    """The course of one lane, all scalars; its tables are one column."""
    tables = {"time": time, "amount": amount}
    return course(weight, lambda name, i: jax.lax.dynamic_index_in_dim(tables[name], i, keepdims=False))


def patients(count: int, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (lane,), and times and amounts of doses (dose, lane)."""
    random = np.random.default_rng(1)
    weight = random.uniform(45, 120, count)
    time = np.cumsum(random.uniform(8, 30, (DOSES, count)), axis=0) - 8
    amount = random.uniform(20, 200, (DOSES, count))
    time[-1] = math.inf
    return weight.astype(dtype), time.astype(dtype), amount.astype(dtype)
