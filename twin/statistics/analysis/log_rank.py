"""Log-rank tests, stratified and weighted."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import gammaincc

from ...errors import suggest
from ...types import Array
from .estimate import Estimate, analysis, settle
from .least_squares import invert
from .order import Order, put_in_order
from .people import gather, number

WEIGHTS = ("log_rank", "gehan", "tarone_ware", "peto_peto", "peto_prentice", "fleming_harrington")


@analysis("weights", "powers")
def log_rank(
    time: Array,
    event: Array,
    arm: Array,
    inside: Array,
    *,
    strata: Array | None = None,
    weights: str = "log_rank",
    powers: tuple[float, float] = (0.0, 0.0),
) -> Estimate:
    """Observed minus expected events of the treated; the effect is a log hazard ratio in one step from none.

    `event` says whether `time` is an event's or a censoring's. `strata` (replicate, person) are whole numbers; each
    has risk sets of its own. `weights` of an event time, with Y at risk and the Kaplan-Meier survival S just before:
    "log_rank" 1; "gehan" Y (lifelines' wilcoxon); "tarone_ware" sqrt(Y); "peto_peto" S (rho = 1 in R's survdiff);
    "peto_prentice" the product of 1 - d/(Y + 1) up to and with it (lifelines' peto); "fleming_harrington"
    S^p (1 - S)^q with p, q the `powers`, where q > 0 asks for effects that come late.
    """
    if weights not in WEIGHTS:
        raise ValueError(f"no weights of a log-rank test are called '{weights}'; {suggest(weights, WEIGHTS)}")
    people = gather(time, arm, inside)
    order, (event, treated) = put_in_order(time, people.inside, [number(event), people.treated], strata)
    event = event * order.inside
    at_risk, treated_at_risk = order.after(order.inside), order.after(treated)
    events, treated_events = order.same(event), order.same(event * treated)
    safe = jnp.where(at_risk > 0, at_risk, 1.0)
    share = treated_at_risk / safe
    spread = events * share * (1 - share) * (at_risk - events) / jnp.where(at_risk > 1, at_risk - 1, 1.0)
    weight = jnp.where(order.leads > 0, _weigh(weights, powers, order, at_risk, events), 0.0)
    score = jnp.sum(weight * (treated_events - events * share), axis=1)
    slope, variance = jnp.sum(weight * spread, axis=1), jnp.sum(weight**2 * spread, axis=1)
    ok = people.both & (variance > 0)
    slope, root = jnp.where(ok, slope, jnp.nan), jnp.sqrt(jnp.where(ok, variance, jnp.nan))
    return settle(score / slope, root / slope, score / root, jnp.inf, ok)


class ChiSquare(NamedTuple):
    """A test of several differences at once; nan where it cannot be made."""

    statistic: Array
    degrees: Array
    p: Array


@analysis("arms")
def log_rank_many(
    time: Array, event: Array, arm: Array, inside: Array, *, arms: int, strata: Array | None = None
) -> ChiSquare:
    """Whether survival differs among arms 0 to `arms` - 1 at all; arms with nobody cost no degree of freedom."""
    arm, inside = jnp.asarray(arm), number(inside)
    member = [number(arm == k) * inside for k in range(arms)]
    order, (event, *member) = put_in_order(time, inside, [number(event), *member], strata)
    event, mine = event * order.inside, jnp.stack(member, 2)
    at_risk, events = order.after(order.inside), order.same(event)
    share = order.after(mine) / jnp.where(at_risk > 0, at_risk, 1.0)[..., None]
    own = order.same(mine * event[..., None])
    factor = order.leads * events * (at_risk - events) / jnp.where(at_risk > 1, at_risk - 1, 1.0)
    score = jnp.einsum("rn,rnk->rk", order.leads, own - events[..., None] * share)
    spread = -jnp.einsum("rn,rnk,rnl->rkl", factor, share, share)
    spread = spread + jnp.eye(arms) * jnp.einsum("rn,rnk->rk", factor, share)[:, None]
    inverse, alive, _ = invert(spread)
    degrees = jnp.sum(number(alive), axis=1)
    statistic = jnp.where(degrees > 0, jnp.einsum("rk,rkl,rl->r", score, inverse, score), jnp.nan)
    return ChiSquare(statistic, degrees, gammaincc(jnp.where(degrees > 0, degrees, 1.0) / 2, statistic / 2))


def _weigh(name: str, powers: tuple[float, float], order: Order, at_risk: Array, events: Array) -> Array:
    if name == "log_rank":
        return jnp.ones_like(at_risk)
    if name == "gehan":
        return at_risk
    if name == "tarone_ware":
        return jnp.sqrt(at_risk)
    if name == "peto_prentice":
        return jnp.exp(order.before(order.leads * jnp.log1p(-events / (at_risk + 1))))
    survival = survive(order, at_risk, events)[1]
    rho, gamma = (1.0, 0.0) if name == "peto_peto" else powers
    return survival**rho * (1 - survival) ** gamma


def survive(order: Order, at_risk: Array, events: Array) -> tuple[Array, Array]:
    """Kaplan-Meier survival of each stratum at each position: after its time, and just before it."""
    left = order.leads * jnp.where(events < at_risk, events, 0.0) / jnp.where(at_risk > 0, at_risk, 1.0)
    gone = (
        order.before(jnp.where(events >= at_risk, order.leads, 0.0)) > 0
    )  # nobody is left: its logarithm is not a number
    logs = jnp.log1p(-left)
    after = jnp.where(gone, 0.0, jnp.exp(order.before(logs)))
    before = jnp.exp(order.before(logs) - order.same(logs))
    return after, before
