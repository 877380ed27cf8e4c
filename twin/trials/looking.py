"""A trial as it goes: look after look, until a bound is crossed, no arm is left, or everything is known.

Information is what looks are planned by: readouts of the primary endpoint, or its events. A look that is planned for
more events than there will ever be is the last one, taken when everybody has been followed.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..statistics.analysis import Estimate
from .allocation import allocate
from .analyse import favour
from .conduct import Conduct
from .design import TIME, Design
from .endpoint import Data, Followed, observe
from .levels import levels_of
from .rejection import p_of, reject
from .stopping import EFFICACY, FUTILITY, GO, Boundaries, bounds_as_taken, decide, decide_by_posterior, plan_looks
from .trials import Trials

_FIELDS = ("effect", "error", "statistic", "degrees")


@dataclasses.dataclass
class _State:
    """How far the trials are (replicate, ...)."""

    arm: np.ndarray
    followed: Followed
    look: np.ndarray
    why: np.ndarray
    at: np.ndarray  # when each ended
    active: np.ndarray  # (replicate, arm)
    found: dict[str, np.ndarray]  # (replicate, hypothesis) at the look each ended
    rejected: np.ndarray

    @property
    def running(self) -> np.ndarray:
        return self.look < 0


def run_trials(conduct: Conduct) -> Trials:
    """Every replicate of a part, from the first look to its end."""
    design = conduct.design
    count, hypotheses = len(conduct.replicates), len(design.hypotheses)
    shares = design.looks.at if design.looks else (1.0,)
    followed = conduct.persons
    state = _State(
        conduct.first_arms, followed, np.full(count, -1), np.zeros(count, int), np.full(count, np.inf),
        np.ones((count, len(design.arms)), bool),
        {name: np.full((count, hypotheses), np.nan) for name in (*_FIELDS, "z")},
        np.zeros((count, hypotheses), bool),
    )  # fmt: skip
    planned = plan_looks(design)
    taken = np.full((count, len(shares)), np.nan)
    for k in range(len(shares)):
        _look(conduct, state, k, shares, planned, taken)
    taken = np.where(np.arange(len(shares)) <= state.look[:, None], taken, np.nan)
    return _report(conduct, state, taken)


def _look(
    conduct: Conduct, state: _State, k: int, shares: tuple[float, ...], planned: Boundaries | None, taken: np.ndarray
) -> None:  # fmt: skip
    """One look at every trial that still runs."""
    design = conduct.design
    last = k == len(shares) - 1
    when, information, ends = _when(conduct, state, k, shares)
    ends = ends | last
    taken[:, k] = information
    estimates, z = _analyse(conduct, state, None if last and design.looks is None else when)
    names, going = [e for e, _ in design.hypotheses], state.running
    primary = np.array([e is design.endpoints[0] for e in names])
    arms = np.array([arm for _, arm in design.hypotheses])
    alive = state.active[:, arms] & going[:, None]
    if design.looks is None:
        decision = np.where(reject(design, estimates, z), EFFICACY, GO)
    elif design.looks.bayes is not None:
        signs = np.array([e.sign for e in names])
        decision = decide_by_posterior(
            design.looks.bayes, signs * estimates["effect"], estimates["error"], information[:, None]
        )
    else:
        upper, lower = _bounds_at(planned, taken, ends, k)
        decision = decide(z, upper[:, None], lower[:, None], design.sides)
        if design.multiplicity is not None and design.multiplicity.method == "fixed_sequence":
            before = np.cumprod(np.where(decision == EFFICACY, 1, 0), axis=1)
            decision = np.where((decision == EFFICACY) & (before == 0), GO, decision)
    decision = np.where(alive & ~((decision == FUTILITY) & ends[:, None]), decision, GO)  # the end is no stop
    wins = (decision == EFFICACY) & ~(_fails_first(design, decision, primary))
    state.rejected |= wins & alive
    for name in (*_FIELDS, "z"):
        now = estimates[name] if name != "z" else z
        state.found[name] = np.where(alive, now, state.found[name])
    first = primary[None] & alive
    efficacy = (first & (decision == EFFICACY)).any(axis=1)
    hopeless = first & (decision == FUTILITY)
    if design.looks is not None and design.looks.drop_arms and not last:
        _drop(conduct, state, when, hopeless, arms)
    futility = going & (np.where(first, hopeless, True).all(axis=1)) & first.any(axis=1) & ~efficacy
    stop = going & (efficacy | futility | ends)
    why = np.where(efficacy, EFFICACY, np.where(futility, FUTILITY, GO))
    state.why = np.where(stop, why, state.why)
    state.look = np.where(stop, k, state.look)
    state.at = np.where(stop, when, state.at)


def _fails_first(design: Design, decision: np.ndarray, primary: np.ndarray) -> np.ndarray:
    """With looks, what is no primary hypothesis waits for one: it is tested by the same bound when the trial ends."""
    if design.looks is None or primary.all():
        return np.zeros(decision.shape, bool)
    won = (decision[:, primary] == EFFICACY).any(axis=1)
    return ~primary[None] & ~won[:, None]


def _bounds_at(
    planned: Boundaries | None, taken: np.ndarray, ends: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of this look, given those taken; where it is the last one, all error that is left is spent."""
    assert planned is not None
    upper = np.broadcast_to(planned.efficacy[k], len(taken)).copy()
    lower = np.broadcast_to(-np.inf if planned.futility is None else planned.futility[k], len(taken)).copy()
    changed = ends & (np.abs(taken[:, k] - planned.information[k]) > 1e-9) & (taken[:, k] > 0)
    if changed.any():
        some = taken[changed, : k + 1]
        before = np.fmax.accumulate(np.where(np.isnan(some), 0.0, some), axis=1)
        fits = np.concatenate([np.ones((len(some), 1), bool), np.diff(before, axis=1) > 1e-3 * before[:, 1:]], axis=1)
        fits[:, -1] = True
        fits[:, :-1] &= before[:, :-1] < before[:, -1:] * (1 - 1e-3)
        high, low = bounds_as_taken(planned, np.where(fits, some, np.nan))
        upper[changed], lower[changed] = high[:, -1], low[:, -1]
    return upper, lower


def _when(
    conduct: Conduct, state: _State, k: int, shares: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """When the look is (replicate,), how much of the information is there, and whether nothing more will come."""
    design, entry = conduct.design, state.followed.entry
    whole = (entry + design.length).max(axis=1) + design.delay
    count = len(entry)
    if design.looks is None or design.looks.of == "patients":
        wanted = int(np.ceil(shares[k] * design.patients - 1e-9))
        due = np.sort(entry + design.due, axis=1)[:, : design.patients]
        when = whole if design.looks is None else due[:, wanted - 1]
        return when, np.full(count, wanted / design.patients), np.zeros(count, bool)
    total = design.looks.events
    assert total is not None
    wanted = int(np.ceil(shares[k] * total - 1e-9))
    data = observe(design.endpoints[0], state.followed)
    known = np.where(data.event & data.inside, entry + data.value + design.delay, np.inf)
    known = np.sort(known, axis=1)
    there = wanted <= known.shape[1]
    when = known[:, wanted - 1] if there else np.full(count, np.inf)
    short = ~np.isfinite(when)
    had = np.minimum(np.isfinite(known).sum(axis=1), wanted)
    return np.where(short, whole, when), had / total, short


def _analyse(conduct: Conduct, state: _State, when: np.ndarray | None) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The estimates of all hypotheses (replicate, hypothesis) by what is known then, and z in the good direction."""
    observed: dict[str, Data] = {}
    estimates: list[Estimate] = []
    z = []
    for endpoint, arm in conduct.design.hypotheses:
        if endpoint.name not in observed:
            observed[endpoint.name] = observe(endpoint, state.followed, when)
        found = conduct.estimate(endpoint, state.arm, arm, observed[endpoint.name])
        estimates.append(found)
        z.append(favour(endpoint, found))
    table = {name: np.stack([getattr(one, name) for one in estimates], axis=1) for name in _FIELDS}
    return table, np.stack(z, axis=1)


def _drop(conduct: Conduct, state: _State, when: np.ndarray, hopeless: np.ndarray, arms: np.ndarray) -> None:
    """Arms that cross the futility bound are dropped: who comes in later is allocated among those that are left."""
    design = conduct.design
    lost = np.zeros_like(state.active)
    for column, arm in enumerate(arms):
        lost[:, arm] |= hopeless[:, column]
    lost &= state.active
    if not lost.any():
        return
    state.active &= ~lost
    later = state.followed.entry > when[:, None]
    for kept in np.unique(state.active[lost.any(axis=1)], axis=0):
        rows = lost.any(axis=1) & (state.active == kept).all(axis=1)
        which = np.flatnonzero(kept)
        if len(which) < 2:
            continue
        ratio = [design.ratio[i] for i in which]
        blocks = (2 * max(1, round(sum(ratio))),)
        whole = conduct.design.but(randomise=dataclasses.replace(design.randomise, blocks=blocks))
        again = which[allocate(whole, conduct.seed, conduct.replicates, conduct.facts, ratio)]
        state.arm = np.where(rows[:, None] & later, again, state.arm)
    state.followed = conduct.follow(state.arm)


def _report(conduct: Conduct, state: _State, taken: np.ndarray) -> Trials:
    design, followed, arm = conduct.design, state.followed, state.arm
    entered = followed.entry <= state.at[:, None]
    observed = {endpoint.name: observe(endpoint, followed, state.at) for endpoint in design.endpoints}
    primary = observed[design.endpoints[0].name]
    events = (primary.event & primary.inside).sum(axis=1) if design.endpoints[0].data == TIME else 0
    of_arm = np.stack([(entered & (arm == k)).sum(axis=1) for k in range(len(design.arms))], axis=1)
    lost = entered & (followed.lost < np.minimum(followed.known_for(state.at), design.follow_up))
    found = {name: state.found[name] for name in ("effect", "error", "z", "degrees")}
    return Trials(
        **found, p=p_of(found["z"], design.sides), look=state.look, why=state.why, rejected=state.rejected,
        randomised=entered.sum(axis=1), analysed=primary.inside.sum(axis=1),
        events=np.broadcast_to(events, len(arm)).copy(), duration=state.at, of_arm=of_arm, information=taken,
        screened=conduct.enrolment.screened, lost=lost.sum(axis=1), failed=(entered & followed.seen.failed).sum(axis=1),
        levels=levels_of(design, observed, arm),
    )  # fmt: skip
