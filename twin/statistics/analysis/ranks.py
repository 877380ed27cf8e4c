"""Comparisons of every treated person with every one in control: rank tests, and wins over several comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ...types import Array
from .estimate import Estimate, analysis, settle
from .order import put_in_order
from .people import gather, number

_PAIRS = 4_000_000  # that are compared at a time, which bounds the memory


@analysis()
def wilcoxon(value: Array, arm: Array, inside: Array) -> Estimate:
    """The chance that a treated person's value is the higher, less that it is the lower (ties are neither).

    The test is Wilcoxon's, Mann's and Whitney's with its variance for ties and no correction for continuity; the error
    is that of the chances (DeLong), as an interval needs it.
    """
    return _rank_test(value, arm, inside, None)


@analysis()
def van_elteren(value: Array, arm: Array, inside: Array, *, strata: Array) -> Estimate:
    """Wilcoxon's test within strata, which weigh by 1 / (people + 1); `strata` (replicate, person) are whole numbers.

    The effect is the weighted mean over strata of what `wilcoxon` tells of each; its error is that of the test.
    """
    return _rank_test(value, arm, inside, strata)


def _rank_test(value: Array, arm: Array, inside: Array, strata: Array | None) -> Estimate:
    people = gather(value, arm, inside)
    order, (treated,) = put_in_order(people.value, people.inside, [people.treated], strata)
    n, n1 = order.all(order.inside), order.all(treated)
    safe = jnp.where(n > 0, n, 1.0)
    below, tied = order.before(order.inside) - order.same(order.inside), order.same(order.inside)
    rank = order.inside * (below + (tied + 1) / 2 - (n + 1) / 2)  # less its mean
    weight = order.inside / (n + 1)
    score = jnp.sum(weight * treated * rank, axis=1)
    fair = n1 * (n - n1) / (safe * jnp.where(n > 1, n - 1, 1.0))
    variance = jnp.sum(weight**2 * fair * rank**2, axis=1)
    ok = people.both & (variance > 0)
    statistic = score / jnp.sqrt(jnp.where(ok, variance, jnp.nan))
    if strata is not None:
        total = jnp.sum(weight * n1 * (n - n1) / safe, axis=1) / 2
        return settle(score / total, jnp.sqrt(variance) / total, statistic, jnp.inf, ok)
    n1, n0 = people.sizes
    control = order.inside - treated
    over_control, over_treated = (
        2 * order.before(one) - order.same(one) - jnp.sum(one, axis=1, keepdims=True) for one in (control, treated)
    )
    effect, error = _of_chances(over_control, over_treated, treated, control, n1, n0)
    return settle(effect, error, statistic, jnp.inf, ok)


def _of_chances(
    over_control: Array, over_treated: Array, treated: Array, control: Array, n1: Array, n0: Array
) -> tuple[Array, Array]:
    """Net wins a pair, and their error by the spread of each person's: of the treated over controls, and back."""
    mine, theirs = over_control / n0[:, None], over_treated / n1[:, None]
    effect = jnp.sum(treated * mine, axis=1) / n1
    spread = jnp.sum(treated * (mine - effect[:, None]) ** 2, axis=1) / (n1 * jnp.where(n1 > 1, n1 - 1, jnp.nan))
    back = jnp.sum(control * (theirs + effect[:, None]) ** 2, axis=1) / (n0 * jnp.where(n0 > 1, n0 - 1, jnp.nan))
    return effect, jnp.sqrt(spread + back)


class Times(NamedTuple):
    """A comparison by times (replicate, person): who is known to have been longer without the event wins.

    Of a pair with an event and a censoring at one time, the one censored wins. `sign` -1 where sooner is better.
    """

    time: Array
    event: Array
    sign: float | Array = 1.0


class Values(NamedTuple):
    """A comparison by numbers (replicate, person): who is higher by more than `margin` wins; nan decides nothing."""

    value: Array
    margin: float | Array = 0.0
    sign: float | Array = 1.0


@analysis("scale")
def win_ratio(comparisons: Sequence[Times | Values], arm: Array, inside: Array, *, scale: str = "ratio") -> Estimate:
    """Every treated person against every control, by the first of the comparisons that decides between them.

    The effect is the log of wins over losses ("ratio"), the net benefit, wins less losses a pair ("difference"), or the
    log win odds, where half of the ties are won ("odds"). Errors are those of U statistics (Bebu & Lachin 2016).
    The test is that of the net benefit on every scale: wins are as many as losses on one where they are on another, and
    the log ratio over its own error rejects too seldom (4.7 % for 5 % at 200 people).
    """
    if scale not in ("ratio", "difference", "odds"):
        raise ValueError(f"wins are compared as 'ratio', 'difference' or 'odds', not '{scale}'")
    counts = _count(comparisons, arm, inside, everybody=False)
    net, net_error, both = _weigh("difference", counts)
    effect, error, _ = _weigh(scale, counts)
    return settle(effect, error, net / jnp.where(net_error > 0, net_error, jnp.nan), jnp.inf, both)


@analysis()
def finkelstein_schoenfeld(comparisons: Sequence[Times | Values], arm: Array, inside: Array) -> Estimate:
    """The score test of the same comparisons, of everybody with everybody, against all orders being alike
    (Finkelstein & Schoenfeld 1999). The effect and its error are the net benefit's."""
    counts = _count(comparisons, arm, inside, everybody=True)
    effect, error, both = _weigh("difference", counts)
    n1, n0 = jnp.sum(counts.treated, axis=1), jnp.sum(counts.control, axis=1)
    n = n1 + n0
    variance = n1 * n0 / (n * (n - 1)) * jnp.sum(counts.scores**2, axis=1)
    ok = both & (variance > 0)
    statistic = jnp.sum(counts.treated * counts.scores, axis=1) / jnp.sqrt(jnp.where(ok, variance, jnp.nan))
    return settle(effect, error, statistic, jnp.inf, ok)


class Counts(NamedTuple):
    """(replicate, person): who is treated and in control, and how often each has won and lost against the other arm."""

    treated: Array
    control: Array
    wins: Array  # of the treated over controls
    losses: Array
    won_over: Array  # of each control: how often he was beaten
    lost_to: Array
    scores: Array  # of everybody over everybody, wins less losses; 0 where not asked for


def _weigh(scale: str, counts: Counts) -> tuple[Array, Array, Array]:
    """The effect on a scale, its error, and whether there are people to tell it."""
    treated, control = counts.treated, counts.control
    n1, n0 = jnp.sum(treated, axis=1), jnp.sum(control, axis=1)
    won, lost = (jnp.sum(treated * one, axis=1) / (n1 * n0) for one in (counts.wins, counts.losses))
    if scale == "ratio":
        effect, toward_won, toward_lost = jnp.log(won / lost), 1 / won, -1 / lost
    elif scale == "difference":
        effect, toward_won, toward_lost = won - lost, jnp.ones_like(won), -jnp.ones_like(won)
    else:
        up, down = 0.5 + (won - lost) / 2, 0.5 - (won - lost) / 2
        effect, toward_won = jnp.log(up / down), (1 / up + 1 / down) / 2
        toward_lost = -toward_won
    variance = jnp.zeros_like(won)
    sides = ((treated, n1, n0, counts.wins, counts.losses), (control, n0, n1, counts.won_over, counts.lost_to))
    for who, many, others, gains, falls in sides:
        mine = toward_won[:, None] * (gains / others[:, None] - won[:, None])
        mine = mine + toward_lost[:, None] * (falls / others[:, None] - lost[:, None])
        variance = variance + jnp.sum(who * mine**2, axis=1) / (many * (many - 1))
    return effect, jnp.sqrt(variance), (n1 > 1) & (n0 > 1)


def _count(comparisons: Sequence[Times | Values], arm: Array, inside: Array, *, everybody: bool) -> Counts:
    """Every pair compared, some replicates at a time."""
    people = gather(jnp.zeros(jnp.asarray(arm).shape), arm, inside)
    together = max(1, _PAIRS // max(1, people.inside.shape[1] ** 2))

    def one(arrays: tuple[Sequence[Times | Values], Array, Array]) -> tuple[Array, ...]:
        several, treated, control = arrays
        net = _compare(several)
        won, lost = number(net > 0), number(net < 0)
        scores = (won - lost) @ (treated + control) * (treated + control) if everybody else jnp.zeros_like(treated)
        return won @ control, lost @ control, treated @ won, treated @ lost, scores

    several = [jax.tree.map(lambda leaf: _fill(leaf, people.inside.shape), each) for each in comparisons]
    found = jax.lax.map(one, (several, people.treated, people.control), batch_size=together)
    return Counts(people.treated, people.control, *found)


def _fill(leaf: Array | float, shape: tuple[int, ...]) -> Array:
    leaf = jnp.asarray(leaf, float)
    return jnp.broadcast_to(leaf, shape[:1] if leaf.ndim == 0 else shape)


def _compare(comparisons: Sequence[Times | Values]) -> Array:
    """1 where the person of the row beats that of the column, -1 where he is beaten, by the first that decides."""
    found: Array | None = None
    for one in comparisons:
        if isinstance(one, Times):
            time, event = one.time, one.event > 0
            ahead = event & (time[:, None] >= time)  # the column's event is seen while the row is still followed
        else:
            ahead = one.value[:, None] > one.value + one.margin
        net = one.sign * (number(ahead) - number(ahead.T))
        found = net if found is None else jnp.where(found == 0, net, found)
    if found is None:
        raise ValueError("a win ratio needs at least one comparison")
    return found
