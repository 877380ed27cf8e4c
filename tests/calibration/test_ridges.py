"""A posterior along a bend: two unknowns of which only a + b^2 is measured, against quadrature."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest

import calibration
from twin.model import Additive, DiseaseModel, Normal, observable, parameter, state
from twin.patient import Observation, Patient
from twin.types import Scalar

ERROR, SEEN = 0.05, 0.3


class Bent(DiseaseModel):
    """Nothing moves; what is seen lies on a parabola."""

    name, title, time_unit = "bent", "a parabola", "h"

    class Parameters(eqx.Module):
        a: Scalar = parameter(0.0, "1", "along", spread=Normal(1.0))
        b: Scalar = parameter(0.0, "1", "across", spread=Normal(1.0))
        error: Scalar = parameter(ERROR, "1", "error")

    class State(eqx.Module):
        still: Scalar = state("1", "nothing")

    def derivatives(self, t, y, p):
        return self.State(still=-y.still)

    @observable(unit="1", noise=Additive("error"))
    def both(self, t, y, p):
        return p.a + p.b**2 + y.still


def by_quadrature():
    """Means and standard deviations of a and b."""
    b = np.linspace(-6, 6, 2001)[:, None]
    a = np.linspace(-14, 6, 8001)[None]
    weight = np.exp(-0.5 * (a**2 + b**2) - 0.5 * ((SEEN - a - b**2) / ERROR) ** 2)
    weight /= weight.sum()
    means = [(weight * x).sum() for x in (a, b)]
    return means, [np.sqrt((weight * (x - m) ** 2).sum()) for x, m in zip((a, b), means, strict=True)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_both_arms_of_a_parabola_are_found(seed):
    """At least 200 effective draws: means within a quarter of a standard deviation, these within a sixth."""
    found = calibration.calibrate(
        Bent(),
        Patient("ana", observations=[Observation("both", 1.0, SEEN)]),
        method="importance",
        seed=seed,
        draws=4000,
    )
    means, sds = by_quadrature()
    np.testing.assert_allclose(found.u[0].mean(0), means, atol=0.25 * max(sds))
    np.testing.assert_allclose(found.u[0].std(0), sds, rtol=1 / 6)
    assert found.stats["k_hat"][0] < 0.7
