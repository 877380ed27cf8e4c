"""Infliximab, two models: covariates by hand, the mean level as dose over clearance, antibodies that come later."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.infliximab_fasanmade2009 import InfliximabFasanmade2009
from twin.disease.infliximab_hanzel2021 import InfliximabHanzel2021
from twin.model import Average
from twin.patient import Change, Series

HANZEL, FASANMADE = InfliximabHanzel2021(), InfliximabFasanmade2009()
CLOSE = 1e-5  # single precision where x64 is off

COVARIATES = [  # model, patient, clearance (L/day), central volume (L)
    (HANZEL, {}, 0.355, 3.10),
    (HANZEL, {"weight": 140}, 0.355 * 2**0.666, 3.10 * 2**0.385),
    (HANZEL, {"albumin": 22}, 0.355 * 2**0.826, 3.10),
    (HANZEL, {"antibodies": "positive"}, 0.355 * 1.39, 3.10),
    (FASANMADE, {}, 0.407, 3.29),
    (FASANMADE, {"weight": 154}, 0.407, 3.29 * 2**0.538),
    (FASANMADE, {"albumin": 20.5}, 0.407 * 2**1.54, 3.29),
    (FASANMADE, {"antibodies": "positive", "sex": "female"}, 0.407 * 1.471 * 0.764, 3.29 * 0.863),
]


@pytest.mark.parametrize(("model", "patient", "clearance", "volume"), COVARIATES)
def test_covariates(model, patient, clearance, volume):
    person = typical(model, **patient)
    assert person.clearance == pytest.approx(clearance, rel=CLOSE)
    assert person.volume == pytest.approx(volume, rel=CLOSE)


def test_the_mean_level_is_what_is_absorbed_over_clearance():
    """A steady state by either route; areas are those of cubics a day long at most: 1e-3."""
    mean = {"mean": Average(of="infliximab")}
    for regimen, daily in (
        ("120 mg injection every 2 week at steady state", 0.791 * 120 / 14),
        ("350 mg infusion over 2 h every 2 week at steady state", 350 / 14),
    ):
        found = twin.solve(HANZEL, regimen, [14.0], outcomes=mean)
        assert float(found["mean"]) == pytest.approx(daily / 0.355, rel=1e-3)


def test_antibodies_may_come_later():
    """Until then the course is that without them; from then on the level falls faster."""
    late = Series((Change(0.0, "negative"), Change(42.0, "positive")))
    people = [twin.Patient("never"), twin.Patient("late", covariates={"antibodies": late})]
    result = twin.simulate(
        HANZEL, people, regimens={"one": "350 mg infusion over 2 h"}, outcomes=[], draws=1, spread=False,
        times=[21.0, 42.0, 63.0],
    )["predictions/infliximab"].values.reshape(2, 3)  # fmt: skip
    np.testing.assert_allclose(result[0, :2], result[1, :2], rtol=1e-9)
    assert result[1, 2] < 0.7 * result[0, 2]
