"""A stretch between two events of every lane: its equations, and what can be observed on the way."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ...model import Individual, pack, unpack
from ...types import Array
from .modes import Lanes
from .problem import Setup


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A stretch about to be solved: what holds throughout it."""

    setup: Setup
    p: Individual
    begin: Array
    length: Array
    block: Any  # Launched | None
    rate: Lanes  # into every state
    zero: Array

    def state(self, t: Array, z: Any) -> Lanes:
        """Every state, a time `t` into the stretch, where the integrated ones are `z`."""
        full: list[Any] = [None] * (len(self.setup.exact) + len(self.setup.moving))
        if self.block is not None:
            for i, value in zip(self.setup.exact, self.block.at(t), strict=True):
                full[i] = value
        for i, value in zip(self.setup.moving, z, strict=True):
            full[i] = value
        return full

    def flow(self, t: Array, y: Lanes) -> Lanes:
        """The rate of change of every state."""
        model = self.setup.model
        rates = pack(model.derivatives(self.begin + t, unpack(self.setup.kind.State, y), self.p))
        return [self.zero + r + more for r, more in zip(rates, self.rate, strict=True)]

    def moving(self, t: Array, z: Lanes) -> Lanes:
        """The rate of change of the integrated states."""
        flow = self.flow(t, self.state(t, z))
        return [flow[i] for i in self.setup.moving]

    def value(self, name: str, t: Array, y: Lanes) -> Array:
        """An observable."""
        seen = self.setup.kind.observables()[name]
        return self.zero + seen.value(self.setup.model, self.begin + t, unpack(self.setup.kind.State, y), self.p)

    def value_and_slope(self, name: str, t: Array, y: Lanes, flow: Lanes) -> tuple[Array, Array]:
        """An observable and its derivative along the course."""
        one = jnp.ones_like(t)
        return jax.jvp(lambda t, *y: self.value(name, t, list(y)), (t, *y), (one, *flow))

    def area(self, name: str, t: Array, h: Array) -> Array | None:
        """The exact area of an observable affine in the block's states, where it is asked for."""
        if name not in self.setup.question.areas or self.block is None:
            return None
        found = self.block.area(t, h)
        if found is None:
            return None
        under = [self.zero] * (len(self.setup.exact) + len(self.setup.moving))
        for i, value in zip(self.setup.exact, found, strict=True):
            under[i] = value
        still = [self.zero] * len(under)
        constant, through = jax.jvp(lambda *y: self.value(name, t, list(y)), tuple(still), tuple(under))
        return constant * h + through
