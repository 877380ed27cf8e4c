"""Several objectives: the set is what comparing all pairs gives, and so is how often one is dominated."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from twin.optimisation import pareto

from .toy import AIM, ANA, MODEL, OUTCOMES, find

BOTH = AIM | {
    "maximise": {"mean": "auc"},
    "minimise": {"name": "risk", "probability": "highest", "above": 30.0},
    "choose": {"dose": {"from": "300 mg", "to": "1500 mg", "step": "100 mg"}, "every": ["8 h", "12 h", "24 h"]},
}


def dominated_by_hand(points):
    """Every pair compared; (point, objective), the larger the better."""
    found = []
    for a in points:
        beaten = False
        for b in points:
            beaten |= all(y >= x for x, y in zip(a, b, strict=True)) and any(y > x for x, y in zip(a, b, strict=True))
        found.append(beaten)
    return np.array(found)


@pytest.mark.parametrize("objectives", [2, 3, 4])
@pytest.mark.parametrize("kind", ["apart", "tied"])
def test_the_set_is_that_of_comparing_all_pairs(objectives, kind):
    rng = np.random.default_rng(objectives)
    for count in (1, 2, 60):
        points = rng.normal(size=(objectives, count))
        points = np.round(points) if kind == "tied" else points  # equal points, and equal in one of the objectives
        assert np.array_equal(pareto.is_dominated(points), dominated_by_hand(points.T))


@pytest.fixture(scope="module")
def found():
    return find(BOTH)["ana"]


@pytest.fixture(scope="module")
def drawn(found):
    """Both objectives of every candidate by the plain door, the larger the better (candidate, draw)."""
    arms = {str(k): "{} over 1 h q{}".format(*map(str, one)) for k, one in enumerate(found.race.candidates)}
    told = twin.simulate(MODEL, ANA, regimens=arms, outcomes=OUTCOMES, until="48 h", seed=5, draws=1024, times=[])
    auc, highest = (told[f"outcomes/{name}"].values[0] for name in ("auc", "highest"))
    return np.stack([auc, -(highest > 30.0).astype(float)])


def test_the_chosen_are_the_pareto_set_of_all_draws(found, drawn):
    points = drawn[:, :, :512].mean(axis=2)
    expected = set(np.flatnonzero(~dominated_by_hand(points.T)).tolist())
    assert set(found.race.chosen) == expected
    assert 3 < len(expected) < points.shape[1]


def test_how_often_a_candidate_is_dominated(found, drawn):
    """Against draws drawn anew by another generator: shares of 400 times differ by 0.05 = two of their errors."""
    rng = np.random.default_rng(12)
    times = np.zeros(drawn.shape[1])
    for _ in range(400):
        picked = rng.integers(0, 512, 512)
        times += dominated_by_hand(drawn[:, :, picked].mean(axis=2).T)
    last = found.race.draws == 512
    share = times / 400
    assert np.abs(found.race.dominated[last] - share[last]).max() < 0.1
    assert share[found.race.chosen].max() < 0.9
    assert (share[~last] > 0.5).all()  # what left early was worse for sure


def test_the_set_is_judged_on_fresh_draws(found, drawn):
    for one, k in zip(found.chosen, found.race.chosen, strict=True):
        auc, safe = drawn[:, k, 512:].mean(axis=1)
        assert one.fresh.value == pytest.approx((auc, -safe), rel=1e-9, abs=1e-12)
        assert one.tuned.value[0] == pytest.approx(drawn[0, k, : one.tuned.draws].mean(), rel=1e-9)


def test_what_is_the_same_is_not_dominated_by_itself(found):
    """Sums in another order differ in their last digits; one of the set beside itself must not seem worse."""
    best = found.chosen[len(found.chosen) // 2]
    twice = find(BOTH, regimens={"again": best.regimen})["ana"]
    assert twice.others["again"].judged.dominated == best.fresh.dominated


def test_a_constraint_cuts_the_set():
    limited = BOTH | {"subject_to": [{"name": "limit", "probability": "highest", "above": 30.0, "at_most": "20 %"}]}
    chosen = find(limited)["ana"].chosen
    assert chosen
    assert all(one.tuned.value[1] <= 0.2 for one in chosen)
