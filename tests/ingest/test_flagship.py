"""One patient from four kinds of records: everything arrives, and what is left out is missed."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path

import numpy as np
import pytest

import calibration
from twin.ingest.report import DROPPED, FLAGGED
from twin.scenario import check

SCENARIO = Path(__file__).parents[2] / "scenarios" / "sunitinib" / "four_modalities.yaml"


@pytest.fixture(scope="module")
def checked():
    return check(SCENARIO)


@pytest.fixture(scope="module")
def model(checked):
    return checked.scenario.model


@pytest.fixture(scope="module")
def patient(checked, model):
    (found,) = checked.scenario.patients
    return found


def test_the_scenario_checks(checked, patient):
    assert not checked.problems
    assert not checked.warnings
    (report,) = checked.scenario.reports
    assert report.total(DROPPED) == report.total(FLAGGED) == 0


def test_every_modality_arrives(patient, model):
    """Counted in the files by hand: 7 days of biomarkers, 9 of neutrophils, 4 visits, 56 evenings."""
    counts = collections.Counter(one.observable for one in patient.observations)
    assert counts == {"svegfr3": 7, "skit": 7, "neutrophils": 9, "tumour_size": 4, "diastolic_pressure": 56}
    levels = model.covariates()["cyp3a4"].levels
    assert levels[int(patient.covariates["cyp3a4"])] == "*1/*22"
    assert not patient.assumed
    assert not patient.chances


def test_values_and_times_are_those_of_the_files(patient):
    """Lesions of 56, 41 and 28 mm an hour after the first dose; a pressure of 90 eleven hours after it."""
    first = {}
    for one in patient.observations:
        first.setdefault(one.observable, (one.time, one.value))
    assert first["tumour_size"] == pytest.approx((1.0, 125.0))
    assert first["diastolic_pressure"] == pytest.approx((11.0, 90.0))
    assert first["svegfr3"][0] == 0.0
    assert 1e4 < first["svegfr3"][1] < 2e5  # ng/mL in the file, pg/mL here


def test_doses_are_two_cycles(patient):
    assert patient.series["daily_dose"] == ((0.0, 50.0), (672.0, 0.0), (1008.0, 50.0), (1680.0, 0.0))


@pytest.mark.slow
def test_without_the_cuff_pressure_is_open_again(patient, model):
    """The spread of the slope's logarithm; 1.5 is well below the 1.9 that docs/modalities.py finds for the interval."""
    kept = tuple(one for one in patient.observations if one.observable != "diastolic_pressure")
    without = dataclasses.replace(patient, id="without", observations=kept)
    posterior = calibration.calibrate(model, [patient, without], draws=1000, seed=1)
    assert set(posterior.method) == {"importance"}
    assert "not trusted" not in posterior.verdict
    known, unknown = np.std(np.log(posterior.parameters["diastolic_slope"]), axis=1)
    assert unknown > 1.5 * known
