"""What people make of a plan, against sums that can be written down (shared/data/trials/adherence)."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.model import Final

from .models import Vancomycin

DRAWS = 4000


def simulate(adherence, *, clearance=4.0, doses=60, draws=DRAWS, **more):
    regimen = {"doses": f"80 mg q24h x{doses}", "adherence": adherence}
    individuals = {"clearance": np.full((1, draws), clearance)}
    return twin.simulate(
        Vancomycin(), twin.Patient("ana"), regimens={"own": regimen}, outcomes={"trough": Final(of="concentration")},
        draws=draws, spread=False, until=24.0 * doses, times=(), individuals=individuals, **more,
    )  # fmt: skip


def reference(shared_data, name, **wanted):
    with (shared_data / "trials" / "adherence" / name).open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(float(row[k]) == v for k, v in wanted.items())]
    (row,) = rows
    return float(row["mean_trough_over_D_V"]), float(row["variance_trough"])


@pytest.mark.parametrize("holiday", [None, 3.0], ids=["each for itself", "in a row"])
def test_troughs_scatter_as_the_sum_says(shared_data, holiday):
    """Within 3 standard errors of 4,000 draws; a steady state after 60 doses lacks e^-12 of its sum."""
    k_tau = 0.2
    if holiday is None:
        mean, variance = reference(shared_data, "bernoulli.csv", taken_probability=0.8, k_tau=k_tau)
        adherence = {"taken": "80 %"}
    else:
        mean, variance = reference(
            shared_data, "markov.csv", taken_probability=0.8, mean_holiday_length=holiday, k_tau=k_tau
        )
        adherence = {"taken": "80 %", "holidays": holiday}
    result = simulate(adherence, clearance=80 * k_tau / 24)
    found = result["outcomes/trough"].values.ravel()
    kurtosis = np.mean((found - found.mean()) ** 4) / found.var() ** 2
    assert abs(found.mean() - mean) < 3 * np.sqrt(variance / DRAWS)
    assert abs(found.var() - variance) < 3 * variance * np.sqrt((kurtosis - 1) / DRAWS)


def test_the_ledger_counts_what_was_forgotten_and_taken_twice():
    result = simulate({"taken": 0.81, "doubled": "3 %", "late": "2 h"}, doses=30, draws=500)
    doses = result["doses"].isel(patient=0, regimen=0)
    why = doses["why"].values
    meanings = list(doses["why"].attrs["meanings"])
    forgotten, twice = (np.mean(why == meanings.index(word)) for word in ("forgotten", "taken twice"))
    assert abs(forgotten - 0.19) < 3 * np.sqrt(0.19 * 0.81 / why.size)
    assert abs(twice - 0.81 * 0.03) < 3 * np.sqrt(0.0243 * 0.9757 / why.size)
    np.testing.assert_array_equal(doses["amount"].values[why == meanings.index("taken twice")], 160.0)
    np.testing.assert_array_equal(doses["amount"].values[why == meanings.index("forgotten")], 0.0)
    late = doses["given_at"].values - doses["time"].values
    assert late.min() >= 0
    assert abs(late.mean() - 2 * np.sqrt(2 / np.pi)) < 3 * 2 * 0.6028 / np.sqrt(
        late.size
    )  # a half-normal's mean and SD


def test_whoever_gives_up_takes_no_more():
    result = simulate({"leave": "1 %/day"}, doses=60, draws=2000)
    counts = np.isfinite(result["doses"]["time"].values).sum(axis=-1).ravel()
    expected = sum(np.exp(-0.01 * day) for day in range(60))  # who is there on each day
    assert abs(counts.mean() - expected) < 3 * counts.std() / np.sqrt(len(counts))


def test_luck_is_a_patients_own():
    """Another patient, arm or draw beside it changes nobody's luck."""
    habits = {"doses": "80 mg q24h x10", "adherence": {"taken": 0.5}}
    other = {"doses": "40 mg q12h x20", "adherence": {"taken": 0.9}}

    def doses(patients, regimens, draws):
        result = twin.simulate(
            Vancomycin(), [twin.Patient(name) for name in patients], regimens=regimens, draws=draws, until=240.0,
            times=(), outcomes=[],
        )  # fmt: skip
        return result["doses"]["amount"].sel(patient="ana", regimen="own", draw=[0, 1]).values[:, :10]

    alone = doses(["ana"], {"own": habits}, 2)
    np.testing.assert_array_equal(alone, doses(["ben", "ana"], {"other": other, "own": habits}, 5))
    assert 0 < (alone == 0).sum() < 20


@pytest.mark.parametrize(
    ("adherence", "words"),
    [
        ({"taken": "120 %"}, "adherence.taken: '120 %' is not between 0 and 1"),
        ({"taken": "often"}, "adherence.taken: 'often' is not a number"),
        ({"forgotten": 0.1}, "adherence.forgotten: unknown key"),
        ({"holidays": 0.5}, "adherence.holidays: 0.5 is less than 1"),
        ({"leave": "10 %"}, "adherence.leave: "),
        ("often", "adherence: 'often' is not a mapping"),
    ],
)
def test_habits_that_cannot_be_read_are_one_sentence(adherence, words):
    with pytest.raises(TwinError) as caught:
        simulate(adherence, doses=2, draws=1)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
