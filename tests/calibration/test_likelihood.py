"""Densities against SciPy's, and a posterior against the same model written by hand in numpyro."""

from __future__ import annotations

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as distributions
import pytest
import scipy.stats as stats

import calibration
import twin
from calibration.prior import Prior
from tests.calibration.models import W4_PRIORS, LogOral, closed_form
from twin.errors import TwinError
from twin.model import (
    Additive,
    Autocorrelated,
    Binary,
    Combined,
    CombinedSum,
    Event,
    LogNormalNoise,
    MarkovOrdinal,
    NegativeBinomial,
    Ordinal,
    Poisson,
    Proportional,
    StudentT,
    observable,
)
from twin.model.noise import Seen
from twin.patient import DoseRecord, Observation, Patient

P = types.SimpleNamespace(a=0.3, b=0.2, memory=4.0, dispersion=0.4, low=-1.0, high=1.5)
TRUE = np.array([0.5, 1.0, 2.0, 4.0])
MEASURED = np.array([0.7, 0.6, 2.5, 3.0])
TIMES = np.array([0.0, 1.0, 3.0, 10.0])
READ = np.zeros(4, int)


def density(noise, measured=MEASURED, bound=READ, true=TRUE, others=None):
    found = jax.jit(lambda *seen: noise.log_density(Seen(*seen, P, others or {})))(measured, bound, true, TIMES)
    return np.asarray(found)


NORMAL = {
    "additive": (Additive("a"), 0.3 + 0 * TRUE),
    "proportional": (Proportional("b"), 0.2 * TRUE),
    "combined, variances": (Combined(additive="a", proportional="b"), np.hypot(0.3, 0.2 * TRUE)),
    "combined, standard deviations": (CombinedSum(additive="a", proportional="b"), 0.3 + 0.2 * TRUE),
}


@pytest.mark.parametrize("name", NORMAL)
def test_normal_errors(name):
    """Read, below and above: 1e-12, a few roundings."""
    noise, sd = NORMAL[name]
    np.testing.assert_allclose(density(noise), stats.norm.logpdf(MEASURED, TRUE, sd), rtol=1e-12)
    np.testing.assert_allclose(density(noise, bound=READ - 1), stats.norm.logcdf(MEASURED, TRUE, sd), rtol=1e-12)
    np.testing.assert_allclose(density(noise, bound=READ + 1), stats.norm.logsf(MEASURED, TRUE, sd), rtol=1e-12)


def test_log_normal_errors():
    known = stats.lognorm(s=0.2, scale=TRUE)
    np.testing.assert_allclose(density(LogNormalNoise("b")), known.logpdf(MEASURED), rtol=1e-12)
    np.testing.assert_allclose(density(LogNormalNoise("b"), bound=READ - 1), known.logcdf(MEASURED), rtol=1e-11)


def test_students_t():
    """SciPy's distribution function and JAX's incomplete beta function agree to 1e-9."""
    known = stats.t(4, TRUE, 0.3)
    np.testing.assert_allclose(density(StudentT(Additive("a"))), known.logpdf(MEASURED), rtol=1e-12)
    np.testing.assert_allclose(density(StudentT(Additive("a")), bound=READ - 1), known.logcdf(MEASURED), rtol=1e-9)
    np.testing.assert_allclose(density(StudentT(Additive("a")), bound=READ + 1), known.logsf(MEASURED), rtol=1e-9)


def test_autocorrelated_errors_are_one_multivariate_normal():
    cover = 0.3**2 * np.exp(-np.abs(TIMES[:, None] - TIMES) / 4.0)
    found = density(Autocorrelated(Additive("a"), "memory")).sum()
    assert found == pytest.approx(stats.multivariate_normal(TRUE, cover).logpdf(MEASURED), rel=1e-12)


def test_counts_and_classes():
    counts = np.array([0.0, 1.0, 3.0, 7.0])
    np.testing.assert_allclose(density(Poisson(), counts), stats.poisson.logpmf(counts, TRUE), rtol=1e-12)
    n = 1 / 0.4
    known = stats.nbinom.logpmf(counts, n, n / (n + TRUE))
    np.testing.assert_allclose(density(NegativeBinomial("dispersion"), counts), known, rtol=1e-12)
    share = np.array([0.1, 0.5, 0.9, 0.3])
    yes = np.array([1.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(density(Binary(), yes, true=share), stats.bernoulli.logpmf(yes, share), rtol=1e-12)
    classes = [density(Ordinal(("low", "high")), np.full(4, k)) for k in (0.0, 1.0, 2.0)]
    np.testing.assert_allclose(np.exp(classes).sum(0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.exp(classes[2]), 1 / (1 + np.exp(1.5 - TRUE)), rtol=1e-12)


CHAIN = MarkovOrdinal(
    (("a01", "a02"), ("a11", "a12"), ("a21", "a22")), ("s0", "s1", "s2"), ("m0", "m1", "m2"), step=1.0
)
LOGITS = np.array([[-2.0, -4.0], [1.5, -2.5], [2.5, 1.0]])
SHIFTS, SLOPES = np.array([0.3, -0.2, 0.0]), np.array([-1.0, -2.0, 0.5])
CHAIN_P = types.SimpleNamespace(
    **{f"a{j}{k + 1}": LOGITS[j, k] for j in range(3) for k in range(2)},
    **{f"s{j}": SHIFTS[j] for j in range(3)},
    **{f"m{j}": SLOPES[j] for j in range(3)},
)


def chain(true):
    """P(after | before), row by row from the definition."""
    least = 1 / (1 + np.exp(-(LOGITS + (SHIFTS + SLOPES * true)[:, None])))
    return np.stack([1 - least[:, 0], least[:, 0] - least[:, 1], least[:, 1]], 1)


def test_classes_that_depend_on_the_last():
    """Over gaps of one (from class 0 before the first), one, two and seven steps: powers of the transitions."""
    classes, true = np.array([1.0, 1.0, 0.0, 2.0]), np.array([-0.5, 0.0, 0.4, -1.0])
    seen = Seen(*(jnp.asarray(x) for x in (classes, READ, true, TIMES)), CHAIN_P, {})
    over = [np.linalg.matrix_power(chain(x), n) for x, n in zip(true, (1, 1, 2, 7), strict=True)]
    expected = [over[0][0, 1], over[1][1, 1], over[2][1, 0], over[3][0, 2]]
    np.testing.assert_allclose(np.exp(CHAIN.log_density(seen)), expected, rtol=1e-12)


def test_such_classes_are_drawn_as_likely_as_they_are():
    """Shares at each time of 20,000 series, within 4.5 standard errors; going on, what is known stays."""
    true, keys = np.array([-0.5, 0.0, 0.4, -1.0]), jax.random.split(jax.random.key(0), 20_000)
    drawn = jax.vmap(lambda k: CHAIN.sample(jnp.asarray(true), jnp.asarray(TIMES), CHAIN_P, key=k))(keys)
    share = np.array([1.0, 0.0, 0.0])
    for i, steps in enumerate((1, 1, 2, 7)):
        share = share @ np.linalg.matrix_power(chain(true[i]), steps)
        found = np.mean(np.asarray(drawn)[:, i, None] == np.arange(3), 0)
        np.testing.assert_allclose(found, share, atol=4.5 * 0.5 / np.sqrt(20_000))
    read = jnp.array([2.0, 1.0, 0.0, 0.0])
    seen = Seen(read, READ, jnp.asarray(true), jnp.asarray(TIMES), CHAIN_P, {})
    on = jax.vmap(lambda k: CHAIN.continue_from(seen, jnp.array([True, True, False, False]), key=k))(keys)
    np.testing.assert_array_equal(on[:, :2], np.broadcast_to(read[:2], (20_000, 2)))
    found = np.mean(np.asarray(on)[:, 2, None] == np.arange(3), 0)
    np.testing.assert_allclose(found, (chain(0.4) @ chain(0.4))[1], atol=4.5 * 0.5 / np.sqrt(20_000))


def test_shares_of_such_classes_flow_to_where_they_stay():
    share = np.linalg.matrix_power(chain(0.4), 500)[0]
    np.testing.assert_allclose(CHAIN.flow(list(share[1:]), 0.4, CHAIN_P), 0.0, atol=1e-12)
    moved = CHAIN.flow([0.0, 0.0], 0.4, CHAIN_P)
    np.testing.assert_allclose(moved, chain(0.4)[0, 1:], rtol=1e-12)


REFUSED = [
    (Poisson(), 1.5), (Poisson(), -1.0), (NegativeBinomial("dispersion"), 0.5), (Binary(), 2.0), (Binary(), 0.5),
    (Ordinal(("low", "high")), 3.0), (CHAIN, 3.0), (CHAIN, -1.0), (Event("rate"), 3.0),
]  # fmt: skip


@pytest.mark.parametrize(("noise", "value"), REFUSED)
def test_what_cannot_have_been_read_is_refused(noise, value):
    assert noise.refuses(value, 0)
    assert noise.refuses(1.0, -1)
    assert not noise.refuses(1.0, 0)


def test_numbers_on_a_scale_are_not_refused():
    assert not Additive("a").refuses(-1.5, 1)


@pytest.mark.parametrize(("grade", "words"), [(1.5, "is not one of 0 to 3"), ("> 1", "is given by a limit")])
def test_a_grade_that_there_is_not_is_an_error_with_its_place(grade, words):
    patient = Patient("ana", observations=[Observation("fatigue", 24.0, grade)])
    with pytest.raises(TwinError, match=words):
        patient.bind(twin.load_model("sunitinib"))


def test_the_time_of_an_event():
    """Free at the first two looks, then happened between (2), or at the third (1): survival's differences."""
    hazard = {"rate": jnp.asarray([0.5, 0.5, 0.7, 0.7])}
    within = density(Event("rate"), np.array([0.0, 0.0, 2.0, 0.0]), others=hazard)[:3].sum()
    assert within == pytest.approx(np.log(np.exp(-1.0) - np.exp(-2.0)), rel=1e-12)
    at = density(Event("rate"), np.array([0.0, 0.0, 1.0, 0.0]), others=hazard)[:3].sum()
    assert at == pytest.approx(np.log(0.7) - 2.0, rel=1e-12)


# --- the whole posterior ------------------------------------------------------------------------------

LOOKS = np.array([0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0])


def w4():
    """The patient of workload W4."""
    noise = np.random.default_rng(404).standard_normal(10)
    values = np.asarray(closed_form((8.0, 60.0, 1.2), LOOKS)) * np.exp(0.15 * noise)
    seen = [Observation("concentration", float(t), float(y)) for t, y in zip(LOOKS, values, strict=True)]
    return Patient("one", doses=[DoseRecord("100 mg")], observations=seen)


def by_hand(values):
    """W4 as its author would write it in numpyro."""
    logs = [numpyro.sample(n, distributions.Normal(m, 0.5)) for n, m in zip(
        ("log_cl", "log_v", "log_ka"), (np.log(10.0), np.log(50.0), 0.0), strict=True)]  # fmt: skip
    sigma = numpyro.sample("sigma", distributions.HalfNormal(0.5))
    mean = jnp.log(closed_form([jnp.exp(x) for x in logs], LOOKS))
    numpyro.sample("y", distributions.LogNormal(mean, sigma), obs=jnp.asarray(values))


def test_the_log_density_is_that_of_a_numpyro_model_written_by_hand():
    """To 1e-8 at twenty places; `u` is standard normal here, so each scale's Jacobian is taken out of theirs."""
    patient = w4()
    target = calibration.Target(LogOral(), [patient.bind(LogOral())], Prior.of(LogOral(), W4_PRIORS))
    u = np.random.default_rng(1).standard_normal((1, 20, 4))
    ours = jax.jit(target.log_likelihood)(u, target.data)[0]
    values, deviations = jax.jit(target.prior.split)(u)
    own = {n: np.asarray(v)[0] for n, v in (deviations | values).items()}
    places = {
        "log_cl": np.log(10.0) + 0.5 * own["clearance"], "log_v": np.log(50.0) + 0.5 * own["volume"],
        "log_ka": 0.5 * own["absorption"], "sigma": own["error"],
    }  # fmt: skip

    def by_numpyro(place):
        measured = [o.value for o in patient.observations]
        whole, trace = numpyro.infer.util.log_density(by_hand, (measured,), {}, place)
        return whole - sum(trace[n]["fn"].log_prob(place[n]) for n in place)

    theirs = jax.jit(jax.vmap(by_numpyro))(places)
    assert theirs.shape == (20,)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)


class OddlyCalled(LogOral):
    """An observable for each of what a target knows of patients."""

    name = "toy_oddly_called"
    since = courses = signals = chances = read = true = person = solved = observable(
        unit="mg/L", noise=LogNormalNoise("error")
    )(lambda self, t, y, p: y.drug.central / p.volume)


def test_an_observable_may_be_called_as_what_a_target_knows():
    """One called `since` broke the likelihood: both stood in one mapping. Each is as likely as `concentration`."""
    names = ("concentration", "since", "courses", "signals", "chances", "read", "true", "person", "solved")
    u = jnp.asarray(np.random.default_rng(1).standard_normal((1, 5, 3)))
    people = [
        Patient(name, doses=[DoseRecord("100 mg", 0.0)], observations=[Observation(name, 2.0, 1.2)]) for name in names
    ]
    target = calibration.Target(OddlyCalled(), [one.bind(OddlyCalled()) for one in people])
    likely = np.asarray(target.log_likelihood(jnp.broadcast_to(u, (len(names), 5, 3)), target.data))
    np.testing.assert_allclose(likely, np.broadcast_to(likely[:1], likely.shape), rtol=1e-9)
    assert np.isfinite(likely).all()


def test_the_priors_are_the_distributions_they_are_called():
    """Kolmogorov-Smirnov on 4,000 values of each against SciPy: p above 1e-3."""
    known = {
        "log_normal": ({"median": 2.0, "sd": 0.3}, stats.lognorm(s=0.3, scale=2.0)),
        "normal": ({"mean": -1.0, "sd": 2.0}, stats.norm(-1.0, 2.0)),
        "positive_normal": ({"mean": 0.05, "sd": 0.05}, stats.truncnorm(-1.0, np.inf, 0.05, 0.05)),
        "uniform": ({"low": 1.0, "high": 3.0}, stats.uniform(1.0, 2.0)),
        "half_normal": ({"scale": 0.5}, stats.halfnorm(scale=0.5)),
        "half_cauchy": ({"scale": 0.5}, stats.halfcauchy(scale=0.5)),
        "gamma": ({"shape": 2.0, "rate": 4.0}, stats.gamma(2.0, scale=0.25)),
        "beta": ({"alpha": 2.0, "beta": 0.5}, stats.beta(2.0, 0.5)),
        "student_t": ({"degrees": 3.0, "mean": 1.0, "scale": 0.5}, stats.t(3.0, 1.0, 0.5)),
    }
    z = np.random.default_rng(0).standard_normal((1, 4000, 4))
    for name, (words, distribution) in known.items():
        prior = Prior.of(LogOral(), {"error": {name: words}})
        values = np.asarray(jax.jit(lambda z, prior=prior: prior.split(z)[0]["error"])(z))[0]
        assert stats.kstest(values, distribution.cdf).pvalue > 1e-3, name


@pytest.mark.parametrize(("kind", "words"), [
    ("log_normal", {"median": 2.0, "variance": 0.09}), ("log_normal", {"median": 2.0, "cv": np.sqrt(np.expm1(0.09))}),
    ("normal", {"mean": 2.0, "variance": 0.09}), ("positive_normal", {"mean": 2.0, "variance": 0.09}),
])  # fmt: skip
def test_a_variance_or_a_cv_stands_for_a_standard_deviation(kind, words):
    first = next(iter(words))
    by_sd, other = (
        Prior.of(LogOral(), {"error": {kind: said}}).replaced["error"] for said in ({first: 2.0, "sd": 0.3}, words)
    )
    assert other[0] == by_sd[0]
    assert other[1].sd == pytest.approx(by_sd[1].sd, rel=1e-14)


def test_the_numpyro_model_of_a_prior_draws_the_parameters():
    prior = Prior.of(LogOral(), {"clearance": {"shift": 2.0, "widen": 3.0}})
    model = prior.numpyro()
    draws = numpyro.infer.Predictive(model, num_samples=4000)(jax.random.key(0))
    assert stats.kstest(np.asarray(draws["clearance"]), stats.lognorm(s=1.5, scale=20.0).cdf).pvalue > 1e-3


WRONG = {
    "no such parameter": ({"clearence": {"widen": 2}}, "clearence"),
    "no spread": ({"error": {"widen": 2}}, "no declared spread"),
    "no such word": ({"clearance": {"wide": 2}}, "'wide'"),
    "not above zero": ({"clearance": {"widen": 0}}, "not above 0"),
    "words missing": ({"error": {"log_normal": {"median": 1}}}, r"median, sd \(or variance or cv instead of sd\)"),
    "two widths": ({"error": {"log_normal": {"median": 1, "sd": 1, "cv": 1}}}, "needs exactly median, sd"),
    "a variance below zero": ({"error": {"normal": {"mean": 1, "variance": -1}}}, "variance -1 is not above 0"),
    "no degrees of freedom": ({"error": {"student_t": {"degrees": 0, "mean": 1, "scale": 1}}}, "degrees 0 is not betw"),
    "low above high": ({"error": {"uniform": {"low": 2, "high": 1}}}, "low 2 is not below high 1"),
    "two things": ({"error": {"half_normal": {"scale": 1}, "widen": 2}}, "replaces everything"),
}


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_prior_is_refused_in_a_sentence(changes, said):
    with pytest.raises(TwinError, match=said):
        Prior.of(LogOral(), changes)


def test_censored_values_are_left_out_by_m1_and_counted():
    """M1 is the calibration without them; M3 knows more, so its clearance is higher here."""
    seen = [*w4().observations[:6], Observation("concentration", 24.0, "<0.02")]
    patient = dataclasses.replace(w4(), observations=seen)
    m1 = calibration.calibrate(LogOral(), patient, priors=W4_PRIORS, draws=1000, censored="m1")
    without = dataclasses.replace(w4(), observations=seen[:-1])
    plain = calibration.calibrate(LogOral(), without, priors=W4_PRIORS, draws=1000)
    np.testing.assert_allclose(m1.u, plain.u)
    assert m1.stats["left_out"][0] == 1
    m3 = calibration.calibrate(LogOral(), patient, priors=W4_PRIORS, draws=1000)
    assert m3.parameters["clearance"][0].mean() > 1.1 * m1.parameters["clearance"][0].mean()
    with pytest.raises(TwinError, match="unknown treatment of censored values 'm5'"):
        calibration.calibrate(LogOral(), patient, censored="m5")
