"""Trials in which treatment does nothing: how often each analysis says that it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from twin.statistics import analysis
from twin.statistics.analysis import Estimate, Times, Values, p_value

Draw = Callable[[np.random.Generator, int, int], Estimate]


class Null(NamedTuple):
    """An analysis of trials of so many people; `exact` where its level is the nominal one at any size."""

    draw: Draw
    people: int
    exact: bool


class Rates(NamedTuple):
    """Shares of replicates: rejected by a two-sided test at 0.05, by each one-sided at 0.025, and not analysed."""

    two_sided: float
    above: float
    below: float
    lost: float


def run(null: Null, replicates: int, *, seed: int, together: int = 10_000) -> Rates:
    """Rates of so many replicates, some drawn at a time; those that could not be analysed are not rejected."""
    generator, found = np.random.default_rng(seed), []
    for _ in range(-(-replicates // together)):
        made = null.draw(generator, min(together, replicates), null.people)
        p, sign, ok = np.asarray(p_value(made)), np.asarray(made.statistic), np.asarray(made.ok)
        reject = ok & (p <= 0.05)
        found.append([reject.mean(), (reject & (sign > 0)).mean(), (reject & (sign < 0)).mean(), (~ok).mean()])
    return Rates(*np.mean(found, axis=0))


def error(share: float, replicates: int) -> float:
    """The standard error of a rate."""
    return float(np.sqrt(share * (1 - share) / replicates))


def halves(count: int, people: int) -> np.ndarray:
    """Arms of equal size; who is in which does not matter, as people are alike."""
    return np.broadcast_to(np.arange(people) % 2, (count, people))


def everybody(count: int, people: int) -> np.ndarray:
    return np.ones((count, people), bool)


def of_means(function: Callable[..., Estimate], **options: object) -> Draw:
    """Two covariates that matter, and normal residuals."""

    def draw(generator: np.random.Generator, count: int, people: int) -> Estimate:
        x = generator.standard_normal((count, people, 2))
        value = 0.7 * x[..., 0] - 0.4 * x[..., 1] + generator.standard_normal((count, people))
        adjust = {"covariates": x} if function in (analysis.ancova,) else {}
        return function(value, halves(count, people), everybody(count, people), **adjust, **options)

    return draw


def of_score(generator: np.random.Generator, count: int, people: int) -> Estimate:
    score = generator.standard_normal((count, people))
    value = score + generator.standard_normal((count, people))
    return analysis.procova(value, halves(count, people), everybody(count, people), score=score)


def of_doses(generator: np.random.Generator, count: int, people: int) -> Estimate:
    dose = np.broadcast_to(np.arange(people) % 3 * 27.0, (count, people))
    return analysis.slope(generator.standard_normal((count, people)), dose, everybody(count, people))


def of_arms(generator: np.random.Generator, count: int, people: int) -> Estimate:
    """The last of three arms against the first."""
    arm = np.broadcast_to(np.arange(people) % 3, (count, people))
    value = generator.standard_normal((count, people))
    made, _ = analysis.ancova_many(value, arm, everybody(count, people), arms=3)
    return Estimate(*(one[:, -1] for one in made))


def of_visits(generator: np.random.Generator, count: int, people: int, **options: object) -> Estimate:
    """Four visits, half of the variance a person's own; a fifth to a quarter of people leave, worse ones sooner."""
    own = generator.standard_normal((count, people, 1))
    value = own + generator.standard_normal((count, people, 4))
    leaves = generator.random((count, people, 3)) < 0.08 * np.exp(-0.3 * value[..., :3])
    gone = np.cumsum(leaves, axis=2) > 0
    value[..., 1:][gone] = np.nan
    baseline = own + generator.standard_normal((count, people, 1))
    return analysis.mmrm(value, halves(count, people), everybody(count, people), covariates=baseline, **options)


def of_adjusted_visits(generator: np.random.Generator, count: int, people: int) -> Estimate:
    return of_visits(generator, count, people, adjust=True)


def of_events(function: Callable[..., Estimate], **options: object) -> Draw:
    """Exponential times, a third censored, in three strata that differ, in arms by chance; a covariate matters."""

    def draw(generator: np.random.Generator, count: int, people: int) -> Estimate:
        strata = generator.integers(0, 3, (count, people))
        x = generator.standard_normal((count, people))
        time = generator.exponential(size=(count, people)) * np.exp(0.4 * strata - 0.3 * x)
        end = generator.uniform(0.5, 5.0, (count, people))
        asked = {k: {"strata": strata, "covariates": x[..., None]}.get(k, v) for k, v in options.items()}
        least = np.minimum(time, end)
        return function(least, time <= end, halves(count, people), everybody(count, people), **asked)

    return draw


def of_answers(function: Callable[..., Estimate], **options: object) -> Draw:
    """Yes or no, in three strata, with one covariate that matters."""

    def draw(generator: np.random.Generator, count: int, people: int) -> Estimate:
        strata = generator.integers(0, 3, (count, people))
        x = generator.standard_normal((count, people))
        value = generator.random((count, people)) < 1 / (1 + np.exp(0.4 - 0.7 * x - 0.3 * strata))
        asked = {k: {"strata": strata, "covariates": x[..., None]}.get(k, v) for k, v in options.items()}
        return function(value, halves(count, people), everybody(count, people), **asked)

    return draw


def of_ranks(function: Callable[..., Estimate], **options: object) -> Draw:
    """Five categories, so most are tied."""

    def draw(generator: np.random.Generator, count: int, people: int) -> Estimate:
        strata = generator.integers(0, 3, (count, people))
        value = np.floor(generator.standard_normal((count, people)) + 0.3 * strata)
        asked = dict.fromkeys(options, strata)
        return function(np.clip(value, -2, 2), halves(count, people), everybody(count, people), **asked)

    return draw


def of_wins(function: Callable[..., Estimate], **options: object) -> Draw:
    """Death, then a number of hospital stays, then a change that must be larger than 0.5."""

    def draw(generator: np.random.Generator, count: int, people: int) -> Estimate:
        time = generator.exponential(size=(count, people))
        end = generator.uniform(0.2, 1.0, (count, people))
        several = [
            Times(np.minimum(time, end), time <= end),
            Values(generator.poisson(0.8, (count, people)), sign=-1.0),
            Values(generator.standard_normal((count, people)), margin=0.5),
        ]
        return function(several, halves(count, people), everybody(count, people), **options)

    return draw


def of_crossover(generator: np.random.Generator, count: int, people: int) -> Estimate:
    value = generator.standard_normal((count, people, 1)) + generator.standard_normal((count, people, 2)) + [0.0, 0.6]
    return analysis.crossover(value, halves(count, people), everybody(count, people))


def of_periods(generator: np.random.Generator, count: int, people: int) -> Estimate:
    """Four periods, sequences TCTC and CTCT, one measurement in ten missing."""
    value = generator.standard_normal((count, people, 1)) + generator.standard_normal((count, people, 4))
    value[generator.random(value.shape) < 0.1] = np.nan
    treated = (halves(count, people)[..., None] + np.arange(4)) % 2
    return analysis.crossover_many(value, treated, everybody(count, people))


NULLS = {
    "t_test": Null(of_means(analysis.t_test), 40, True),
    "t_test, Welch": Null(of_means(analysis.t_test, equal=False), 100, False),
    "ancova": Null(of_means(analysis.ancova), 40, True),
    "ancova, robust": Null(of_means(analysis.ancova, robust=True), 400, False),
    "ancova_many": Null(of_arms, 45, True),
    "slope": Null(of_doses, 45, True),
    "procova": Null(of_score, 40, True),
    "mmrm": Null(of_visits, 200, False),
    "mmrm, adjusted": Null(of_adjusted_visits, 100, False),
    "proportions": Null(of_answers(analysis.proportions), 400, False),
    "cochran_mantel_haenszel": Null(of_answers(analysis.cochran_mantel_haenszel, strata=0, levels=3), 400, False),
    "logistic": Null(of_answers(analysis.logistic, covariates=0), 1000, False),
    "logistic_standardised": Null(of_answers(analysis.logistic_standardised, covariates=0), 1000, False),
    "logistic_standardised, model": Null(
        of_answers(analysis.logistic_standardised, covariates=0, robust=False), 1000, False
    ),
    "log_rank": Null(of_events(analysis.log_rank), 400, False),
    "log_rank, stratified": Null(of_events(analysis.log_rank, strata=0), 1000, False),
    "log_rank, gehan": Null(of_events(analysis.log_rank, weights="gehan"), 400, False),
    "log_rank, tarone_ware": Null(of_events(analysis.log_rank, weights="tarone_ware"), 400, False),
    "log_rank, peto_peto": Null(of_events(analysis.log_rank, weights="peto_peto"), 400, False),
    "log_rank, peto_prentice": Null(of_events(analysis.log_rank, weights="peto_prentice"), 400, False),
    "log_rank, fleming_harrington(0, 1)": Null(
        of_events(analysis.log_rank, weights="fleming_harrington", powers=(0.0, 1.0)), 1600, False
    ),
    "cox": Null(of_events(analysis.cox), 400, False),
    "cox, covariate and strata": Null(of_events(analysis.cox, covariates=0, strata=0), 400, False),
    "rmst": Null(of_events(analysis.rmst, until=2.0), 1000, False),
    "milestone": Null(of_events(analysis.milestone, at=1.0), 1000, False),
    "win_ratio": Null(of_wins(analysis.win_ratio), 200, False),
    "finkelstein_schoenfeld": Null(of_wins(analysis.finkelstein_schoenfeld), 100, False),
    "wilcoxon": Null(of_ranks(analysis.wilcoxon), 200, False),
    "van_elteren": Null(of_ranks(analysis.van_elteren, strata=0), 200, False),
    "crossover": Null(of_crossover, 24, True),
    "crossover_many": Null(of_periods, 24, True),
}
