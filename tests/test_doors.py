"""From Python: what the front doors take as people write it, and what they refuse in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

import calibration
import twin
from tests.toys import One, OralOne, Scaled
from twin.catalogue import installed_names
from twin.errors import TwinError
from twin.library import as_model
from twin.model import AreaWithin, FirstTime, Highest, TimeShare
from twin.run.question import select_outcomes
from twin.run.times import time_points

ANA = twin.Patient("ana")


def ask(model=None, patients=ANA, regimens=None, **words):
    words = {"draws": 2} | words
    return twin.simulate(model or Scaled(), patients, regimens=regimens or {"once": "10 mg"}, **words)


REFUSED = {
    "an unknown model": ({"model": "warfarine"}, "unknown model 'warfarine'; did you mean 'warfarin'"),
    "a class of models": ({"model": OralOne}, "is no model; give one, such as"),
    "a regimen without a name": ({"regimens": "5 mg"}, "regimens have names; write {'usual': ...} around the str"),
    "regimens as a list": ({"regimens": ["5 mg"]}, "regimens have names; write {'usual': ...} around the list"),
    "a table of patients": ({"patients": {"id": ["ana"]}}, "twin.Patient, one or several, and no dict of str"),
    "a patient by name": ({"patients": "ana"}, "patients are twin.Patient, one or several, and no str of str"),
    "times in words": ({"times": "soon"}, "time 'soon' cannot be read; write one such as '12 h'"),
    "times in kilograms": ({"times": ["1 kg"]}, "'kg' is no unit of time"),
    "a window in kilograms": (
        {"outcomes": {"x": TimeShare(of="amount", low=1.0, since="28 kg")}}, "outcome 'x', since: time '28 kg'",
    ),
    "a level in litres": (
        {"outcomes": {"x": TimeShare(of="amount", low="1 L")}}, "outcome 'x', low: '1 L': 'L' cannot be converted to",
    ),
    "an outcome that results need": (
        {"outcomes": {"draw": Highest(of="amount")}}, "an outcome cannot be called 'draw', which results need",
    ),
    "an outcome that looks like a path": (
        {"outcomes": {"a/b": Highest(of="amount")}}, "an outcome cannot be called 'a/b', which results need",
    ),
    "an outcome as text": ({"outcomes": {"x": "left"}}, "outcome 'x': 'left' is no outcome; write one such as"),
    "an outcome that is not known": ({"outcomes": "lef"}, "unknown outcome 'lef'; did you mean 'left'"),
    "draws in words": ({"draws": "many"}, "draws 'many' is not a whole number"),
    "half a draw": ({"draws": 2.5}, "draws 2.5 is not a whole number"),
    "a seed in words": ({"seed": "seven"}, "seed 'seven' is not a whole number"),
    "a tolerance in words": ({"rtol": "1e-6"}, "relative tolerance '1e-6' is not between 0 and 1"),
    "values as text": ({"individuals": {"rate": "fast"}}, "individuals['rate'] is not numbers alone"),
    "one dose without an end": (
        {"model": OralOne(), "regimens": {"once": "10 mg oral"}}, "no regimen says how long it goes on, as a repeated",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_question_is_refused_in_one_sentence(words, said):
    with pytest.raises(TwinError) as refusal:
        ask(**words)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_values_of_parameters_are_numbers():
    said = r"parameters\['rate'\] is not numbers alone; give them in the declared unit, without text"
    with pytest.raises(TwinError, match=said):
        twin.solve(Scaled(), "10 mg", [1.0], parameters={"rate": "0.1 1/h"})
    with pytest.raises(TwinError, match=said):
        twin.solve_many(Scaled(), ANA, "10 mg", [1.0], parameters={"rate": [["0.1 1/h"]]})
    with pytest.raises(TwinError, match="relative tolerance 'x' is not between"):
        twin.solve(Scaled(), "10 mg", [1.0], rtol="x")


CALIBRATION = {
    "calibrate": (calibration.calibrate, {"draws": 0}, "draws 0 is not above 0"),
    "forecast": (calibration.forecast, {}, "no patient has measurements to calibrate on"),
    "replay": (calibration.replay, {"every": "1 day"}, "no patient has observations to replay"),
    "sbc": (calibration.sbc, {}, "the design has no measurements"),
}


@pytest.mark.parametrize(("door", "words", "said"), CALIBRATION.values(), ids=CALIBRATION)
def test_every_door_of_calibration_takes_a_models_name(door, words, said):
    with pytest.raises(TwinError, match="unknown model 'warfarine'; did you mean 'warfarin'"):
        door("warfarine", ANA, **words)
    with pytest.raises(TwinError, match=said):
        door("warfarin", ANA, **words)


def test_a_model_goes_by_its_name():
    assert as_model("warfarin").name == "warfarin_hamberg2010"
    with pytest.raises(TwinError, match="unknown covariate 'wieght'"):
        twin.solve("warfarin", "5 mg", [1.0], covariates={"wieght": 3})


def test_names_are_known_without_importing_a_model():
    assert installed_names() == twin.model_names()


@pytest.mark.parametrize(
    ("given", "hours"),
    [("1 day", [24]), (3, [3]), ([1, 2.5], [1, 2.5]), (["12 h", "day 1"], [12, 24]), ([6, "12 h"], [6, 12]), ([], [])],
)
def test_times_are_numbers_or_say_their_unit(given, hours):
    np.testing.assert_allclose(time_points(given, "h"), hours)


def test_times_with_units_are_stored_in_the_models():
    result = ask(times=["1 h", "0.25 day"], outcomes=[])
    assert result["predictions/amount"]["time"].values.tolist() == [1.0, 6.0]
    course = twin.solve(Scaled(), "10 mg", ["1 h", "0.25 day"])
    np.testing.assert_allclose(course["amount"], result["predictions/amount"].values[0, 0, 0], rtol=1e-9)


def test_outcomes_are_read_in_the_models_units():
    asked = {
        "share": TimeShare(of="amount", high="0.005 g", since="0.5 day"),
        "first": FirstTime(of="amount", below="5000 ug"),
        "within": AreaWithin(of="amount", low="60 mg*min", high=2.0),
    }
    read = select_outcomes(Scaled(), asked)
    assert read["share"] == TimeShare(of="amount", high=5.0, since=12.0)
    assert read["first"] == FirstTime(of="amount", below=5.0)
    assert read["within"] == AreaWithin(of="amount", low=1.0, high=2.0)


def test_first_time_needs_one_level():
    with pytest.raises(TwinError, match="needs exactly one level"):
        FirstTime(of="amount")


# --- what is returned beside each other ---------------------------------------------------------------


def solve(**words):
    return twin.solve(One(), "10 mg", [1.0], **words)


def solve_many(times=(1.0,), **words):
    return twin.solve_many(One(), ANA, "10 mg", times, parameters={"clearance": [[5.0]]}, **words)


@pytest.mark.parametrize(
    ("door", "name"),
    [(solve, "concentration"), (solve, "state.drug.central"), (solve_many, "concentration")],
)
def test_an_outcome_does_not_hide_what_is_returned_beside_it(door, name):
    """The highest value came back under the name of the course, and the course was gone."""
    with pytest.raises(TwinError, match=f"outcome '{name}' would hide the observable or state of this name"):
        door(outcomes={name: Highest(of="concentration")})
    found = door(outcomes={"highest": Highest(of="concentration")})
    assert found["concentration"].shape[-1] == 1
    assert float(found["highest"].squeeze()) == pytest.approx(0.2)


@pytest.mark.parametrize("door", [solve, solve_many])
def test_an_outcome_is_not_called_status(door):
    with pytest.raises(TwinError, match="an outcome cannot be called 'status'"):
        door(outcomes={"status": Highest(of="concentration")})


def test_where_nothing_stands_beside_it_an_outcome_keeps_its_name():
    """Shipped models have some of an observable's name: /outcomes and /predictions are two groups of a result."""
    asked = {"concentration": Highest(of="concentration")}
    result = twin.simulate(One(), ANA, regimens={"once": "10 mg"}, outcomes=asked, draws=1, until=1.0, times=[1.0])
    assert {"outcomes/concentration", "predictions/concentration"} <= {
        f"{group}/{name}" for group in ("outcomes", "predictions") for name in result[group].data_vars
    }
    assert solve_many(None, outcomes=asked, until=1.0)["concentration"].shape == (1, 1)


def test_a_dose_without_an_end_is_said_by_solve_many_too():
    """It said that the course ends at 0 h."""
    with pytest.raises(TwinError, match=r"no regimen says how long it goes on, .*; give times, or set until"):
        solve_many(None)
