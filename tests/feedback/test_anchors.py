"""Published controllers, decision by decision: frozen output of another engine (shared/data/trials/feedback_*).

Doses are those of the tables to a relative 1e-6 (what is printed has 4 to 10 digits), readings to 1e-4 of their unit:
the tables print 6 decimals, and what solved them was asked for 1e-8.
"""

from __future__ import annotations

import csv

import numpy as np
import pytest

import twin
from twin.patient import Change

from .models import Platelets, Vancomycin

TROUGH = [{"below": 10, "dose": "+25 %"}, {"above": 15, "dose": "-25 %"}, {"dose": "same"}]
BOUNDS = {"least": "250 mg", "most": "4000 mg"}
DAILY = {"every": "24 h", "from": "0 h", "until": "312 h"}


def table(folder, name):
    with (folder / "trials" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def run(model, patient, regimen, until):
    result = twin.simulate(
        model,
        patient,
        regimens={"rules": regimen},
        draws=1,
        spread=False,
        until=until,
        times=(),
        rtol=1e-10,
        atol=1e-12,
    )
    assert int(result["sample_stats/status"].sum()) == 0
    decisions = result["decisions"].isel(patient=0, regimen=0, draw=0)
    return result, {name: values.values for name, values in decisions.items()}


def vancomycin(series=None, **patient):
    covariates = {"renal": series} if series is not None else {}
    return twin.Patient("ana", covariates=covariates, **patient)


def titrated(**more):
    return {
        "start": "500 mg over 1 h q24h x14",
        "feedback": {
            "measure": "concentration", "latent": True, "at": DAILY, "rules": TROUGH, "doses": BOUNDS, **more
        },
    }  # fmt: skip


def agrees(found, rows, reading, *, dose="dose_mg", within=1e-4):
    np.testing.assert_allclose(found["dose"], column(rows, dose), rtol=1e-6)
    np.testing.assert_allclose(found["latent"], column(rows, reading), atol=within)


def test_a_trough_decides_by_a_quarter(shared_data):
    rows = table(shared_data, "feedback_vanco/ladder.csv")
    result, found = run(Vancomycin(), vancomycin(), titrated(), "336 h")
    agrees(found, rows, "trough_mg_per_L")
    np.testing.assert_array_equal(found["read_at"], column(rows, "time_h"))
    changed = found["dose"] != found["dose_before"]
    assert changed.sum() == 7  # the first from a dose that was never given: of those given, six are higher
    given = result["doses"].isel(patient=0, regimen=0, draw=0)["amount"].values
    assert (np.diff(given) > 0).sum() == 6
    assert given.sum() == pytest.approx(26_110.2, abs=0.05)


@pytest.mark.parametrize(
    ("ladder", "delay"), [("ladder_locf.csv", 0.0), ("ladder.csv", 1.0)], ids=["carried forward", "the next record's"]
)
def test_the_kidneys_fail_meanwhile(shared_data, ladder, delay):
    """NONMEM's convention outside the infusion looks one record ahead: the value of the next day from an hour on."""
    rows = table(shared_data, f"feedback_vanco_renal/{ladder}")
    renal = column(table(shared_data, "feedback_vanco_renal/ladder.csv"), "crcl_mL_per_min")
    times = 24.0 * np.arange(len(renal))
    if delay:
        times, renal = np.array([0.0, *(times[:-1] + delay)]), renal
    series = [Change(float(t), float(v)) for t, v in zip(times, renal, strict=True)]
    _, found = run(Vancomycin(), vancomycin(series), titrated(), "336 h")
    agrees(found, rows, "trough_mg_per_L")


def test_a_line_between_records(shared_data):
    """By many small steps: the line's own error falls with their square, and 96 a day leave 1e-5."""
    rows = table(shared_data, "feedback_vanco_renal/ladder_linear.csv")
    renal = column(table(shared_data, "feedback_vanco_renal/ladder.csv"), "crcl_mL_per_min")
    fine = np.arange(0, 312, 0.25)
    middle = np.interp(fine + 0.125, 24.0 * np.arange(len(renal)), renal)
    series = [Change(float(t), float(v)) for t, v in zip([*fine, 312.0], [*middle, renal[-1]], strict=True)]
    _, found = run(Vancomycin(), vancomycin(series), titrated(), "336 h")
    agrees(found, rows, "trough_mg_per_L", within=1e-3)


def test_clearance_changes_at_every_occasion(shared_data):
    rows = table(shared_data, "feedback_vanco_iov/ladder.csv")
    clearance = column(rows, "CL_L_per_h")
    times = np.array([0.0, *(24.0 * np.arange(len(rows) - 1) + 1)])  # end-of-interval, as above
    series = [Change(float(t), float(v) * 25) for t, v in zip(times, clearance, strict=True)]
    _, found = run(Vancomycin(), vancomycin(series), titrated(), "336 h")
    agrees(found, rows, "trough_mg_per_L")


def test_a_rule_begins_from_the_planned_dose_and_not_from_the_loading_dose(shared_data):
    rows = table(shared_data, "feedback_vanco_loading/ladder.csv")
    regimen = {
        "start": "1500 mg then 750 mg q24h x6",
        "feedback": {
            "measure": "concentration", "latent": True, "at": {"every": "24 h", "from": "24 h", "until": "144 h"},
            "rules": TROUGH, "doses": BOUNDS,
        },
    }  # fmt: skip
    regimen["start"] = [{"amount": "1500 mg"}, {"amount": "750 mg", "time": "24 h", "every": "24 h", "doses": 6}]
    _, found = run(Vancomycin(), vancomycin(), regimen, "168 h")
    agrees(found, rows, "trough_mg_per_L")


def test_platelets_go_down_a_ladder(shared_data):
    rows = table(shared_data, "feedback_platelet/ladder.csv")
    regimen = {
        "start": "100 mg q168h x10",
        "feedback": {
            "measure": "platelets", "at": {"dose": "each", "before": 0},
            "levels": ["25 mg", "50 mg", "75 mg", "100 mg"],
            "rules": [{"below": 30, "stop": True}, {"below": 120, "dose": "down"}, {"dose": "same"}],
        },
    }  # fmt: skip
    result, found = run(Platelets(), twin.Patient("ana"), regimen, "1680 h")
    agrees(found, rows, "platelets_1e9_per_L", within=1e-4)
    assert result["doses"]["amount"].sum() == 625
    assert (found["latent"] >= 100).sum() == 8
