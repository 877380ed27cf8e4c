"""The mixed model for repeated measures, where something else must come out the same."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from twin.statistics import analysis

from .test_references import restricted

COUNT, PEOPLE = 4, 40


@pytest.fixture(scope="module")
def course():
    generator = np.random.default_rng(6)
    own = generator.standard_normal((COUNT, PEOPLE, 1))
    arm = generator.integers(0, 2, (COUNT, PEOPLE))
    value = own + 0.3 * arm[..., None] * np.arange(3) + generator.standard_normal((COUNT, PEOPLE, 3))
    baseline = own + generator.standard_normal((COUNT, PEOPLE, 1))
    return value, arm, baseline


def inside(arm):
    return np.arange(arm.shape[1]) < arm.shape[1] - 3 + np.zeros_like(arm)


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_complete_courses_are_a_covariance_analysis_of_the_visit(course, scale):
    """Then other visits say nothing: the effect, its error and the degrees of freedom are those of least squares."""
    value, arm, baseline = course
    made = analysis.mmrm(scale * value, arm, inside(arm), covariates=baseline)
    plain = analysis.ancova(scale * value[..., -1], arm, inside(arm), covariates=baseline)
    for one, two in zip(made, plain, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_the_likelihood_is_the_highest_that_a_search_finds(course):
    """Of people with gaps, by another program's likelihood and SciPy's search over covariances."""
    value, arm, baseline = (one[0] for one in course)
    value = np.where(np.random.default_rng(7).random(value.shape) < 0.2, np.nan, value)
    columns = np.stack([np.ones(PEOPLE), baseline[:, 0] - baseline.mean(), arm], 1)
    wide = np.einsum("na,uv->nuav", columns, np.eye(3)).reshape(PEOPLE, 3, 9)
    everyone = np.ones((1, PEOPLE), bool)
    found = analysis.fit_arms(np.stack([value] * COUNT), np.stack([arm] * COUNT), np.repeat(everyone, COUNT, 0),
                              covariates=np.stack([baseline] * COUNT))  # fmt: skip
    assert found.converged.all()
    assert restricted(np.asarray(found.covariance[0]), value, wide)[0] == pytest.approx(float(found.deviance[0]))

    def deviance(numbers):
        root = np.zeros((3, 3))
        root[np.tril_indices(3)] = numbers
        return restricted(root @ root.T + 1e-9 * np.eye(3), value, wide)[0]

    searched = scipy.optimize.minimize(deviance, np.eye(3)[np.tril_indices(3)], method="BFGS")
    assert float(found.deviance[0]) == pytest.approx(searched.fun, abs=1e-5)
    assert float(found.deviance[0]) <= searched.fun + 1e-8


@pytest.mark.parametrize("structure", ["compound_symmetry", "ar1", "heterogeneous_ar1", "toeplitz"])
@pytest.mark.slow
def test_structures_are_the_best_of_their_kind(course, structure):
    """No covariance near by of the same structure has a higher likelihood; and each is what its name says."""
    value, arm, baseline = course
    found = analysis.fit_arms(value, arm, inside(arm), covariates=baseline, structure=structure)
    assert found.converged.all()
    free = analysis.fit_arms(value, arm, inside(arm), covariates=baseline)
    assert (found.deviance >= free.deviance - 1e-8).all()
    covariance = np.asarray(found.covariance[0])
    deviation = np.sqrt(np.diagonal(covariance))
    correlation = covariance / deviation / deviation[:, None]
    if structure != "heterogeneous_ar1":
        np.testing.assert_allclose(deviation, deviation[0])
    assert correlation[0, 1] == pytest.approx(correlation[1, 2])
    if structure == "compound_symmetry":
        assert correlation[0, 2] == pytest.approx(correlation[0, 1])
    if "ar1" in structure:
        assert correlation[0, 2] == pytest.approx(correlation[0, 1] ** 2)


def test_a_visit_that_nobody_made_is_said(course):
    value, arm, baseline = course
    value = value.copy()
    value[0, :, 2] = np.nan
    made = analysis.mmrm(value, arm, inside(arm), covariates=baseline)
    np.testing.assert_array_equal(made.ok, [False, True, True, True])
    assert np.isnan(made.effect[0])


def test_replicates_do_not_touch_each_other(course):
    """Alone or among others, and in another order: the same to rounding."""
    value, arm, baseline = course
    order = np.array([2, 0, 3, 1])
    there = analysis.mmrm(value, arm, inside(arm), covariates=baseline)
    other = analysis.mmrm(value[order], arm[order], inside(arm), covariates=baseline[order])
    for one, two in zip(there, other, strict=True):
        np.testing.assert_allclose(one[order], two, rtol=1e-9)
