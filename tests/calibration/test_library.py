"""Calibration of the library's models: the truth ranks evenly, rungs agree, and tolerances are tight enough."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats as stats

import calibration
import twin
from calibration import Prior, Target
from calibration.check.replicates import as_measured, replicates
from calibration.ladder import from_prior
from tests.reference import designs, one_of_a_kind

DESIGNS = designs()


def somebody(model, design, seed):
    """The design's patient with measurements of an individual drawn from the prior."""
    target = Target(model, [design.bind(model)], Prior.of(model))
    truth = 0.8 * np.random.default_rng(seed).standard_normal((1, 1, target.prior.size))
    patient = target.patients[0]
    return dataclasses.replace(patient, observations=as_measured(target, 0, replicates(target, truth, seed)))


PEOPLE, OTHERS = 60, 127


def places(name, power=1.0):
    """Where the truth of people drawn from the prior lies among others drawn so too, all weighed by likelihood.

    Measured is the middle one of each observable of the design. Given the measurements, and everybody without saying
    who was measured, it was each with a chance in proportion to their likelihood: so these places (person, unknown) are
    uniform whatever the number of others, if noise is drawn as its density says. `power` spoils the likelihood.
    """
    model, design = twin.load_model(name), DESIGNS[name]
    each = {
        one.observable: [o for o in design.observations if o.observable == one.observable]
        for one in design.observations
    }
    some = [seen[len(seen) // 2] for seen in each.values()]
    first = Target(model, [dataclasses.replace(design, observations=some).bind(model)], Prior.of(model))
    generator = np.random.default_rng(7)
    u = from_prior(first, 0, PEOPLE * (1 + OTHERS), generator).reshape(PEOPLE, 1 + OTHERS, -1)
    people = first.of([dataclasses.replace(first.patients[0], id=str(i)) for i in range(PEOPLE)])
    new = replicates(people, u[:, :1], 7)
    measured = [
        dataclasses.replace(person, observations=as_measured(people, i, new))
        for i, person in enumerate(people.patients)
    ]
    likelihood = power * (first.of(measured).evaluate(u) + 0.5 * np.sum(u**2, -1))
    weights = np.exp(likelihood - likelihood.max(1, keepdims=True))
    below = np.einsum("pd,pdi->pi", weights, u < u[:, :1]) + generator.uniform(size=u[:, 0].shape) * weights[:, :1]
    return below / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("name", one_of_a_kind(DESIGNS))
def test_the_truth_lies_anywhere_among_others(name):
    found = places(name)
    p_values = [stats.kstest(column, "uniform").pvalue for column in found.T]
    assert min(p_values) > 0.001 / len(p_values)


def test_a_wrong_likelihood_is_caught():
    """Thrice too sure."""
    assert min(stats.kstest(column, "uniform").pvalue for column in places("docetaxel_neutropenia", 9.0).T) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["warfarin_hamberg2010", "docetaxel_neutropenia"])
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
