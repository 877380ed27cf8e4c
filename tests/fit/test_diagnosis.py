"""Diagnosis of population fits against closed forms of a linear model, plain simulation, and planted mistakes."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from scipy import optimize, stats

from calibration.population.diagnose.average import Average, stack_densities, weigh_alone
from calibration.population.diagnose.compare import compare, deviance_difference, likelihood_ratio, mixed_p_value
from calibration.population.diagnose.courses import solve_courses
from calibration.population.diagnose.leaving_out import leave_out
from calibration.population.diagnose.limits import limits_of
from calibration.population.diagnose.predictions import Predictions
from calibration.population.diagnose.residuals import distribution_errors
from calibration.population.diagnose.surprise import surprising_patients
from calibration.population.diagnose.vpc import vpc
from calibration.population.fit import fit_population
from calibration.target import Read
from cli.diagnosing_fits import diagnose_fit
from twin.errors import TwinError
from twin.patient import Measured

from . import exact, loading, models

TIMES = np.array([8.0, 15.0, 22.0, 29.0, 36.0])
DESIGN = np.stack([np.ones(5), TIMES - 22], axis=1)


@pytest.fixture(scope="module")
def rats(shared_data):
    return fit_population(models.LinearRats(), loading.rats(shared_data))


@pytest.fixture(scope="module")
def warfarin(shared_data):
    return fit_population(models.Warfarin10(), loading.warfarin10(shared_data))


class Line:
    """The linear mixed model of the rats, at a vector of numbers: means, roots of the covariance, log error."""

    def __init__(self, numbers):
        self.mean = np.array([numbers["weight"], numbers["growth"]])
        variances = [numbers["variance of weight"], numbers["variance of growth"]]
        both = numbers.get("correlation of weight and growth", 0.0) * np.sqrt(np.prod(variances))
        self.between = np.array([[variances[0], both], [both, variances[1]]])
        self.error = numbers["error"]

    @property
    def covariance(self):
        return DESIGN @ self.between @ DESIGN.T + self.error**2 * np.eye(5)

    def log_density(self, y):
        return stats.multivariate_normal(DESIGN @ self.mean, self.covariance).logpdf(y)

    def draw(self, count, generator, error=None):
        b = generator.multivariate_normal(self.mean, self.between, count)
        return b @ DESIGN.T + (error or self.error) * generator.standard_normal((count, 5))


def measured(fit):
    """The rats' weights in the order of the fit (rat, time)."""
    return np.array([[o.value for o in one.observations] for one in fit.sky.target.patients])


def with_data(fit, values):
    """The fit's population with other data: (patient, time)."""
    template = fit.sky.target.patients[0]
    people = [
        dataclasses.replace(template, id=f"new {i}", observations=tuple(
            Measured("measured", t, float(v)) for t, v in zip(TIMES, own, strict=True)
        ))
        for i, own in enumerate(values)
    ]  # fmt: skip
    return dataclasses.replace(fit.sky, target=fit.sky.target.of(people))


# --- residuals ------------------------------------------------------------------------------------------


def test_residuals_of_a_linear_model_are_its_closed_form(rats):
    """To 1e-6: slopes by differences are exact of straight lines, the quadrature of normal densities to rounding."""
    line, y = Line(rats.numbers), measured(rats)
    table = rats.diagnose(count=200).residuals
    values, vectors = np.linalg.eigh(line.covariance)
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    shape = lambda word: table[word].values.reshape(30, 5)  # noqa: E731
    np.testing.assert_allclose(shape("value"), y)
    np.testing.assert_allclose(shape("cwres"), (y - DESIGN @ line.mean) @ root, atol=1e-6)
    own = (y - DESIGN @ line.mean) @ np.linalg.solve(line.covariance, DESIGN @ line.between)
    np.testing.assert_allclose(shape("own"), (line.mean + own) @ DESIGN.T, rtol=1e-7)
    np.testing.assert_allclose(shape("iwres"), (y - (line.mean + own) @ DESIGN.T) / line.error, atol=1e-6)
    np.testing.assert_allclose(shape("typical"), np.tile(DESIGN @ line.mean, (30, 1)), rtol=1e-9)


def test_intervals_of_new_measurements_are_those_of_the_linear_model(rats):
    """Within 0.25 of their standard deviations on the mean over rats: the 5 % quantile of 250 draws has an error of
    0.13, of 30 independent rats 0.03; of each single one 4 errors are 0.55.
    """
    line = Line(rats.numbers)
    table = rats.diagnose(count=250).residuals
    sd = np.sqrt(np.diag(line.covariance))
    posterior = np.linalg.inv(np.linalg.inv(line.between) + DESIGN.T @ DESIGN / line.error**2)
    again = np.sqrt(np.diag(DESIGN @ posterior @ DESIGN.T) + line.error**2)
    for low, high, known in (("population_low", "population_high", sd), ("low", "high", again)):
        width = (table[high].values - table[low].values).reshape(30, 5) / (2 * stats.norm.ppf(0.95) * known)
        assert np.mean(width) == pytest.approx(1, abs=0.05)
        np.testing.assert_allclose(width, 1, atol=0.35)


RIGHT, TWICE = 1.0, 2.0


@pytest.mark.parametrize("error", [RIGHT, TWICE])
def test_npde_is_standard_normal_of_the_right_model_alone(rats, error):
    line = Line(rats.numbers)
    values = line.draw(60, np.random.default_rng(3), error * line.error)
    predictions = Predictions(with_data(rats, values), rats.top, count=500)
    p = stats.kstest(distribution_errors(predictions)["measured"][:, :5].ravel(), "norm").pvalue
    assert p > 0.01 if error == RIGHT else p < 1e-4


def test_npde_sees_a_missing_absorption(warfarin):
    """The same patients, predicted as if all had been absorbed at once."""
    place = warfarin.statement.estimated.index("absorption")
    for faster, right in ((0.0, True), (np.log(30.0), False)):
        x = warfarin.x + faster * (np.arange(len(warfarin.x)) == place)
        top = dataclasses.replace(warfarin.top, maximum=dataclasses.replace(warfarin.top.maximum, x=x))
        scores = distribution_errors(Predictions(warfarin.sky, top, count=500))["concentration"]
        p = stats.kstest(scores[warfarin.sky.target.data.read["concentration"].real], "norm").pvalue
        assert (p > 0.01) if right else (p < 1e-4)


def test_what_was_censored_is_drawn_below_its_limit(warfarin, shared_data):
    """Its error is that of a value below the limit; everybody's are as normal as when everything was read."""
    people = [one.bind(models.Warfarin10()) for one in loading.warfarin_m3(shared_data)]
    people = sorted(people, key=lambda one: one.id)
    sky = dataclasses.replace(warfarin.sky, target=warfarin.sky.target.of(people))
    predictions = Predictions(sky, warfarin.top, count=500)
    scores, read = distribution_errors(predictions)["concentration"], sky.target.data.read["concentration"]
    assert np.all(np.isfinite(scores[read.real]))
    assert stats.kstest(scores[read.real], "norm").pvalue > 0.01
    late = vpc(predictions, bins=[0, 100, 130]).to_dataframe().iloc[-1]
    assert late["seen_below"] == np.mean(read.bound[read.time == 120] == -1)
    numbers = warfarin.numbers
    generator = np.random.default_rng(1)
    sds = [np.sqrt(numbers[f"variance of {n}"]) for n in exact.ORAL.split()]
    own = np.array([numbers[n] for n in exact.ORAL.split()]) * np.exp(generator.standard_normal((20_000, 3)) * sds)
    true = exact.oral(np.array([120.0]), 100.0, own[:, 0] / own[:, 1], own[:, 1], own[:, 2])[:, 0]
    new = true * (1 + numbers["error"] * generator.standard_normal(len(true)))
    # the middle of shares of ten patients is a multiple of a tenth, or half of one
    assert late["middle_below"] == pytest.approx(np.mean(new < 2), abs=0.06)
    # a tool that reads the limit as a value, and simulates nothing below it, would have neither


def test_limits_of_what_was_read_are_the_nearest_it_is_not_beyond():
    read = Read(
        place=np.zeros((2, 3), int), value=np.array([[2.0, 1.5, 9.0], [1.0, 3.0, 5.0]]),
        bound=np.array([[-1, 0, 1], [-1, 0, 1]]), time=np.zeros((2, 3)),
        real=np.ones((2, 3), bool),
    )  # fmt: skip
    lower, upper = limits_of(read)
    assert lower.tolist() == [[2.0, 1.0, 2.0], [1.0, 2.0, 2.0]]
    assert upper.tolist() == [[5.0, 5.0, 9.0], [5.0, 5.0, 5.0]]


# --- predictive checks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("corrected", [False, True])
def test_a_predictive_check_is_plain_simulation(rats, corrected):
    """Seen percentiles exactly; those of 1000 simulated data sets within 5 Monte-Carlo errors of either's quantiles,
    which are at most 0.12 of the spread of a percentile at the ends of the interval.
    """
    line = Line(rats.numbers)
    found = rats.diagnose().vpc(corrected=corrected).to_dataframe()
    y = measured(rats)
    np.testing.assert_allclose(found["time"], TIMES)
    new = np.stack([line.draw(30, np.random.default_rng(s)) for s in range(1000)])
    for percent in (5, 50, 95):
        np.testing.assert_allclose(found[f"seen_{percent}"], np.percentile(y, percent, axis=0))
        each = np.percentile(new, percent, axis=1)
        for word, share in (("low", 2.5), ("middle", 50), ("high", 97.5)):
            known = np.percentile(each, share, axis=0)
            np.testing.assert_allclose(found[f"{word}_{percent}"], known, atol=0.6 * each.std(0).max())
    assert np.all(found[["seen_below", "high_below", "seen_above"]] == 0)


def test_bins_that_leave_times_out_are_refused(rats):
    with pytest.raises(TwinError, match="widen the bins"):
        rats.diagnose().vpc(bins=[10, 40])
    with pytest.raises(TwinError, match="no such covariate"):
        rats.diagnose().vpc(by="sex")


def test_courses_pass_where_measurements_are_predicted(rats):
    found = solve_courses(rats.diagnose().predictions, 37)["measured"]
    own = rats.diagnose().residuals["own"].values.reshape(30, 5)
    at = [np.interp(TIMES, t, y) for t, y in zip(found.time, found.own, strict=True)]
    np.testing.assert_allclose(at, own, rtol=1e-6)
    assert np.all((found.low < found.own) & (found.own < found.high))


# --- leaving out ------------------------------------------------------------------------------------------


def test_a_rat_left_out_is_a_fit_to_the_others(rats):
    """Estimates within 0.01 of their errors, log densities within 1e-3, of a search of the closed form."""
    y, found = measured(rats), leave_out(rats.sky, rats.top, [3, 29])

    def line(v):
        root = np.array([[np.exp(v[2]), 0.0], [v[3], np.exp(v[4])]])
        made = Line(
            {
                "weight": v[0],
                "growth": v[1],
                "variance of weight": 1.0,
                "variance of growth": 1.0,
                "error": np.exp(v[5]),
            }
        )
        made.between = root @ root.T
        return made

    begin = Line(rats.numbers)
    root = np.linalg.cholesky(begin.between)
    v = np.array([*begin.mean, np.log(root[0, 0]), root[1, 0], np.log(root[1, 1]), np.log(begin.error)])
    sds = np.array([2.7, 0.1, 0.15, 0.1, 0.2, 0.08])
    for i in (3, 29):
        others = np.arange(30) != i
        best = optimize.minimize(lambda z, y=y[others]: -line(v + sds * z).log_density(y).sum(), np.zeros(6), tol=1e-9)
        known = line(v + sds * best.x)
        assert found.elpd[i] == pytest.approx(known.log_density(y[i]), abs=1e-3)
        assert found.own[i] == pytest.approx(begin.log_density(y[i]), abs=1e-6)
        np.testing.assert_allclose(found.x[i, :2], known.mean, atol=0.01 * 2.7)
    assert found.exact.sum() == 2
    step = leave_out(rats.sky, rats.top, [])
    some = step.displacement < 0.1  # a step serves those who change little
    every = leave_out(rats.sky, rats.top, np.flatnonzero(some)[:4])
    np.testing.assert_allclose((step.own - step.elpd)[every.exact], (every.own - every.elpd)[every.exact], rtol=0.15)


def test_a_tenfold_dose_is_named_and_nobody_of_the_right_patients(warfarin, shared_data):
    assert surprising_patients(warfarin.sky, warfarin.top) == ()
    people = loading.warfarin10(shared_data)
    wrong = next(i for i, one in enumerate(people) if one.id == "5")
    doses = [dataclasses.replace(dose, amount="1000 mg") for dose in people[wrong].doses]
    people[wrong] = dataclasses.replace(people[wrong], doses=doses)
    found = fit_population(models.Warfarin10(), people).diagnose().surprises
    assert {one.patient for one in found} == {"5"}
    assert any("'volume' is" in one.reason and "see whether doses" in one.reason for one in found)


# --- comparison, averages ---------------------------------------------------------------------------------


def test_a_variance_on_the_border_counts_half():
    assert mixed_p_value(2.7055, 1, 1) == pytest.approx(0.05, abs=1e-5)
    tails = [stats.chi2.sf(3.0, k) for k in (1, 2)]
    assert mixed_p_value(3.0, 2, 1) == pytest.approx(np.mean(tails))
    assert mixed_p_value(3.0, 2, 2) == pytest.approx(tails[0] / 2 + tails[1] / 4)
    assert mixed_p_value(3.0, 2, 0) == pytest.approx(tails[1])


def test_stacking_finds_the_shares_of_patients():
    """Where each patient is possible in one model alone, weights are shares; of one that is always better, all."""
    elpd = np.where(np.arange(10)[:, None] < [7, 0], 0.0, -400.0)
    elpd[7:, 1] = 0.0
    np.testing.assert_allclose(stack_densities(elpd), [0.7, 0.3], atol=1e-5)
    np.testing.assert_allclose(stack_densities(np.array([[0.0, -1.0]] * 5)), [1, 0], atol=1e-6)
    # of densities 1 and 0.5 in two thirds of patients, 1 and 3 in the rest: 2 * .5 / (.5 + .5 w) = 2 / (3 - 2 w)
    mixed = np.log([[1.0, 0.5], [1.0, 0.5], [1.0, 3.0]])
    np.testing.assert_allclose(stack_densities(mixed), [2 / 3, 1 / 3], atol=1e-5)
    np.testing.assert_allclose(weigh_alone(np.zeros((9, 2))), 0.5)
    assert weigh_alone(np.array([[0.0, -1.0]] * 9))[0] == pytest.approx(1 / (1 + np.exp(-9)))


@pytest.fixture(scope="module")
def alone(shared_data):
    """The rats with independent effects, which is a special case."""
    return fit_population(models.LinearRats(), loading.rats(shared_data), correlated=[])


def test_models_of_the_rats_are_compared_as_in_closed_form(rats, alone):
    y = measured(rats)
    known = [-2 * Line(one.numbers).log_density(y).sum() for one in (alone, rats)]
    found = likelihood_ratio(alone, rats)
    assert found.statistic == pytest.approx(known[0] - known[1], abs=1e-6)
    assert (found.degrees, found.zeros) == (1, 0)
    table = compare({"alone": alone, "correlated": rats})
    assert table["aic"].values == pytest.approx([known[0] + 10, known[1] + 12], abs=1e-6)
    assert table["elpd_difference"].values[1] == 0
    with pytest.raises(TwinError, match="no special case"):
        likelihood_ratio(rats, alone)


def test_a_mixture_of_models_forecasts_as_in_closed_form(rats, alone):
    """A rat weighed twice: weights by its density in either model within 0.01, the forecast within 5 of its errors."""
    both = Average({"alone": alone, "correlated": rats}, np.zeros((30, 2)))
    template = rats.sky.target.patients[0]
    seen = np.array([152.0, 230.0])
    young = dataclasses.replace(template, id="young", observations=tuple(
        Measured("measured", t, v) for t, v in zip(TIMES[:2], seen, strict=True)
    ))  # fmt: skip
    found = both.forecast(young, {"measured": [36.0]}, weights="equal", draws=2000)
    a, b = DESIGN[:2], DESIGN[4:]
    logs, middles, spreads = [], [], []
    for line in (Line(alone.numbers), Line(rats.numbers)):
        cover = a @ line.between @ a.T + line.error**2 * np.eye(2)
        logs.append(stats.multivariate_normal(a @ line.mean, cover).logpdf(seen))
        gain = np.linalg.solve(cover, a @ line.between @ b.T).T
        middles.append((b @ line.mean + gain @ (seen - a @ line.mean))[0])
        spreads.append((b @ line.between @ b.T - gain @ a @ line.between @ b.T)[0, 0] + line.error**2)
    weights = np.exp(logs - np.logaddexp(*logs))
    np.testing.assert_allclose(found["weight"].values[0], weights, atol=0.01)
    middle = weights @ middles
    spread = np.sqrt(weights @ spreads + weights @ (np.array(middles) - middle) ** 2)
    assert found["measured"].mean() == pytest.approx(middle, abs=5 * spread / np.sqrt(2000))
    assert found["measured"].std() == pytest.approx(spread, rel=0.08)
    with pytest.raises(TwinError, match="later times"):
        both.forecast(young, {"measured": [10.0]})


@pytest.mark.slow
def test_common_draws_cancel_noise(shared_data):
    """The difference of -2 log likelihoods has less error on common draws than on separate ones, and is right."""
    people = loading.warfarin10(shared_data)
    fits = [fit_population(models.Warfarin10(), people, correlated=how) for how in (None, "all")]
    exactly = fits[1].minus_two_ll - fits[0].minus_two_ll
    drawn = [fit_population(models.Warfarin10(), people, correlated=how, method="draws") for how in (None, "all")]
    found = deviance_difference(*drawn)
    apart = np.hypot(*(one.minus_two_ll_error for one in drawn))
    assert found.error < 0.5 * apart
    assert found.value == pytest.approx(exactly, abs=4 * found.error)


def test_the_command_writes_tables_figures_and_names_rats(rats, tmp_path):
    """Rat 9, far lightest in growth, and rat 3, off its line, move the fit most."""
    text, files = diagnose_fit(rats, tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == set(files)
    assert "measured                     150" in text
    assert "log density of patients left out: -558.0" in text
    table = list(csv.DictReader((tmp_path / "influence.csv").read_text().splitlines()))
    assert [row["patient"] for row in sorted(table, key=lambda r: -float(r["cook"]))[:2]] == ["3", "9"]
    assert len((tmp_path / "residuals.csv").read_text().splitlines()) == 151
