"""Every figure of a non-compartmental analysis, with what it is, its unit, and why a course has none.

Times count from the dose. `_predicted` figures take the terminal line's value at the last measurable reading instead of
the reading.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from .profiles import Profiles, Route, close_gaps
from .rules import Rules
from .terminal import Terminal, fit_terminal
from .trapezoid import area_until, tail


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a figure is, and of what its unit is made."""

    meaning: str
    unit: str


_BASE = {
    "cmax": Figure("highest reading", "value"),
    "tmax": Figure("when the highest reading was taken, the first of several", "time"),
    "cmax_per_dose": Figure("highest reading over the dose", "value/dose"),
    "clast": Figure("last measurable reading", "value"),
    "tlast": Figure("when the last measurable reading was taken", "time"),
    "tlag": Figure("last time before the first measurable reading", "time"),
    "c0": Figure("value right after a bolus, by back-extrapolation where it was not read", "value"),
    "lambda_z": Figure("rate of the terminal decline", "1/time"),
    "half_life": Figure("half-life of the terminal decline", "time"),
    "lambda_z_points": Figure("readings that the terminal line is fitted to", "1"),
    "lambda_z_from": Figure("the first of them", "time"),
    "lambda_z_to": Figure("the last of them", "time"),
    "lambda_z_r2": Figure("R2 of the terminal line", "1"),
    "lambda_z_adjusted_r2": Figure("R2 adjusted for how many readings it is of", "1"),
    "lambda_z_span": Figure("half-lives from the first to the last of them", "1"),
    "auc_last": Figure("area to the last measurable reading", "area"),
    "auc_all": Figure("area with the stretch from there to the first reading below its limit", "area"),
    "aumc_last": Figure("first moment of the area to the last measurable reading", "moment"),
    "mrt_last": Figure("mean residence time to the last measurable reading, half an infusion taken off", "time"),
    "auc_tau": Figure("area over the dosing interval", "area"),
    "c_average": Figure("mean over the dosing interval", "value"),
    "cmin": Figure("lowest reading of the dosing interval", "value"),
    "fluctuation": Figure("highest minus lowest reading over the mean", "%"),
    "swing": Figure("highest minus lowest reading over the lowest", "%"),
    "accumulation": Figure("steady state over first dose, as the terminal rate and the interval say", "1"),
}
_EXTRAPOLATED = {
    "auc_inf": Figure("area to infinity", "area"),
    "auc_inf_per_dose": Figure("area to infinity over the dose", "area/dose"),
    "auc_extrapolated": Figure("share of that area behind the last measurable reading", "%"),
    "aumc_inf": Figure("first moment of the area to infinity", "moment"),
    "aumc_extrapolated": Figure("share of that moment behind the last measurable reading", "%"),
    "mrt": Figure("mean residence time, half an infusion taken off", "time"),
    "clearance": Figure("clearance; of a dose not into a vein over the bioavailability (CL/F)", "clearance"),
    "volume_z": Figure("terminal volume of distribution; of a dose not into a vein over the bioavailability", "volume"),
    "volume_ss": Figure("volume of distribution at steady state", "volume"),
}
_PREDICTED = "_predicted"
FIGURES: Mapping[str, Figure] = {
    **_BASE,
    **_EXTRAPOLATED,
    **{f"{n}{_PREDICTED}": Figure(f"{f.meaning}, by the terminal line", f.unit) for n, f in _EXTRAPOLATED.items()},
}
_NO_DOSE, _NO_INTERVAL = "no dose is told", "there is no dosing interval"
_NOT_BOLUS, _NOT_VEIN = "only a bolus has one", "a dose that is not given into a vein does not tell it"


@dataclasses.dataclass(frozen=True)
class Findings:
    """Figures by name, (course,): values, NaN where there is none, and then the reason; and the readings of the slope.

    `times` and `readings` (course, reading) are what was analysed: those below their limit as the rules count them, and
    the value that was put at the dose. `uses` marks those of the terminal line.
    """

    values: Mapping[str, np.ndarray]
    reasons: Mapping[str, np.ndarray]
    times: np.ndarray
    readings: np.ndarray
    uses: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Course:
    """What all figures are made of; NaN and a reason `why` where a course cannot be analysed."""

    profiles: Profiles
    rules: Rules
    times: np.ndarray  # with the value at the dose
    values: np.ndarray
    cmax: np.ndarray
    tmax: np.ndarray
    c0: np.ndarray
    tlast: np.ndarray
    clast: np.ndarray
    terminal: Terminal
    why: np.ndarray

    def area_until(self, when: Any) -> tuple[np.ndarray, np.ndarray]:
        when = np.broadcast_to(np.asarray(when, float), len(self.profiles))
        ends = (self.tlast, self.clast, self.terminal.rate)
        return area_until(self.times, self.values, when, self.rules.area, *ends)

    def why_interval(self) -> np.ndarray:
        """Why there is no area of the dosing interval; readings at its ends alone would make a rectangle of it."""
        tau = self.profiles.tau
        inside = ((self.times > 0) & (self.times < tau[:, None])).any(axis=1)
        none = np.where(np.isnan(tau), _NO_INTERVAL, np.where(inside, "", "no reading lies inside the interval"))
        return _first(self.why, none, self.why_until(tau))

    def why_until(self, when: Any) -> np.ndarray:
        """Why there is no area until then: behind the last reading it takes a terminal slope."""
        return _first(self.why, np.where(when > self.tlast, self.terminal.why, ""))


def _first(*whys: Any) -> np.ndarray:
    """The first reason that there is."""
    found = np.asarray(whys[0], object)
    for why in whys[1:]:
        found = np.where(found == "", why, found)
    return found


def _prepare(profiles: Profiles, rules: Rules) -> _Course:
    why = profiles.problems()
    ok = (why == "")[:, None]
    times, values = (np.where(ok, x, np.nan) for x in profiles.settle(rules))
    bolus = profiles.route == Route.BOLUS
    before = bolus[:, None] & (times == 0) & (profiles.steady[:, None] | (values == 0))  # read before the dose
    times, values = close_gaps(~np.isnan(times) & ~before, times, values)
    filled, rows = np.where(np.isnan(values), -np.inf, values), np.arange(len(times))
    top = np.argmax(filled, axis=1)
    measurable = values > 0
    last = times.shape[1] - 1 - np.argmax(measurable[:, ::-1], axis=1)
    cmax, tmax, clast, tlast = values[rows, top], times[rows, top], values[rows, last], times[rows, last]
    c0 = np.where(bolus, _back_extrapolate(times, values), np.nan)
    first = np.where(bolus, tmax, np.nextafter(tmax, np.inf))  # a bolus's highest reading lies on the decline
    terminal = fit_terminal(times, values, first, rules)
    start = np.where(bolus, c0, np.where(profiles.steady, _lowest(profiles, times, values), 0.0))
    whole = _with_start(times, values, start, terminal.uses)
    terminal = dataclasses.replace(terminal, uses=whole[2])
    return _Course(profiles, rules, *whole[:2], cmax, tmax, c0, tlast, clast, terminal, why)


def _highest(profiles: Profiles, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The highest reading of a dosing interval, or of all where none is told."""
    end = np.where(np.isnan(profiles.tau), np.inf, profiles.tau)[:, None]
    found = np.max(np.where(times <= end, values, -np.inf), axis=1, initial=-np.inf)
    return np.where(np.isfinite(found), found, np.nan)


def _lowest(profiles: Profiles, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    return -_highest(profiles, times, -values)


def _back_extrapolate(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What was read at the dose; else on the line of logarithms of the first two readings; else the first reading."""
    if times.shape[1] < 2:
        return values[:, 0]
    (t1, t2), (c1, c2) = times[:, :2].T, values[:, :2].T
    falls = (c1 > c2) & (c2 > 0) & (t1 > 0)
    fall = np.log(np.where(falls, c1, 1.0) / np.where(falls, c2, 1.0))
    return np.where(falls, c1 * np.exp(fall * t1 / np.where(falls, t2 - t1, 1.0)), c1)


def _with_start(
    times: np.ndarray, values: np.ndarray, start: np.ndarray, uses: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readings with a value at the dose where none was taken then."""
    missing = (times[:, :1] > 0) & ~np.isnan(start)[:, None]
    times = np.concatenate([np.where(missing, 0.0, np.nan), times], axis=1)
    values = np.concatenate([np.where(missing, start[:, None], np.nan), values], axis=1)
    uses = np.concatenate([np.zeros_like(missing), uses], axis=1).astype(float)
    times, values, uses = close_gaps(~np.isnan(times), times, values, uses)
    return times, values, uses == 1


def analyse(profiles: Profiles, rules: Rules | None = None) -> Findings:
    """Every figure of every course."""
    with np.errstate(invalid="ignore", divide="ignore"):
        course = _prepare(profiles, rules or Rules())
        told = {**_of_readings(course), **_of_interval(course)}
        for suffix in ("", _PREDICTED):
            told |= {f"{name}{suffix}": given for name, given in _extrapolate(course, suffix).items()}
    values, reasons = {}, {}
    for name in FIGURES:
        value, why = told[name]
        why = _first(why, np.where(np.isfinite(value), "", "it is no finite number"))
        values[name] = np.where(why == "", value, np.nan)
        reasons[name] = why
    return Findings(values, reasons, course.times, course.values, course.terminal.uses)


def partial_areas(profiles: Profiles, spans: Any, rules: Rules | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Areas between times after the dose, (course, span), and why there is none; `spans` are pairs (from, to)."""
    found, whys = [], []
    with np.errstate(invalid="ignore", divide="ignore"):
        course = _prepare(profiles, rules or Rules())
        for begin, end in spans:
            why = _first(
                course.why_until(end), np.where(begin >= course.times[:, 0], "", "it begins before the readings")
            )
            value = course.area_until(end)[0] - course.area_until(begin)[0]
            found.append(np.where(why == "", value, np.nan))
            whys.append(why)
    return np.stack(found, axis=1), np.stack(whys, axis=1)


_Told = dict[str, tuple[np.ndarray, np.ndarray]]


def _of_readings(course: _Course) -> _Told:
    profiles, terminal, why = course.profiles, course.terminal, course.why
    last, last_moment = course.area_until(course.tlast)
    no_dose, no_slope = _first(why, np.where(np.isnan(profiles.dose), _NO_DOSE, "")), _first(why, terminal.why)
    no_area = _first(why, np.where(course.tlast > 0, "", "the last measurable reading is at the dose"))
    half_life = np.log(2) / terminal.rate
    return {
        "cmax": (course.cmax, why),
        "tmax": (course.tmax, why),
        "cmax_per_dose": (course.cmax / profiles.dose, no_dose),
        "clast": (course.clast, why),
        "tlast": (course.tlast, why),
        "tlag": (
            _lag(profiles),
            _first(why, np.where(profiles.route == Route.OTHER, "", "a dose into a vein has none")),
        ),
        "c0": (course.c0, _first(why, np.where(profiles.route == Route.BOLUS, "", _NOT_BOLUS))),
        "lambda_z": (terminal.rate, no_slope),
        "half_life": (half_life, no_slope),
        "lambda_z_points": (terminal.points, no_slope),
        "lambda_z_from": (terminal.begin, no_slope),
        "lambda_z_to": (terminal.end, no_slope),
        "lambda_z_r2": (terminal.r2, no_slope),
        "lambda_z_adjusted_r2": (terminal.adjusted, no_slope),
        "lambda_z_span": ((terminal.end - terminal.begin) / half_life, no_slope),
        "auc_last": (last, no_area),
        "auc_all": (last + _after_last(course), why),
        "aumc_last": (last_moment, no_area),
        "mrt_last": (last_moment / last - profiles.duration / 2, no_area),
    }


def _lag(profiles: Profiles) -> np.ndarray:
    """The last time before the first measurable reading; 0 where that is the first of all."""
    measured = profiles.there & ~profiles.below
    before = profiles.there & ~np.maximum.accumulate(measured, axis=1)
    return np.max(np.where(before, profiles.times, 0.0), axis=1, initial=0.0)


def _after_last(course: _Course) -> np.ndarray:
    """The triangle from the last measurable reading to the one after it."""
    after = np.min(np.where(course.times > course.tlast[:, None], course.times, np.inf), axis=1, initial=np.inf)
    return np.where(np.isfinite(after), (after - course.tlast) * course.clast / 2, 0.0)


def _of_interval(course: _Course) -> _Told:
    profiles, tau = course.profiles, course.profiles.tau
    none = _first(course.why, np.where(np.isnan(tau), _NO_INTERVAL, ""))
    why = course.why_interval()
    area, _ = course.area_until(tau)
    lowest = _lowest(profiles, course.times, course.values)
    range_ = _highest(profiles, course.times, course.values) - lowest
    return {
        "auc_tau": (area, why),
        "c_average": (area / tau, why),
        "cmin": (lowest, none),
        "fluctuation": (100 * range_ / (area / tau), why),
        "swing": (100 * range_ / lowest, _first(why, np.where(lowest > 0, "", "the lowest reading is 0"))),
        "accumulation": (1 / -np.expm1(-course.terminal.rate * tau), _first(none, course.terminal.why)),
    }


def _extrapolate(course: _Course, suffix: str) -> _Told:
    """Figures to infinity, from the last measurable reading or from the terminal line there."""
    profiles, terminal, tau = course.profiles, course.terminal, course.profiles.tau
    clast = terminal.at(course.tlast) if suffix else course.clast
    last, last_moment = course.area_until(course.tlast)
    more, more_moment = tail(course.tlast, clast, terminal.rate, np.full(len(profiles), np.inf))
    area, moment = last + more, last_moment + more_moment
    within, within_moment = course.area_until(tau)
    steady = profiles.steady
    exposure = np.where(steady, within, area)  # at steady state an interval's area is a single dose's to infinity
    residence = np.where(steady, within_moment + tau * (area - within), moment) / exposure - profiles.duration / 2
    clearance = profiles.dose / exposure
    no_slope = _first(course.why, terminal.why)
    untold = np.where(np.isnan(tau), f"doses came before, and {_NO_INTERVAL}", "")
    no_exposure = np.where(steady, _first(course.why, untold, course.why_interval()), no_slope)
    no_clearance = _first(no_exposure, np.where(np.isnan(profiles.dose), _NO_DOSE, ""))
    veins = np.where(profiles.route == Route.OTHER, _NOT_VEIN, "")
    return {
        "auc_inf": (area, no_slope),
        "auc_inf_per_dose": (area / profiles.dose, _first(no_slope, np.where(np.isnan(profiles.dose), _NO_DOSE, ""))),
        "auc_extrapolated": (100 * more / area, no_slope),
        "aumc_inf": (moment, no_slope),
        "aumc_extrapolated": (100 * more_moment / moment, no_slope),
        "mrt": (residence, _first(no_exposure, no_slope)),
        "clearance": (clearance, no_clearance),
        "volume_z": (clearance / terminal.rate, _first(no_clearance, no_slope)),
        "volume_ss": (clearance * residence, _first(course.why, veins, no_clearance, no_slope)),
    }
