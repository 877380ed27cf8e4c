"""What a trial analyses of each person, as it is known at some time: readings, events, what is missing, the estimand.

Intercurrent events (ICH E9(R1)) act here: by treatment policy a value counts as it is; by hypothetical what comes after
the event is missing, or an observation ends there; by composite the event itself is the value, a failure or an event;
while on treatment takes the last value before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from ..statistics.analysis import Times, Values
from ..statistics.analysis.recist import best_response, is_response, progression_free, response_at_visits
from .courses import Seen
from .design import NUMBER, SHARE, TIME, VISITS, Comparison, Design, Endpoint, Intercurrent


@dataclasses.dataclass(frozen=True)
class Followed:
    """Persons as a trial follows them (replicate, person): what is seen of each, and until when.

    `entry` is when each is randomised, in the trial's own time; `lost` and `events` count from there.
    """

    design: Design
    seen: Seen
    entry: np.ndarray
    lost: np.ndarray
    events: Mapping[str, np.ndarray]  # of each intercurrent event, when it comes

    def known_for(self, at: np.ndarray | None) -> np.ndarray:
        """How long each person is known to have been followed at a time (replicate,); at the end of all, if None."""
        if at is None:
            return np.full(self.entry.shape, np.inf)
        # what a look is timed by is seen at it, though sums are rounded
        return at[:, None] * (1 + 1e-12) - self.entry - self.design.delay

    def deciding(self) -> Iterator[tuple[Intercurrent, np.ndarray]]:
        """Intercurrent events that change what values mean, and when; of several of one person, the first decides."""
        first = np.full(self.entry.shape, np.inf)
        acting = [one for one in self.design.intercurrent if one.strategy != "treatment policy"]
        for one in acting:
            first = np.minimum(first, self.events[one.name])
        left = np.ones(first.shape, bool)
        for one in acting:
            mine = left & (self.events[one.name] == first)
            left &= ~mine
            yield one, np.where(mine, first, np.inf)


@dataclasses.dataclass(frozen=True)
class Data:
    """What an analysis is given: `value` by the endpoint's kind (replicate, person[, visit]), and who is inside.

    Of times, `event` says whether they are of an event; of a win ratio, `comparisons` holds what each is of.
    """

    value: np.ndarray
    inside: np.ndarray
    event: np.ndarray | None = None
    baseline: np.ndarray | None = None
    comparisons: tuple[Times | Values, ...] = ()


def observe(endpoint: Endpoint, followed: Followed, at: np.ndarray | None = None) -> Data:
    """The endpoint of every person, as it is known at a time (replicate,) of the trial."""
    known = followed.known_for(at)
    entered = np.broadcast_to(known >= 0, followed.entry.shape)
    if endpoint.kind == "wins":
        inside = entered & ~followed.seen.failed
        return Data(known, inside, comparisons=tuple(_compare(one, followed, known) for one in endpoint.comparisons))
    if endpoint.data == TIME:
        return _time(endpoint, followed, known, entered)
    if endpoint.kind == "response":
        return _response(endpoint, followed, known)
    if endpoint.kind == "outcome":
        return _number(endpoint, followed, known)
    return _reading(endpoint, followed, known)


# numbers and shares -----------------------------------------------------------------------------------


def _number(endpoint: Endpoint, followed: Followed, known: np.ndarray) -> Data:
    """An outcome of the whole follow-up; of a crossover, of each period."""
    if followed.design.crossover is not None:
        both = np.stack([followed.seen.outcomes[f"{endpoint.of} {k}"] for k in range(2)], axis=-1)
        return Data(both, np.isfinite(both).all(axis=-1))
    due = followed.design.follow_up
    value = np.where(followed.lost < due, np.nan, followed.seen.outcomes[endpoint.of])
    failed = np.zeros(value.shape, bool)
    for event, when in followed.deciding():
        after = when < due
        if event.strategy == "hypothetical":
            value = np.where(after, np.nan, value)
        elif event.strategy == "composite":
            failed |= after
            value = np.where(after, np.nan if event.worst is None else event.worst, value)
    return _settle(endpoint, value, failed, known >= due, None)


def _reading(endpoint: Endpoint, followed: Followed, known: np.ndarray) -> Data:
    """What was measured at visits: its change, and what intercurrent events and loss leave of it."""
    design = followed.design
    raw = _readings(endpoint, followed)
    first = raw[..., :1]
    change = {"none": raw, "absolute": raw - first, "percent": 100 * (raw - first) / first}[endpoint.change]
    visits = np.array(design.visits)
    change, failed = _strategies(design, followed, change, visits)
    there = (visits + design.window <= known[..., None]) | (visits == 0) & (known[..., None] >= 0)
    gone = visits > followed.lost[..., None]
    change = np.where(there & ~gone, change, np.nan)
    due = known >= visits[endpoint.visit] + design.window
    if endpoint.missing == "last":
        change = np.where(there, _carry(change), np.nan)
    if endpoint.missing == "baseline":
        at_first = first if endpoint.change == "none" else np.zeros_like(first)
        change = np.where(there & np.isnan(change), at_first, change)
    base = np.where(np.isnan(first[..., 0]), np.nan, first[..., 0])
    if endpoint.data == VISITS:
        inside = (known >= 0) & ~np.isnan(change[..., 1:]).all(axis=-1)
        return Data(change[..., 1:], inside, baseline=base)
    return _settle(endpoint, change[..., endpoint.visit], failed[..., endpoint.visit], due, base)


def _readings(endpoint: Endpoint | Comparison, followed: Followed) -> np.ndarray:
    seen = followed.seen
    latent = getattr(endpoint, "latent", False)
    return (seen.latent if latent else seen.readings)[endpoint.of]


def _strategies(
    design: Design, followed: Followed, value: np.ndarray, visits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Readings (replicate, person, visit) as intercurrent events leave them, and which of them are failures."""
    failed = np.zeros(value.shape, bool)
    for event, when in followed.deciding():
        after = visits > when[..., None]
        if event.strategy == "hypothetical":
            value = np.where(after, np.nan, value)
        elif event.strategy == "while on treatment":
            value = _carry(np.where(after, np.nan, value), after)
        elif event.strategy == "composite":
            failed |= after
            value = np.where(after, np.nan if event.worst is None else event.worst, value)
    return value, failed


def _carry(value: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """The last value before, where there is none (of those in `where`, if that is given)."""
    found = value.copy()
    for k in range(1, value.shape[-1]):
        gap = np.isnan(found[..., k]) if where is None else where[..., k]
        found[..., k] = np.where(gap, found[..., k - 1], found[..., k])
    return found


def _settle(
    endpoint: Endpoint, value: np.ndarray, failed: np.ndarray, due: np.ndarray, base: np.ndarray | None
) -> Data:  # fmt: skip
    """A number of each person as it is, or whether it makes a responder; failures respond not."""
    if endpoint.data == NUMBER:
        return Data(value, due & ~np.isnan(value), baseline=base)
    assert endpoint.data == SHARE
    good = np.ones(value.shape, bool)
    for compare, limit in endpoint.limits:
        good &= compare(value, limit)
    missing = np.isnan(value) & ~failed
    bad = 0.0 if endpoint.sign > 0 else 1.0
    share = np.where(failed | (missing & (endpoint.missing == "failure")), bad, good)
    inside = due & ~(missing & (endpoint.missing != "failure"))
    return Data(share, inside, baseline=base)


def _response(endpoint: Endpoint, followed: Followed, known: np.ndarray) -> Data:
    """Whether the best response until a visit is complete or partial; who was never measured again, has none."""
    design = followed.design
    last = design.visits[endpoint.visit] + design.window
    size = _sizes(endpoint, followed, known)[0][..., : endpoint.visit + 1]
    response = np.asarray(is_response(best_response(response_at_visits(size))))
    for event, when in followed.deciding():
        if event.strategy == "composite":
            response = response & (when >= last)
    due = known >= last
    bad = np.isnan(size[..., 0])  # nothing to compare with
    return Data(response.astype(float), due & ~bad, baseline=size[..., 0])


def _sizes(endpoint: Endpoint, followed: Followed, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tumour sizes at visits as far as they are known; hypothetical events end the observation."""
    visits = np.array(followed.design.visits)
    limit = np.minimum(known, followed.lost)
    for event, when in followed.deciding():
        if event.strategy in ("hypothetical", "while on treatment"):
            limit = np.minimum(limit, when)
    size = _readings(endpoint, followed)
    return np.where(visits <= limit[..., None], size, np.nan), visits


# times ------------------------------------------------------------------------------------------------


def _time(endpoint: Endpoint, followed: Followed, known: np.ndarray, entered: np.ndarray) -> Data:
    """When an event comes, or until when none has."""
    design = followed.design
    limit = np.minimum(np.minimum(known, followed.lost), design.follow_up)
    if endpoint.kind == "progression":
        size, visits = _sizes(endpoint, followed, known)
        death = followed.seen.outcomes[endpoint.death] if endpoint.death else np.full(limit.shape, np.inf)
        death = np.where(np.isnan(death) | (death > limit), np.inf, death)
        found = progression_free(response_at_visits(size), visits[1:], death=death, until=np.maximum(limit, 0.0))
        time, event = np.asarray(found[0]), np.asarray(found[1], bool)
    else:
        happens = followed.seen.outcomes[endpoint.of]
        event = happens <= limit
        time = np.where(event, happens, limit)
    for one, when in followed.deciding():
        time, event = _event_strategy(one, when, time, event)
    return Data(np.maximum(time, 0.0), entered & ~followed.seen.failed, event=event)


def _event_strategy(
    one: Intercurrent, when: np.ndarray, time: np.ndarray, event: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A time under an intercurrent event: that ends the observation, or is itself the event."""
    first = when < time
    return np.where(first, when, time), np.where(first, one.strategy == "composite", event)


def _compare(comparison: Comparison, followed: Followed, known: np.ndarray) -> Times | Values:
    design = followed.design
    limit = np.minimum(np.minimum(known, followed.lost), design.follow_up)
    if comparison.kind == "event":
        happens = followed.seen.outcomes[comparison.of]
        event = happens <= limit
        return Times(np.where(event, happens, np.maximum(limit, 0.0)), event)
    if comparison.kind == "outcome":
        value = np.where(limit < design.follow_up, np.nan, followed.seen.outcomes[comparison.of])
    else:
        raw = _readings(comparison, followed)[..., comparison.visit]
        value = np.where(design.visits[comparison.visit] <= limit, raw, np.nan)
    return Values(value, comparison.margin, comparison.sign)
