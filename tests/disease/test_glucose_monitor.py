"""The glucose monitor: sensors from the factory, the memory of their errors, what the display does."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from twin.model.noise import glucose_monitor as sensor
from twin.model.noise.glucose_monitor import (
    COVARIANCE,
    SHRINKAGE,
    TYPICAL,
    GlucoseMonitor,
    draw_sensor,
    is_acceptable,
    stationary_sd,
)

KEY = jax.random.key(7)


def readings(glucose: float, times, draws: int) -> np.ndarray:
    """Series of readings (draw, time) at a constant glucose."""
    times = jnp.asarray(times)
    true = jnp.full(times.shape, glucose)
    sample = jax.jit(jax.vmap(lambda key: GlucoseMonitor().sample(true, times, None, key=key)))
    return np.asarray(sample(jax.random.split(KEY, draws)))


def factory(draws: int) -> np.ndarray:
    """The published distribution drawn with NumPy, rejection included (sensor, number)."""
    lower = np.array([[*row, *(7 - len(row)) * [0.0]] for row in COVARIANCE])
    covariance = SHRINKAGE * (lower + lower.T - np.diag(np.diag(lower)))
    drawn = np.random.default_rng(0).multivariate_normal(TYPICAL, covariance, draws)
    first, second, innovation = drawn[:, 4], drawn[:, 5], drawn[:, 6]
    tie = first**2 / (1 - second)
    variance = innovation**2 / (1 - tie - second * (tie + second))
    kept = (second >= -1) & (second <= 1 - abs(first) - 0.02) & (variance <= 100)
    return drawn[kept]


def test_sensors_are_drawn_from_the_published_distribution():
    drawn = jax.vmap(lambda key: draw_sensor(key=key))(jax.random.split(KEY, 4000))
    assert np.all(is_acceptable(drawn))
    ours, expected = np.stack(drawn, axis=1), factory(40_000)
    spread = expected.std(axis=0)
    # 4 standard errors of a mean of 4000, and as much for the SDs
    assert np.all(abs(ours.mean(axis=0) - expected.mean(axis=0)) < 0.07 * spread)
    assert np.allclose(ours.std(axis=0), spread, rtol=0.07)


def test_the_error_has_its_stationary_size_and_memory_from_the_first_reading():
    number = jnp.arange(0, 40)
    worn = sensor.Sensor(*(jnp.full(number.shape, value) for value in TYPICAL))
    draw = jax.jit(jax.vmap(lambda key: sensor._errors(worn, number, key=key)))
    errors = np.asarray(draw(jax.random.split(KEY, 4000)))
    alike = TYPICAL.first_memory / (1 - TYPICAL.second_memory)
    for column in (0, 1, 39):
        assert errors[:, column].std() == pytest.approx(float(stationary_sd()), rel=0.05)  # 4 standard errors
    for column in (0, 20, 38):
        assert np.corrcoef(errors[:, column], errors[:, column + 1])[0, 1] == pytest.approx(alike, abs=0.02)


@pytest.mark.parametrize("gap", [2, 6])
def test_the_error_between_distant_seriesis_that_of_all_seriesbetween(gap):
    number = jnp.arange(3) * gap
    worn = sensor.Sensor(*(jnp.full(number.shape, value) for value in TYPICAL))
    errors = np.asarray(jax.vmap(lambda key: sensor._errors(worn, number, key=key))(jax.random.split(KEY, 4000)))
    memory = [1.0, TYPICAL.first_memory / (1 - TYPICAL.second_memory)]
    while len(memory) <= gap:
        memory.append(TYPICAL.first_memory * memory[-1] + TYPICAL.second_memory * memory[-2])
    assert np.corrcoef(errors[:, 0], errors[:, 1])[0, 1] == pytest.approx(memory[gap], abs=0.06)


def test_a_reading_is_shown_until_the_next():
    shown = readings(120.0, [10.0, 12.0, 14.9, 15.0], draws=3)
    # only the drift of the gain moves it within five minutes
    assert np.allclose(shown[:, 0], shown[:, 2], atol=0.05)
    assert np.all(abs(shown[:, 3] - shown[:, 2]) > 0.05)


def test_a_new_sensor_is_worn_after_ten_days():
    shown = readings(120.0, [14_390.0, 14_395.0, 14_400.0], draws=500)
    same, other = (np.corrcoef(shown[:, i], shown[:, i + 1])[0, 1] for i in (0, 1))
    assert same > 0.9
    assert abs(other) < 0.2  # 4 standard errors


@pytest.mark.parametrize(("glucose", "shown"), [(5.0, 40.0), (900.0, 400.0)])
def test_seriessaturate(glucose, shown):
    series = readings(glucose, [0.0, 5.0], draws=50)
    assert np.all((series >= 40) & (series <= 400))
    assert np.median(series) == shown
