"""Survival over time by Kaplan and Meier, and what is compared of it: a milestone, a restricted mean, a median."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import ndtri

from ...types import Array
from .estimate import Estimate, analysis, by_error
from .log_rank import survive
from .order import put_in_order
from .people import gather, number

_ROUNDING = 1e-12  # of a product of survivals that is one half


class Survival(NamedTuple):
    """Steps of Kaplan-Meier curves, in order of time; (replicate, person), one step a person.

    People of one time share a step. Those outside stand at the end, at time inf.
    """

    time: Array
    survival: Array  # just after the time
    variance: Array  # Greenwood's, of the survival
    at_risk: Array  # just before the time
    events: Array  # at the time
    cumulative: Array  # hazard up to and with the time (Nelson-Aalen)
    hazard: Array  # the part of Greenwood's sum that belongs to this time: d / (Y (Y - d)), at one person of each


@analysis()
def kaplan_meier(time: Array, event: Array, inside: Array) -> Survival:
    """Survival of everybody inside, after each person's time."""
    order, (event,) = put_in_order(time, inside, [number(event)])
    event = event * order.inside
    at_risk, events = order.after(order.inside), order.same(event)
    survival, _ = survive(order, at_risk, events)
    left = at_risk - events
    hazard = jnp.where((left > 0) & (order.leads > 0), events / jnp.where(left > 0, at_risk * left, 1.0), 0.0)
    rates = order.leads * events / jnp.where(at_risk > 0, at_risk, 1.0)
    variance, cumulative = survival**2 * order.before(hazard), order.before(rates)
    return Survival(order.key, survival, variance, at_risk, events, cumulative, hazard)


@analysis()
def survival_at(curves: Survival, times: Array) -> tuple[Array, Array]:
    """Survival and its variance at times (time,): two arrays (replicate, time)."""
    times = jnp.atleast_1d(jnp.asarray(times, float))
    place = jnp.sum(curves.time[:, :, None] <= times, axis=1)
    survival = jnp.concatenate([jnp.ones_like(curves.survival[:, :1]), curves.survival], 1)
    variance = jnp.concatenate([jnp.zeros_like(curves.variance[:, :1]), curves.variance], 1)
    return jnp.take_along_axis(survival, place, axis=1), jnp.take_along_axis(variance, place, axis=1)


@analysis()
def restricted_mean(curves: Survival, until: float | Array) -> tuple[Array, Array]:
    """The area under survival up to a time and its variance, (replicate,); nan where follow-up ends before that,
    unless nobody is left by then."""
    until = jnp.asarray(until, float)
    step = jnp.minimum(curves.time, until)
    edges = jnp.concatenate([jnp.zeros_like(step[:, :1]), step, jnp.full_like(step[:, :1], until)], 1)
    heights = jnp.concatenate([jnp.ones_like(step[:, :1]), curves.survival], 1)
    areas = heights * jnp.diff(edges, axis=1)
    mean = jnp.sum(areas, axis=1)
    beyond = mean[:, None] - jnp.cumsum(areas, axis=1)[:, :-1]  # of each step, the area after it
    used = jnp.where(curves.time <= until, beyond**2 * curves.hazard, 0.0)
    finite = jnp.isfinite(curves.time)
    end = jnp.max(jnp.where(finite, curves.time, -jnp.inf), axis=1, initial=-jnp.inf)
    lowest = jnp.min(jnp.where(finite, curves.survival, 1.0), axis=1, initial=1.0)
    known = (end >= until) | (lowest <= 0)
    return jnp.where(known, mean, jnp.nan), jnp.where(known, jnp.sum(used, axis=1), jnp.nan)


@analysis()
def rmst(time: Array, event: Array, arm: Array, inside: Array, *, until: float | Array) -> Estimate:
    """The difference of restricted mean survival times up to `until`, which must lie within both arms' follow-up."""
    people = gather(time, arm, inside)
    (one, v1), (two, v0) = (
        restricted_mean(kaplan_meier(time, event, who), until) for who in (people.treated > 0, people.control > 0)
    )
    return by_error(one - two, jnp.sqrt(v1 + v0), jnp.inf, people.both)


@analysis()
def milestone(time: Array, event: Array, arm: Array, inside: Array, *, at: float | Array) -> Estimate:
    """The difference of Kaplan-Meier survival at one time, by Greenwood's variances."""
    people = gather(time, arm, inside)
    (one, v1), (two, v0) = (
        survival_at(kaplan_meier(time, event, who), at) for who in (people.treated > 0, people.control > 0)
    )
    last = (jnp.max(jnp.where(who > 0, people.value, -jnp.inf), axis=1) for who in (people.treated, people.control))
    known = [(end >= jnp.asarray(at, float)) | (s[:, 0] <= 0) for end, s in zip(last, (one, two), strict=True)]
    return by_error((one - two)[:, 0], jnp.sqrt(v1 + v0)[:, 0], jnp.inf, people.both & known[0] & known[1])


@analysis()
def median_survival(curves: Survival, *, level: float = 0.95) -> tuple[Array, Array, Array]:
    """The first time at which survival is at most one half, and Brookmeyer and Crowley's limits on a log-log scale.

    nan where survival does not fall so far.
    """
    z = ndtri(0.5 + jnp.asarray(level, float) / 2)
    inside = (curves.survival > 0) & (curves.survival < 1)
    logs = jnp.log(jnp.where(inside, curves.survival, 0.5))
    width = jnp.sqrt(curves.variance) / jnp.where(inside, curves.survival, 0.5) / -logs
    low, high = (jnp.where(inside, jnp.exp(logs * jnp.exp(side * z * width)), curves.survival) for side in (1, -1))
    median, low, high = (_first_time(curves.time, one <= 0.5 + _ROUNDING) for one in (curves.survival, low, high))
    return median, low, high


def _first_time(time: Array, there: Array) -> Array:
    found = jnp.min(jnp.where(there, time, jnp.inf), axis=1)
    return jnp.where(jnp.isfinite(found), found, jnp.nan)
