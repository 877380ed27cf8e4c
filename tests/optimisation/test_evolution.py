"""Evolution on a lattice: it finds the best of functions with a known one, and what a table finds."""

from __future__ import annotations

import numpy as np
import pytest

from twin.optimisation.evolution import Lattice, evolve
from twin.regimen.template import Template, steps

from .toy import AIM, find


def lattice(size):
    return Lattice(
        Template(" ".join(f"{{x{k}}}" for k in range(size)), {f"x{k}": steps(0, 50, 1) for k in range(size)})
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("turned", [False, True], ids=["axes", "turned"])
def test_it_finds_the_bottom_of_a_valley(seed, turned):
    """A quadratic 100 times steeper one way than another, 51^4 points, at most 61 generations of 24 points."""
    centre = np.array([37.0, 8.0, 22.0, 45.0])
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 4)))[0] if turned else np.eye(4)
    scale = np.array([1.0, 3.0, 10.0, 30.0])
    met = {}

    def judge(candidates):
        for one in candidates:
            met[one] = (float(np.sum((scale * (turn @ (np.array([v.number for v in one]) - centre))) ** 2)),)
        return [met[one] for one in candidates]

    evolve(lattice(4), judge, lambda _: True, np.random.default_rng(seed))
    best = min(met.values())[0]
    far = np.median([value[0] for value in met.values()])
    assert best < 1e-2 * far
    if not turned:
        assert best <= 14.0  # the bottom, or a neighbour along the flattest ways
    assert len(met) < 61 * 24


def test_evolution_finds_what_a_table_does():
    choose = {"dose": {"from": "200 mg", "to": "1800 mg", "step": "50 mg"}, "every": ["6 h", "8 h", "12 h", "24 h"]}
    aim = AIM | {"choose": choose, "search": {"draws": [64, 256], "fresh": 256}}
    table = find(aim)["ana"].best
    evolved = find(aim | {"search": aim["search"] | {"method": "evolution"}})
    assert evolved.method == "evolution"
    assert evolved["ana"].best.tuned.value[0] >= table.tuned.value[0] - 2 * table.tuned.error[0]
    again = find(aim | {"search": aim["search"] | {"method": "evolution"}})
    assert again["ana"].best == evolved["ana"].best
    backwards = {"dose": [f"{d} mg" for d in range(1800, 199, -50)], "every": ["24 h", "12 h", "8 h", "6 h"]}
    other = find(aim | {"choose": backwards, "search": aim["search"] | {"method": "evolution"}})
    assert other.values() == evolved.values()


def test_thresholds_of_a_rule_are_slots_like_any():
    """A rule that holds the level between 10 and 15: with the threshold at 10, it is met most; one program for all."""
    feedback = {
        "measure": "concentration", "at": {"dose": "each"}, "latent": True,
        "rules": [{"below": "{low}", "dose": "x {up}"}, {"above": 15, "dose": "x 0.8"}, {"dose": "same"}],
    }  # fmt: skip
    aim = AIM | {
        "regimen": {"start": "500 mg over 1 h q12h", "feedback": feedback},
        "choose": {"low": [4, 10, 14], "up": ["1.1", "1.5", "4"]},
        "maximise": {"probability": "auc", "from": 400, "to": 800},
        "search": {"draws": [32, 64], "fresh": 64},
    }
    found = find(aim)
    race = found["ana"].race
    assert race.draws.max() == 64
    assert len({round(float(v), 6) for v in race.found.value[0]}) > 3  # what is in the slots matters
    assert found["ana"].best.fresh.failed == 0
