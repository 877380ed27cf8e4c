"""The adaptive solver: diffrax between events, with the linear block exact beside it where it can be.

Each stretch between two events is integrated over s in [0, 1] with t = t0 + s h: time in float32 never
loses its last digits, a stretch of no length costs one step, and gradients flow through h.
"""

from __future__ import annotations

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from ...model import DiseaseModel, Individual, pack, unpack
from ...types import Array, Scalar
from ..choose import Choice
from ..linear.proof import linear_block
from ..linear.propagator import Propagator
from .rodas4 import Rodas4


class Stretch(eqx.Module):
    """One stretch between events."""

    begin: Scalar
    length: Scalar
    rate: Array  # constant input into every state
    smooth: Any  # doses entering through transit chains: (start, amount, stages, rate, target, cut)


def transit_input(time: Scalar, smooth: Any, size: int) -> Array:
    """Savic's input rate into every state, summed over all doses given so far."""
    start, amount, stages, rate, target, cut = smooth
    since = jnp.maximum(time - start, 0.0)
    running = (since > 0) & (amount > 0) & (time < cut)
    x = jnp.where(running, rate * since, 1.0)
    log_density = stages * jnp.log(x) - x - jax.scipy.special.gammaln(stages + 1)
    flow = jnp.where(running, amount * rate * jnp.exp(log_density), 0.0)
    return jnp.zeros(size, flow.dtype).at[target].add(flow)


def integrate(
    model: DiseaseModel, choice: Choice, tolerance: tuple[Array, Array], propagator: Propagator | None, y: Array,
    p: Individual, stretch: Stretch,
) -> tuple[Array, Array]:  # fmt: skip
    """The state at the end of a stretch, and whether the integration succeeded; `tolerance` relative and absolute."""
    kind, (relative, absolute) = type(model), tolerance
    exact = linear_block(kind).states if propagator is not None else ()
    moving = tuple(i for i in range(len(y)) if i not in exact)
    where_exact, where_moving = jnp.asarray(exact, int), jnp.asarray(moving, int)
    launched = propagator.launch(y[where_exact], stretch.rate[where_exact]) if propagator is not None else None

    def state_at(s: Scalar, z: Array, propagator: Any, launched: Any, stretch: Stretch) -> Array:
        full = jnp.zeros_like(y).at[where_moving].set(z)
        if propagator is None:
            return full
        return full.at[where_exact].set(propagator.after(launched, s * stretch.length))

    def flow(s: Any, full: Any, p: Individual, stretch: Stretch) -> Any:
        """The rate of change of every state at the share `s` of the stretch."""
        inside = jnp.clip(s, 1e-9, 1 - 1e-7)  # never past a switch that sits exactly on an end
        t = stretch.begin + inside * stretch.length
        rates = pack(model.derivatives(t, unpack(kind.State, list(full)), p))
        total = jnp.stack([jnp.asarray(r, y.dtype) for r in rates]) + stretch.rate
        if stretch.smooth is not None:
            total = total + transit_input(t, stretch.smooth, len(y))
        return total

    def field(s: Any, z: Any, args: Any) -> Any:
        p, propagator, launched, stretch = args
        full = state_at(s, z, propagator, launched, stretch)
        return stretch.length * flow(s, full, p, stretch)[where_moving]

    args = (p, propagator, launched, stretch)
    stiff = choice.name == "stiff"
    p_share, i_share = (0.3, 0.3) if stiff else (0.0, 1.0)  # PI control: far fewer rejected steps if stiff
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        Rodas4() if stiff else diffrax.Tsit5(),
        t0=jnp.zeros((), y.dtype),
        t1=jnp.where(stretch.length > 0, jnp.ones((), y.dtype), 0.0),  # a stretch of no length takes no step
        dt0=None,
        y0=y[where_moving],
        args=args,
        saveat=diffrax.SaveAt(t1=True),
        stepsize_controller=diffrax.PIDController(rtol=relative, atol=absolute, pcoeff=p_share, icoeff=i_share),
        adjoint=diffrax.ForwardMode() if choice.forward else diffrax.RecursiveCheckpointAdjoint(),
        max_steps=choice.max_steps,
        throw=False,
    )
    assert solution.ys is not None
    end = state_at(jnp.ones((), y.dtype), solution.ys[0], propagator, launched, stretch)
    # A stretch of no length does not move, but its ends do when a lag meets a sample: keep that derivative.
    still = flow(0.0, y, p, stretch)
    still = y + stretch.length * jnp.where(jnp.isfinite(still), still, 0.0)
    return jnp.where(stretch.length > 0, end, still), solution.result == diffrax.RESULTS.successful
