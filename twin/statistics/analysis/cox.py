"""Proportional hazards: Cox's regression on arm and covariates, with strata and either treatment of ties."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from ...types import Array
from .estimate import Estimate, analysis, by_error
from .least_squares import centre
from .newton import climb
from .order import Order, put_in_order
from .people import columns_of, gather, number


class Hazards(NamedTuple):
    """Log hazard ratios of each column, their covariances, the log partial likelihood, and whether it has a maximum."""

    slopes: Array  # (replicate, column)
    spread: Array  # (replicate, column, column)
    likelihood: Array  # (replicate,)
    alive: Array  # (replicate, column): whether a column says what those before it do not
    converged: Array  # (replicate,)


@analysis("ties")
def cox(
    time: Array,
    event: Array,
    arm: Array,
    inside: Array,
    *,
    covariates: Array | None = None,
    strata: Array | None = None,
    ties: str = "efron",
) -> Estimate:
    """The log hazard ratio of treatment at equal covariates, by Wald's test; `ties` are Efron's or "breslow"'s.

    Where all events are in one arm the ratio has no estimate, and `ok` is False.
    """
    people = gather(time, arm, inside)
    columns = jnp.concatenate([columns_of(covariates, people.inside), people.treated[..., None]], 2)
    found = regress_hazards(time, event, columns, people.inside, strata=strata, ties=ties)
    effect, error = found.slopes[:, -1], jnp.sqrt(found.spread[:, -1, -1])
    return by_error(effect, error, jnp.inf, people.both & found.converged & found.alive[:, -1])


@analysis("ties")
def regress_hazards(
    time: Array, event: Array, columns: Array, inside: Array, *, strata: Array | None = None, ties: str = "efron"
) -> Hazards:
    """Cox's regression on any columns (replicate, person, column), by Newton's method with halved steps."""
    if ties not in ("efron", "breslow"):
        raise ValueError(f"ties are 'efron' or 'breslow', not '{ties}'")
    inside = number(inside)
    columns = centre(jnp.asarray(columns, float), inside)  # which changes no ratio, and keeps exponentials near 1
    width = jnp.max(jnp.abs(columns), axis=1, keepdims=True)
    columns = columns / jnp.where(width > 0, width, 1.0)
    split = [columns[..., k] for k in range(columns.shape[2])]
    order, (event, *split) = put_in_order(time, inside, [number(event), *split], strata)
    x, event = jnp.stack(split, 2), event * order.inside
    tied = order.same(event)
    part = order.earlier(event) / jnp.where(tied > 0, tied, 1.0) if ties == "efron" else jnp.zeros_like(event)

    def look(slopes: Array) -> tuple[Array, Array, Array]:
        return _likelihood(slopes, x, event, part, order)

    top = climb(look, jnp.zeros((x.shape[0], x.shape[2])), jnp.sum(event, axis=1) > 0)
    scale = jnp.where(width > 0, width, 1.0)[:, 0]
    spread = top.inverse / (scale[:, :, None] * scale[:, None, :])
    return Hazards(top.slopes / scale, spread, top.value, top.alive, top.converged)


def _likelihood(slopes: Array, x: Array, event: Array, part: Array, order: Order) -> tuple[Array, Array, Array]:
    """The log partial likelihood, its gradient and minus its second derivatives.

    An event that is the k-th of d at its time takes `part` k/d of the hazards of all d out of those at risk (Efron).
    """
    log_hazard = jnp.einsum("rnp,rp->rn", x, slopes)
    hazard = jnp.exp(jnp.minimum(log_hazard, 300.0)) * order.inside
    weighted = hazard[..., None] * x
    own = event * hazard
    at_risk = order.after(hazard) - part * order.same(own)
    safe = jnp.where(event > 0, at_risk, 1.0)
    sums = order.after(weighted) - part[..., None] * order.same(own[..., None] * x)
    middle = jnp.where(event[..., None] > 0, sums / safe[..., None], 0.0)
    value = jnp.sum(event * (log_hazard - jnp.log(safe)), axis=1)
    score = jnp.sum(event[..., None] * (x - middle), axis=1)
    # each person's share of all the risk sets that he is in
    share = order.before(event / safe) - jnp.where(event > 0, order.same(event * part / safe), 0.0)
    second = jnp.einsum("rn,rnp,rnq->rpq", hazard * share, x, x) - jnp.einsum("rn,rnp,rnq->rpq", event, middle, middle)
    return value, score, second
