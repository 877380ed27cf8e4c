"""Estimates after looks: too large in half of all trials whatever stopped them; intervals that hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from .trying import attempt

FUTILITY = {"spend": "hwang_shih_decani", "parameter": -2, "power": 0.8}
DESIGNS = {
    "efficacy": {"looks": {"at": ["1/3", "2/3", 1], "spend": "pocock"}},
    "futility": {"looks": {"at": ["1/2", 1], "futility": FUTILITY}, "sides": 1, "alpha": 0.025},
    "less is better": {
        "looks": {"at": ["1/2", 1], "spend": "pocock"},
        "endpoints": {"marker": {"outcome": "marker", "better": "lower", "analysis": {"margin": 0.3}}},
    },
}


@pytest.mark.parametrize("name", DESIGNS)
def test_estimates_by_stages_are_median_unbiased_and_cover(name):
    """The usual ones of trials that stop early are far off; within 3 SE here, normal theory at 40 persons an arm."""
    arms = {"control": None, "treated": "0.5 mg"}
    found = attempt(
        arms, patients=80, replicates=1500, recruit={"rate": "2 / day"}, **DESIGNS[name]
    )["operating"].to_dataset()  # fmt: skip
    for which, expected in (("above_truth_by_stages", 0.5), ("coverage_by_stages", 0.95)):
        value, error = found[which].values.item(), found[f"{which}_se"].values.item()
        assert value == pytest.approx(expected, abs=3 * np.hypot(error, 0.006)), which  # 0.006: the truth has an error
    assert abs(found["bias_stopped_early"].values.item()) > 0.1
