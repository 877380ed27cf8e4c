"""The winner's curse: what was chosen looked better than it is, and fresh draws say how good it is."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.optimisation.split import hold_back
from twin.patient import Patient
from twin.run.batch import Own

from .toy import AIM, ANA, MODEL, OUTCOMES, find

SEEDS = 60


def test_the_winner_looked_better_than_it_is_and_fresh_draws_do_not_flatter():
    """Among doses nearly as good, chosen by 32 draws. What the winner is truly worth is known from 65,536 draws.

    The optimism of each seed is the difference of two means of 32 and of 512 draws, so its standard error over the
    seeds is known; the tuned value has to be above by more than four of them, the fresh one unbiased within three.
    """
    doses = [f"{dose} mg" for dose in range(900, 1500, 25)]
    aim = AIM | {"choose": {"dose": doses, "every": ["24 h"]}, "search": {"draws": [32], "fresh": 512}}
    told = twin.simulate(
        MODEL, Patient("crowd", covariates={"renal": 60.0}), outcomes=OUTCOMES, until="48 h", seed=1,
        regimens={dose: f"{dose} over 1 h q24h" for dose in doses}, draws=65_536, times=[],
    )["outcomes/auc"].values[0]  # fmt: skip
    truth = dict(zip(doses, ((told >= 400) & (told <= 600)).mean(axis=1), strict=True))
    assert np.ptp(list(truth.values())) > 0.02  # there is something to choose, and little
    optimism, bias = [], []
    for seed in range(SEEDS):
        found = find(aim, seed=seed)
        best = found["ana"].best
        true = truth[found.values()["dose"]]
        optimism.append(best.tuned.value[0] - true)
        bias.append(best.fresh.value[0] - true)
    error = lambda x: np.std(x, ddof=1) / np.sqrt(SEEDS)  # noqa: E731
    assert np.mean(optimism) > 4 * error(optimism)
    assert np.mean(optimism) > 0.02
    assert abs(np.mean(bias)) < 3 * error(bias)


def test_a_constraint_that_fresh_draws_break_is_said_to_be_broken():
    """Sixteen draws often hide what happens to one in ten; the fresh ones are told apart from them."""
    wanted = {"probability": "highest", "above": 34.0}
    aim = AIM | {
        "choose": {"dose": [f"{dose} mg" for dose in range(900, 2000, 50)], "every": ["24 h"]},
        "maximise": {"mean": "auc"}, "subject_to": [{**wanted, "at_most": "3 %"}],
        "search": {"draws": [16], "fresh": 1024},
    }  # fmt: skip
    best = [find(aim, seed=seed)["ana"].best for seed in range(6)]
    assert all(one.tuned.allowed for one in best)
    assert any(not one.fresh.allowed for one in best)
    for one in best:
        assert one.fresh.allowed == (one.fresh.value[1] <= 0.03)


def posterior(count=200, people=1, distinct=None):
    rng = np.random.default_rng(3)
    draws = {name: rng.normal(size=(people, count)) for name in ("clearance", "volume")}
    if distinct:
        draws = {name: values[:, np.arange(count) % distinct] for name, values in draws.items()}
    return draws


def test_a_posterior_chooses_by_some_draws_and_judges_by_others():
    draws = posterior()
    found = find(deviations=draws)
    assert (found.told["draws"], found.told["fresh"]) == (100, 100)
    told = twin.simulate(
        MODEL, ANA, regimens={"one": "{dose} over 1 h q{every}".format(**found.values())}, outcomes=OUTCOMES,
        until="48 h", draws=200, deviations=draws, times=[],
    )["outcomes/auc"].values[0, 0]  # fmt: skip
    inside = (told >= 400) & (told <= 600)
    best = found["ana"].best
    assert best.tuned.draws == best.fresh.draws == 100
    assert (best.tuned.value[0] + best.fresh.value[0]) / 2 == pytest.approx(inside.mean(), abs=1e-12)  # all, once each


def test_equal_draws_are_on_one_side():
    draws = posterior(count=200, distinct=24)
    aim = find().aim
    own, search, total = hold_back(Own(deviations=draws), aim, 0, [ANA.bind(MODEL)])
    values = own.deviations["clearance"][0]
    assert not set(values[:search]) & set(values[search:total])
    assert len(set(values)) > 18
    with pytest.raises(TwinError, match="too few to choose by some and judge by others"):
        hold_back(Own(deviations=posterior(count=8)), aim, 0, [ANA.bind(MODEL)])


def test_a_trajectory_that_fails_is_counted_and_never_averaged():
    draws = posterior(count=200)
    draws["clearance"][0, ::4] = np.nan
    best = find(deviations=draws)["ana"].best
    failed = np.array([best.tuned.failed, best.fresh.failed])
    assert failed.sum() == 50
    assert 0 < best.fresh.value[0] < 1
    kept = best.fresh.draws - best.fresh.failed
    p = best.fresh.value[0]
    assert best.fresh.error[0] == pytest.approx(np.sqrt(p * (1 - p) / (kept - 1) + 2 / kept**2), rel=1e-6)


def test_no_draws_are_drawn_where_everybody_is_typical():
    found = find(AIM | {"maximise": {"mean": "auc"}}, spread=False)
    assert found.told["draws"] == 1
    assert found.values() == {"dose": "1500 mg", "every": "8 h"}
