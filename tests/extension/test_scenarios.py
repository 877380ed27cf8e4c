"""Occasions and covariate effects in scenario files."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from twin.errors import TwinErrors
from twin.quantity import Span

BEGIN = """
model: vancomycin
patients: [{id: mara, covariates: {age: 60, sex: male, weight: 70, creatinine: 1.0, dialysis: none}%s}]
regimens: {on: "1000 mg over 1 h q24h x4", none: null}
outcomes: [{name: last, final: vancomycin}]
until: 96 h
draws: 300
"""
HISTORY = """, doses: [{amount: 1000 mg, over: 1 h, time: -48 h, every: 24 h, doses: 2}], observations: [
  {observable: vancomycin, time: -46 h, value: 22}, {observable: vancomycin, time: -24 h, value: 9},
  {observable: vancomycin, time: -22 h, value: 35}, {observable: vancomycin, time: -1 h, value: 18}]"""


@pytest.fixture
def load(tmp_path):
    def load(more, history="", begin=BEGIN):
        path = tmp_path / "asked.yaml"
        path.write_text((begin % history if "%s" in begin else begin) + more)
        return twin.load_scenario(path)

    return load


def _begins(scenario):
    (patient,) = scenario.patients
    return [0.0 if not patient.occasions else patient.occasions[0], *(t for t, _ in patient.series.get("occasion", ()))]


def test_occasions_begin_every_so_often(load):
    scenario = load(
        "occasions: {of: {clearance: {cv: 0.2}, volume: {sd: 0.1}}, every: 36 h, "
        "correlations: [{between: [clearance, volume], normal: 0.5}]}\n"
    )
    assert scenario.patients[0].occasions == (0.0, 36.0, 72.0)
    by_hand = twin.extend(
        twin.load_model("vancomycin"), occasions={"clearance": {"cv": 0.2}, "volume": {"sd": 0.1}}, count=3,
        correlations={("clearance", "volume"): 0.5},
    )  # fmt: skip
    assert type(scenario.model) is type(by_hand)


def test_they_go_on_after_those_that_a_patient_says(load):
    scenario = load("occasions: {of: {clearance: {cv: 0.2}}, every: 2 day}\n", HISTORY + ", occasions: [-48 h, -24 h]")
    assert scenario.patients[0].occasions == (-48.0, -24.0, 24.0, 72.0)
    assert len(scenario.model.occasions["clearance"]) == 4


def test_each_dose_begins_one_in_the_past_and_in_each_regimen(load):
    scenario = load("occasions: {of: {clearance: {cv: 0.2}}, each: dose}\n", HISTORY)
    assert scenario.patients[0].occasions == (-48.0, -24.0)
    assert scenario.regimens["on"].occasions == tuple((Span(24.0 * k, "h"), 3.0 + k) for k in range(4))
    assert scenario.regimens["none"].occasions == ()
    assert len(scenario.model.occasions["clearance"]) == 6
    # What is measured as the second dose is given is a trough: of the first occasion.
    assert [o.time < b for o, b in zip(scenario.patients[0].observations, (-46, -24, -22, -1), strict=True)] == [
        False, True, False, False,
    ]  # fmt: skip


@pytest.mark.slow  # 11 s; `test_posteriors` finds deviations, too
def test_past_deviations_are_known_and_later_ones_are_drawn(load):
    """The deviation in an occasion without measurements has its distribution: mean 0, sd 0.5, within 4 SE."""
    answer = twin.run_scenario(load("occasions: {of: {clearance: {sd: 0.5}}, each: dose}\n", HISTORY))
    draws = {
        name: answer.result[f"posterior/{name}"].values[0] for name in answer.scenario.model.occasions["clearance"]
    }
    usual = np.log(answer.result["posterior/clearance"].values[0])
    sds = [values.std() for values in draws.values()]
    moved = [(usual + values).std() for values in draws.values()]
    assert max(moved[:2]) < 0.85 * min(moved[2:])  # usual clearance and deviation are known together
    np.testing.assert_allclose(sds[2:], 0.5, rtol=4 / np.sqrt(2 * 300))
    assert np.all(np.abs([values.mean() for values in list(draws.values())[2:]]) < 4 * 0.5 / np.sqrt(300))


def test_courses_of_regimens_are_moved_by_their_own_occasions(load):
    """Clearance moved from 48 h on alone, where the third dose begins the third occasion."""
    scenario = load("occasions: {of: {clearance: {sd: 0.5}}, each: dose}\ntimes: [47 h, 95 h]\nspread: false\n")
    moved = {name: [[0.0]] for name in scenario.model.occasions["clearance"]}
    run = lambda own: twin.simulate(**scenario.question, draws=1, individuals=own)["predictions/vancomycin"]  # noqa: E731
    usual, other = run(moved), run(moved | {"clearance_in_occasion_3": [[0.7]], "clearance_in_occasion_4": [[0.7]]})
    assert other.sel(regimen="on").values[0, 0, 0] == usual.sel(regimen="on").values[0, 0, 0]
    assert other.sel(regimen="on").values[0, 0, 1] < 0.8 * usual.sel(regimen="on").values[0, 0, 1]


def test_a_population_has_occasions(load):
    """Every person draws their own: the last concentration scatters more than without."""
    begin = """
model: vancomycin
population: {size: 400, covariates: {age: 60, sex: male, weight: 70, creatinine: 1.0, dialysis: none}}
regimens: {on: "1000 mg over 1 h q24h x4"}
outcomes: [{name: last, final: vancomycin}]
until: 96 h
"""
    plain = twin.run_scenario(load("", begin=begin)).result["outcomes/last"].values.ravel()
    scenario = load("occasions: {of: {clearance: {sd: 0.8}}, starts: [0 h, 60 h]}\n", begin=begin)
    found = twin.run_scenario(scenario).result
    clearance, later = (found[f"prior/{n}"].values.ravel() for n in ("clearance", "clearance_in_occasion_2"))
    lasts = found["outcomes/last"].values.ravel()
    assert np.corrcoef(np.log(clearance) + later, np.log(lasts))[0, 1] < -0.75
    assert np.corrcoef(np.log(clearance), np.log(lasts))[0, 1] > -0.6
    assert np.std(np.log(lasts)) > 1.3 * np.std(np.log(plain))


def test_covariate_effects_stand_in_a_file(load):
    scenario = load(
        "covariate_effects: {clearance: {weight: {power: 0.75, reference: 154 lb}, "
        "smoker: {category: {yes_: 0.2}, reference: no_}}}\n"
        "parameters: {weight_on_clearance: 0.5}\n",
        begin=BEGIN.replace("dialysis: none", "dialysis: none, smoker: yes_"),
    )
    assert scenario.model.typical().weight_on_clearance == 0.5
    found = twin.simulate(**scenario.question, spread=False)["prior/clearance"].values
    plain = twin.simulate(**load("").question, spread=False)["prior/clearance"].values
    np.testing.assert_allclose(found, plain * (70 / 69.85322) ** 0.5 * 1.2, rtol=1e-6)


WRONG = {
    "two rules": ("occasions: {of: {clearance: {cv: 0.2}}, every: 1 day, each: dose}\n", "several are given"),
    "too many": ("occasions: {of: {clearance: {cv: 0.2}}, every: 1 h}\n", "96 occasions; a model can have 1 to 50"),
    "no parameter": ("occasions: {of: {clearanse: {cv: 0.2}}}\n", "did you mean 'clearance'"),
    "no width": ("occasions: {of: {clearance: {}}}\n", "exactly one of cv, sd, variance"),
    "wrong order": ("occasions: {of: {clearance: {cv: 1}}, starts: [2 h, 1 h]}\n", "not after the one before"),
    "a form too many": ("covariate_effects: {clearance: {age: {power: 1, linear: 1}}}\n", "exactly one of power"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_line(load, case):
    more, message = WRONG[case]
    with pytest.raises(TwinErrors, match=message) as found:
        load(more)
    assert "asked.yaml:8: key" in str(found.value)
