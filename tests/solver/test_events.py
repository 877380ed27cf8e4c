"""What happens when: NONMEM's event semantics, against closed forms and NONMEM's own output."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest

import twin
from tests.toys import One, OralOne, Turnover
from twin.errors import TwinError
from twin.model import Delivery, treatment
from twin.regimen import Regimen

K = 0.1  # per hour: clearance 5 over volume 50


def course(events, times, model=One, solver="linear", **parameters):
    """Concentration x volume (mg in the central compartment) at times, from event columns or a regimen."""
    regimen = Regimen.from_events(**events) if isinstance(events, dict) else events
    words = {"rtol": 1e-10, "atol": 1e-12} if solver == "ode" else {}
    found = twin.solve(model(), regimen, times, parameters=parameters, solver=solver, **words)
    return 50 * np.asarray(found["concentration"])


def decayed(time, begin, amount):
    return np.where(time > begin, amount * np.exp(-K * np.maximum(time - begin, 0)), 0.0)


def infused(time, begin, length, rate):
    running = np.clip(time - begin, 0, length)
    after = np.maximum(time - begin - length, 0)
    return rate / K * (1 - np.exp(-K * running)) * np.exp(-K * after)


TIMES = np.arange(0.5, 60, 1.0)

# name: (event columns, parameters, the closed form)
CASES = {
    "bolus": ({"TIME": [2], "AMT": [100]}, {}, lambda t: decayed(t, 2, 100)),
    "repeated by ADDL": (
        {"TIME": [1], "AMT": [100], "II": [12], "ADDL": [3]}, {},
        lambda t: sum(decayed(t, 1 + 12 * i, 100) for i in range(4)),
    ),
    "lag": ({"TIME": [1], "AMT": [100]}, {"lag": 5.25}, lambda t: decayed(t, 6.25, 100)),
    "bioavailability": ({"TIME": [1], "AMT": [100]}, {"bioavailability": 0.4}, lambda t: decayed(t, 1, 40)),
    "infusion": ({"TIME": [1], "AMT": [100], "RATE": [10]}, {}, lambda t: infused(t, 1, 10, 10)),
    "infusion, bioavailability shortens it": (
        {"TIME": [1], "AMT": [100], "RATE": [10]}, {"bioavailability": 0.5}, lambda t: infused(t, 1, 5, 10),
    ),
    "modelled duration, bioavailability lowers the rate": (
        {"TIME": [1], "AMT": [100], "RATE": [-2]}, {"bioavailability": 0.5, "duration": 8.0},
        lambda t: infused(t, 1, 8, 50 / 8),
    ),
    "modelled rate": (
        {"TIME": [1], "AMT": [100], "RATE": [-1]}, {"rate": 25.0}, lambda t: infused(t, 1, 4, 25),
    ),
    "infusion with lag": (
        {"TIME": [1], "AMT": [100], "RATE": [10]}, {"lag": 3.5}, lambda t: infused(t, 4.5, 10, 10),
    ),
    "overlapping infusions add": (
        {"TIME": [0], "AMT": [100], "RATE": [5], "II": [6], "ADDL": [4]}, {},
        lambda t: sum(infused(t, 6 * i, 20, 5) for i in range(5)),
    ),
    "reset stops an infusion and empties": (
        {"TIME": [0, 10], "AMT": [100, 0], "RATE": [5, 0], "EVID": [1, 3]}, {},
        lambda t: np.where(t < 10, infused(t, 0, 20, 5), 0.0),
    ),
    "reset cancels doses to come": (
        {"TIME": [0, 30], "AMT": [100, 0], "II": [12, 0], "ADDL": [5, 0], "EVID": [1, 3]}, {},
        lambda t: np.where(t < 30, sum(decayed(t, 12 * i, 100) for i in range(3)), 0.0),
    ),
    "reset cancels a dose still in its lag": (
        {"TIME": [0, 3], "AMT": [100, 0], "EVID": [1, 3]}, {"lag": 5.0}, lambda t: 0 * t,
    ),
    "reset and dose": (
        {"TIME": [0, 20], "AMT": [100, 50], "EVID": [1, 4]}, {},
        lambda t: np.where(t < 20, decayed(t, 0, 100), decayed(t, 20, 50)),
    ),
    "steady state": (
        {"TIME": [5], "AMT": [100], "II": [12], "SS": [1]}, {},
        lambda t: np.where(t > 5, 100 * np.exp(-K * (t - 5)) / (1 - np.exp(-12 * K)), 0.0),
    ),
    "steady state replaces what was there": (
        {"TIME": [0, 5], "AMT": [777, 100], "II": [0, 12], "SS": [0, 1]}, {},
        lambda t: np.where(t < 5, decayed(t, 0, 777), 100 * np.exp(-K * (t - 5)) / (1 - np.exp(-12 * K))),
    ),
    "steady state 2 adds to what was there": (
        {"TIME": [0, 5], "AMT": [777, 100], "II": [0, 12], "SS": [0, 2]}, {},
        lambda t: decayed(t, 0, 777) + np.where(t > 5, 100 * np.exp(-K * (t - 5)) / (1 - np.exp(-12 * K)), 0.0),
    ),
    "steady state with lag: the state of interval - lag after a dose": (
        {"TIME": [5], "AMT": [100], "II": [12], "SS": [1]}, {"lag": 4.0},
        lambda t: np.where(t > 5, 100 * np.exp(-K * (t - 5 + 8)) / (1 - np.exp(-12 * K)) + decayed(t, 9, 100), 0.0),
    ),
    "constant infusion at steady state stops at its record": (
        {"TIME": [5], "AMT": [0], "RATE": [20], "SS": [1], "EVID": [1]}, {},
        lambda t: np.where(t > 5, 20 / K * np.exp(-K * (t - 5)), 0.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("solver", ["linear", pytest.param("ode", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("events", "parameters", "known"), CASES.values(), ids=CASES)
def test_events_equal_closed_forms(events, parameters, known, solver):
    found = course(events, TIMES, solver=solver, **parameters)
    # exact to rounding; integrated to the tolerance it was given, over a few hundred steps; a steady state
    # found by repetition stops when a cycle changes it by less than 1e-9
    np.testing.assert_allclose(found, known(TIMES), rtol=1e-12 if solver == "linear" else 2e-8, atol=1e-9)


def test_a_regimen_shows_the_moment_before_a_dose():
    found = course(Regimen.build("100 mg q12h x3"), [0.0, 12.0, 24.0])
    np.testing.assert_allclose(found, [0.0, decayed(12.0, 0, 100), decayed(24.0, 0, 100) + decayed(24.0, 12, 100)])


@pytest.mark.parametrize(
    ("order", "expected"), [([1, 0], 100.0), ([0, 1], 0.0)], ids=["dose row first", "sample first"]
)
def test_rows_of_a_table_at_one_time_keep_their_order(order, expected):
    table = {"TIME": [4, 4], "AMT": [100 * e for e in order], "EVID": order}
    found = twin.solve(One(), Regimen.from_events(**table))
    assert 50 * float(found["concentration"][0]) == pytest.approx(expected)


@pytest.mark.parametrize("what", ["ADDL", "lag"])
def test_scheduled_and_lagged_doses_come_before_a_sample_of_that_time(what):
    """NONMEM gives them before its own rows; the sample at 12 h sees the dose of 12 h."""
    table = {"TIME": [0, 12], "AMT": [100, 0], "EVID": [1, 0]}
    if what == "ADDL":
        table |= {"II": [12, 0], "ADDL": [1, 0]}
    found = twin.solve(One(), Regimen.from_events(**table), parameters={"lag": 12.0} if what == "lag" else {})
    earlier = 100 * np.exp(-12 * K) if what == "ADDL" else 0.0
    assert 50 * float(found["concentration"][0]) == pytest.approx(100 + earlier)


def test_an_infusion_over_a_time_keeps_its_time_whatever_the_bioavailability():
    found = course(Regimen.build("100 mg over 4 h"), TIMES, bioavailability=0.5)
    np.testing.assert_allclose(found, infused(TIMES, 0, 4, 12.5), atol=1e-10)


def test_steady_state_of_a_nonlinear_model_equals_a_long_run_in():
    times = np.linspace(0.5, 23.5, 10)
    dose = {"treatment": "oral", "amount": "20 mg", "every": "12 h"}
    words = {"rtol": 1e-9, "atol": 1e-11}
    steady = twin.solve(Turnover(), [dose | {"doses": 2, "steady_state": True}], times, **words)
    run_in = twin.solve(Turnover(), [dose | {"doses": 152}], 150 * 12 + times, **words)
    np.testing.assert_allclose(steady["biomarker"], run_in["biomarker"], rtol=1e-7)
    # what grows from one dose to the next has none, and says so (the values of another model: one program)
    with pytest.raises(TwinError, match="the course of model 'toy_turnover' failed: no_steady_state"):
        twin.solve(Turnover().with_values(clearance=-50.0), [dose | {"doses": 2, "steady_state": True}], times, **words)


def test_a_lag_of_a_whole_interval_has_no_steady_state():
    with pytest.raises(TwinError, match="no_steady_state"):
        course({"TIME": [0], "AMT": [100], "II": [12], "SS": [1]}, [1.0], lag=12.0)


def test_an_input_over_time_acts_from_its_time_on():
    """The biomarker's production doubles at 10 h: b = 20 - 10 exp(-k (t - 10)) after it."""
    regimen = Regimen.build({"inputs": {"production": [{"time": "0 h", "value": 1}, {"time": "10 h", "value": 2}]}})
    found = twin.solve(Turnover(), regimen, [5.0, 10.0, 15.0, 30.0])
    expected = [10, 10, 20 - 10 * np.exp(-0.5), 20 - 10 * np.exp(-2.0)]
    np.testing.assert_allclose(found["biomarker"], expected, rtol=1e-7)


REFUSED = {
    "time goes back": ({"TIME": [5, 2], "AMT": [1, 1]}, "event row 2: TIME 2 goes back"),
    "no amount": ({"TIME": [0], "AMT": [0], "EVID": [1]}, "event row 1: AMT 0 is no amount"),
    "not a number": ({"TIME": [0], "AMT": [float("nan")], "EVID": [1]}, "event row 1: AMT nan"),
    "no interval": ({"TIME": [0], "AMT": [1], "ADDL": [2]}, "ADDL and SS need an interval"),
    "odd EVID": ({"TIME": [0], "AMT": [1], "EVID": [7]}, "EVID 7 is not one of 0 to 4"),
    "odd rate": ({"TIME": [0], "AMT": [1], "RATE": [-3]}, "RATE -3 is neither"),
    "odd SS": ({"TIME": [0], "AMT": [1], "SS": [5], "II": [1]}, "SS 5 is not one of"),
    "unknown column": ({"TIME": [0], "DOSE": [1]}, "unknown event column 'DOSE'"),
    "uneven": ({"TIME": [0, 1], "AMT": [1]}, "AMT has 1 rows, TIME has 2"),
    "no such compartment": ({"TIME": [0], "AMT": [1], "CMT": [9]}, "CMT 9 is not one of the model's treatments"),
}


@pytest.mark.parametrize(("columns", "said"), REFUSED.values(), ids=REFUSED)
def test_broken_event_tables_are_refused_by_row(columns, said):
    with pytest.raises(TwinError, match=said):
        twin.solve(One(), Regimen.from_events(**columns), [1.0])


class DosingEvents(OralOne):
    """The scenarios' model: bioavailability and lag act in the blood only."""

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()


def test_nonmem_scenarios(shared_data):
    """The ten scenarios of NONMEM 7.4 that we hold: within 5e-5, the printed precision (asked: 2e-4)."""
    path = shared_data / "dosing_events_basic" / "events_and_nonmem_cp.csv"
    with path.open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    compared = 0
    for _, group in itertools.groupby(rows, key=lambda row: row["id"]):
        table = list(group)
        columns = {n.upper(): [r[n] for r in table] for n in ("time", "amt", "evid", "rate", "ii", "addl", "ss", "cmt")}
        first = next(row for row in table if row["evid"])
        words = {"lag": first["lagt"], "bioavailability": first["bioav"], "duration": first["dur2"]}
        words |= {"clearance": 1.1, "volume": 20.0, "absorption": 1.5}
        found = twin.solve(DosingEvents(), Regimen.from_events(**columns), parameters=words)
        known = np.array([row["cp"] for row in table if not row["evid"]])
        np.testing.assert_allclose(1000 * found["concentration"], known, rtol=5.1e-5, atol=1e-3 * 5e-5 * known.max())
        compared += len(known)
    assert compared == 1310
