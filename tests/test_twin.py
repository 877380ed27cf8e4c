"""A twin: saved, loaded, simulated; a stored posterior is used again, and says what it has not seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import calibration
import twin
from cli.main import main

ASK = """
model: vancomycin
patients:
  - {id: mara, doses: [{amount: 1000 mg, over: 1 h, every: 12 h, doses: 2}], observations: [
      {observable: vancomycin, time: 2 h, value: 25}]}
regimens: {none: null, again: "1000 mg over 1 h q12h x2 from 24 h"}
outcomes: [{name: last, final: vancomycin}]
until: 48 h
draws: 40
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    path = tmp_path_factory.mktemp("ask") / "mara.yaml"
    path.write_text(ASK)
    return path


@pytest.fixture(scope="module")
def answer(asked):
    return twin.run_scenario(asked)


def test_a_twin_gives_the_result_it_was_made_for(answer):
    """The same draws under the same regimens: the same bits."""
    scenario = answer.scenario
    again = twin.simulate(
        answer.twin, regimens=scenario.regimens, outcomes=scenario.outcomes, until=48.0, seed=scenario.settings.seed
    )
    np.testing.assert_array_equal(again["outcomes/last"], answer.result["outcomes/last"])


def test_it_is_stored_whole(answer, tmp_path):
    answer.twin.save(tmp_path)
    held = twin.load_twin(tmp_path)
    assert held.patients == answer.twin.patients
    assert (held.verdict, held.reasons, held.seed) == (answer.twin.verdict, answer.twin.reasons, answer.twin.seed)
    assert (held.model.name, held.model.values) == ("vancomycin_goti2018", {})
    for group in ("individuals", "deviations", "covariates"):
        one, other = getattr(held, group), getattr(answer.twin, group)
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_the_command_uses_a_stored_posterior_and_says_what_it_has_not_seen(
    asked, answer, tmp_path, capsys, monkeypatch
):
    answer.twin.save(tmp_path / "held")
    later = tmp_path / "later.yaml"
    later.write_text(ASK.replace("value: 25}]", "value: 25}, {observable: vancomycin, time: 20 h, value: 6}]"))
    monkeypatch.setattr(calibration.answer, "calibrate", None)  # nothing is calibrated
    arguments = ["simulate", str(later), "--posterior", str(tmp_path / "held"), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert not end.value.code
    assert "patient 'mara': the posterior has not seen 1 measurement; calibrate anew" in capsys.readouterr().err
    stored = twin.load_result(tmp_path / "out" / "later")
    np.testing.assert_array_equal(stored["outcomes/last"], answer.result["outcomes/last"])


def test_a_twin_of_another_model_or_without_the_patient_is_refused(answer, asked):
    with pytest.raises(twin.TwinError, match="no twin of patient 'lee'"):
        answer.twin.of("lee")
    other = twin.load_scenario(asked)
    changed = other.model.with_values(clearance=3.0)
    with pytest.raises(twin.TwinError, match="the posterior is of model 'vancomycin_goti2018' with its own parameters"):
        twin.run_scenario(dataclasses.replace(other, model=changed), posterior=answer.twin)
    with pytest.raises(twin.TwinError, match="the twin has 40 draws of each patient, not 10"):
        twin.simulate(answer.twin, regimens={"none": None}, draws=10)
    with pytest.raises(twin.TwinError, match="leave patients and draws' own values out"):
        twin.simulate(answer.twin, answer.scenario.patients, regimens={"none": None})
