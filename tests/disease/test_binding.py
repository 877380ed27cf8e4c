"""Quasi-steady binding: golden tables, conservation, the root against exact arithmetic, and finite slopes."""

from __future__ import annotations

import decimal
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from twin.model import Delivery, DiseaseModel, observable, parameter, replace, state, treatment, zeros
from twin.parts.target_binding import Bound, quasi_steady

DAYS = [1.0, 7.0, 14.0, 28.0, 42.0]
# 300 nmol into 3 L at once, from the specification, printed to the digits shown
QUASI_STEADY = {
    "free": [81.2447, 22.6513, 0.6243, 0.0376, 0.0024],
    "bound": [8.5846, 19.5333, 11.4961, 0.7508, 0.0488],
    "target": [0.0264, 0.2156, 4.6037, 4.9955, 4.9997],
}
FULL = {"free": [81.3595, 22.8661, 0.1346, 0.0075, 0.0005], "bound": [8.4831, 19.3863, 11.8770, 0.7334, 0.0452]}


class Parameters(eqx.Module):
    elimination: jax.Array = parameter(0.1, "1/day", "loss of free drug")
    association: jax.Array = parameter(1.0, "L/(nmol*day)", "binding")
    dissociation: jax.Array = parameter(0.05, "1/day", "unbinding")
    internalisation: jax.Array = parameter(0.2, "1/day", "loss of complex")
    turnover: jax.Array = parameter(1.0, "1/day", "loss of free target")
    baseline: jax.Array = parameter(5.0, "nmol/L", "target without drug")
    volume: jax.Array = parameter(3.0, "L", "volume")


class Totals(eqx.Module):
    drug: jax.Array = state("nmol", "drug, free and bound")
    target: jax.Array = state("nmol/L", "target, free and bound")


class QuasiSteady(DiseaseModel):
    """Totals are carried; the rest follows."""

    name, title, time_unit = "quasi_steady", "Binding at a quasi-steady state", "day"
    State, Parameters = Totals, Parameters

    def initial(self, p):
        return replace(zeros(Totals), target=p.baseline)

    def bound(self, y, p) -> Bound:
        return quasi_steady(y.drug / p.volume, y.target, (p.dissociation + p.internalisation) / p.association)

    def derivatives(self, t, y, p):
        now = self.bound(y, p)
        return Totals(
            drug=-now.drug_loss(clearance=p.elimination * p.volume, internalisation=p.internalisation, volume=p.volume),
            target=now.target_rate(turnover=p.turnover, baseline=p.baseline, internalisation=p.internalisation),
        )

    @treatment(unit="nmol", into="drug")
    def bolus(self, p) -> Delivery:
        """At once"""
        return Delivery()

    @observable(unit="nmol/L")
    def free(self, t, y, p):
        return self.bound(y, p).free_drug

    @observable(unit="nmol/L")
    def bound_drug(self, t, y, p):
        return self.bound(y, p).complex

    @observable(unit="nmol/L")
    def free_target(self, t, y, p):
        return self.bound(y, p).free_target


class Three(eqx.Module):
    drug: jax.Array = state("nmol", "free drug")
    target: jax.Array = state("nmol/L", "free target")
    complex: jax.Array = state("nmol/L", "both together")


class Full(DiseaseModel):
    """Every molecule is carried: what the quasi-steady state approximates."""

    name, title, time_unit = "full_binding", "Binding in full", "day"
    State, Parameters, stiff = Three, Parameters, True

    def initial(self, p):
        return replace(zeros(Three), target=p.baseline)

    def derivatives(self, t, y, p):
        joined = p.association * y.drug / p.volume * y.target - p.dissociation * y.complex
        return Three(
            drug=-p.elimination * y.drug - joined * p.volume,
            target=p.turnover * (p.baseline - y.target) - joined,
            complex=joined - p.internalisation * y.complex,
        )

    @treatment(unit="nmol", into="drug")
    def bolus(self, p) -> Delivery:
        """At once"""
        return Delivery()

    @observable(unit="nmol/L")
    def free(self, t, y, p):
        return y.drug / p.volume

    @observable(unit="nmol/L")
    def bound_drug(self, t, y, p):
        return y.complex


@functools.cache
def course(model):
    """300 nmol at once, solved closely."""
    return twin.solve(model, "300 nmol", DAYS, rtol=1e-9, atol=1e-12)


QUASI, WHOLE = QuasiSteady(), Full()


@pytest.mark.parametrize(("model", "table"), [(QUASI, QUASI_STEADY), (WHOLE, FULL)], ids=["quasi", "full"])
def test_golden_tables(model, table):
    """Half a unit of the fourth printed decimal, and 1e-6 for the solver."""
    names = {"free": "free", "bound": "bound_drug", "target": "free_target"}
    for what, values in table.items():
        np.testing.assert_allclose(course(model)[names[what]], values, rtol=1e-6, atol=5.1e-5, err_msg=what)


def test_the_two_agree_while_drug_is_in_excess_and_only_then():
    quasi, full = (np.asarray(course(model)["free"]) for model in (QUASI, WHOLE))
    np.testing.assert_allclose(quasi[:2], full[:2], rtol=0.02)
    assert np.all(quasi[2:] > 3 * full[2:])


def test_nothing_is_lost_without_losses():
    """Drug and target only bind: both totals stay what they are, and so does what is free."""
    still = QuasiSteady().with_values(elimination=0.0, internalisation=0.0, turnover=0.0)
    found = twin.solve(still, "30 nmol", DAYS, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["state.drug"], 30.0, rtol=1e-12)
    np.testing.assert_allclose(found["state.target"], 5.0, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(found["free"]) + np.asarray(found["bound_drug"]), 10.0, rtol=1e-12)


TOTALS = [(1e-9, 5.0), (1e-3, 5.0), (5.0, 5.0), (5.253, 5.0), (300.0, 5.0), (1e6, 5.0), (1e-6, 1e6), (3.0, 1e-9)]


@pytest.mark.parametrize("half", [1e-6, 0.253, 40.0])
@pytest.mark.parametrize(("drug", "target"), TOTALS)
def test_the_root_keeps_its_digits(drug, target, half):
    """Against fifty digits, to a few roundings of the totals times the root's own sensitivity to them."""
    decimal.getcontext().prec = 50
    total, there, k = decimal.Decimal(drug), decimal.Decimal(target), decimal.Decimal(half)
    excess = total - there - k
    root = (excess * excess + 4 * k * total).sqrt()
    free = (excess + root) / 2
    known = [free, there * free / (k + free), there * k / (k + free)]
    with jax.enable_x64(True):
        found = quasi_steady(jnp.asarray(drug, jnp.float64), jnp.asarray(target, jnp.float64), half)
        ours = [float(found.free_drug), float(found.complex), float(found.free_target)]
    sensitivity = float((total + there + k) / root)
    np.testing.assert_allclose(ours, [float(x) for x in known], rtol=1e-15 * max(4.0, 4.0 * sensitivity))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("drug", "target"), [(0.0, 5.0), (0.0, 0.0), (5.25, 5.0), (1e6, 5.0), (1e-6, 1e6)])
def test_slopes_are_finite_and_right(drug, target, dtype):
    """dL/dLtot = (K + L)^2 / ((K + L)^2 + K Rtot), from differentiating the balance by hand."""
    half = 0.25
    with jax.enable_x64(True):
        at = [jnp.asarray(x, dtype) for x in (drug, target, half)]
        slopes = jax.grad(lambda *x: quasi_steady(*x).free_drug, argnums=(0, 1, 2))(*at)
        free = float(quasi_steady(*at).free_drug)
        every = jax.jacobian(lambda *x: jax.tree.leaves(quasi_steady(*x)), argnums=(0, 1, 2))(*at)
    assert np.all(np.isfinite(jax.tree.leaves(every)))
    by_hand = (half + free) ** 2 / ((half + free) ** 2 + half * target)
    assert float(slopes[0]) == pytest.approx(by_hand, rel=1e-9 if dtype == "float64" else 1e-3)
