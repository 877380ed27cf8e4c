"""What a continuous glucose monitor shows: calibration drift, correlated error and saturation (Vettoretti 2019).

    @observable(unit="mg/dL", modality="wearable", noise=GlucoseMonitor())
    def cgm(self, t, y, p): return y.interstitial_glucose

Vettoretti, Battocchio, Sparacino, Facchinetti 2019, Sensors 19:5320; factory-calibrated (Dexcom G6 type).
Numbers as in gcappon/py_replay_bg. Errors of neighbouring readings are alike: taking them as independent
makes anything estimated from a trace look far more certain than it is.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...types import Array, Scalar
from . import Noise, Seen, following_errors, normal_density

INTERVAL = 5.0  # min between readings
LIFE = 10 * 1440.0  # min until a sensor is replaced
LOWEST, HIGHEST = 40.0, 400.0  # mg/dL, the device shows nothing beyond
LARGEST_SD = 10.0  # mg/dL, stationary; a sensor with more is not sold
_READINGS = int(LIFE / INTERVAL)


class Sensor(NamedTuple):
    """One sensor: reading = (gain + gain_slope d + gain_curve d^2) glucose + offset + error, d in days."""

    gain: Scalar  # 1
    gain_slope: Scalar  # 1/day
    gain_curve: Scalar  # 1/day^2
    offset: Scalar  # mg/dL
    first_memory: Scalar  # 1, weight of the last error
    second_memory: Scalar  # 1, weight of the one before
    innovation: Scalar  # mg/dL, SD of what is new in each error


TYPICAL = Sensor(0.942288, 0.00493988, -0.000584875, 6.382602, 1.260407, -0.402223, 3.251636)

# Covariance between sensors, lower triangle in the order of Sensor's fields; used times SHRINKAGE.
COVARIANCE = (
    (0.0132458,),
    (-0.00395130, 0.00185280),
    (0.000312767, -0.000155803, 1.374596e-05),
    (0.157179, -0.102880, 0.00806859, 29.005838),
    (0.00268766, -0.00139023, 0.00012075, 0.124083, 0.0207935),
    (-0.00289046, 0.00115919, -0.00010042, -0.101936, -0.0184311, 0.0187009),
    (-0.00318017, -0.00272849, 0.00011130, 0.600754, -0.0157218, 0.0155233, 0.723568),
)
SHRINKAGE = 0.9


def expected_reading(glucose: Scalar, day: Scalar, sensor: Sensor = TYPICAL) -> Scalar:
    """What the sensor would show without error or saturation, `day` days after it was put in."""
    return (sensor.gain + sensor.gain_slope * day + sensor.gain_curve * day**2) * glucose + sensor.offset


def stationary_sd(sensor: Sensor = TYPICAL) -> Array:
    """The standard deviation of the error of a sensor worn for long (mg/dL)."""
    first, second = sensor.first_memory, sensor.second_memory
    tie = first**2 / (1 - second)
    return jnp.sqrt(sensor.innovation**2 / (1 - tie - second * (tie + second)))


def is_acceptable(sensor: Sensor) -> Array:
    """Whether the error dies out with a margin and stays small; other draws are drawn again."""
    first, second = sensor.first_memory, sensor.second_memory
    fades = (second >= -1) & (second <= 1 - jnp.abs(first) - 0.02)
    # Where the error does not fade the root is not a number, and the comparison false.
    return fades & (stationary_sd(sensor) <= LARGEST_SD)


def draw_sensor(*, key: Array, dtype: Any = float) -> Sensor:
    """A sensor from the factory: multivariate normal, drawn until it `is_acceptable` (about 3 in 4 are)."""
    entries = [row + (0.0,) * (7 - len(row)) for row in COVARIANCE]
    lower = np.asarray(entries)
    root = jnp.asarray(np.linalg.cholesky(SHRINKAGE * (lower + lower.T - np.diag(np.diag(lower)))), dtype)

    def draw(key: Array) -> Sensor:
        return Sensor(*(jnp.asarray(TYPICAL, dtype) + root @ jax.random.normal(key, (7,), dtype)))

    def again(carry: tuple[Array, Sensor]) -> tuple[Array, Sensor]:
        following, now = jax.random.split(carry[0])
        return following, draw(now)

    return jax.lax.while_loop(lambda carry: jnp.logical_not(is_acceptable(carry[1])), again, again((key, TYPICAL)))[1]


def _errors(worn: Sensor, reading: Array, *, key: Array) -> Array:
    """The error at each reading number (time,), where `worn` is the sensor worn then, fields (time,)."""

    number = jnp.result_type(worn.gain)

    def start(sensor: Sensor, at: Array) -> tuple[Array, Array]:
        z = jax.random.normal(jax.random.fold_in(key, at), (2,), number)
        alike = sensor.first_memory / (1 - sensor.second_memory)  # correlation of neighbouring errors
        error = stationary_sd(sensor) * z[0]
        return error, alike * error + stationary_sd(sensor) * jnp.sqrt(1 - alike**2) * z[1]

    def advance(carry, now):
        before, error, previous = carry
        sensor, at = now
        replaced = at // _READINGS != before // _READINGS
        fresh = start(sensor, at)
        error, previous = (jnp.where(replaced, new, old) for new, old in zip(fresh, (error, previous), strict=True))

        def one(i, errors):
            z = jax.random.normal(jax.random.fold_in(key, i), (), number)
            now = sensor.first_memory * errors[0] + sensor.second_memory * errors[1] + sensor.innovation * z
            return now, errors[0]

        first = jnp.where(replaced, at, before) + 1
        error, previous = jax.lax.fori_loop(first, at + 1, one, (error, previous))
        return (at, error, previous), error

    nothing = jnp.zeros((), number)
    return jax.lax.scan(advance, (reading[0] - _READINGS, nothing, nothing), (worn, reading))[1]


def _expect(true: Array, times: Array) -> tuple[Array, Array]:
    """What a typical sensor is expected to show, and how alike the errors of neighbouring readings are."""
    number = jnp.floor(times / INTERVAL + 1e-6) // _READINGS
    expected = jnp.asarray(expected_reading(true, (times - number * LIFE) / 1440))
    neighbours = TYPICAL.first_memory / (1 - TYPICAL.second_memory)
    alike = neighbours ** (jnp.abs(jnp.diff(times, axis=-1)) / INTERVAL)
    return expected, jnp.where(number[..., 1:] == number[..., :-1], alike, 0.0)


@dataclasses.dataclass(frozen=True)
class GlucoseMonitor(Noise):
    """A wearer's readings, a new sensor every 10 days; times in minutes, the first sensor put in at 0.

    The device reads every 5 minutes and shows its last reading in between; readings saturate at 40 and
    400 mg/dL. `sensors` different ones are drawn for a wearer; a longer series wears them again in turn.
    """

    sensors: int = 9

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()  # sensors differ by the published covariance above, not by a parameter of the patient

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        sensors_key, error_key = jax.random.split(key)
        keys = jax.random.split(sensors_key, self.sensors)
        box = jax.vmap(lambda key: draw_sensor(key=key, dtype=true.dtype))(keys)
        reading = jnp.floor(times / INTERVAL + 1e-6).astype(int)  # 1e-6: a time a rounding before its reading
        number = reading // _READINGS
        worn = jax.tree.map(lambda field: field[number % self.sensors], box)
        day = (times - number.astype(times.dtype) * LIFE) / 1440
        shown = expected_reading(true, day, worn) + _errors(worn, reading, key=error_key)
        return jnp.clip(shown, LOWEST, HIGHEST)  # what the device does

    def log_density(self, seen: Seen) -> Array:
        """Given the reading before: a typical sensor, whose errors correlate over time as its AR(2) does at one step.

        How sensors differ from each other (gain and offset) is not integrated over. A reading at an end of the scale is
        only known to lie beyond it.
        """
        expected, alike = _expect(seen.true, seen.times)
        sd = stationary_sd()
        z = (seen.measured - expected) / sd
        alike = jnp.where(seen.bound[..., :-1] == 0, alike, 0.0)
        left = jnp.sqrt(jnp.maximum(1 - alike**2, 1e-12))
        z = jnp.concatenate([z[..., :1], (z[..., 1:] - alike * z[..., :-1]) / left], -1)
        left = jnp.concatenate([jnp.ones_like(left[..., :1]), left], -1)
        at_end = jnp.where(seen.measured <= LOWEST, -1, jnp.where(seen.measured >= HIGHEST, 1, seen.bound))
        return normal_density(z, jnp.log(sd * left) + 0 * z, at_end)

    def continue_from(self, seen: Seen, known: Array, *, key: Array) -> Array:
        """From what a typical sensor, whose density this is, has shown."""
        expected, alike = _expect(seen.true, seen.times)
        sd = stationary_sd()
        errors = following_errors((seen.measured - expected) / sd, known & (seen.bound == 0), alike, key=key)
        return jnp.where(known, seen.measured, jnp.clip(expected + sd * errors, LOWEST, HIGHEST))

    def describe(self) -> str:
        return f"CGM sensor: drifting gain, AR(2) error, readings saturate at {LOWEST:g} and {HIGHEST:g} mg/dL"
