"""Now: what lies before is history, regimens begin there, and outcomes look from it on."""

from __future__ import annotations

import json

import numpy as np
import pytest

import twin
from calibration.answer import known_patients
from tests.toys import One, Turnover
from twin.model import Final, Highest
from twin.patient import DoseRecord
from twin.settings import Settings

K = 5.0 / 50.0
HISTORY = DoseRecord("100 mg", time=0.0, every="12 h")  # to the end, unless history ends
ANA = twin.Patient("ana", doses=[HISTORY])


def run(regimens, patient=ANA, **words):
    outcomes = {"final": Final(of="concentration"), "highest": Highest(of="concentration")}
    return twin.simulate(
        One(),
        patient,
        regimens=regimens,
        outcomes=outcomes,
        draws=1,
        spread=False,
        times=[0.0, 30.0],
        until=48.0,
        **words,
    )


def final(result, regimen):
    return float(result["outcomes/final"].sel(regimen=regimen).squeeze())


def test_history_ends_and_regimens_begin_there():
    """Doses at 0, 12 and 24 h are history at 30 h; one of 50 mg then, one an interval later."""
    result = run({"stop": None, "less": "50 mg q12h x2"}, now="30 h")
    left = sum(2 * np.exp(-K * (48 - t)) for t in (0, 12, 24))
    assert final(result, "stop") == pytest.approx(left, rel=1e-9)
    assert final(result, "less") == pytest.approx(left + sum(np.exp(-K * (48 - t)) for t in (30, 42)), rel=1e-9)
    assert result.attrs["now"] == 30.0


def test_without_now_nothing_changes():
    assert final(run({"stop": None}), "stop") == pytest.approx(sum(2 * np.exp(-K * (48 - t)) for t in (0, 12, 24, 36)))


def test_outcomes_look_from_now_on_and_past_ones_are_told():
    with pytest.warns(twin.DomainWarning, match="outcome 'early' ends before now"):
        result = twin.simulate(
            One(), ANA, regimens={"stop": None}, draws=1, spread=False, times=[], until=48.0, now=30.0,
            outcomes={"highest": Highest(of="concentration"), "early": Highest(of="concentration", until=20.0)},
        )  # fmt: skip
    at_30 = sum(2 * np.exp(-K * (30 - t)) for t in (0, 12, 24))
    assert float(result["outcomes/highest"].squeeze()) == pytest.approx(at_30, rel=1e-6)
    assert "no regimen can change it" in json.loads(result.attrs["outside_domain"])[0]


def test_a_scenario_says_now_and_calibration_uses_what_was_known(tmp_path):
    file = tmp_path / "ask.yaml"
    file.write_text(
        "model: warfarin\nnow: 3 day\nuntil: 10 day\nregimens: {lower: 3 mg q24h x5}\n"
        "patients:\n  - id: ana\n    doses: [{amount: 5 mg, every: 24 h}]\n"
        "    observations:\n      - {observable: inr, time: 2 day, value: 1.4}\n"
        "      - {observable: inr, time: 5 day, value: 3.0}\n"
    )
    scenario = twin.load_scenario(file)
    assert scenario.settings.now == 72.0
    (known,) = known_patients(scenario)
    assert [o.time for o in known.observations] == [48.0]
    assert len(scenario.patients[0].observations) == 2


def test_inputs_of_a_regimen_go_on_from_the_patients_history():
    """Before the regimen's first change holds what the patient file says, not the default."""
    from twin.regimen import Regimen
    from twin.regimen.schedule import build_schedule

    model = twin.load_model("sunitinib_hansson2013")
    bound = twin.Patient("ana", inputs={"daily_dose": [{"time": 0.0, "value": 50.0}]}).bind(model)
    regimen = Regimen.build({"inputs": {"daily_dose": [{"time": 28.0, "value": 25.0}]}})
    schedule = build_schedule(model, regimen, end=60.0, covariates=bound.covariates, series=bound.series)
    assert schedule.signal_time.tolist() == [0.0, 28.0]
    assert schedule.signal_value[:, -1].tolist() == [0.0, 50.0, 25.0]


def test_settings_are_the_same_for_every_door():
    settings = Settings(draws=7, seed=3, until=24.0, times=())
    one = twin.simulate(One(), twin.Patient("ana"), regimens={"one": "100 mg"}, settings=settings)
    assert one["outcomes"].sizes["draw"] == 7
    (part,) = twin.stream(One(), twin.Patient("ana"), regimens={"one": "100 mg"}, settings=settings)
    np.testing.assert_array_equal(one["outcomes/final"], part["outcomes/final"])
    with pytest.raises(twin.TwinError, match="unknown solver 'ensembel'"):
        Settings(solver="ensembel")


def test_a_tolerance_compiles_nothing_anew_and_is_held():
    """One program serves every tolerance; the numbers still close in on each other as it falls."""
    from twin.api.solve import _solve

    def level(**words):
        return float(twin.solve(Turnover(), "20 mg q12h x2", [24.0], solver="ode", **words)["biomarker"][0])

    exact = level(rtol=1e-11, atol=1e-13)
    held = _solve._cache_size()
    off = [abs(level(rtol=rtol, atol=1e-13) - exact) for rtol in (1e-3, 1e-5, 1e-7)]
    assert _solve._cache_size() == held
    assert off[0] > 10 * off[1] > 100 * off[2]


def test_a_course_is_stored_around_its_doses():
    """On even steps doses every 12 h over 15.75 days were drawn with peaks that rose and fell; here none does."""
    regimen = "100 mg over 1 h q12h x31"
    result = twin.simulate(One(), twin.Patient("ana"), regimens={"one": regimen}, draws=1, spread=False, until=378.0)
    course = result["predictions/concentration"].squeeze()
    times, level = course["time"].values, course.values
    assert len(times) in (101, 201, 401, 801)
    late = [level[(times >= t) & (times <= t + 12)] for t in np.arange(240.0, 360.0, 12.0)]
    assert np.ptp([one.max() for one in late]) < 1e-9 + 1e-6 * late[0].max()
    assert np.ptp([one.min() for one in late]) < 1e-9 + 1e-6 * late[0].max()
    end_of_infusion = (100 / 1) / 5.0 * (1 - np.exp(-K)) / (1 - np.exp(-12 * K))
    assert late[-1].max() == pytest.approx(end_of_infusion, rel=1e-6)
