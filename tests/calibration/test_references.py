"""Posteriors and modes against other tools' published numbers, on the public files beside the checkout."""

from __future__ import annotations

import json

import numpy as np
import pytest

import calibration
import twin
from calibration.fit import generators_of
from calibration.method import modes
from tests.calibration.models import (
    LYNX_PRIORS,
    LynxHare,
    Oral,
    Theophylline,
    Tobramycin,
    Torsten,
    examplinib,
    lynx_hare,
    rows,
    theophylline,
    tobramycin,
    torsten,
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


@pytest.mark.parametrize("method", ["importance", pytest.param("nuts", marks=pytest.mark.slow)])
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
