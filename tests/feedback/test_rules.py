"""What rules mean, case by case; each is a way in which a controller elsewhere has gone wrong, or may."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.toys import One, OralOne
from twin.errors import TwinError
from twin.model import Final
from twin.patient import Change, DoseRecord
from twin.run.reacting import epochs

from .models import Platelets, Vancomycin

ANA = twin.Patient("ana")
SAME = [{"dose": "same"}]


def simulate(regimens, *, patients=ANA, draws=2, until="240 h", times=(), model=None, **more):
    result = twin.simulate(
        model or Vancomycin(), patients, regimens=regimens, draws=draws, until=until, times=times,
        outcomes={"final": Final(of="concentration" if model is None else "platelets")}, **more,
    )  # fmt: skip
    assert int(result["sample_stats/status"].sum()) == 0
    return result


def feedback(rules, at=None, **more):
    return {"measure": "concentration", "latent": True, "at": at or {"dose": "each"}, "rules": rules, **more}


def arm(rules, *, start="500 mg over 1 h q24h", at=None, **more):
    return {"start": start, "feedback": feedback(rules, at, **more)}


def decided(result, column, regimen="rules", draw=0):
    values = result["decisions"][column].isel(patient=0, draw=draw).sel(regimen=regimen).values
    return values[np.isfinite(result["decisions"]["read_at"].isel(patient=0, draw=draw).sel(regimen=regimen).values)]


def given(result, column="amount", regimen="rules", draw=0):
    doses = result["doses"].isel(patient=0, draw=draw).sel(regimen=regimen)
    return doses[column].values[np.isfinite(doses["time"].values)]


# --- what must not change anything ------------------------------------------------------------------------


def test_a_rule_that_changes_nothing_is_the_plain_regimen_to_the_last_bit():
    """Whenever it reads: a reading is no event, and a decision acts where there is a dose anyway."""
    plain = "500 mg over 1 h q24h"
    idle = arm(SAME, at={"dose": "each", "before": "30 min"})
    later = arm(SAME, at={"dose": "each", "after": "2 h"}, latent=False)
    result = simulate({"plain": plain, "idle": idle, "later": later}, draws=70, times=np.linspace(0, 240, 41))
    for group in ("outcomes", "predictions"):
        for values in result[group].values():
            for other in ("idle", "later"):
                np.testing.assert_array_equal(values.sel(regimen="plain").values, values.sel(regimen=other).values)


def test_adaptive_steps_do_not_notice_a_reading():
    plain = "80 mg q168h x6"
    idle = {"start": plain, "feedback": {"measure": "platelets", "at": {"dose": "each"}, "rules": SAME}}
    also = {
        "start": plain,
        "feedback": {"measure": "platelets", "at": {"dose": "each", "before": "20 h"}, "rules": SAME},
    }
    result = simulate({"plain": plain, "idle": idle, "also": also}, model=Platelets(), until="1008 h", times=[100, 700])
    for group in ("outcomes", "predictions", "sample_stats"):
        for values in result[group].values():
            for other in ("idle", "also"):
                np.testing.assert_array_equal(values.sel(regimen="plain").values, values.sel(regimen=other).values)


def test_a_replay_is_the_course_it_repeats_to_the_last_bit():
    rules = [{"below": 10, "dose": "+25 %"}, {"above": 15, "dose": "-25 %", "give": "10 mg vancomycin"}, *SAME]
    regimens = {
        "rules": arm(rules, at=["20 h", "50 h", "then every 31 h"], latent=False, reading={"delay": "3 h"}),
        "habits": {"doses": "700 mg over 1 h q12h", "adherence": {"taken": 0.7, "late": "2 h", "doubled": 0.1}},
    }
    how = {"draws": 70, "times": np.linspace(0, 240, 11)}
    first = simulate(regimens, **how)
    second = simulate(regimens, ledger=first, **how)
    for group in ("outcomes", "predictions"):
        for name, values in first[group].items():
            np.testing.assert_array_equal(values.values, second[group][name].values)


def test_an_accelerator_is_given_all_lanes_at_once(monkeypatch):
    """Blocks side by side, as where XLA has a whole card: the same numbers to rounding."""
    rules = {"rules": arm([{"below": 10, "dose": "+25 %"}, *SAME], latent=False), "plain": "500 mg over 1 h q24h"}
    how = {"draws": 70, "times": np.linspace(0, 240, 11)}
    in_turn = simulate(rules, **how)
    monkeypatch.setattr(epochs, "in_turn", lambda: False)
    monkeypatch.setattr(epochs, "_PROGRAMS", {})
    at_once = simulate(rules, **how)
    for group in ("outcomes", "predictions", "decisions", "doses"):
        for name, values in in_turn[group].items():
            np.testing.assert_allclose(values.values, at_once[group][name].values, rtol=1e-9)


def test_company_and_observation_change_nobodys_course():
    rules = arm([{"below": 10, "dose": "+25 %"}, *SAME], latent=False)
    often = arm(SAME, at={"every": "3 h"}, latent=False)
    alone = simulate({"rules": rules}, draws=2)
    among = simulate({"often": often, "rules": rules}, patients=[twin.Patient("ben"), ANA], draws=5)
    for group in ("decisions", "doses"):
        for name, values in alone[group].items():
            both = among[group][name].sel(patient="ana", regimen="rules", draw=[0, 1]).values
            np.testing.assert_array_equal(values.values[0, 0], both[:, : values.shape[-1]])


def test_decisions_do_not_depend_on_when_the_course_is_stored():
    rules = {"rules": arm([{"below": 10, "dose": "+25 %"}, *SAME], at={"every": "7 h"})}
    few, many = (simulate(rules, times=times) for times in ((), np.linspace(0, 240, 97)))
    np.testing.assert_allclose(given(few), given(many), rtol=1e-9)


# --- when -------------------------------------------------------------------------------------------------


def test_a_reading_at_a_doses_own_time_sees_the_moment_before_it():
    result = simulate({"rules": arm(SAME, start="500 mg q24h", at={"every": "24 h", "from": "0 h"})}, spread=False)
    decay = np.exp(-4 / 80 * 24)
    before = 500 / 80 * np.cumsum([0, *(decay ** np.arange(1, 10))])
    np.testing.assert_allclose(decided(result, "latent"), before, rtol=1e-9)


def test_a_decision_acts_on_the_dose_of_its_own_time():
    result = simulate({"rules": arm([{"dose": "x 2"}], at="48 h")}, spread=False)
    np.testing.assert_array_equal(given(result)[:4], [500, 500, 1000, 1000])


def test_a_late_result_acts_late():
    result = simulate({"rules": arm([{"dose": "x 2"}], at="48 h", reading={"delay": "25 h"})}, spread=False)
    np.testing.assert_array_equal(given(result)[:6], [500, 500, 500, 500, 1000, 1000])
    assert decided(result, "read_at")[0] == 48
    assert decided(result, "decided_at")[0] == 96


def test_an_interval_gets_shorter_and_longer_from_the_next_dose_on():
    shorter = simulate({"rules": arm([{"when": "number == 1", "every": "12 h"}, *SAME], at="48 h")})
    np.testing.assert_array_equal(given(shorter, "time")[:6], [0, 24, 48, 60, 72, 84])
    longer = simulate({"rules": arm([{"when": "number == 1", "every": "36 h"}, *SAME], at="30 h")})
    np.testing.assert_array_equal(given(longer, "time")[:5], [0, 24, 48, 84, 120])


def test_a_delay_shifts_all_that_follows_and_is_asked_again():
    """Two delays of a week at most; then treatment stops. Neutrophils of a dose given stay unread until the next."""
    rules = [{"below": 400, "delay": "168 h", "delays": 2}, *SAME]
    regimen = {
        "start": "80 mg q168h x4",
        "feedback": {"measure": "platelets", "at": {"dose": [2, 3, 4]}, "rules": rules},
    }
    result = simulate({"rules": regimen}, model=Platelets(), until="2000 h")
    np.testing.assert_array_equal(given(result, "time"), [0])
    np.testing.assert_array_equal(decided(result, "read_at"), [168, 336, 504])
    once = [{"when": "number == 1", "delay": "168 h"}, *SAME]
    regimen = {
        "start": "80 mg q168h x4",
        "feedback": {"measure": "platelets", "at": {"dose": [2, 3, 4]}, "rules": once},
    }
    result = simulate({"rules": regimen}, model=Platelets(), until="2000 h")
    np.testing.assert_array_equal(given(result, "time"), [0, 336, 504, 672])


def test_readings_follow_the_rule_the_range_and_the_list():
    rules = [{"above": 2, "dose": "same", "next": "48 h"}, *SAME]
    result = simulate({"rules": arm(rules, at=["10 h", "40 h", "then every 72 h"])}, spread=False)
    np.testing.assert_array_equal(decided(result, "read_at"), [10, 58, 106, 154, 202])
    table = {"from": 0, "to": 100, "after": {"0 h": "12 h", "24 h": "50 h"}, "otherwise": "5 h"}
    result = simulate({"rules": arm(SAME, at=["10 h", "20 h"], next=table)}, spread=False)
    np.testing.assert_array_equal(decided(result, "read_at"), [10, 20, 32, 44, 94, 144, 194])


# --- what -------------------------------------------------------------------------------------------------


def test_a_ladder_is_counted_and_not_compared():
    """Levels whose numbers no float holds, up and down again."""
    levels = ["0.1 mg", "0.2 mg", "0.3 mg", "0.7 mg"]
    rules = [{"when": "number <= 3", "dose": "up"}, {"dose": "down"}]
    result = simulate({"rules": arm(rules, start="0.1 mg q24h", levels=levels)})
    np.testing.assert_array_equal(given(result)[:9], [0.2, 0.3, 0.7, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1])


def test_doses_are_what_there_is():
    """Multiples of half a tablet, the smaller of two that are as near; within bounds; no larger change than allowed."""
    one = [{"when": "number == 1", "dose": "x 1.25"}, *SAME]
    products = {"multiple_of": "250 mg", "least": "250 mg", "most": "2 g"}
    result = simulate({"rules": arm(one, start="500 mg q24h", doses=products)})
    assert given(result)[0] == 500  # 625 is as near to 500 as to 750
    asked, became = decided(result, "dose_asked"), decided(result, "dose")
    assert (asked[0], became[0]) == (625, 500)
    many = [{"dose": "x 10"}]
    assert set(given(simulate({"rules": arm(many, start="500 mg q24h", doses=products)}))) == {2000}
    slow = products | {"change": "50 %"}
    np.testing.assert_array_equal(
        given(simulate({"rules": arm(many, start="500 mg q24h", doses=slow)}))[:5], [750, 1000, 1500, 2000, 2000]
    )


def test_a_dose_in_proportion_reaches_its_aim_in_a_linear_model():
    """The next steady trough is the aim; clipped to the largest change that is allowed."""
    at = {"dose": [20], "before": 0}
    rules = arm([{"dose": "aim 10 mg/L"}], start="500 mg q24h x40", at=at)
    slow = arm([{"dose": "aim 10"}], start="500 mg q24h x40", at=at, doses={"change": "20 %"})
    result = simulate({"rules": rules, "slow": slow}, draws=5, until="960 h")
    final = result["outcomes/final"]
    np.testing.assert_allclose(final.sel(regimen="rules").values, 10.0, rtol=1e-3)
    dose = result["decisions"]["dose"].sel(regimen="slow").values[0, :, 0]
    assert set(np.round(dose)) <= {400, 600}


def test_skipped_and_withheld_doses_are_said_to_be():
    skip = [{"when": "number == 2", "dose": "x 0.5", "skip": 2}, *SAME]
    result = simulate({"rules": arm(skip)})
    np.testing.assert_array_equal(given(result)[:5], [500, 0, 0, 250, 250])
    meanings = list(result["doses"]["why"].attrs["meanings"])
    assert [meanings[k] for k in given(result, "why")[:4]] == ["given", "skipped", "skipped", "given"]
    hold = [{"above": 5, "dose": "x 0.5", "hold": {"to": 3, "again": "6 h"}}, *SAME]
    result = simulate({"rules": arm(hold, start="800 mg q24h", at=["24 h", "25 h", "then every 24 h"])}, spread=False)
    np.testing.assert_array_equal(given(result)[:4], [800, 800, 0, 400])
    names = decided(result, "rule")
    assert list(names[:4]) == [1, 0, -2, -2]  # same; hold; still held, twice ...
    assert -3 in names  # ... and released
    np.testing.assert_allclose(np.diff(decided(result, "read_at")[1:5]), 6)


def test_a_dose_once_and_one_at_once():
    once = [{"when": "number == 2", "once": "x 2"}, *SAME]
    np.testing.assert_array_equal(given(simulate({"rules": arm(once)}))[:4], [500, 1000, 500, 500])
    rescue = [{"when": "number == 1", "give": "100 mg vancomycin"}, *SAME]
    result = simulate({"rules": arm(rescue, start="500 mg q24h", at="36 h")}, spread=False, times=[36, 36.001])
    before, after = result["predictions/concentration"].values.ravel()[:2]
    assert after - before == pytest.approx(100 / 80, rel=1e-3)
    assert 36 in given(result, "given_at")


def test_a_rule_waits_until_it_is_confirmed():
    three = [{"in_a_row": 3, "dose": "x 2"}, *SAME]
    np.testing.assert_array_equal(given(simulate({"rules": arm(three)}))[:5], [500, 500, 1000, 2000, 4000])
    lasting = [{"lasting": "48 h", "dose": "x 2"}, *SAME]
    np.testing.assert_array_equal(given(simulate({"rules": arm(lasting)}))[:5], [500, 500, 1000, 2000, 4000])
    memory = [{"when": "number == 1", "dose": "x 2"}, {"again": True, "dose": "same"}, *SAME]
    np.testing.assert_array_equal(given(simulate({"rules": arm(memory)}))[:3], [1000, 1000, 1000])


def test_stopping_lets_an_infusion_run_out():
    stop = [{"dose": "same", "stop": True}]
    result = simulate({"rules": arm(stop, start="500 mg over 10 h q24h", at="5 h")}, spread=False, times=[10])
    running = 500 / 10 / 4 * (1 - np.exp(-4 / 80 * 10))
    assert result["predictions/concentration"].values.ravel()[0] == pytest.approx(running, rel=1e-9)
    assert list(given(result)) == [500]


def test_conditions_know_covariates_changes_and_doses():
    rules = [
        {"when": "weight > 80 and dose < 900", "dose": "x 2"},
        {"when": "change > 0 and last > 0 and not weight > 80", "dose": "x 3"},
        *SAME,
    ]
    people = [twin.Patient("ana", covariates={"weight": 90}), twin.Patient("ben", covariates={"weight": 60})]
    result = simulate({"rules": arm(rules, at="24 h")}, patients=people)
    doses = result["doses"]["amount"].isel(regimen=0, draw=0).values[:, 1]
    np.testing.assert_array_equal(doses, [1000, 500])


def test_doses_by_size_are_scaled_to_each_patient():
    people = [twin.Patient("ana", covariates={"weight": 90}), twin.Patient("ben", covariates={"weight": 60})]
    rules = [{"when": "number == 1", "dose": "10 mg/kg"}, {"dose": "+1 mg/kg"}]
    result = simulate({"rules": arm(rules, start="5 mg/kg q24h", at={"dose": [2, 3]})}, patients=people)
    doses = result["doses"]["amount"].isel(regimen=0, draw=0).values[:, :3]
    np.testing.assert_allclose(doses, [[450, 900, 990], [300, 600, 660]])


# --- what is read -----------------------------------------------------------------------------------------


def test_readings_are_rounded_limited_and_missed():
    reading = {"rounded": 0.5, "least": 1, "most": 6}
    result = simulate({"rules": arm(SAME, latent=False, reading=reading)}, draws=20)
    measured, told = (result["decisions"][name].values.ravel() for name in ("measured", "reported"))
    kept = np.isfinite(measured)
    np.testing.assert_allclose(told[kept], np.clip(np.floor(measured[kept] / 0.5 + 0.5) * 0.5, 1, 6))
    missed = simulate({"rules": arm(SAME, latent=False, reading={"missed": "30 %"})}, draws=200)
    share = np.isnan(missed["decisions"]["reported"].values)[np.isfinite(missed["decisions"]["read_at"].values)]
    assert abs(share.mean() - 0.3) < 3 * np.sqrt(0.21 / share.size)
    assert set(decided(missed, "rule")) <= {0, -1}


def test_a_rounded_reading_is_not_above_its_own_limit():
    """30 tenths are 3.0000000000000004 where a tenth is multiplied."""
    rules = [{"above": 3, "stop": True, "dose": "same"}, *SAME]
    result = simulate({"rules": arm(rules, start="240 mg q24h", at="0.001 h", reading={"rounded": 0.1})}, spread=False)
    assert decided(result, "reported")[0] == 3.0
    assert len(given(result)) == 10


def test_the_error_of_a_reading_is_that_of_a_measurement():
    result = simulate({"rules": arm(SAME, latent=False)}, draws=400)
    ratio = (result["decisions"]["measured"] / result["decisions"]["latent"]).values
    ratio = ratio[np.isfinite(ratio)]
    assert abs(ratio.std() - 0.1) < 3 * 0.1 / np.sqrt(2 * ratio.size)
    assert abs(ratio.mean() - 1) < 3 * 0.1 / np.sqrt(ratio.size)


def test_bioavailability_acts_once():
    """A dose of a rule passes through the same delivery as any other."""
    regimen = {
        "start": [{"treatment": "oral", "amount": "100 mg", "every": "24 h", "doses": 3}],
        "feedback": {"measure": "concentration", "latent": True, "at": {"dose": "each"}, "rules": SAME},
    }
    how = {"draws": 1, "spread": False, "until": "72 h", "times": [30.0, 60.0], "outcomes": []}
    half = {"bioavailability": np.full((1, 1), 0.5)}
    result = twin.simulate(OralOne(), ANA, regimens={"rules": regimen}, individuals=half, **how)
    plain = twin.simulate(
        OralOne(),
        ANA,
        regimens={"plain": "50 mg oral q24h x3"},
        individuals={"bioavailability": np.ones((1, 1))},
        **how,
    )
    np.testing.assert_allclose(
        result["predictions/concentration"].values, plain["predictions/concentration"].values, rtol=1e-9
    )


def test_what_carries_over_from_one_epoch_to_the_next():
    """A lag longer than the time between decisions, and infusions that overlap them, equal the plain regimen."""
    lagged = {"lag": np.full((1, 1), 30.0)}
    start = [{"treatment": "blood", "amount": "100 mg", "every": "6 h", "over": "20 h"}]
    regimen = {
        "start": start,
        "feedback": {"measure": "concentration", "latent": True, "at": {"every": "5 h"}, "rules": SAME},
    }
    how = {"draws": 1, "spread": False, "until": "240 h", "times": np.linspace(0, 240, 25), "outcomes": []}
    rules = twin.simulate(One(), ANA, regimens={"rules": regimen}, individuals=lagged, **how)
    plain = twin.simulate(One(), ANA, regimens={"plain": start}, individuals=lagged, **how)
    np.testing.assert_allclose(
        rules["predictions/concentration"].values, plain["predictions/concentration"].values, rtol=1e-9, atol=1e-12
    )


def test_a_lag_does_not_show_when_rules_change_nothing():
    lagged = {"lag": np.full((1, 1), 2.5)}
    plain = [{"treatment": "blood", "amount": "100 mg", "every": "6 h"}]
    idle = {"start": plain, "feedback": feedback(SAME)}
    how = {"draws": 1, "spread": False, "until": "240 h", "times": np.linspace(0, 240, 25), "outcomes": []}
    result = twin.simulate(One(), ANA, regimens={"plain": plain, "idle": idle}, individuals=lagged, **how)
    values = result["predictions/concentration"]
    np.testing.assert_array_equal(values.sel(regimen="plain").values, values.sel(regimen="idle").values)


def test_history_and_other_treatments_go_on_beside_it():
    start = [
        {"treatment": "oral", "amount": "100 mg", "every": "24 h", "doses": 5},
        {"treatment": "blood", "amount": "10 mg", "every": "12 h", "doses": 10},
    ]
    patient = twin.Patient("ana", doses=[DoseRecord("70 mg", -6.0, treatment="oral")])
    regimen = {
        "start": start,
        "feedback": {
            "measure": "concentration",
            "latent": True,
            "at": {"dose": "each"},
            "rules": SAME,
            "treatment": "oral",
        },
    }
    how = {"draws": 1, "spread": False, "until": "120 h", "times": np.linspace(0, 120, 13), "outcomes": []}
    rules = twin.simulate(OralOne(), patient, regimens={"rules": regimen}, **how)
    plain = twin.simulate(OralOne(), patient, regimens={"plain": start}, **how)
    np.testing.assert_allclose(
        rules["predictions/concentration"].values, plain["predictions/concentration"].values, rtol=1e-9, atol=1e-12
    )


def test_a_covariate_changes_between_decisions():
    series = [Change(0.0, 100.0), Change(60.0, 30.0)]
    patient = twin.Patient("ana", covariates={"renal": series})
    rules = arm([{"when": "renal >= 0", "dose": "same"}, *SAME], at={"every": "5 h"})
    regimens = {"rules": rules, "plain": "500 mg over 1 h q24h"}
    result = simulate(regimens, patients=patient, times=np.linspace(0, 240, 25))
    values = result["predictions/concentration"]
    np.testing.assert_allclose(values.sel(regimen="rules").values, values.sel(regimen="plain").values, rtol=1e-9)


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"measure": "inr"}, "feedback.measure: unknown observable 'inr'"),
        ({"rules": [{"below": 10, "dose": "same"}]}, "does not fit every reading; add '- {dose: same}'"),
        ({"rules": [*SAME, {"below": 10, "dose": "x 2"}]}, "fits every reading, so none after it is reached"),
        ({"rules": [{"below": 10, "dose": "x 2"}, {"below": 5, "dose": "x 3"}, *SAME]}, "is never reached"),
        ({"rules": [{"above": 5, "below": 5, "dose": "x 2"}, *SAME]}, "fits no reading"),
        ({"rules": [{"below": 10}, *SAME]}, "it does nothing; write dose: same"),
        ({"rules": [{"when": "creatinine > 1", "dose": "x 2"}, *SAME]}, "unknown name 'creatinine'"),
        ({"rules": [{"when": "__import__('os')", "dose": "x 2"}, *SAME]}, "is not allowed"),
        ({"rules": [{"when": "weight >", "dose": "x 2"}, *SAME]}, "cannot be read"),
        ({"rules": [{"dose": "twice"}]}, "feedback.rules[0].dose: amount 'twice' cannot be read"),
        ({"rules": [{"dose": "5"}]}, "'5' has no unit; write '5 mg'"),
        ({"rules": [{"dose": "up"}]}, "goes along levels, and there are none"),
        ({"rules": [{"dose": "x -1"}]}, "makes a dose negative"),
        ({"rules": [{"dose": "aim -1"}]}, "aims at nothing"),
        ({"rules": [{"give": "5 mg heparin", "dose": "same"}]}, "names no treatment"),
        ({"levels": ["2 mg", "1 mg"]}, "do not ascend"),
        ({"levels": ["1 mg", "9 g"], "doses": {"most": "1 g"}}, "is not between the least and the most"),
        ({"at": ["day 3", "day 1"]}, "times do not ascend"),
        ({"at": ["every 7 day", "day 9"]}, "comes last in the list"),
        ({"at": {"dose": 0}}, "doses are counted from 1"),
        ({"at": {"every": "0 h"}}, "is not longer than nothing"),
        ({"reading": {"missed": "110 %"}}, "is not between 0 and 1"),
        ({"doses": {"least": "2 g", "most": "1 g"}}, "is more than the most"),
        ({"rule": []}, "feedback.rule: unknown key"),
        ({"rules": [{"hold": {"again": "2 day"}, "dose": "same"}, *SAME]}, "say until when"),
        ({"treatment": "heparin"}, "unknown treatment 'heparin'"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_in_one_sentence(change, words):
    regimen = {"start": "500 mg q24h", "feedback": feedback(SAME) | change}
    with pytest.raises(TwinError) as caught:
        simulate({"rules": regimen})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_react_is_refused_in_one_sentence():
    with pytest.raises(TwinError, match="cannot begin in a steady state"):
        simulate({"rules": arm(SAME, start="500 mg q24h at steady state")})
    with pytest.raises(TwinError, match="reacts, which needs the ensemble engine"):
        simulate({"rules": arm(SAME)}, solver="adaptive")
    with pytest.raises(TwinError, match="a start is for a regimen with feedback"):
        simulate({"rules": {"start": "500 mg q24h"}})
