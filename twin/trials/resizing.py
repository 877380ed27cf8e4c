"""Trials whose size is changed once, by the pooled variance or by conditional power."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..statistics.resize import PromisingZone, blinded_sd, combine, resize_by_sd
from .analyse import favour
from .conduct import Conduct
from .design import Design
from .endpoint import observe
from .levels import levels_of
from .rejection import p_of
from .stopping import GO
from .trials import Trials


def run_resized(conduct: Conduct) -> Trials:
    """Every replicate: a first stage, the size that it asks for, and one analysis at the end.

    By the promising zone the two stages are combined with the weights that were planned, so that the error is kept; a
    blinded look at the variance alone leaves the test as it is.
    """
    design, arm = conduct.design, conduct.first_arms
    how = design.resize
    assert how is not None
    first = int(np.ceil(how.at * design.patients))
    order = np.broadcast_to(np.arange(arm.shape[1]), arm.shape)
    endpoint, which = design.hypotheses[0]
    data = observe(endpoint, conduct.persons)
    early = order < first
    stage = conduct.estimate(endpoint, arm, which, data, early)
    z_first = favour(endpoint, stage)
    if how.by == "blinded":
        wanted = _size_by_spread(design, np.where(early & data.inside, data.value, np.nan))
    else:
        zone = PromisingZone(
            design.patients, first, design.persons, how.power, design.alpha / design.sides, how.promising
        )  # fmt: skip
        wanted = zone.resize(np.nan_to_num(z_first))
    size = np.clip(np.ceil(np.nan_to_num(wanted, nan=design.patients)), design.patients, arm.shape[1]).astype(int)
    inside = order < size[:, None]
    found = conduct.estimate(endpoint, arm, which, data, inside)
    z = favour(endpoint, found)
    if how.by == "promising":
        later = conduct.estimate(endpoint, arm, which, data, inside & ~early)
        z = combine([z_first, favour(endpoint, later)], [first, design.patients - first])
    p = np.where(np.isnan(z), 1.0, p_of(z, design.sides))
    everything = {one.name: observe(one, conduct.persons) for one in design.endpoints}
    observed = {name: dataclasses.replace(one, inside=one.inside & inside) for name, one in everything.items()}
    followed = conduct.persons
    at = np.take_along_axis(followed.entry, size[:, None] - 1, 1)[:, 0] + design.length + design.delay
    lost = inside & (followed.lost < design.follow_up)
    count = len(arm)
    return Trials(
        look=np.zeros(count, int), why=np.full(count, GO), effect=found.effect[:, None], error=found.error[:, None],
        z=z[:, None], degrees=found.degrees[:, None], p=p[:, None], rejected=(p <= design.alpha)[:, None],
        randomised=size, analysed=(data.inside & inside).sum(axis=1), events=np.zeros(count), duration=at,
        of_arm=np.stack([(inside & (arm == k)).sum(axis=1) for k in range(len(design.arms))], axis=1),
        information=np.ones((count, 1)),
        screened=conduct.enrolment.screened, lost=lost.sum(axis=1),
        failed=(inside & followed.seen.failed).sum(axis=1), levels=levels_of(design, observed, arm),
    )  # fmt: skip


def _size_by_spread(design: Design, value: np.ndarray) -> np.ndarray:
    how = design.resize
    assert how is not None
    assert how.effect is not None
    ratio = design.ratio[1] / design.ratio[0]
    sd = blinded_sd(value, np.isfinite(value), how.effect, ratio)
    return (1 + ratio) * resize_by_sd(sd, how.effect, how.power, design.alpha / design.sides, ratio)
