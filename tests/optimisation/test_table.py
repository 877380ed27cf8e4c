"""A table of candidates: the winner is brute force's, whatever the order, and one program serves them all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.run import program

from .toy import AIM, ANA, BEN, DOSES, MODEL, OUTCOMES, find


def brute(patient, regimen, draws):
    """The outcomes of one regimen alone, by the plain door."""
    told = twin.simulate(
        MODEL, patient, regimens={"one": regimen}, outcomes=OUTCOMES, until="48 h", seed=5, draws=draws, times=[]
    )
    return {name: told[f"outcomes/{name}"].values[0, 0] for name in OUTCOMES}


@pytest.mark.parametrize("patient", [ANA, BEN], ids=lambda p: p.id)
def test_the_best_is_that_of_trying_everything_by_hand(patient):
    limit = 32.0
    aim = AIM | {"subject_to": [{"probability": "highest", "above": limit, "at_most": "30 %"}]}
    found = find(aim, patient)
    by_hand = {}
    for dose, every in itertools.product(DOSES, ["8 h", "12 h", "24 h"]):
        drawn = brute(patient, f"{dose} over 1 h q{every}", 1024)
        inside, high = (drawn["auc"] >= 400) & (drawn["auc"] <= 600), drawn["highest"] > limit
        by_hand[dose, every] = inside[:512].mean(), high[:512].mean(), inside[512:].mean(), high[512:].mean()
    allowed = [key for key, value in by_hand.items() if value[1] <= 0.3]
    assert 1 < len(allowed) < len(by_hand)  # the constraint decides something
    best = max(allowed, key=lambda key: by_hand[key][0])
    assert tuple(found.values(patient.id).values()) == best
    chosen = found[patient.id].best
    assert chosen.tuned.value == pytest.approx(by_hand[best][:2], abs=1e-12)  # means of zeros and ones: the same draws
    assert chosen.fresh.value == pytest.approx(by_hand[best][2:], abs=1e-12)
    p = by_hand[best][2]
    assert chosen.fresh.error[0] == pytest.approx(np.sqrt(p * (1 - p) / 511 + 2 / 512**2), rel=1e-6)


def test_candidates_are_paired_and_leave_when_they_are_surely_worse():
    race = find()["ana"].race
    best = race.chosen[0]
    assert race.draws.min() == 32
    assert race.draws[best] == 512
    drawn = [brute(ANA, f"{dose} over 1 h q{every}", 512)["auc"] for dose, every in itertools.product(DOSES, ["12 h"])]
    inside = [((x >= 400) & (x <= 600)).astype(float) for x in drawn]
    k = next(k for k in range(5) if race.draws[3 * k + 1] == 512 and 3 * k + 1 != best)
    other = inside[k]
    mine = brute(ANA, "{} over 1 h q{}".format(*map(str, race.candidates[best])), 512)["auc"]
    pair = other - ((mine >= 400) & (mine <= 600))
    assert race.behind.value[3 * k + 1] == pytest.approx(pair.mean(), abs=1e-12)
    assert race.behind.error[3 * k + 1] == pytest.approx(np.sqrt(pair.var(ddof=1) / 512 + 2 / 512**2), rel=1e-6)


def test_the_order_of_candidates_decides_nothing():
    backwards = {"every": ["24 h", "12 h", "8 h"], "dose": DOSES[::-1]}
    first, second = find(), find(AIM | {"choose": backwards})
    assert first.values() == {name: second.values()[name] for name in first.values()}
    assert first["ana"].best.fresh == second["ana"].best.fresh
    again = find()["ana"]
    assert again.best == first["ana"].best
    assert np.array_equal(again.race.found.value, first["ana"].race.found.value)


def test_of_candidates_that_are_as_good_the_smallest_wins():
    aim = AIM | {"maximise": {"probability": "auc", "above": 0}, "choose": {"dose": DOSES[::-1], "every": ["24 h"]}}
    found = find(aim)
    assert found.values() == {"dose": "500 mg", "every": "24 h"}
    assert found["ana"].best.fresh.value[0] == 1.0
    assert found["ana"].best.fresh.error[0] == pytest.approx(np.sqrt(2) / 512)  # all of 512 is not certain


def test_one_program_serves_all_candidates_and_all_stages(monkeypatch):
    find()
    compiled = []
    look_up = program.look_up

    def count(held, key, *rest):
        if held is program._SOLVERS and key not in held:
            compiled.append(key)
        return look_up(held, key, *rest)

    monkeypatch.setattr(program, "look_up", count)
    program._SOLVERS.clear()
    find(AIM | {"choose": {"dose": [f"{d} mg" for d in range(400, 1600, 25)], "every": ["8 h", "12 h", "24 h"]}})
    assert len(compiled) <= 2  # one for the candidates, and one where the winner alone needs fewer doses


def test_each_patient_is_chosen_for_or_all_are():
    each = find(patients=[ANA, BEN])
    assert each.values("ana") != each.values("ben")
    assert each["ana"].best == find(patients=ANA)["ana"].best  # nobody's choice depends on who else is asked about
    together = find(AIM | {"for": "all"}, patients=[ANA, BEN])
    assert len(together.optima) == 1
    best = together["all"].best
    shares = [find(AIM | {"choose": {"dose": [str(best.candidate[0])], "every": [str(best.candidate[1])]}}, patients=p)
              for p in (ANA, BEN)]  # fmt: skip
    alone = [one.optima[0].best.fresh.value[0] for one in shares]
    assert best.fresh.value[0] == pytest.approx(np.mean(alone), abs=1e-12)


def test_other_regimens_are_judged_on_the_same_fresh_draws():
    found = find(regimens={"usual": "1 g over 1 h q24h"})["ana"]
    drawn = brute(ANA, "1 g over 1 h q24h", 1024)["auc"][512:]
    other = found.others["usual"]
    assert other.judged.value[0] == pytest.approx(np.mean((drawn >= 400) & (drawn <= 600)), abs=1e-12)
    assert other.gain == pytest.approx(found.best.fresh.value[0] - other.judged.value[0], abs=1e-12)


@pytest.mark.parametrize(
    ("wanted", "by_hand"),
    [
        ({"mean": "auc"}, lambda d: d["auc"].mean()),
        ({"quantile": "auc", "share": "10 %"}, lambda d: np.quantile(d["auc"], 0.1, method="inverted_cdf")),
        ({"utility": "auc / 100 - 5 * (highest > 30)"}, lambda d: np.mean(d["auc"] / 100 - 5 * (d["highest"] > 30))),
    ],
    ids=["mean", "quantile", "utility"],
)
def test_statistics_are_what_they_are_called(wanted, by_hand):
    one = AIM | {"maximise": wanted, "choose": {"dose": ["1 g"], "every": ["12 h"]}}
    drawn = {name: values[512:] for name, values in brute(ANA, "1 g over 1 h q12h", 1024).items()}
    assert find(one)["ana"].best.fresh.value[0] == pytest.approx(by_hand(drawn), rel=1e-9)


def test_combinations_that_cannot_be_given_are_counted():
    aim = AIM | {"choose": {"dose": DOSES, "every": ["12 h", "24 h", "0 h"]}, "where": "dose / every > 25"}
    found = find(aim)
    assert (found.left_out, len(found["ana"].race.candidates)) == (6, 9)
    with pytest.raises(TwinError, match="no combination is allowed"):
        find(AIM | {"where": "dose > 9000"})
