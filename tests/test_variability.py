"""Spreads: each against its distribution in scipy, and finite slopes as far out as a draw can lie."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from twin.model import Beta, Gamma, HeavyTailed, LogitNormal, LogNormal, Normal, SquareRootNormal, Uniform, log_normal

TYPICAL = 0.4
Z = np.linspace(-6.0, 6.0, 241)
SHARE = scipy.stats.norm.cdf(Z)
TAIL = scipy.stats.norm.sf(Z)


def logit_normal(share: np.ndarray, sd: float, low: float, high: float) -> np.ndarray:
    """The quantile by hand: a normal one, on the logit of the place between low and high."""
    place = (TYPICAL - low) / (high - low)
    return low + (high - low) * scipy.special.expit(scipy.special.logit(place) + sd * scipy.stats.norm.ppf(share))


def truncated(share: np.ndarray, sd: float, low: float, high: float) -> np.ndarray:
    a, b = (low - TYPICAL) / sd, (high - TYPICAL) / sd
    return scipy.stats.truncnorm(a, b, loc=TYPICAL, scale=sd).ppf(share)


def gamma(share: np.ndarray, shape: float) -> np.ndarray:
    return TYPICAL * scipy.stats.gamma(shape).ppf(share) / scipy.stats.gamma(shape).median()


# spread, and its quantile function by scipy
SPREADS = {
    "log-normal": (LogNormal(0.5), lambda u: scipy.stats.lognorm(0.5, scale=TYPICAL).ppf(u)),
    "log-normal by CV": (log_normal(cv=0.3), lambda u: scipy.stats.lognorm(np.sqrt(np.log(1.09)), scale=0.4).ppf(u)),
    "normal": (Normal(0.2), lambda u: scipy.stats.norm(TYPICAL, 0.2).ppf(u)),
    "normal in limits": (Normal(0.3, 0.0, 1.0), lambda u: truncated(u, 0.3, 0.0, 1.0)),
    "normal above a limit": (Normal(0.3, low=0.1), lambda u: truncated(u, 0.3, 0.1, np.inf)),
    "logit-normal": (LogitNormal(0.8), lambda u: logit_normal(u, 0.8, 0.0, 1.0)),
    "logit-normal in limits": (LogitNormal(1.5, -1.0, 2.0), lambda u: logit_normal(u, 1.5, -1.0, 2.0)),
    "uniform": (Uniform(-1.0, 3.0), lambda u: scipy.stats.uniform(-1.0, 4.0).ppf(u)),
    "gamma, shape 3": (Gamma(3.0), lambda u: gamma(u, 3.0)),
    "gamma, shape 1": (Gamma(1.0), lambda u: gamma(u, 1.0)),
    "gamma, shape 0.5": (Gamma(0.5), lambda u: gamma(u, 0.5)),
    "gamma, shape 40": (Gamma(40.0), lambda u: gamma(u, 40.0)),
    "beta": (Beta(2.0, 3.0), lambda u: scipy.stats.beta(2.0, 3.0).ppf(u)),
    "beta with two horns": (Beta(0.1, 0.5), lambda u: scipy.stats.beta(0.1, 0.5).ppf(u)),
    "beta, narrow": (Beta(1000.0, 30.0), lambda u: scipy.stats.beta(1000.0, 30.0).ppf(u)),
    "Cauchy": (HeavyTailed(0.3, 1.0), lambda u: scipy.stats.cauchy(TYPICAL, 0.3).ppf(u)),
    "Student's t, 0.5 degrees": (HeavyTailed(0.3, 0.5), lambda u: scipy.stats.t(0.5, TYPICAL, 0.3).ppf(u)),
    "Student's t, 4 degrees": (HeavyTailed(0.3, 4.0), lambda u: scipy.stats.t(4.0, TYPICAL, 0.3).ppf(u)),
    "Student's t, 1000 degrees": (HeavyTailed(0.3, 1000.0), lambda u: scipy.stats.t(1000.0, TYPICAL, 0.3).ppf(u)),
}


EVERY = {name: spread for name, (spread, _) in SPREADS.items()} | {"square root": SquareRootNormal(0.3)}
PLACES = np.array([-2.5, -1e-9, 0.0, 1e-9, 0.7, 2.5])  # where slopes are compared


@functools.cache
def course(name, dtype=jnp.float64):
    """Values at Z, at PLACES and at 5,000 draws of one seed, each also as the gradient has it, and slopes by z and by
    the typical value: one program, for a spread costs a second to compile.
    """

    def at(z, typical):
        same, slopes = jax.value_and_grad(lambda z, typical: EVERY[name].value(typical, z), (0, 1))(z, typical)
        return EVERY[name].value(typical, z), same, *slopes

    z = np.concatenate([Z, PLACES, jax.random.normal(jax.random.key(11), (5000,))])
    found = jax.jit(jax.vmap(at, (0, None)))(jnp.asarray(z, dtype), jnp.asarray(TYPICAL, dtype))
    parts = np.cumsum([len(Z), len(PLACES)])
    return dict(zip(("far", "places", "drawn"), zip(*(np.split(x, parts) for x in found), strict=True), strict=True))


@pytest.mark.parametrize("name", SPREADS)
def test_a_spread_maps_normal_quantiles_to_its_own(name):
    """Within 4 standard deviations: beyond, the share itself has lost digits to rounding, in scipy's quantile too."""
    inside = np.abs(Z) <= 4
    for ours in course(name)["far"][:2]:
        np.testing.assert_allclose(ours[inside], SPREADS[name][1](SHARE[inside]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SPREADS)
def test_drawn_values_have_the_distribution(name):
    """Kolmogorov-Smirnov on 5,000 draws of one seed; without a defect p is below 1e-3 for one seed in a thousand."""
    drawn, quantile = course(name)["drawn"][0], SPREADS[name][1]
    table = quantile(np.linspace(1e-9, 1 - 1e-9, 200_001))

    def cdf(x: np.ndarray) -> np.ndarray:
        return np.interp(x, table, np.linspace(1e-9, 1 - 1e-9, 200_001))

    assert scipy.stats.kstest(drawn, cdf).pvalue > 1e-3


def test_square_root_normal_is_a_noncentral_chi_square():
    """((sqrt(typical) + sd z) / sd)^2 has one degree of freedom and noncentrality typical / sd^2."""
    spread, sd = SquareRootNormal(0.3), 0.3
    assert EVERY["square root"] == spread
    drawn = course("square root")["drawn"][0] / sd**2
    assert scipy.stats.kstest(drawn, scipy.stats.ncx2(1, TYPICAL / sd**2).cdf).pvalue > 1e-3


FREE = ("uniform", "normal in limits", "normal above a limit", "beta", "beta with two horns", "beta, narrow")
CENTRED = [name for name in EVERY if name not in FREE]


@pytest.mark.parametrize("name", CENTRED)
def test_the_typical_value_is_the_median(name):
    """Limits that do not lie evenly move a truncated normal's median; a uniform has its own middle."""
    assert float(course(name)["places"][0][PLACES == 0.0][0]) == pytest.approx(TYPICAL, rel=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("name", EVERY)
def test_values_and_slopes_are_finite_far_out(name, dtype):
    """A draw beyond 6 comes once in a billion: there and at 0 a gradient must still be a number."""
    values, same, slopes, by_typical = course(name, dtype)["far"]  # Z begins at -6, passes 0, ends at 6
    for found in (values, same, slopes, by_typical):
        assert found.dtype == dtype
        assert np.all(np.isfinite(found))
    if name != "square root":  # which turns where sqrt(typical) + sd z passes zero
        assert np.all(np.asarray(slopes) >= 0), "a larger z is a larger parameter"


@pytest.mark.parametrize("name", SPREADS)
def test_slopes_are_those_of_the_quantile(name):
    """By central differences of 5e-5, over the slope: 3e-7 of curvature, 5e-7 of SciPy's rounding (2e-11, Student's t).

    With 1e-5 that rounding showed: 2.7e-6 at the median, where the slope is 0.3 phi(0) / t(0) and ours exact.
    """
    shares = scipy.stats.norm.cdf(PLACES[:, None] + np.array([-5e-5, 5e-5]))
    known = np.diff(SPREADS[name][1](shares))[:, 0] / 1e-4
    np.testing.assert_allclose(course(name)["places"][2], known, rtol=1e-6)


@pytest.mark.parametrize(("name", "low", "high"), [
    ("normal in limits", 0.0, 1.0), ("normal above a limit", 0.1, np.inf), ("logit-normal", 0.0, 1.0),
    ("logit-normal in limits", -1.0, 2.0), ("uniform", -1.0, 3.0), ("gamma, shape 1", 0.0, np.inf),
    ("log-normal", 0.0, np.inf), ("square root", 0.0, np.inf),
])  # fmt: skip
def test_limits_hold_for_every_draw(name, low, high):
    for dtype in (jnp.float64, jnp.float32):
        for values in course(name, dtype)["far"][:2]:
            assert np.all((values >= low) & (values <= high))


def test_what_a_paper_prints():
    """CV 31 % is a log-SD of sqrt(log(1 + 0.31^2)); a variance is the square of the log-SD."""
    assert log_normal(cv=0.31).sd == pytest.approx(np.sqrt(np.log(1 + 0.31**2)), rel=1e-15)
    assert log_normal(variance=0.09).sd == pytest.approx(0.3, rel=1e-15)
    drawn = np.asarray(log_normal(cv=0.31).value(1.0, jax.random.normal(jax.random.key(2), (200_000,))))
    # the CV of a log-normal sample of this size has a standard error of about 0.0008
    assert drawn.std() / drawn.mean() == pytest.approx(0.31, abs=0.004)
    for words in ({}, {"cv": 0.3, "variance": 0.1}):
        with pytest.raises(ValueError, match="exactly one"):
            log_normal(**words)


@pytest.mark.parametrize(("spread", "words"), [
    (log_normal(cv=0.31), "log-normal, CV 31 %"),
    (Normal(0.2), "normal, SD 0.2"),
    (Normal(0.2, 0.0, 1.0), "normal, SD 0.2 in [0, 1]"),
    (Normal(0.2, low=0.0), "normal, SD 0.2 above 0"),
    (Normal(0.2, high=1.0), "normal, SD 0.2 below 1"),
    (LogitNormal(0.8), "logit-normal in [0, 1], SD 0.8"),
    (SquareRootNormal(0.3), "normal on the square root, SD 0.3"),
    (Uniform(-1.0, 3.0), "uniform in [-1, 3]"),
    (Gamma(3.0), "gamma, shape 3"),
    (Beta(2.0, 3.0), "beta, 2 and 3"),
    (HeavyTailed(0.2, 4.0), "Student's t with 4 degrees of freedom, scale 0.2"),
])  # fmt: skip
def test_spreads_in_words(spread, words):
    assert spread.describe() == words
