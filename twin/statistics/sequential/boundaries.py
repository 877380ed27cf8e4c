"""Bounds of a group-sequential design: where a look stops a trial, for any spending and any information.

bounds = boundaries("obrien_fleming", at=[1/3, 2/3, 1], alpha=0.025)
bounds.efficacy            # 3.7103, 2.5114, 1.9930
bounds = revise(bounds, at=[0.3, 0.71], last=False)      # what the looks really had, so far
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ...errors import TwinError, show, suggest
from .recursion import NARROWEST, REACH, groups
from .spending import Interpolated, Listed, Rule, Spending, WangTsiatis, read_rule
from .walk import Looks, drift_for, exact_bounds, walk


@dataclass(frozen=True)
class Futility:
    """Stopping for futility, where a statistic does not exceed a bound.

    spend: how the error of the second kind, 1 - `power`, is spent under the effect that the design then has that power
        for; as for efficacy, and Hwang-Shih-DeCani's -2 is usual. Or
    z: bounds, one a look, or one a look but the last.
    binding: whether a trial must stop there. Efficacy bounds are lower for it, and the level is lost if it goes on.
    """

    spend: Any = -2.0
    power: float = 0.9
    binding: bool = False
    z: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Boundaries:
    """Where a design stops, with any leading axes; NaN at looks that are not taken."""

    information: np.ndarray  # (..., look), over the planned maximum
    efficacy: np.ndarray  # z that stops if reached; minus it, too, where two-sided
    futility: np.ndarray | None  # z that stops if not exceeded
    spent: np.ndarray  # cumulative probability of an efficacy bound under no effect, of both sides
    alpha: float
    sides: int
    rule: Rule
    stop: Futility | None = None
    drift: np.ndarray | None = None  # (...,) expected z at all of the information, for which futility was spent

    @property
    def nominal(self) -> np.ndarray:
        """The one-sided p value that reaches each efficacy bound."""
        return ndtr(-self.efficacy)

    def lower(self, obey_futility: bool = True) -> np.ndarray:
        """The z at which a trial stops below: minus efficacy if two-sided, futility if obeyed, else minus infinity."""
        if self.sides == 2:
            return -self.efficacy
        if self.futility is None or not obey_futility:
            return np.where(np.isnan(self.information), np.nan, -np.inf)
        return self.futility


def boundaries(
    spend: Any = "obrien_fleming",
    at: Any = (0.5, 1.0),
    alpha: float = 0.025,
    sides: int = 1,
    futility: Futility | Mapping[str, Any] | None = None,
) -> Boundaries:
    """Bounds of a design whose last look spends all of the error that is left.

    spend: "obrien_fleming", "pocock" (spending functions), {"hwang_shih_decani": -4} or the number alone,
        {"kim_demets": 3}, cumulative errors; "exact_obrien_fleming", "exact_pocock", {"wang_tsiatis": 0.3}.
    at: fractions of the planned information (..., look); NaN for a look not taken, whose error goes to the next. A last
        one other than 1 is a trial that ended early or ran over.
    alpha: of both sides together, where `sides` is 2; bounds are then symmetric.
    """
    information = np.asarray(at, float)
    stop = read_futility(futility)
    rule = read_rule(spend, alpha)
    _examine(information, alpha, sides, stop, rule)
    return _solve(Boundaries(information, information, None, information, alpha, sides, rule, stop), last=True)


def revise(planned: Boundaries, at: Any, last: bool = True) -> Boundaries:
    """Bounds for looks (..., look) as they came: at other information, more or fewer, or not taken (NaN).

    planned: one design, without leading axes. `at` counts in its information.
    last: whether the last of them ends the trial and spends what is left; else more follow, and what has been decided
        does not change with them.

    A plan by exact bounds or a list spends what it would have, with straight lines between its looks. The drift that
    futility was planned for stays.
    """
    information = np.asarray(at, float)
    _examine(information, planned.alpha, planned.sides, planned.stop, planned.rule)
    rule, stop = planned.rule, planned.stop
    if isinstance(rule, WangTsiatis | Listed):
        rule = _interpolate(planned, planned.spent / planned.alpha)
    if stop is not None and stop.z is None:
        errors = _spending(stop)
        if isinstance(errors, Listed):
            stop = replace(stop, spend=_interpolate(planned, errors.spend(planned.information, 1.0)))
    return _solve(replace(planned, information=information, rule=rule, stop=stop), last=last)


def _interpolate(planned: Boundaries, shares: np.ndarray) -> Interpolated:
    if planned.information.ndim != 1:
        raise TwinError(
            f"revise: {planned.information.shape[:-1]} plans by exact bounds or lists; revise them one by one"
        )
    taken = ~np.isnan(planned.information)
    return Interpolated(tuple(planned.information[taken]), tuple(shares[taken]))


def read_futility(futility: Futility | Mapping[str, Any] | None) -> Futility | None:
    """Futility as it is written, `{"spend": -2, "power": 0.9, "binding": False}` or `{"z": [0, 0.5]}`."""
    if not isinstance(futility, Mapping):
        return futility
    known = [one.name for one in fields(Futility)]
    for name in futility:
        if name not in known:
            raise TwinError(f"futility: '{name}' is no key; {suggest(str(name), known)}")
    return Futility(**futility)


# --- what can be asked --------------------------------------------------------------------------------


def _examine(information: np.ndarray, alpha: float, sides: int, stop: Futility | None, rule: Rule) -> None:
    if sides not in (1, 2):
        raise TwinError(f"sides: {show(sides)}; a test has 1 or 2")
    if not 0 < alpha < 0.5 * sides:
        raise TwinError(f"alpha: {alpha} for {sides} side(s); give one above 0 and below {0.5 * sides}")
    if not information.ndim or not information.shape[-1]:
        raise TwinError("at: no look; give fractions of the planned information, such as [0.5, 1]")
    _examine_fractions(information)
    if stop is not None:
        _examine_futility(information.shape[-1], alpha, sides, stop)
        if isinstance(rule, WangTsiatis) and stop.binding and stop.z is None:
            raise TwinError("futility: exact bounds cannot gain from futility that is spent; ask for `binding: false`")


def _examine_fractions(information: np.ndarray) -> None:
    taken = ~np.isnan(information)
    if not taken.any(axis=-1).all():
        raise TwinError("at: a design without any look; give one at least")
    if np.nanmax(information) > 2:
        raise TwinError(f"at: {np.nanmax(information):g} times the planned information; give fractions of it")
    before = np.maximum.accumulate(np.where(taken, information, 0.0), axis=-1)
    before = np.concatenate([np.zeros_like(before[..., :1]), before[..., :-1]], axis=-1)
    wrong = taken & ~((information - before >= NARROWEST * information) & (information > 0) & (information < np.inf))
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise TwinError(
            f"at: look {place[-1] + 1} has {information[place]:.6g} of the information after {before[place]:.6g}; each "
            f"look must add {NARROWEST:g} of its own at least: leave out (NaN) one of them"
        )


def _examine_futility(looks: int, alpha: float, sides: int, stop: Futility) -> None:
    if sides == 2:
        raise TwinError("futility: a two-sided design has bounds for harm there; ask for one side")
    if stop.z is not None and len(stop.z) not in (looks, looks - 1):
        raise TwinError(f"futility: {len(stop.z)} bounds for {looks} looks; give one a look, the last may be left out")
    if stop.z is None and not alpha < stop.power < 1:
        raise TwinError(f"futility: a power of {stop.power}; give one above alpha {alpha} and below 1")


# --- how it is solved ---------------------------------------------------------------------------------


def _solve(asked: Boundaries, last: bool) -> Boundaries:
    """Equal rows once, and those together that have the same looks and need as many nodes."""
    lead, looks = asked.information.shape[:-1], asked.information.shape[-1]
    flat, back = np.unique(asked.information.reshape(-1, looks), axis=0, return_inverse=True)
    known = None if asked.drift is None else float(np.ravel(asked.drift)[0])  # of the one plan
    found = np.full((4, *flat.shape), np.nan)  # efficacy, futility, spent, and the drift at each look
    for rows, taken, panels in groups(flat, 2 * REACH + 2):
        designs = Looks(flat[np.ix_(rows, taken)], asked.sides, panels)
        found[:, rows[:, None], taken] = _solve_group(asked, designs, flat[rows], taken, known, last)
    efficacy, futility, spent, drift = found[:, back.reshape(-1)]
    stops = asked.stop is not None
    return replace(
        asked,
        efficacy=efficacy.reshape(*lead, looks),
        futility=futility.reshape(*lead, looks) if stops else None,
        spent=spent.reshape(*lead, looks),
        drift=np.nanmax(drift, axis=-1).reshape(lead) if asked.stop is not None and asked.stop.z is None else None,
    )


def _solve_group(
    asked: Boundaries, designs: Looks, information: np.ndarray, taken: np.ndarray, drift: float | None, last: bool
) -> tuple[np.ndarray, ...]:
    side, stop = asked.alpha / asked.sides, asked.stop
    limits = None if stop is None or stop.z is None else _limits(stop.z, information, taken)
    gains = upper = losses = None
    if isinstance(asked.rule, Spending):
        gains = _steps(asked.rule, information, taken, side, last)
    else:
        upper = exact_bounds(designs, asked.rule, side, limits if stop is not None and stop.binding else None)
    d = designs.zeros()
    if stop is None:
        found = walk(designs, upper=upper, gains=gains)
        return found.upper, found.lower, asked.sides * found.above.cumsum(axis=1), found.lower
    alone = None
    if not stop.binding:  # efficacy takes no notice of futility
        alone = walk(designs, upper=upper, gains=gains)
        upper, gains = alone.upper, None
    if stop.z is None:
        losses = _steps(_spending(stop), information, taken, 1 - stop.power, last)
        start = -ndtri(side) + ndtri(stop.power)
        d = drift_for(designs, losses, upper, gains, start) if drift is None else d + drift
    found = walk(designs, upper=upper, gains=gains, lower=limits, losses=losses, drift=d, closing=last)
    spent = (found if alone is None else alone).above.cumsum(axis=1)
    return found.upper, found.lower, spent, np.broadcast_to(d[:, None], spent.shape)


def _steps(rule: Spending, information: np.ndarray, taken: np.ndarray, error: float, last: bool) -> np.ndarray:
    """What each look taken may spend; the last look of a trial all that is left."""
    spent = rule.spend(information, error)[:, taken]
    if last:
        spent[:, -1] = error
    return np.maximum(np.diff(spent, axis=1, prepend=0.0), 0.0)


def _limits(z: tuple[float, ...], information: np.ndarray, taken: np.ndarray) -> np.ndarray:
    every = np.append(np.array(z, float), [-np.inf] * (information.shape[1] - len(z)))
    return np.broadcast_to(every[taken], (len(information), len(taken)))


def _spending(stop: Futility) -> Spending:
    rule = read_rule(stop.spend, 1 - stop.power)
    if isinstance(rule, Spending):
        return rule
    raise TwinError(f"futility: {show(stop.spend)} has exact bounds, and futility is spent; give a spending function")
