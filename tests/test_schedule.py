"""Event arrays: doses written out, scaled by body size, cut by resets, joined with history, and padded."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest

from tests.toys import OralOne, Turnover
from twin.errors import TwinError
from twin.model import Delivery, covariate, treatment
from twin.quantity import Span
from twin.regimen import Dose, Regimen
from twin.regimen.schedule import DOSE, SCHEDULED, Mode, build_schedule, repeats, span_of, stack
from twin.types import Scalar

ARRAYS = ("time", "amount", "treatment", "mode", "given", "cut", "order", "steady_dose", "reset", "signal_time")


class Sized(OralOne):
    """The one-compartment toy with a body."""

    name = "toy_sized"

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "weight")
        body_surface_area: Scalar = covariate(1.8, "m2", "body surface area")

    @treatment(unit="g", into="drug.central", meaning="in grams")
    def infusion(self, p) -> Delivery:
        return Delivery()


BODY = {"weight": 80.0, "body_surface_area": 2.0}


def built(spec, *, end=100.0, model=None, covariates=None, **words):
    model = model or OralOne()
    regimen = Regimen.from_events(**spec) if isinstance(spec, dict) and "TIME" in spec else Regimen.build(spec)
    return build_schedule(model, regimen, end=end, covariates=covariates or {}, **words)


# --- doses written out --------------------------------------------------------------------------------

# name: (regimen, end (h), times, amounts)
WRITTEN = {
    "once": ("20 mg oral at 3 h", 100, [3], [20]),
    "so many": ("20 mg oral q12h x3 from 1 h", 100, [1, 13, 25], [20] * 3),
    "a count goes past the end": ("20 mg oral q12h x4", 20, [0, 12, 24, 36], [20] * 4),
    "until the end, none at it": ("20 mg oral q12h", 36, [0, 12, 24], [20] * 3),
    "until just after a dose": ("20 mg oral q12h", 36.1, [0, 12, 24, 36], [20] * 4),
    "until the end from a start": ("20 mg oral q12h from 30 h", 60, [30, 42, 54], [20] * 3),
    "starts after the end": ("20 mg oral q12h from 80 h", 60, [], []),
    "an end that a rounding puts past a dose": ("20 mg oral q0.1h", 0.3, [0, 0.1, 0.2], [20] * 3),
    "two alongside, by time": ("20 mg oral q12h x2; 5 mg oral at 6 h", 100, [0, 6, 12], [20, 5, 20]),
    "one after the other": ("20 mg oral q12h x2 then 5 mg oral", 100, [0, 12, 24], [20, 20, 5]),
    "units": ("0.02 g oral", 100, [0], [20]),
    "days": ("20 mg oral q1d x2", 100, [0, 24], [20, 20]),
    "nothing": (None, 100, [], []),
}


@pytest.mark.parametrize(("spec", "end", "times", "amounts"), WRITTEN.values(), ids=WRITTEN)
def test_doses_are_written_out(spec, end, times, amounts):
    found = built(spec, end=end)
    np.testing.assert_allclose(found.time, times, rtol=1e-12)
    np.testing.assert_allclose(found.amount, amounts, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2 mg/kg oral", 160.0),
        ("75 mg/m2 oral", 150.0),
        ("0.002 g/kg oral", 160.0),
        ("2 mg/kg infusion", 0.160),
        ("160 mg oral", 160.0),
    ],
)
def test_amounts_are_scaled_by_the_patients_size(text, amount):
    found = built(text, model=Sized(), covariates=BODY)
    assert found.amount.item() == pytest.approx(amount, rel=1e-12)


def test_a_size_the_model_does_not_ask_for_is_refused():
    with pytest.raises(TwinError, match="an amount per m2 needs the covariate 'body_surface_area'"):
        built("75 mg/m2 oral")


def test_treatments_are_counted_from_the_models_first():
    found = built("20 mg blood at 1 h; 5 mg oral at 2 h")
    assert found.treatment.tolist() == [1, 0]
    assert built({"TIME": [0, 1], "AMT": [5, 5], "CMT": [2, 1]}).treatment.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("spec", "mode", "given"),
    [
        ("20 mg blood", Mode.BOLUS, 0.0),
        ("20 mg blood over 90 min", Mode.DURATION, 1.5),
        ({"TIME": [0], "AMT": [20], "CMT": [2], "RATE": [4]}, Mode.RATE, 4.0),
        ({"TIME": [0], "AMT": [20], "CMT": [2], "RATE": [-1]}, Mode.MODELLED_RATE, 0.0),
        ({"TIME": [0], "AMT": [20], "CMT": [2], "RATE": [-2]}, Mode.MODELLED_DURATION, 0.0),
    ],
)
def test_ways_of_entering(spec, mode, given):
    found = built(spec)
    assert (found.mode.item(), found.given.item()) == (mode, given)


def test_too_many_doses_are_refused_before_they_are_written_out():
    with pytest.raises(TwinError, match="at most 200000"):
        built("1 mg oral q1min", end=1e9)


# --- history, order, resets ---------------------------------------------------------------------------


def test_history_comes_beside_every_regimen():
    """What was given before time 0, and what goes on; the regimen's own doses in between, by time."""
    history = (
        Dose(7.0, "mg", Span(-12.0), treatment="oral", every=Span(12.0), count=3),
        Dose(1.0, "mg", Span(-1.0, "day"), treatment="oral"),
    )
    found = built("20 mg oral q12h x2 from 6 h", history=history)
    np.testing.assert_allclose(found.time, [-24, -12, 0, 6, 12, 18])
    np.testing.assert_allclose(found.amount, [1, 7, 7, 20, 7, 20])


def test_scheduled_doses_of_a_table_come_before_its_rows():
    table = built({"TIME": [0, 24], "AMT": [10, 5], "II": [12, 0], "ADDL": [2, 0]})
    assert list(zip(table.time, table.amount, table.order, strict=True)) == [
        (0, 10, DOSE), (12, 10, SCHEDULED), (24, 10, SCHEDULED), (24, 5, DOSE),
    ]  # fmt: skip
    assert set(built("20 mg oral q12h x3").order) == {DOSE}


def test_a_reset_cuts_what_was_given_before_it():
    found = built({"TIME": [0, 5, 30, 30], "AMT": [10, 0, 0, 5], "EVID": [1, 3, 3, 1], "II": [12, 0, 0, 0],
                   "ADDL": [3, 0, 0, 0]})  # fmt: skip
    first, after = found.amount == 10, found.amount == 5
    assert set(found.cut[first]) == {5.0}, "the first reset after its record, also for doses it has scheduled"
    assert np.all(np.isinf(found.cut[after])), "the row below the reset is not cut by it"
    assert found.reset.tolist() == [5.0, 30.0]


def test_a_reset_with_a_dose_does_not_cut_its_own():
    found = built({"TIME": [0, 20], "AMT": [10, 5], "EVID": [1, 4]})
    assert found.cut.tolist() == [20.0, np.inf]
    assert found.reset.tolist() == [20.0]


def test_a_replacing_steady_state_cuts_what_came_before_and_an_adding_one_does_not():
    for kind, cut in ((1, 8.0), (2, np.inf)):
        found = built({"TIME": [0, 8], "AMT": [10, 5], "II": [12, 12], "ADDL": [3, 0], "SS": [0, kind]})
        assert set(found.cut[found.amount == 10]) == {cut}
        assert (found.steady_kind.tolist(), found.steady_interval.tolist()) == ([kind], [12.0])
        assert found.amount[found.steady_dose].tolist() == [5.0]


# --- signals ------------------------------------------------------------------------------------------


def test_covariates_and_inputs_are_one_table():
    words = {"model": Turnover(), "series": {"production": [(5.0, 2.0), (9.0, 3.0)]}}
    found = built(None, **words)
    assert found.signal_time.tolist() == [5.0, 9.0]
    assert found.signal_value.tolist() == [[1.0], [2.0], [3.0]], "the default, then from each change on"
    found = built({"inputs": {"production": [{"time": "1 day", "value": 7}]}}, **words)
    assert found.signal_time.tolist() == [5.0, 9.0, 24.0], "a regimen's input goes on from the patient's history"
    assert found.signal_value.tolist() == [[1.0], [2.0], [3.0], [7.0]]
    found = built({"inputs": {"production": [{"time": 0, "value": 7}]}}, **words)
    assert found.signal_value.tolist() == [[1.0], [7.0]], "what comes later in the history is no longer so"


def test_changes_at_one_time_are_one_row():
    series = {"weight": [(2.0, 75.0)], "body_surface_area": [(2.0, 1.9), (3.0, 1.95)]}
    found = built(None, model=Sized(), covariates=BODY, series=series)
    assert found.signal_value.tolist() == [[80.0, 2.0], [75.0, 1.9], [75.0, 1.95]]


# --- batches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doses", "padded"),
    [(0, 0), (1, 1), (2, 2), (3, 4), (4, 4), (5, 6), (7, 8), (8, 8), (9, 10), (17, 20), (42, 48), (60, 64), (100, 112)],
)
def test_sizes_are_rounded_up(doses, padded):
    """By at most a third, so that a folder of similar scenarios compiles once and wastes little."""
    found = stack([built(f"1 mg oral q1h x{doses}" if doses else None)])
    assert found.time.shape == (1, padded)


def test_padding_is_nothing_that_ever_happens():
    table = {"TIME": [0, 5, 6], "AMT": [10, 0, 5], "EVID": [1, 3, 1], "II": [0, 0, 12], "SS": [0, 0, 1]}
    spec = {"oral": "1 mg q1h x5", "inputs": {"production": [{"time": 1, "value": 2}]}}
    few, many = built(table, model=Turnover()), built(spec, model=Turnover())
    found = stack([few, many])
    for name in ARRAYS:
        for row, one in enumerate((few, many)):
            own = getattr(one, name)
            np.testing.assert_array_equal(getattr(found, name)[row, : len(own)], own)
    first = len(few.time)
    assert np.all(np.isinf(found.time[0, first:]))
    assert np.all(found.amount[0, first:] == 0)
    assert np.all(np.isinf(found.cut[0, first:]))
    assert np.all(np.isinf(found.reset[1]))
    assert np.all(found.steady_kind[1] == 0)
    assert np.all(np.isinf(found.signal_time[0]))
    np.testing.assert_array_equal(found.signal_value[0], [[1.0]] * 2)


def test_nothing_changes_by_company():
    one = built("20 mg oral q12h x3")
    alone, among = stack([one]), stack([built(None), one, built("1 mg oral q1h x50")])
    np.testing.assert_array_equal(alone.time[0, :3], among.time[1, :3])
    np.testing.assert_array_equal(alone.amount[0, :3], among.amount[1, :3])


# --- spans --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "first", "last", "own_end"),
    [
        (None, 0, 0, False),
        ("5 mg", 0, 0, False),
        ("5 mg at 7 h", 0, 7, False),
        ("5 mg over 3 h at 7 h", 0, 10, False),
        ("5 mg q12h x3", 0, 36, True),
        ("5 mg q12h x3 from -1 day", -24, 12, True),
        ("5 mg q12h x3 then 1 mg q24h x2", 0, 84, True),
        ("5 mg over 20 h q12h x1", 0, 20, True),
        ("5 mg q12h", 0, 12, False),  # goes on until the end, and so says none
        ({"inputs": {"a": [{"time": "2 day", "value": 1}]}}, 0, 48, False),
    ],
)
def test_when_a_regimen_begins_and_ends(spec, first, last, own_end):
    regimen = Regimen.build(spec)
    assert span_of(regimen, (), "h") == (first, last)
    assert repeats(regimen) is own_end


def test_history_begins_the_course():
    assert span_of(Regimen.build("5 mg"), (Dose(1.0, "mg", Span(-2.0, "day")),), "h") == (-48.0, 0.0)


def test_a_table_lasts_as_long_as_its_infusions():
    """AMT 100 at RATE 5 runs for 20 h; a lower bioavailability can only shorten it."""
    assert span_of(Regimen.from_events(TIME=[3], AMT=[100], RATE=[5]), (), "h") == (0.0, 23.0)
