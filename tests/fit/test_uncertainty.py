"""What is not known of a population fit: profiles, bootstrap, SIR, priors and full Bayes, against closed forms."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from calibration.population import bayes, starts, walks
from calibration.population.bootstrap import bootstrap, climb_many, draw_weights
from calibration.population.build import build_sky
from calibration.population.climb import likelihood_of
from calibration.population.cloud import numbers_of
from calibration.population.fit import fit_population
from calibration.population.many import Many
from calibration.population.priors import PopulationPrior
from calibration.population.statement import Level
from calibration.population.volume import _of_level
from tests.fit.models import _OfTime
from twin.errors import TwinError
from twin.model import Additive, Normal, covariate, observable, parameter
from twin.patient import Observation, Patient
from twin.run.people import bind_patients
from twin.scenario.fit_entry import FitEntry
from twin.types import Scalar

PEOPLE, LOOKS = 12, 4
RISE = stats.chi2.ppf(0.95, 1)


class Line(_OfTime):
    """A level a patient and an error: the one-way model with random effects, of which all is known."""

    name, title, time_unit = "level_of_toy", "a level of each patient's own", "day"

    class Covariates(eqx.Module):
        ward: Scalar = covariate(0.0, "1", "ward: 0 or 1")

    class Parameters(eqx.Module):
        level: Scalar = parameter(3.0, "1", "level", spread=Normal(2.0))
        error: Scalar = parameter(1.0, "1", "error")

    @observable(unit="1", noise=Additive("error"))
    def result(self, t, y, p):
        return p.level + 0.0 * t


def people_of(y):
    return [
        Patient(f"{i:03d}", covariates={"ward": float(i % 2)},
                observations=[Observation("result", 1.0 + k, float(v)) for k, v in enumerate(row)])
        for i, row in enumerate(y)
    ]  # fmt: skip


def draw_data(seed, people=PEOPLE, *, spread=2.0):
    rng = np.random.default_rng(seed)
    return 3 + spread * rng.standard_normal((people, 1)) + rng.standard_normal((people, LOOKS))


@pytest.fixture(scope="module")
def data():
    return draw_data(5)


@pytest.fixture(scope="module")
def fit(data):
    return fit_population(Line(), people_of(data))


def log_likelihood(y, level, variance, error):
    """Of the balanced one-way model, in closed form."""
    people, looks = y.shape
    means, within = y.mean(1), np.sum((y - y.mean(1, keepdims=True)) ** 2)
    total = error**2 + looks * variance
    squares = within / error**2 + looks * np.sum((means - level) ** 2) / total
    logs = people * ((looks - 1) * math.log(error**2) + math.log(total) + looks * math.log(2 * math.pi))
    return -0.5 * (squares + logs)


def highest(y, held):
    """The highest log likelihood where some numbers of (level, log variance, log error) are held."""
    free = [i for i in range(3) if i not in held]

    def at(z):
        full = np.array([held.get(i, 0.0) for i in range(3)])
        full[free] = z
        return -log_likelihood(y, full[0], math.exp(full[1]), math.exp(full[2]))

    start = np.array([y.mean(), math.log(y.mean(1).var()), math.log(y.std(1).mean())])[free]
    return -optimize.minimize(at, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11}).fun


# --- the likelihood at many vectors ---------------------------------------------------------------------


def test_many_vectors_have_the_likelihood_of_each(fit):
    """1e-10: the same sums, added in another order."""
    likelihood = likelihood_of(fit.sky, fit.top.cloud, fit.top.origin)
    many, x = Many.of(likelihood), fit.x + 0.1 * np.random.default_rng(1).standard_normal((3, 3))
    value, slope = many.scores(x)
    for i, one in enumerate(x):
        known = likelihood.scores(one)
        np.testing.assert_allclose(value[i], known[0], rtol=1e-10)
        np.testing.assert_allclose(slope[i], known[1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(many.values(x), value, rtol=1e-10)
    np.testing.assert_allclose(many.effective(x)[1], likelihood.worth(x[1]).effective, rtol=1e-9)


# --- profiles -------------------------------------------------------------------------------------------


def test_the_profile_of_a_mean_is_students(fit, data):
    """Of balanced data the mean's profile is N log(1 + t^2 / (N - 1)): ends to 1e-3 of the interval's width."""
    middle = data.mean(1)
    sd = math.sqrt(middle.var() / PEOPLE)
    half = sd * math.sqrt(PEOPLE * math.expm1(RISE / PEOPLE))
    found = fit.profile("level")
    assert found.interval == pytest.approx((middle.mean() - half, middle.mean() + half), abs=2e-3 * half)
    assert fit.numbers["level"] == pytest.approx(found.estimate)
    assert not found.one_sided
    assert not found.doubts


@pytest.mark.parametrize(("name", "place"), [("variance of level", 1), ("error", 2)])
def test_profiles_are_those_of_the_closed_form(fit, data, name, place):
    """At each value that was looked at, 1e-3 of -2 log likelihood; the nodes' own error is below 1e-6."""
    found, top = fit.profile(name), highest(data, {})
    for value, rise in zip(found.values, found.rises, strict=True):
        assert rise == pytest.approx(2 * (top - highest(data, {place: math.log(value)})), abs=1e-3)
    for end in found.interval:
        assert 2 * (top - highest(data, {place: math.log(end)})) == pytest.approx(RISE, abs=0.02)


def test_an_interval_of_a_variance_that_may_be_0_is_one_sided():
    y = draw_data(3, 8, spread=0.3)
    found = fit_population(Line(), people_of(y)).profile("variance of level")
    assert found.one_sided
    assert found.low == 0.0
    assert not found.doubts
    top = highest(y, {})
    assert 2 * (top - highest(y, {1: math.log(found.high)})) == pytest.approx(RISE, abs=0.02)
    assert 2 * (top - highest(y, {1: math.log(1e-4 * found.estimate)})) < RISE


def test_a_profile_says_what_it_does_not_know(fit):
    with pytest.raises(TwinError, match="estimates no 'levle'"):
        fit.profile("levle")


# --- bootstrap and SIR --------------------------------------------------------------------------------------


def test_bootstrap_samples_are_fits_of_repeated_patients(fit, data):
    """Each is the maximum of the closed form with its weights: 2e-3 of -2 log likelihood from the highest."""
    weights = draw_weights(np.zeros(PEOPLE, int), 6, 1)
    likelihood = likelihood_of(fit.sky, fit.top.cloud, fit.top.origin)
    ends = climb_many(Many.of(likelihood), weights, fit.x, likelihood.curvatures(fit.x), None)
    assert ends.settled.all()
    for w, x in zip(weights, ends.x, strict=True):
        y = np.repeat(data, w.astype(int), axis=0)
        ours = log_likelihood(y, x[0], math.exp(2 * x[2]), math.exp(x[1]))
        assert ours == pytest.approx(highest(y, {}), abs=1e-3)


def test_bootstrap_errors_of_a_mean_are_the_plain_ones(fit, data):
    """Of balanced data: the sd of patients' means over the root of their number; 400 samples know it to 3.5 %."""
    found = bootstrap(fit.sky, fit.top, 400, 3)
    assert found.sds["level"] == pytest.approx(data.mean(1).std() / math.sqrt(PEOPLE), rel=0.12)


@pytest.mark.slow
def test_bootstrap_errors_are_the_sandwichs(shared_data):
    """Rats: 1000 samples have sds to 2.2 % (one sd), and 30 rats make both differ at the second order: 12 %."""
    from tests.fit.cases import CASES

    case = CASES["independent_rats"]
    found = fit_population(case.model(), case.load(shared_data), uncertainty="bootstrap", bootstrap=1000)
    told, sandwich = found.vectors(), found.errors("RSR")
    assert told.figures["samples"] == 1000
    assert told.figures["left out"] < 10
    for name in ("weight", "growth", "error"):
        assert told.sds[name] == pytest.approx(sandwich[name], rel=0.12)
    assert found.draw(5).shape == (5, found.statement.size)


def test_bootstrap_keeps_groups_and_counts(fit):
    groups = np.arange(PEOPLE) % 3
    weights = draw_weights(groups, 50, 2)
    for group in range(3):
        assert (weights[:, groups == group].sum(1) == PEOPLE // 3).all()
    found = bootstrap(fit.sky, fit.top, 20, 0, by="ward")
    assert len(found.x) + found.figures["left out"] == 20
    with pytest.raises(TwinError, match="no covariate 'wrad'"):
        bootstrap(fit.sky, fit.top, 20, 0, by="wrad")


def test_sir_is_the_normalised_likelihood(fit, data):
    """Means and sds of a quadrature over the closed form, within 4 Monte-Carlo errors of 1000 vectors (0.13 sd)."""
    found = fit.vectors("sir")
    ends = np.array([6.0, 6.0, 6.0]) * found.x.std(0)
    axes = [m + e * np.linspace(-1, 1, 41) for m, e in zip(fit.x, ends, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    logs = np.array([log_likelihood(data, a, math.exp(2 * c), math.exp(b)) for a, b, c in grid])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    mean = weights @ grid
    sd = np.sqrt(weights @ (grid - mean) ** 2)
    np.testing.assert_array_less(np.abs(found.x.mean(0) - mean), 0.13 * sd)
    np.testing.assert_allclose(found.x.std(0), sd, rtol=0.12)
    assert found.figures["k-hat"] < 0.7
    assert not found.doubts


# --- priors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_matrix", [True, False])
def test_the_volume_is_the_jacobians(as_matrix):
    """By finite differences of (sds, correlations), or of the matrix: 1e-6."""
    level, x = Level(((0, 1, 2),)), np.array([0.1, 0.3, -0.2, 0.5, -0.4, 0.2])
    lower = np.tril_indices(3)
    below = np.tril_indices(3, -1)

    def natural(x):
        matrix = np.asarray(level.matrix(jnp.asarray(x), 3))
        sds = np.sqrt(np.diagonal(matrix))
        return matrix[lower] if as_matrix else np.concatenate([sds, (matrix / np.outer(sds, sds))[below]])

    units = 1e-6 * np.eye(6)
    jacobian = np.array([(natural(x + unit) - natural(x - unit)) / 2e-6 for unit in units])
    ours = _of_level(level, jnp.asarray(x), level.matrix(jnp.asarray(x), 3), as_matrix=as_matrix)
    assert float(ours) == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-6)


def test_priors_are_those_of_scipy_and_numpyro():
    """Differences of log densities between two matrices, 1e-9; constants are not part of a prior here."""
    import numpyro.distributions as distributions

    rng = np.random.default_rng(2)
    one, other = (np.cov(rng.standard_normal((3, 9))) for _ in range(2))
    block = np.arange(3)

    def ours(**said):
        prior = PopulationPrior(None, **said)
        return float(prior._of_block(jnp.asarray(one), block) - prior._of_block(jnp.asarray(other), block))

    def differ(density):
        return float(density(one) - density(other))

    centre = np.diag([1.0, 2.0, 0.5])
    known = stats.invwishart(7, 7 * centre)
    assert ours(degrees=7.0, scale=tuple(map(tuple, centre))) == pytest.approx(differ(known.logpdf), abs=1e-9)
    correlation = lambda m: m / np.sqrt(np.outer(np.diagonal(m), np.diagonal(m)))  # noqa: E731
    with jax.numpy_dtype_promotion("standard"):
        lkj = distributions.LKJ(3, concentration=2.5)
        known = differ(lambda m: lkj.log_prob(jnp.asarray(correlation(m))))
    assert ours(lkj=2.5) == pytest.approx(known, abs=1e-9)
    for word, known in (("half_normal", stats.halfnorm), ("half_cauchy", stats.halfcauchy)):
        of_sds = lambda m, known=known: known.logpdf(np.sqrt(np.diagonal(m)), scale=0.7).sum()  # noqa: E731
        assert ours(**{word: 0.7}) == pytest.approx(differ(of_sds), abs=1e-9)


# --- full Bayes -------------------------------------------------------------------------------------------

PRIORS = {
    "values": {"level": {"normal": {"mean": 0, "sd": 5}}, "error": {"normal": {"median": 1.0, "cv": 0.5}}},
    "spread": {"half_cauchy": 2.0},
}


def exact_moments(y):
    """Posterior means and sds of level, error and the variance, by quadrature over the closed form."""
    level, sd, error = np.linspace(-4, 10, 121), np.linspace(0.002, 9, 141), np.linspace(0.5, 1.9, 41)
    width = math.sqrt(math.log1p(0.5**2))
    people, looks = y.shape
    within, means = np.sum((y - y.mean(1, keepdims=True)) ** 2), y.mean(1)
    a, s, e = np.meshgrid(level, sd, error, indexing="ij")
    total = e**2 + looks * s**2
    squares = within / e**2 + looks * (np.sum((means - means.mean()) ** 2) + people * (means.mean() - a) ** 2) / total
    logs = -0.5 * (squares + people * ((looks - 1) * np.log(e**2) + np.log(total)))
    logs = logs - 0.5 * (a / 5) ** 2 - np.log1p((s / 2) ** 2) - 0.5 * (np.log(e) / width) ** 2 - np.log(e)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    found = {}
    for name, v in (("level", a), ("error", e), ("variance of level", s**2)):
        mean = np.sum(weights * v)
        found[name] = (mean, math.sqrt(np.sum(weights * (v - mean) ** 2)))
    return found


def test_full_bayes_is_the_exact_posterior(data):
    """Means within 0.14 sd and sds within 15 %: 4 Monte-Carlo errors of the 800 effective draws there are at least."""
    found = fit_population(Line(), people_of(data), method="bayes", priors=PRIORS)
    assert not found.posterior.doubts, found.reasons
    assert found.posterior.figures["effective"] > 800
    told = found.vectors()
    for name, (mean, sd) in exact_moments(data).items():
        assert told.means[name] == pytest.approx(mean, abs=0.14 * sd)
        if name != "variance of level":  # whose tail is too heavy for its sd to be known
            assert told.sds[name] == pytest.approx(sd, rel=0.15)
    assert found.numbers["level"] == pytest.approx(told.medians["level"])
    assert found.verdict != "not trusted"
    assert found.draw(7).shape == (7, 3)


@pytest.mark.slow
def test_eight_schools(shared_data):
    """Its pass rule: means within 0.03 sd, sds within 3 %, no divergences; chains long enough to say so."""
    from tests.fit.cases import CASES

    case, entry = CASES["eight_schools"], FitEntry(
        fix=["error"], draws=2048,
        priors={"values": {"effect": {"normal": {"mean": 0, "sd": 5}}}, "spread": {"half_cauchy": 5}},
    )  # fmt: skip
    from calibration.population.priors import build_prior

    sky, x = build_sky(case.model(), bind_patients(case.model(), case.load(shared_data)), entry)
    prior = build_prior(sky.statement, x, entry.priors)
    found = bayes.sample_population(sky, x, prior, draws=entry.draws, seed=0, kept=8000).vectors
    assert not found.doubts, found.figures
    mu, tau = found.by_name["effect"], np.sqrt(found.by_name["variance of effect"])
    assert mu.mean() == pytest.approx(4.3968, abs=0.03 * 3.3177)
    assert mu.std() == pytest.approx(3.3177, rel=0.03)
    assert tau.mean() == pytest.approx(3.5986, abs=0.03 * 3.2199)
    assert tau.std() == pytest.approx(3.2199, rel=0.03)


# --- starts and walkers ---------------------------------------------------------------------------------


def test_starts_come_to_one_place(data):
    found = fit_population(Line(), people_of(data), starts=3)
    assert found.starts is not None
    assert found.starts.agreeing == 3
    assert found.starts.caution is None
    assert np.ptp(found.starts.x[:, 0]) < 1e-3
    assert found.minus_two_ll == pytest.approx(-2 * highest(data, {}), abs=1e-3)


def test_a_start_is_scattered_and_keeps_correlations(fit):
    x = starts.scatter_start(fit.statement, fit.x, np.random.default_rng(0))
    assert np.all(np.abs(x - fit.x) > 1e-3)
    assert numbers_of(fit.statement, x).omega[0, 0] > 0
    few = starts.Starts(np.zeros((2, 3)), np.array([10.0, 20.0]), np.ones(2, bool), np.zeros(2))
    assert few.agreeing == 1
    assert "only 1 of 2" in few.caution


@pytest.mark.slow
def test_walkers_see_what_a_cloud_has_lost(fit):
    """A cloud whose draws are shifted by half a sd away is told apart; the fit's own is not."""
    good = walks.compare(fit.sky, fit.top, 0)
    assert not good.differ.any()
    assert len(good.which) == 2
    cloud = fit.top.cloud
    lost = cloud._replace(
        log_base=np.where(cloud.phi[..., 0] > fit.sky.means(fit.x)[:, None, 0, 0], cloud.log_base, -1e290)
    )
    bad = walks.compare(fit.sky, dataclasses.replace(fit.top, clouds=(lost,)), 0, good.which)
    assert bad.differ.any()
    assert bad.doubtful.sum() == bad.differ.sum()


@pytest.mark.slow
def test_walkers_repair_a_patient(data):
    """Whose draws lie five sds away: k-hat comes down, and the likelihood to what it was (0.02, the draws' noise)."""
    found = fit_population(Line(), people_of(data), method="draws", draws=512)
    top = found.top
    far = dataclasses.replace(
        top.guess, centre=top.guess.centre.copy(), root=top.guess.root.copy(), share=top.guess.share.copy()
    )
    far.centre[0] += 3.0
    far.root[0] *= 0.2
    from calibration.population.shape import scatter_cloud

    clouds = tuple(
        scatter_cloud(found.sky, top.origin, far, one.draws, found.sky.seeds(0, 40 + i))
        for i, one in enumerate(top.clouds)
    )
    broken = dataclasses.replace(top, clouds=clouds, guess=far)
    before = walks.k_hats(found.sky, broken.cloud, top.x)[0]
    after = walks.repair(found.sky, broken, 0)
    assert before > 0.7 > walks.k_hats(found.sky, after.cloud, after.x)[0]
    assert after.maximum.value == pytest.approx(highest(data, {}), abs=0.05)
    assert walks.repair(found.sky, top, 0) is top


@pytest.mark.slow
def test_the_truth_ranks_evenly():
    """40 replicates of `benchmarks/fit_sbc.py`: p above .01 of chi-square in 5 bins, and few doubted."""
    from benchmarks import fit_sbc

    told = fit_sbc.calibrate(40, bins=5)
    assert min(told["p"].values()) > 0.01, told
    assert told["doubted"] <= 4, told
