"""Operating characteristics of a design, from what came of its replicates; each with its Monte-Carlo standard error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri, stdtrit

from .after_looks import estimate_by_stages
from .design import Design
from .levels import level_names
from .stopping import EFFICACY, FUTILITY
from .trials import Trials

Measured = Mapping[str, tuple[np.ndarray, np.ndarray]]  # name -> (value, its Monte-Carlo standard error)


def share(which: np.ndarray, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """How often (over replicates), and the standard error of it; not a number among none."""
    among = np.ones(which.shape, bool) if among is None else np.broadcast_to(among, which.shape)
    count = among.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = (which & among).sum(axis=0) / count
        return p, np.sqrt(p * (1 - p) / count)


def mean(values: np.ndarray, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The mean over replicates and its standard error; what is not a number is left out."""
    use = np.isfinite(values)
    use = use if among is None else use & np.broadcast_to(among, values.shape)
    count = use.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(use, values, 0.0).sum(axis=0) / count
        square = np.where(use, (values - total) ** 2, 0.0).sum(axis=0) / np.maximum(count - 1, 1)
        return np.where(count > 0, total, np.nan), np.where(count > 1, np.sqrt(square / count), np.nan)


def of_hypotheses(
    design: Design, trials: Trials, truth: tuple[np.ndarray, np.ndarray], *, varies: bool = False
) -> Measured:  # fmt: skip
    """Of every hypothesis: how often it is rejected, and how its estimate behaves around the true effect.

    Where that `varies` from trial to trial, there is no one effect to be near to or to cover.
    """
    true, true_error = truth
    good = trials.rejected & (trials.z > 0)
    computed = np.isfinite(trials.effect)
    early = _early(design, trials)
    off = trials.effect - true
    found = {
        "power": share(good), "rejected": share(trials.rejected), "effect": mean(trials.effect),
        "true_effect": (true, true_error), "bias": _with(mean(off), true_error),
    }  # fmt: skip
    if design.looks is not None:
        found["bias_stopped_early"] = _with(mean(off, early[:, None]), true_error)
        found["bias_not_stopped_early"] = _with(mean(off, ~early[:, None]), true_error)
    if (after := estimate_by_stages(design, trials)) is not None:
        effect, low, high = after
        found["bias_by_stages"] = _with(mean(effect - true), true_error)
        found["above_truth_by_stages"] = share(effect > true, np.isfinite(effect))
        found["coverage_by_stages"] = share((low <= true) & (true <= high), np.isfinite(effect))
    found |= {
        "rmse": _root(mean(off**2)), "spread": _spread(trials.effect), "mean_error": mean(trials.error),
        "coverage": share(_covers(design, trials, true), computed), "not_computed": share(~computed),
    }  # fmt: skip
    if varies:
        nothing = np.full(true.shape, np.nan)
        of_one = ("rmse", "coverage", "above_truth_by_stages", "coverage_by_stages")
        found |= {name: (nothing, nothing) for name in of_one if name in found}
    return found


def _covers(design: Design, trials: Trials, true: np.ndarray) -> np.ndarray:
    """Whether the usual interval, which knows of no looks, holds the true effect."""
    level = 1 - design.alpha / design.sides
    quantile = np.where(np.isinf(trials.degrees), ndtri(level), stdtrit(np.minimum(trials.degrees, 1e15), level))
    return np.abs(trials.effect - true) <= quantile * trials.error


def _with(found: tuple[np.ndarray, np.ndarray], more: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return found[0], np.hypot(found[1], more)


def _root(found: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(found[0]), np.where(found[0] > 0, found[1] / (2 * np.sqrt(found[0])), 0.0)


def _spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The standard deviation, and its standard error from the fourth moment."""
    center = mean(values)[0]
    return _root(mean((values - center) ** 2))


def of_trials(design: Design, trials: Trials) -> Measured:
    """Of the trial as a whole: how large it is, how long it takes, and how it ends."""
    total = trials.of_arm.sum(axis=1)
    found = {
        "any_rejected": share(np.asarray(trials.rejected.any(axis=1))),
        "stopped_for_efficacy": share(_early(design, trials) & (trials.why == EFFICACY)),
        "stopped_for_futility": share(_early(design, trials) & (trials.why == FUTILITY)),
        "randomised": mean(trials.randomised.astype(float)),
        "randomised_sd": _spread(trials.randomised.astype(float)),
        "randomised_median": _median(trials.randomised.astype(float)),
        "analysed": mean(trials.analysed.astype(float)),
        "screened_per_randomised": mean(trials.screened / design.persons),
        "lost": mean(trials.lost / np.maximum(total, 1)), "failed_courses": mean(trials.failed.astype(float)),
        "events": mean(trials.events.astype(float)),
    }  # fmt: skip
    if np.isfinite(trials.duration).all() and design.recruit is not None:
        found["duration"], found["duration_sd"] = mean(trials.duration), _spread(trials.duration)
        found["duration_median"] = _median(trials.duration)
    return found


def _early(design: Design, trials: Trials) -> np.ndarray:
    looks = len(design.looks.at) if design.looks else 1
    return trials.look < looks - 1


def _median(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median, and its standard error from order statistics one standard deviation to either side."""
    count, ordered = len(values), np.sort(values)
    half = np.sqrt(count) / 2
    low, high = (int(np.clip(count / 2 + side * half, 0, count - 1)) for side in (-1, 1))
    return np.median(values), (ordered[high] - ordered[low]) / 2


def of_arms(design: Design, trials: Trials) -> Measured:
    """Of every arm: its share of the persons, how many they are, and what each endpoint comes to in it."""
    portions = trials.of_arm / np.maximum(trials.of_arm.sum(axis=1, keepdims=True), 1)
    found = {"share": mean(portions), "persons": mean(trials.of_arm.astype(float))}
    known = np.isfinite(trials.levels).all(axis=0)  # a median that some trials do not reach is told of none
    levels = np.where(known, trials.levels, np.nan)
    return found | {name: mean(levels[:, k]) for k, name in enumerate(level_names(design))}


def of_looks(design: Design, trials: Trials) -> Measured:
    """Of every look: how often it is reached, and what it ends in."""
    looks = np.arange(len(design.looks.at) if design.looks else 1)
    here = trials.look[:, None] == looks
    return {
        "reached": share(trials.look[:, None] >= looks),
        "efficacy": share(here & (trials.why == EFFICACY)[:, None]),
        "futility": share(here & (trials.why == FUTILITY)[:, None]),
        "randomised": mean(trials.randomised[:, None] * np.ones(len(looks)), here),
        "time": mean(trials.duration[:, None] * np.ones(len(looks)), here),
    }
