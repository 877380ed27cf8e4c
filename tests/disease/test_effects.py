"""Shared effects: values against the plain formula, finite slopes where the plain formula has none."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from twin.parts.effects import hill, power

CLOSE = 2e-6  # single precision where x64 is off


@pytest.mark.parametrize("exponent", [0.424, 1.0, 1.15, 3.61])
@pytest.mark.parametrize("concentration", [1e-6, 0.1, 4.61, 50.0])
def test_hill_is_the_plain_formula(concentration, exponent):
    plain = concentration**exponent / (4.61**exponent + concentration**exponent)
    assert hill(concentration, 4.61, exponent) == pytest.approx(plain, rel=10 * CLOSE)


@pytest.mark.parametrize("exponent", [0.424, 1.0, 11.6])
@pytest.mark.parametrize("concentration", [0.0, -1e-9, 1e-30, 1e30])
def test_hill_has_finite_slopes_everywhere(concentration, exponent):
    slopes = jax.grad(hill, argnums=(0, 1, 2))(concentration, 4.61, exponent)
    assert np.all(np.isfinite(slopes))


@pytest.mark.parametrize(("concentration", "share"), [(0.0, 0.0), (-1e-9, 0.0), (1e30, 1.0)])
def test_hill_at_its_ends(concentration, share):
    assert hill(concentration, 2.0, 11.6) == pytest.approx(share, abs=CLOSE)


@pytest.mark.parametrize("base", [0.01, 0.5, 1.0])
def test_power_is_the_plain_power(base):
    assert power(base, 3.61) == pytest.approx(base**3.61, rel=10 * CLOSE)


@pytest.mark.parametrize("base", [0.0, -1e-16])
def test_power_is_zero_and_flat_below_zero(base):
    assert power(base, 3.61) == 0
    assert jax.grad(power, argnums=(0, 1))(base, 3.61) == (0, 0)
