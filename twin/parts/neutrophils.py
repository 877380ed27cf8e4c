"""Neutrophils that mature in a chain (Friberg 2002), which several models of chemotherapy share.

Pools are kept as logarithms over baseline: they stay positive however heavy the dose.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from ..model import state
from ..types import Scalar


class Neutrophils(eqx.Module):
    proliferating: Scalar = state("1", "log of proliferating cells over baseline")
    maturing_1: Scalar = state("1", "log of maturing cells over baseline, stage 1")
    maturing_2: Scalar = state("1", "log of maturing cells over baseline, stage 2")
    maturing_3: Scalar = state("1", "log of maturing cells over baseline, stage 3")
    circulating: Scalar = state("1", "log of circulating neutrophils over baseline")


def maturation(y: Neutrophils, *, loss: Scalar, time: Scalar, feedback: Scalar) -> dict[str, Scalar]:
    """Rates of the five pools: the drug takes `loss` of proliferation, cells need `time` to reach the blood."""
    rate = 4 / time
    return {
        "proliferating": rate * ((1 - loss) * jnp.exp(-feedback * y.circulating) - 1),
        "maturing_1": rate * jnp.expm1(y.proliferating - y.maturing_1),
        "maturing_2": rate * jnp.expm1(y.maturing_1 - y.maturing_2),
        "maturing_3": rate * jnp.expm1(y.maturing_2 - y.maturing_3),
        "circulating": rate * jnp.expm1(y.maturing_3 - y.circulating),
    }
