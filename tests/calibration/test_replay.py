"""A replay is the calibrations one would have made at the time, and flags what did not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import calibration
from tests.calibration.models import W4_PRIORS, LogOral
from tests.calibration.test_likelihood import w4
from twin.errors import TwinError
from twin.patient import Observation, Patient


@pytest.fixture(scope="module")
def replayed():
    patient = w4()
    changed = dataclasses.replace(
        patient, id="changed",
        observations=[*patient.observations[:-2], Observation("concentration", 12.0, 8.0), patient.observations[-1]],
    )  # fmt: skip
    return calibration.replay(LogOral(), [patient, changed], every="4 h", priors=W4_PRIORS, draws=1000)


def test_each_step_knows_what_was_measured_before_it(replayed):
    steps = replayed.steps
    mine = steps["of_patient"].values == "one"
    # measured at 0.25 0.5 1 2 3 4 | 6 8 | 12 | 24: cuts each 4 h from 0.25 h on at which something comes
    assert list(steps["known"].values[mine]) == [0, 6, 8, 9, 10]
    assert list(steps["time"].values[mine]) == [0.25, 4.25, 8.25, 20.25, 24.25]
    assert replayed.forecasts.sizes["forecast"] == 20


def test_a_step_is_the_calibration_one_would_have_made(replayed):
    """Two runs of some thousand effective draws: means within a tenth of a standard deviation."""
    patient = w4()
    then = calibration.calibrate(
        LogOral(), dataclasses.replace(patient, observations=patient.observations[:6]), priors=W4_PRIORS, draws=1000
    )
    step = replayed.steps.isel(step=1)
    for name in then.prior.names:
        own = then.parameters[name][0]
        assert step["mean"].sel(unknown=name).item() == pytest.approx(own.mean(), abs=0.15 * own.std())


def test_the_twin_sharpens(replayed):
    sds = replayed.steps["sd"].sel(unknown="clearance").values[replayed.steps["of_patient"].values == "one"]
    assert (np.diff(sds) < 0).all()
    assert sds[-1] < 0.2 * sds[0]
    scores = replayed.forecasts["crps"].values[replayed.forecasts["of_patient"].values == "one"]
    widths = (replayed.forecasts["q95"] - replayed.forecasts["q5"]).values[:10] / replayed.forecasts["median"].values[
        :10
    ]
    assert np.isfinite(scores).all()
    assert widths[-1] < 0.6 * widths[0]


def test_what_does_not_fit_is_flagged_when_it_comes(replayed):
    steps = replayed.steps
    drift = {who: steps["drift"].values[steps["of_patient"].values == who] for who in ("one", "changed")}
    assert np.nanmin(drift["one"]) > 0.005
    assert drift["changed"][2] < 0.005  # the step that brings the value at 12 h
    assert np.isnan(drift["changed"][-1])  # nothing comes after the last


def test_bad_steps_are_refused_in_a_sentence():
    with pytest.raises(TwinError, match="not a time above 0"):
        calibration.replay(LogOral(), w4(), every=0)
    with pytest.raises(TwinError, match="no patient has observations"):
        calibration.replay(LogOral(), Patient("none"), every=1)
    with pytest.raises(TwinError, match="at most 500"):
        calibration.replay(LogOral(), [dataclasses.replace(w4(), id=f"p{i}") for i in range(120)], every=0.01)
