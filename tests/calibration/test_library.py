"""Calibration of the library's models: the truth ranks evenly, rungs agree, and tolerances are tight enough."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import calibration
import twin
from calibration import Prior, Target
from calibration.diagnose import as_measured, replicates
from tests.reference import designs

DESIGNS = designs()


def somebody(model, design, seed):
    """The design's patient with measurements of an individual drawn from the prior."""
    target = Target(model, [design.bind(model)], Prior.of(model))
    truth = 0.8 * np.random.default_rng(seed).standard_normal((1, 1, target.prior.size))
    patient = target.patients[0]
    return dataclasses.replace(patient, observations=as_measured(target, 0, replicates(target, truth, seed)))


ONE = ["warfarin_hamberg2010", pytest.param("docetaxel_neutropenia", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", ONE)
def test_the_truth_ranks_evenly(name):
    ranks = calibration.sbc(twin.load_model(name), DESIGNS[name], 80, seed=1)
    assert ranks.uniform, ranks.p_values
    assert ranks.left_out <= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_the_truth_ranks_evenly_in_500(name):
    ranks = calibration.sbc(twin.load_model(name), DESIGNS[name], 500, method="importance")
    assert ranks.uniform, ranks.p_values
    assert ranks.left_out <= 25


NUTS = ("warfarin_hamberg2010", "warfarin_hamberg2007", "docetaxel_neutropenia", "type1_diabetes_replaybg")
CHAINS = [*(("walkers", name) for name in DESIGNS), *(("nuts", name) for name in NUTS)]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name"), CHAINS)
def test_chains_and_importance_sampling_agree(method, name):
    """Several hundred effective draws or more each: means within 0.1 standard deviations, these within an eighth."""
    model, design = twin.load_model(name), DESIGNS[name]
    patient = somebody(model, design, 5)
    one = calibration.calibrate(model, patient, draws=4000, method="importance")
    other = calibration.calibrate(model, patient, draws=4000, method=method)
    assert min(one.stats["effective_draws"][0], other.stats["effective_draws"][0]) > 300
    np.testing.assert_allclose(one.u[0].mean(0), other.u[0].mean(0), atol=0.1)
    np.testing.assert_allclose(one.u[0].std(0), other.u[0].std(0), rtol=0.125)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["warfarin_hamberg2010", "docetaxel_neutropenia"])
def test_the_tolerance_moves_no_posterior(name):
    """Log posteriors of its draws move by less than 0.01 against each other with a tolerance 1e5 times smaller."""
    model, design = twin.load_model(name), DESIGNS[name]
    patient = somebody(model, design, 5)
    found = calibration.calibrate(model, patient, draws=100)
    close = Target(model, [patient], found.prior, rtol=1e-10, atol=1e-13)
    moved = close.evaluate(found.u) - found.target.evaluate(found.u)
    assert np.abs(moved - moved.mean()).max() < 0.01
