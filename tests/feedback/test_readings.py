"""Time in range as trials report it, from readings (shared/data/trials/rosendaal)."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.model import Rosendaal

from .models import Vancomycin


def rows(shared_data, name):
    with (shared_data / "trials" / "rosendaal" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_shares_are_those_of_straight_lines(shared_data):
    """Six decimals are printed."""
    for case in rows(shared_data, "expected.csv"):
        read = [row for row in rows(shared_data, "inr.csv") if row["case"] == case["case"]]
        times, values = (np.array([[float(row[name]) for row in read]]) for name in ("day", "INR"))
        inside = Rosendaal(of="inr", low=2, high=3, longest=56).result_of_readings(times, values)
        above = Rosendaal(of="inr", low=np.nextafter(3, 4), longest=56).result_of_readings(times, values)
        assert inside[0] == pytest.approx(float(case["fraction_in_2_3"]), abs=1e-6), case
        assert above[0] == pytest.approx(float(case["fraction_above_3"]), abs=1e-6), case


def test_missed_readings_are_passed_over_and_windows_kept():
    times, values = np.array([[0, 5, 10, 20.0]]), np.array([[1.0, np.nan, 3.0, 3.0]])
    assert Rosendaal(of="inr", low=2, high=5).result_of_readings(times, values)[0] == pytest.approx(15 / 20)
    assert Rosendaal(of="inr", low=2, high=5, since=10).result_of_readings(times, values)[0] == 1
    assert math.isnan(Rosendaal(of="inr", low=2, high=5, since=15).result_of_readings(times, values)[0])


def test_it_is_an_outcome_of_arms_that_read():
    rules = {"measure": "concentration", "latent": True, "at": {"dose": "each"}, "rules": [{"dose": "same"}]}
    arms = {"read": {"start": "500 mg q24h x10", "feedback": rules}, "unread": "500 mg q24h x10"}
    asked = {"share": Rosendaal(of="concentration", low="2 mg/L", high=50, longest="30 h")}
    how = {"draws": 3, "until": "240 h", "times": (), "outcomes": asked}
    result = twin.simulate(Vancomycin(), twin.Patient("ana"), regimens=arms, **how)
    share = result["outcomes/share"]
    read, told = (result["decisions"][name].sel(regimen="read").values[0] for name in ("read_at", "reported"))
    outcome = Rosendaal(of="concentration", low=2, high=50, longest=30)
    np.testing.assert_array_equal(share.sel(regimen="read").values[0], outcome.result_of_readings(read, told))
    assert np.isnan(share.sel(regimen="unread").values).all()
    with pytest.raises(TwinError, match="is of readings of 'concentration', which no regimen takes"):
        twin.simulate(Vancomycin(), twin.Patient("ana"), regimens={"unread": "500 mg q24h x10"}, **how)
    with pytest.raises(TwinError, match="is of readings, which regimens with feedback take"):
        twin.solve(Vancomycin(), "500 mg q24h x10", [1.0], outcomes=asked)
