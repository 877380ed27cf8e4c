"""Posteriors and modes against other tools' published numbers, on the public files beside the checkout."""

from __future__ import annotations

import json

import numpy as np
import pytest

import calibration
import twin
from calibration.ladder import generators_of
from calibration.method import modes
from tests.calibration.models import (
    LYNX_PRIORS,
    Anticoagulant,
    LynxHare,
    Oral,
    Theophylline,
    Tobramycin,
    Torsten,
    Warfarin,
    WarfarinBySex,
    examplinib,
    lynx_hare,
    rows,
    theophylline,
    tobramycin,
    torsten,
    warfarin,
)


def agree(posterior, known, *, mean, sd):
    """Means within `mean` of the reference's standard deviation, and standard deviations within the share `sd`."""
    for name, (middle, width) in known.items():
        values = posterior.parameters[name][0]
        assert values.mean() == pytest.approx(middle, abs=mean * width), name
        assert values.std() == pytest.approx(width, rel=sd), name


def test_modes_equal_nonmems(shared_data):
    """Eight patients' etas within 1e-5; mapbayr calls 1e-3 excellent."""
    target = calibration.Target(Oral(), [p.bind(Oral()) for p in examplinib(shared_data)])
    found = modes.find(target, generators_of(target, 0))
    table = rows(shared_data / "map_examplinib" / "nonmem_posthoc.csv")
    known = np.array([[float(row[f"ETA_{i}"]) for i in (1, 2, 3)] for row in table])
    assert found.settled.all()
    np.testing.assert_allclose(found.u[:, 0] * np.sqrt(0.2), known, rtol=0, atol=1e-5)


def test_a_mode_with_covariates_equals_monolixs(shared_data):
    """The optimum is printed to six digits."""
    patient, best = tobramycin(shared_data)
    found = calibration.calibrate(Tobramycin(), patient, method="map", draws=1).parameters
    assert float(found["elimination"].squeeze()) == pytest.approx(best["ke"], rel=1e-5)
    assert float(found["volume"].squeeze()) == pytest.approx(best["V"], rel=1e-5)


def test_torstens_posterior(shared_data):
    """Its own rule: means within 0.1 standard deviations, standard deviations within a tenth."""
    prior = {"error": {"half_cauchy": {"scale": 1.0}}}
    posterior = calibration.calibrate(Torsten(), torsten(shared_data), priors=prior, draws=4000)
    names = ("clearance", "exchange", "volume", "peripheral_volume", "absorption", "error")
    table = {row[""]: row for row in rows(shared_data / "torsten_two_cpt" / "posterior_table.csv")}
    known = {
        name: (float(table[theirs]["mean"]), float(table[theirs]["sd"]))
        for name, theirs in zip(names, ("CL", "Q", "V1", "V2", "ka", "sigma"), strict=True)
    }
    agree(posterior, known, mean=0.1, sd=0.1)
    assert posterior.verdict == ("trusted",)


LYNX = {
    "alpha": "theta[1]", "beta": "theta[2]", "gamma": "theta[3]", "delta": "theta[4]", "hares": "z_init[1]",
    "lynxes": "z_init[2]", "hare_error": "sigma[1]", "lynx_error": "sigma[2]",
}  # fmt: skip


MORE = [pytest.param(name, marks=pytest.mark.slow) for name in ("walkers", "nuts")]


@pytest.mark.parametrize("method", ["importance", *MORE])
def test_the_gold_draws_of_lynx_and_hare(method, shared_data):
    """Some thousand effective draws of a skewed posterior: means to 0.15 standard deviations, these to an eighth."""
    posterior = calibration.calibrate(
        LynxHare(), lynx_hare(shared_data), priors=LYNX_PRIORS, draws=4000, method=method, seed=1
    )
    told = json.loads((shared_data / "lynx_hare" / "reference_posterior_summary.json").read_text())
    agree(posterior, {n: (told[k]["mean"], told[k]["sd"]) for n, k in LYNX.items()}, mean=0.15, sd=0.125)
    assert posterior.verdict == ("trusted",)


def test_theophyllines_modes_predict_as_monolixs(shared_data):
    """Twelve real subjects, 1e-5 of the largest concentration; Monolix prints six digits."""
    people = theophylline(shared_data)
    table = rows(shared_data / "theophylline_monolix" / "predictions.csv")
    own = [[row for row in table if row["id"] == patient.id] for patient in people]
    found = calibration.calibrate(Theophylline(), people, method="map", draws=1)
    courses = twin.solve_many(
        Theophylline(), people, None, [[float(row["time"]) for row in rows_of] for rows_of in own],
        deviations=found.individuals["deviations"],
    )["concentration"]  # fmt: skip
    for course, rows_of in zip(np.asarray(courses)[:, 0], own, strict=True):
        known = [float(row["indivPred_mode"]) for row in rows_of]
        np.testing.assert_allclose(course[: len(known)], known, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "sexes", "published", "error"),
    [(Warfarin(), False, 657.358, 0.131), (WarfarinBySex(), True, 641.683, 0.097)],
)
def test_the_likelihood_of_a_population_equals_monolixs(shared_data, model, sexes, published, error):
    """-2 log likelihood of O'Reilly's 32 people by importance sampling: two of its published standard errors."""
    found = calibration.calibrate(model, warfarin(shared_data, sexes=sexes), draws=20_000, method="importance")
    assert -2 * found.stats["log_evidence"].sum() == pytest.approx(published, abs=2 * error)


@pytest.mark.slow
def test_people_scatter_around_nlmixrs_typical_values(shared_data):
    """Concentrations and activity in one likelihood. At the estimate of a population, its people's mean deviation is
    zero; with spreads that are ours (the source leaves them out), all seven means lie within 0.15 spreads.
    """
    found = calibration.calibrate(Anticoagulant(), warfarin(shared_data, effects=True), draws=500)
    assert np.abs(found.u.mean((0, 1))).max() < 0.15
    assert "not trusted" not in found.verdict
    checked = calibration.checks(found)
    for name in ("concentration", "activity"):
        npde = checked["npde"].values[checked["observable"].values == name]
        assert abs(npde.mean()) < 0.2, name
        assert 0.75 < npde.std() < 1.2, name


REAL = {
    "theophylline": (Theophylline(), lambda folder: theophylline(folder)),
    "warfarin": (WarfarinBySex(), lambda folder: warfarin(folder, sexes=True)),
}


@pytest.mark.parametrize("case", ["theophylline", pytest.param("warfarin", marks=pytest.mark.slow)])
def test_real_measurements_fall_into_their_bands(shared_data, case):
    """The later half hidden, 60 and 120 measurements of 12 and 32 people (correlated): 90 % within 9, and better
    than the population by itself.
    """
    model, people = REAL[case]
    skill = calibration.forecast(model, people(shared_data))["concentration"]
    assert skill.count == {"theophylline": 60, "warfarin": 120}[case]
    assert skill.covered_90 == pytest.approx(0.9, abs=0.09)
    assert 0.4 < skill.covered_50 < 0.8
    assert skill.crps < 0.9 * skill.crps_before
