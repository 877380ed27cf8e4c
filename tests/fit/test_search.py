"""The search of covariates, by data whose covariates are known to act, or known not to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import yaml
from scipy.stats import binom, spearmanr

import calibration.population.search.search as searching
from calibration.population.fit import fit_population
from calibration.population.further import Further
from calibration.population.search import find_candidates, search_covariates
from calibration.population.search.horseshoe import sample_horseshoe
from calibration.population.search.quadratic import Quadratic, choose_forward
from cli.report.fit_text import to_text
from tests.fit.models import Sites
from twin.errors import TwinError
from twin.files.schema import examine
from twin.model.extension import Column, add_columns, extend
from twin.patient import DoseRecord, Observation, Patient
from twin.scenario.file import ScenarioFile

PEOPLE, TIMES = 60, (1.0, 4.0, 10.0, 24.0)
NOTHING = [f"nothing_{k}" for k in range(8)]
COLUMNS = [Column("weight", "kg", (), 70.0), Column("sex", "1", ("male", "female"), "male")]
COLUMNS += [Column(name) for name in NOTHING]


def _people(seed: int) -> list[Patient]:
    """Clearance goes with weight to 0.75 and is 30 % lower in women; volume goes with weight; nothing else acts."""
    generator = np.random.default_rng(seed)
    found = []
    for i in range(PEOPLE):
        weight, female = float(np.exp(generator.normal(np.log(70), 0.25))), bool(generator.random() < 0.5)
        clearance = 3.4 * (weight / 70) ** 0.75 * (0.7 if female else 1.0) * np.exp(generator.normal(0, 0.2))
        volume = 55 * (weight / 70) * np.exp(generator.normal(0, 0.15))
        true = 1000 / volume * np.exp(-clearance / volume * np.array(TIMES))
        read = true * (1 + 0.1 * generator.standard_normal(len(TIMES)))
        covariates = {"weight": weight, "sex": "female" if female else "male"}
        covariates |= {name: float(np.exp(generator.normal(0, 0.3))) for name in NOTHING}
        seen = [Observation("concentration", t, v) for t, v in zip(TIMES, read.tolist(), strict=True)]
        doses = [DoseRecord("1000 mg", 0.0)]
        found.append(Patient(f"{i:03}", covariates=covariates, doses=doses, observations=seen))
    return found


@pytest.fixture(scope="module")
def people():
    return _people(1)


@pytest.fixture(scope="module")
def fitted(people):
    return fit_population(add_columns(Sites(), COLUMNS), people, correlated=[])


@pytest.fixture(scope="module")
def found(fitted):
    return search_covariates(fitted, bootstrap=100)


def test_what_acts_is_chosen_often_and_what_does_not_seldom(found):
    often = dict(zip((one.name for one in found.candidates), found.frequency, strict=True))
    for name in ("weight on clearance (power)", "sex on clearance (category)", "weight on volume (power)"):
        assert often[name] > 0.8
    assert np.mean([v for name, v in often.items() if "nothing" in name]) < 0.1
    assert set(found.effects(0.8)) == {"clearance", "volume"}


def test_coefficients_are_those_that_act(found):
    """Of weight within 3 standard errors, when it is taken in with sex; alone they may differ by what sex leaves."""
    at = {one.name: i for i, one in enumerate(found.candidates)}
    for name, true in (("weight on volume (power)", 1.0), ("sex on clearance (category)", np.log(0.7))):
        i = at[name]
        assert abs(found.estimate[i][0] - true) < 3 * found.error[i][0]
        assert found.low[i] < true < found.high[i]
        assert found.split[i, 0] < true < found.split[i, 1]


def test_shrinkage_leaves_nothing_of_nothing(found):
    at = {one.name: i for i, one in enumerate(found.candidates)}
    for name, i in at.items():
        if "nothing" in name:
            assert abs(found.shrunk[i]) < 0.5 * max(abs(found.estimate[i][0]), found.error[i][0])
            assert found.low[i] < 0 < found.high[i]


def test_a_null_covariate_is_accepted_as_often_as_said(fitted):
    """600 covariates that say nothing: p below .05 for 5 %, within what chance allows, and within 3 to 7 %."""
    generator = np.random.default_rng(5)
    quiet = _quadratic(fitted, generator.standard_normal((PEOPLE, 600)), "clearance")
    slope, information = quiet.profile(np.ones(PEOPLE))
    share = np.mean(slope**2 / np.diagonal(information) > 3.841459)
    assert 0.03 < share < 0.07
    assert binom.ppf(1e-4, 600, 0.05) <= 600 * share <= binom.ppf(1 - 1e-4, 600, 0.05)


def test_what_is_printed_as_the_next_fit_can_be_fitted(fitted, found):
    """The lines under the table are what a scenario may hold, and a model is extended by."""
    text = to_text(dataclasses.replace(fitted, further=Further(search=found)).to_tree())
    block = text.partition("covariate_effects:\n")[2].partition("\n\n")[0]
    effects = yaml.safe_load(block)
    rest = {"model": "warfarin", "patients": [{"id": "ana"}], "fit": {}}
    assert not examine(rest | {"covariate_effects": effects}, ScenarioFile).problems
    model = extend(add_columns(Sites(), COLUMNS), covariates=effects)
    coefficient = effects["volume"]["weight"]["power"]
    assert coefficient == pytest.approx(found.effects()["volume"]["weight"]["power"], rel=1e-3)
    assert float(model.typical().weight_on_volume) == pytest.approx(coefficient)


@pytest.mark.slow
def test_the_ranks_are_those_of_full_fits(people, fitted, found):
    """Every candidate fitted by itself: rank correlation of what -2 log likelihood falls by, .95 as is asked."""
    alone = []
    for one, reference in zip(found.candidates, found.references, strict=True):
        start = {one.parameter: {one.covariate: one.entry([0.0] * max(1, len(one.levels)), reference)}}
        model = extend(add_columns(Sites(), COLUMNS), covariates=start)
        alone.append(fitted.minus_two_ll - fit_population(model, people, correlated=[]).minus_two_ll)
    assert spearmanr(alone, found.gain).statistic > 0.95


def _quadratic(fitted, design: np.ndarray, parameter: str) -> Quadratic:
    _, slope, curvature = searching.likelihood_of(fitted.sky, fitted.top.cloud, fitted.top.origin).curvatures(fitted.x)
    moved = np.full(design.shape[1], fitted.statement.estimated.index(parameter))
    return Quadratic(slope, curvature, design, moved, searching.places_of_typical(fitted.statement))


def test_patients_of_sites_cannot_be_searched(fitted):
    sky = dataclasses.replace(fitted.sky, sites=(0.0, 1.0) * (PEOPLE // 2))
    with pytest.raises(TwinError, match="fit without sites"):
        find_candidates(sky)


def test_forward_steps_take_the_better_of_two_that_say_the_same():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((500, 2)) @ np.array([[1.0, 0.95], [0.0, 0.3]])
    y = x[:, 0] + generator.standard_normal(500)
    slope, information = x.T @ y, x.T @ x
    assert choose_forward(slope, information, [np.array([0]), np.array([1])], np.array([6.6, 6.6])) == (0,)


def test_a_horseshoe_leaves_what_is_large_and_shrinks_the_rest():
    """A coefficient of 5 standard errors stays within one of them; four of 0 to 1 shrink to less than half."""
    slope, information = np.array([50.0, 3.0, -5.0, 0.0, 8.0]), 100.0 * np.eye(5)
    draws = sample_horseshoe(slope, information, np.ones(5), 0)
    middle = np.median(draws, axis=0)
    assert abs(middle[0] - 0.5) < 0.1
    assert np.all(np.abs(middle[1:]) < 0.5 * np.abs(slope[1:] / 100) + 0.005)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"covariates": ["hight"]}, "knows no 'hight'"),
        ({"parameters": ["weight"]}, "no estimated, log-normal effect"),
        ({"forms": {"weight": "linear"}, "covariates": ["weight"]}, "has the form 'linear'"),
    ],
)
def test_what_cannot_be_searched_is_said(fitted, asked, sentence):
    with pytest.raises(TwinError, match=sentence):
        search_covariates(fitted, **asked)
