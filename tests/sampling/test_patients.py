"""What is expected of one patient: the conjugate answer of a straight line, draws that are given, and other errors."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

import twin
from tests.toys import Scaled
from twin.errors import TwinError
from twin.sampling.gain import known_of, simulate_variance
from twin.sampling.slopes import Slopes

from .models import Line, Warfarin

ANA = twin.Patient("ana")
NOTHING = {"none": None}
WINDOW = {"from": 0, "to": 10, "step": 1}
PRIOR = np.array([[4.0, -0.3 * 2 * 0.5], [-0.3 * 2 * 0.5, 0.25]])  # of start and speed
SETTINGS = twin.Settings(draws=200, until=24.0)
BEFORE, HALF = "70 mg q24h x9", {"half": "35 mg q24h x2"}
FROM_NOW = twin.Settings(draws=48, seed=3, now="48 h", until="10 day")


def ask(model=None, regimens=None, **words):
    words = {"measure": "place", "settings": SETTINGS} | words
    words.setdefault("outcomes", ["last"] if model is None else None)
    return twin.optimal_sampling(model or Line(), words.pop("patients", ANA), regimens or NOTHING, **words)


def after(times, prior=PRIOR):
    """The covariance of start and speed after measurements with an SD of 1.5: the conjugate answer."""
    design = np.stack([np.ones(len(times)), times], -1)
    return np.linalg.inv(np.linalg.inv(prior) + design.T @ design / 1.5**2)


def told(found, word, *names):
    return found[f"expected/{word}"].sel(group="ana", quantity=list(names)).values


def test_the_conjugate_answer():
    """Linear with normal errors, so what is expected is exact: of both unknowns, and of where the line is at 24 h."""
    times = [1.0, 4.0, 9.0]
    found = ask(fixed=times)
    wanted, at = after(times), np.array([1.0, 24.0])
    assert told(found, "sd_now", "start", "speed") == pytest.approx([1, 1], rel=1e-12)
    assert told(found, "sd_after", "start", "speed") == pytest.approx(np.sqrt(np.diag(wanted)) / [2, 0.5], rel=1e-9)
    assert told(found, "sd_now", "last") == pytest.approx(np.sqrt(at @ PRIOR @ at), rel=1e-9)
    assert told(found, "sd_after", "last") == pytest.approx(np.sqrt(at @ wanted @ at), rel=1e-9)
    # by drawing, from 200 draws whose own variance is off by 10 % (its SD); where 30 count, by another 10 %
    share = (told(found, "sd_simulated", "last") / told(found, "sd_of_draws", "last")) ** 2
    assert share == pytest.approx((at @ wanted @ at) / (at @ PRIOR @ at), rel=0.3)
    assert 20 < float(found["expected/draws_that_count"][0]) < 100


AIMS = {
    "all": ("all", lambda c: np.linalg.det(c)),
    "speed": ({"precision": ["speed"]}, lambda c: c[1, 1]),
    "start": ({"determinant": ["start"]}, lambda c: c[0, 0]),
    "at 24 h": ({"outcome": "last"}, lambda c: np.array([1.0, 24.0]) @ c @ [1.0, 24.0]),
}


@pytest.mark.parametrize("aim", AIMS)
def test_the_best_two_times_of_a_line(aim):
    said, loss = AIMS[aim]
    found = ask(windows=[WINDOW], choose=2, fixed=[0.5], aim=said)
    best = min(itertools.combinations(range(11), 2), key=lambda pair: loss(after([0.5, *pair])))
    assert found["sampling/time"].values[0].tolist() == sorted([0.5, *map(float, best)])


def test_what_was_measured_before_is_in_the_draws():
    """Draws of a posterior instead of the prior: their covariance counts, and the rest follows as before."""
    before = after([0.0, 1.0, 2.0])
    both = np.random.default_rng(5).multivariate_normal([0, 0], before / np.outer([2, 0.5], [2, 0.5]), 200).T
    draws = {"start": both[:1], "speed": both[1:]}
    found = ask(windows=[WINDOW], choose=1, aim={"outcome": "last"}, deviations=draws)
    covariance = np.cov(both) * np.outer([2, 0.5], [2, 0.5])
    best = min(range(11), key=lambda t: AIMS["at 24 h"][1](after([t], covariance)))
    assert found["sampling/time"].values[0].tolist() == [best]
    wanted = np.sqrt(np.diag(after([best], covariance))) / [2, 0.5]
    assert told(found, "sd_after", "start", "speed") == pytest.approx(wanted, rel=1e-9)
    assert wanted == pytest.approx(
        np.sqrt(np.diag(after([0.0, 1.0, 2.0, best]))) / [2, 0.5], rel=0.05
    )  # of 3,000 draws
    only = ask(fixed=[best], individuals={"start": 5 + 2 * both[:1]}, deviations={"speed": both[1:]})
    assert told(only, "sd_after", "start") == pytest.approx(2 * wanted[0], rel=1e-9)  # a value has its own unit


@pytest.mark.slow
def test_draws_of_the_population_are_those_of_simulate_from_now_on():
    """The same AUC, of what lies after now, in the same draws; nothing can be measured before, or after the end."""
    patient = twin.Patient("ben", covariates={"weight": 90}, doses=BEFORE)
    words = {"patients": patient, "measure": "assay", "settings": FROM_NOW}
    found = ask(Warfarin(), HALF, fixed=[60, 72], outcomes=["auc"], **words)
    simulated = twin.simulate(Warfarin(), patient, regimens=HALF, outcomes=["auc"], settings=FROM_NOW, times=[])
    own = found["expected"].to_dataset().sel(group="ben", quantity="auc")
    assert float(own["mean"]) == pytest.approx(float(simulated["outcomes/auc"].mean()), rel=1e-6)
    assert float(own["sd_of_draws"]) == pytest.approx(float(simulated["outcomes/auc"].std(ddof=1)), rel=1e-6)
    with pytest.raises(TwinError, match=r"fixed\[0\]: 40 h is before now, 48 h; nothing can be measured then any more"):
        ask(Warfarin(), HALF, fixed=[40], **words)
    with pytest.raises(TwinError, match=r"fixed\[0\]: 241 h is after until, 240 h; end the course later"):
        ask(Warfarin(), HALF, fixed=[241], **words)


def test_each_patient_has_times_of_their_own():
    """Somebody light keeps the drug for longer, and tells of clearance later; who else is there changes nothing."""
    people = [
        twin.Patient(name, covariates={"weight": kg}, doses=BEFORE) for name, kg in (("light", 40), ("heavy", 150))
    ]
    words = {"windows": [{"from": 49, "to": 240, "step": 4}], "choose": 1, "outcomes": ["auc"], "measure": "assay"}
    words |= {"aim": {"precision": ["clearance"]}, "settings": FROM_NOW}
    both = ask(Warfarin(), HALF, patients=people, **words)
    light, heavy = both["sampling/time"].values[:, 0]
    assert light > heavy
    alone = ask(Warfarin(), HALF, patients=people[1], **words)
    assert alone["sampling/time"].values[0, 0] == heavy


def test_information_of_a_normal_number_with_an_error_of_its_own_size():
    """Two draws written out: (df)^2 / s^2 + 2 (ds)^2 / s^2, added to what is known."""
    slopes = Slopes(
        (("deviations", "x"),), *(np.full((2, 1, 1), v) for v in (3.0, 3.0, 0.5)),
        of_mean=np.array([[[[2.0]]], [[[1.0]]]]), of_sd=np.array([[[[0.3]]], [[[0.1]]]]), outcomes={}, of_outcomes={},
    )  # fmt: skip
    known = known_of(slopes, {"deviations": {"x": np.array([[0.0, 1.0]])}}, np.array([[0.8]]))
    wanted = [1 / (1 / 0.8 + (4 + 2 * 0.09) / 0.25), 1 / (1 / 0.8 + (1 + 2 * 0.01) / 0.25)]
    assert known.after(np.array([[0]]))[0, :, 0, 0] == pytest.approx(wanted, rel=1e-12)


def test_drawing_measurements_gives_the_variance_that_is_left():
    """One number with a normal prior, measured with an SD of a half: a fifth of the variance is left."""
    values = np.random.default_rng(2).standard_normal((1500, 1))
    slopes = Slopes(
        (("deviations", "x"),), *(values[:, :, None],) * 2, sd=np.full((1500, 1, 1), 0.5),
        of_mean=np.ones((1500, 1, 1, 1)), of_sd=np.zeros((1500, 1, 1, 1)), outcomes={}, of_outcomes={},
    )  # fmt: skip
    known = known_of(slopes, {"deviations": {"x": values.T}}, np.eye(1))
    left, count = simulate_variance(known, np.array([0]), values, seed=1)
    assert left == pytest.approx([0.2], rel=0.08)  # its SD over 20 seeds is 2 %
    assert 300 < count < 1200
    nothing = dataclasses.replace(known, slopes=dataclasses.replace(slopes, sd=np.full((1500, 1, 1), 1e6)))
    assert simulate_variance(nothing, np.array([0]), values, seed=1)[1] == pytest.approx(1499, abs=0.01)  # not itself


def test_what_a_patient_cannot_be_asked():
    with pytest.raises(TwinError, match="declares no spread, so nothing about a patient is unknown"):
        ask(Scaled(), {"once": "10 mg"}, measure="amount", fixed=[1])
    with pytest.raises(TwinError, match=r"draws have shapes 'start' \(1, 3\), 'speed' \(1, 4\); all need \(1, draws\)"):
        ask(fixed=[1], deviations={"start": np.zeros((1, 3)), "speed": np.zeros((1, 4))})
    with pytest.raises(TwinError, match="the draws have no covariance that can be inverted; give more draws"):
        ask(fixed=[1], deviations={"start": np.ones((1, 3)), "speed": np.ones((1, 3))})
    with pytest.raises(TwinError, match="groups: is of a population; add 'about: population'"):
        ask(fixed=[1], groups={"a": {}})
