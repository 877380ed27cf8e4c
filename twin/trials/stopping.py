"""What a look decides: by boundaries, or by a posterior of the effect."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ..statistics.sequential.boundaries import Boundaries, boundaries, revise
from .design import Bayes, Design

GO, EFFICACY, FUTILITY = 0, 1, 2


def plan_looks(design: Design) -> Boundaries | None:
    """The bounds of a design's looks, at whole patients or events; none where a posterior decides.

    With Bonferroni's correction the error is divided among the hypotheses.
    """
    looks = design.looks
    if looks is None or looks.bayes is not None:
        return None
    several = design.multiplicity is not None and design.multiplicity.method == "bonferroni"
    tests = len(design.hypotheses) if several else 1
    whole = looks.events if looks.of == "events" else design.patients
    assert whole is not None
    shares = np.ceil(np.array(looks.at) * whole - 1e-9) / whole
    stop = None
    if looks.futility is not None:
        f = looks.futility
        stop = {"spend": _family(f.spend, f.parameter), "power": 1 - f.beta, "binding": f.binding}
    return boundaries(_family(looks.spend, looks.parameter), shares, design.alpha / tests, design.sides, stop)


def _family(spend: str, parameter: float | None) -> Any:
    usual = {"hwang_shih_decani": -4.0, "kim_demets": 3.0, "wang_tsiatis": 0.25}
    return {spend: usual[spend] if parameter is None else parameter} if spend in usual else spend


def bounds_as_taken(planned: Boundaries, information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Efficacy and futility bounds (replicate, look) for looks as they came (not a number: not taken)."""
    whole = np.round(information, 9)
    if (whole == np.round(planned.information, 9)).all():
        shape = information.shape
        upper, lower = planned.efficacy, planned.futility
        return np.broadcast_to(upper, shape), np.broadcast_to(-np.inf if lower is None else lower, shape)
    revised = revise(planned, whole)
    lower = np.full(whole.shape, -np.inf) if revised.futility is None else revised.futility
    return np.asarray(revised.efficacy), np.asarray(lower)


def decide(z: np.ndarray, upper: np.ndarray, lower: np.ndarray, sides: int) -> np.ndarray:
    """GO, EFFICACY or FUTILITY of each; what could not be computed goes on."""
    size = np.abs(z) if sides == 2 else z
    with np.errstate(invalid="ignore"):
        return np.where(size >= upper, EFFICACY, np.where(z <= lower, FUTILITY, GO))


def decide_by_posterior(
    bayes: Bayes, effect: np.ndarray, error: np.ndarray, share: np.ndarray
) -> np.ndarray:  # fmt: skip
    """The same by the posterior of an effect, positive where it is good, under a normal prior.

    Futility is by the chance, given what is known, that the posterior will be good enough with all of the information.
    """
    weight = 0.0 if bayes.sd is None else bayes.sd**-2
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = 1 / (error**-2 + weight)
        mean = spread * (effect * error**-2 + bayes.mean * weight)
        good = ndtr((mean - bayes.effect) / np.sqrt(spread))
        found = np.where(good > bayes.success, EFFICACY, GO)
        if bayes.futility is None:
            return found
        at_end = 1 / (error**-2 / share + weight)
        ahead = np.sqrt(np.maximum(spread - at_end, 1e-300))
        chance = ndtr((mean - bayes.effect - ndtri(bayes.success) * np.sqrt(at_end)) / ahead)
        return np.where((found == GO) & (chance < bayes.futility), FUTILITY, found)
