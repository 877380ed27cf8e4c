"""Residual error: mean and spread of measurements against what each model says, within Monte-Carlo error."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from twin.errors import TwinError
from twin.model import Additive, Autocorrelated, Combined, CombinedSum, LogNormalNoise, Proportional
from twin.model.noise import Seen

P = SimpleNamespace(additive=0.5, proportional=0.2, log_sd=0.3, memory=2.0)
N = 40_000
TRUE = 3.0
LOG = np.exp(0.3**2 / 2)  # a log-normal's mean over its median

# noise, true value -> mean, standard deviation
CASES = {
    "additive": (Additive("additive"), lambda x: (x, 0.5)),
    "proportional": (Proportional("proportional"), lambda x: (x, 0.2 * abs(x))),
    "combined: variances add": (
        Combined(additive="additive", proportional="proportional"), lambda x: (x, np.hypot(0.5, 0.2 * x)),
    ),
    "log-normal: its median is the true value": (
        LogNormalNoise("log_sd"), lambda x: (x * LOG, abs(x) * LOG * np.sqrt(np.expm1(0.3**2))),
    ),
}  # fmt: skip


def measured(noise, true: float, seed: int = 3, dtype=jnp.float64) -> np.ndarray:
    times = jnp.arange(N, dtype=dtype)
    return np.asarray(noise.sample(jnp.full(N, true, dtype), times, P, key=jax.random.key(seed)))


@pytest.mark.parametrize("true", [0.1, TRUE, 250.0])
@pytest.mark.parametrize(("noise", "moments"), CASES.values(), ids=CASES)
def test_mean_and_spread(noise, moments, true):
    """Five standard errors: sd / sqrt(N) of the mean, and of the SD (which is larger for a skewed one)."""
    values = measured(noise, true)
    mean, sd = moments(true)
    assert values.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(N))
    kurtosis = scipy.stats.kurtosis(values, fisher=False)
    assert values.std() == pytest.approx(sd, abs=5 * sd * np.sqrt((kurtosis - 1) / (4 * N)))


@pytest.mark.parametrize("noise", [case[0] for case in CASES.values()], ids=CASES)
def test_errors_are_gaussian_on_their_own_scale(noise):
    values = measured(noise, TRUE)
    values = np.log(values) if isinstance(noise, LogNormalNoise) else values
    z = (values - values.mean()) / values.std()
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-3  # of one seed; by chance once in a thousand


NORMAL = [case[0] for case in CASES.values()] + [CombinedSum(additive="additive", proportional="proportional")]


@pytest.mark.parametrize("noise", NORMAL, ids=lambda noise: type(noise).__name__)
def test_the_normal_form_is_that_of_the_density(noise):
    """Mean and SD on the scale on which a measurement is normal, against the density of it that a calibration uses."""
    true, read = jnp.array([0.5, 3.0]), jnp.array([0.7, 2.2])
    mean, sd = noise.normal_form(true, P)
    log = isinstance(noise, LogNormalNoise)
    density = scipy.stats.norm.logpdf(jnp.log(read) if log else read, mean, sd) - (np.log(read) if log else 0.0)
    seen = Seen(read, jnp.zeros(2, int), true, jnp.arange(2.0), P, {})
    assert density == pytest.approx(np.asarray(noise.log_density(seen)), rel=1e-12)


def test_what_is_not_normal_and_independent_says_so():
    with pytest.raises(TwinError, match="correlated over memory"):
        Autocorrelated(Additive("additive"), "memory").normal_form(jnp.ones(1), P)


@pytest.mark.parametrize("noise", [case[0] for case in CASES.values()], ids=CASES)
def test_neighbouring_errors_are_independent(noise):
    errors = measured(noise, TRUE) - TRUE
    correlation = np.corrcoef(errors[:-1], errors[1:])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(N)


@pytest.mark.parametrize("noise", [case[0] for case in CASES.values()], ids=CASES)
def test_the_key_decides(noise):
    assert np.array_equal(measured(noise, TRUE), measured(noise, TRUE))
    assert not np.any(measured(noise, TRUE, seed=3)[:100] == measured(noise, TRUE, seed=4)[:100])


def test_what_cannot_be_negative_is_not():
    assert np.all(measured(LogNormalNoise("log_sd"), 0.01) > 0)


def test_nothing_there_is_measured_as_its_background():
    assert np.all(measured(Proportional("proportional"), 0.0) == 0.0)
    assert measured(Combined(additive="additive", proportional="proportional"), 0.0).std() == pytest.approx(
        0.5, rel=0.02
    )


@pytest.mark.parametrize("noise", [case[0] for case in CASES.values()], ids=CASES)
def test_precision_is_that_of_the_course(noise):
    p = SimpleNamespace(**{name: jnp.asarray(value, jnp.float32) for name, value in vars(P).items()})
    found = noise.sample(jnp.ones(3, jnp.float32), jnp.arange(3.0, dtype=jnp.float32), p, key=jax.random.key(0))
    assert found.dtype == jnp.float32


def test_a_noise_model_names_its_parameters():
    named = {name: noise.parameters for name, (noise, _) in CASES.items()}
    assert list(named.values()) == [("additive",), ("proportional",), ("additive", "proportional"), ("log_sd",)]
    for noise, _ in CASES.values():
        assert all(name in noise.describe() for name in noise.parameters)


# What is known at times 0, 1 and 2, and to come at 3 and 5: with a memory of 2, errors are exp(-gap / 2) alike.
BASES = {
    "additive": (Additive("additive"), lambda z: TRUE + 0.5 * z),
    "log-normal": (LogNormalNoise("log_sd"), lambda z: TRUE * np.exp(0.3 * z)),
}


def going_on(noise, values, known, seed=5):
    """Many series at once that go on from these values."""
    times = jnp.array([0.0, 1.0, 2.0, 3.0, 5.0])
    seen = Seen(jnp.asarray(values), jnp.zeros(5, int), jnp.full(5, TRUE), times, P, {})
    keys = jax.random.split(jax.random.key(seed), N)
    return np.asarray(jax.vmap(lambda key: noise.continue_from(seen, jnp.asarray(known), key=key))(keys))


@pytest.mark.parametrize(("base", "shown"), BASES.values(), ids=BASES)
def test_correlated_errors_go_on_from_the_last_one_read(base, shown):
    """Standardised errors are normal around exp(-gap / 2) times the last, five standard errors."""
    values = shown(np.array([0.3, -1.0, 1.7, 0.0, 0.0]))
    found = going_on(Autocorrelated(base, "memory"), values, [True, True, True, False, False])
    np.testing.assert_allclose(found[:, :3], np.broadcast_to(values[:3], (N, 3)), rtol=1e-12)
    errors = (found - TRUE) / 0.5 if isinstance(base, Additive) else np.log(found / TRUE) / 0.3
    for place, gap in ((3, 1.0), (4, 3.0)):
        alike = np.exp(-gap / 2)
        assert errors[:, place].mean() == pytest.approx(1.7 * alike, abs=5 / np.sqrt(N))
        assert errors[:, place].std() == pytest.approx(np.sqrt(1 - alike**2), abs=5 / np.sqrt(2 * N))


def test_independent_errors_go_on_from_nothing():
    found = going_on(Additive("additive"), np.full(5, 9.0), [True, True, True, False, False])
    assert np.all(found[:, :3] == 9.0)
    assert found[:, 3:].mean() == pytest.approx(TRUE, abs=5 * 0.5 / np.sqrt(2 * N))


@pytest.mark.parametrize("noise", [Combined, CombinedSum])
def test_the_parts_of_an_error_have_to_be_named(noise):
    """By place, a proportional error first was taken as the additive one."""
    with pytest.raises(TypeError):
        noise("proportional", "additive")
