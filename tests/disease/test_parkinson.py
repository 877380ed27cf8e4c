"""Parkinson's disease: the published closed form, a change of arm, a tablet in closed form, entacapone, weight."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import twin
from tests.disease.typical import typical
from twin.disease.parkinson_lee2011 import ParkinsonLee2011
from twin.model import replace

MODEL = ParkinsonLee2011()
CLOSE = 1e-5  # single precision where x64 is off
MONTH = 672.0  # h
TABLE = {"levodopa": (0.99, -0.52, 1.93, 0.36, 1.87), "rasagiline": (0.73, -0.30, 1.12, 1.61, 1.46)}


def test_updrs_is_the_published_formula_and_late_treatment_keeps_what_was_lost():
    """Arms that never change are the formula; a late one has the treated slope and its own early fall from then on."""
    months = np.array([0.5, 2.0, 3.0, 4.0, 9.0])
    when = {"never": (0.0, 0.0), "always": (0.0, 1.0), "late": (3 * MONTH, 1.0)}
    result = twin.simulate(
        MODEL,
        [twin.Patient(trial, covariates={"trial": trial}) for trial in TABLE],
        regimens={arm: {"inputs": {"treated": [{"time": time, "value": z}]}} for arm, (time, z) in when.items()},
        outcomes=[],
        draws=1,
        spread=False,
        times=months * MONTH,
    )["predictions/updrs_change"].isel(draw=0)
    for trial, (b0, b1, g0, g1, ke0) in TABLE.items():
        fall = 1 - np.exp(-ke0 * months)
        formula = {z: (b0 + b1 * z) * months - (g0 + g1 * z) * fall for z in (0, 1)}
        since = np.maximum(months - 3, 0)
        late = b0 * months + b1 * since - g0 * fall - g1 * (1 - np.exp(-ke0 * since))
        for arm, expected in {"never": formula[0], "always": formula[1], "late": late}.items():
            np.testing.assert_allclose(result.sel(patient=trial, regimen=arm), expected, rtol=1e-9, atol=1e-12)


def test_patients_deviate_in_the_sds_of_their_trial():
    p = {name: typical(MODEL, trial=name) for name in TABLE}
    sds = [[float(q.worsening_sd) ** 2, float(q.relief_sd) ** 2, float(q.updrs_error) ** 2] for q in p.values()]
    np.testing.assert_allclose(sds, [[1.13, 44.0, 8.68], [0.47, 18.61, 8.53]], rtol=CLOSE)


def test_a_tablet_is_a_gamma_of_two_steps_and_then_an_exponential():
    """With next to no elimination, what has arrived is 1.03 x dose x the gamma distribution of two steps at 2.4/h."""
    times = np.array([0.2, 1.0, 3.0])
    found = twin.solve(MODEL, "100 mg tablet", times, parameters={"clearance": 1e-9})["state.drug.central"]
    np.testing.assert_allclose(found, 103 * scipy.stats.gamma.cdf(times, 2, scale=1 / 2.4), rtol=1e-7)


@pytest.mark.parametrize(("entacapone", "clearance"), [(0.0, 27.9), (1.0, 27.9 * 0.635)])
def test_entacapone_takes_a_share_of_clearance(entacapone, clearance):
    p = typical(MODEL, inputs={"entacapone": entacapone})
    state = MODEL.initial(p)
    rates = MODEL.derivatives(0.0, replace(state, drug=replace(state.drug, central=74.5)), p)
    assert float(-rates.drug.central) == pytest.approx(clearance, rel=CLOSE)


def test_weight_scales_levodopa():
    p = typical(MODEL, weight=56.0)
    assert (p.clearance, p.volume) == pytest.approx((27.9 * 0.8**0.75, 74.5 * 0.8), rel=CLOSE)
