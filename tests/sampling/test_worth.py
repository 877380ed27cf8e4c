"""Whether chosen times are worth what is said: people are drawn, measured and calibrated, and the errors counted."""

from __future__ import annotations

import numpy as np
import pytest

import calibration
import twin

from .models import Warfarin

PEOPLE, MODEL, ARMS = 300, Warfarin(), {"once": "70 mg"}
SETTINGS = twin.Settings(draws=300, until="10 day", seed=4)
WINDOW = {"from": 2, "to": 120, "step": 2}


def errors(times):
    """How far posterior means of the AUC are from the truth, each of a person drawn and measured at these times."""
    people = [twin.Patient(f"p{i}") for i in range(PEOPLE)]
    words = {"regimens": ARMS, "outcomes": ["auc"], "until": "10 day"}
    truth = twin.simulate(MODEL, people, draws=1, times=times, noise=True, seed=9, **words)
    read = truth["measurements/assay"].values[:, 0, 0]
    seen = lambda row: [twin.Observation("assay", t, v) for t, v in zip(times, row.tolist(), strict=True)]  # noqa: E731
    measured = [twin.Patient(p.id, doses="70 mg", observations=seen(row)) for p, row in zip(people, read, strict=True)]
    posterior = calibration.calibrate(MODEL, measured, draws=300)
    found = twin.simulate(posterior.twin, regimens={"no more": None}, outcomes=["auc"], until="10 day", times=[])
    return found["outcomes/auc"].values[:, 0].mean(-1) - truth["outcomes/auc"].values[:, 0, 0]


@pytest.mark.slow
def test_the_variance_that_is_expected_is_what_is_found_and_chosen_times_leave_less():
    """Expected from the population's draws, and from 300 people: their mean square has a relative SD of 8 to 12 %."""
    words = {"measure": "assay", "aim": {"outcome": "auc"}, "outcomes": ["auc"], "settings": SETTINGS}
    chosen = twin.optimal_sampling(MODEL, twin.Patient("ana"), ARMS, windows=[WINDOW], choose=2, **words)
    early = twin.optimal_sampling(MODEL, twin.Patient("ana"), ARMS, fixed=[4.0, 12.0], **words)
    found = {}
    for name, asked in (("chosen", chosen), ("early", early)):
        own = asked["expected"].to_dataset().sel(group="ana", quantity="auc")
        times = asked["sampling/time"].values[0].tolist()
        found[name] = np.mean(errors(times) ** 2)
        assert found[name] == pytest.approx(float(own["sd_after"]) ** 2, rel=0.35)
        assert found[name] == pytest.approx(float(own["sd_simulated"]) ** 2, rel=0.35)
    assert found["chosen"] < 0.7 * found["early"]
