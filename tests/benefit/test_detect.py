"""What a trial sees: against trials simulated, and the rule of four."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from twin.benefit.detect import Arms, detect, enrich, power_at, size_at
from twin.statistics.power import power_of_means


def toy(size: float, main: float = 0.5, count: int = 40_000):
    """Half of the persons gain `size` more than the others; SD 1 in both arms."""
    generator = np.random.default_rng(0)
    group = np.arange(count) % 2
    gain = main + size * (group - 0.5)
    control = generator.normal(size=count)
    return group.astype(float), gain, Arms.of(np.stack([control, control + gain], axis=1))


@pytest.mark.parametrize(("share", "times"), [(1.0, 4.0), (0.5, 16.0)])
def test_an_interaction_as_large_as_the_effect_takes_four_times_the_patients(share, times):
    """And one half as large sixteen times: of the main effect, a z test at the same power and level."""
    group, gain, arms = toy(share * 0.5)
    found = detect("group", group, gain, arms, 400)
    main = size_at(0.5**2 / (2 * 2.0))  # n m^2 / (2 (s1^2 + s0^2))
    assert main == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) ** 2 * 4 / 0.5**2, rel=0.01)
    assert found.patients / main == pytest.approx(times, rel=0.03)


@pytest.mark.parametrize("straight", [False, True])
def test_power_is_that_of_trials(straight):
    """Interaction tests of 4,000 trials of 200 patients, each in one arm; within 3 standard errors (0.024)."""
    generator = np.random.default_rng(1)
    count = 40_000
    x = generator.normal(size=count) if straight else (generator.random(count) < 0.3).astype(float)
    gain = 0.2 + 0.7 * x
    control = generator.normal(size=count)
    arms = Arms.of(np.stack([control, control + gain], axis=1))
    found = detect("x", x, gain, arms, 200, straight=straight)
    rejected = []
    for seed in range(4000):
        one = np.random.default_rng(seed + 10)
        who, arm = one.integers(0, count, 200), one.permutation(200) % 2
        y = arms.values[who, arm]
        design = np.stack([np.ones(200), arm, x[who], arm * x[who]], axis=1)
        inverse = np.linalg.inv(design.T @ design)
        fitted = inverse @ (design.T @ y)
        error = np.sqrt(np.sum((y - design @ fitted) ** 2) / 196 * inverse[3, 3])
        rejected.append(abs(fitted[3] / error) > t.isf(0.025, 196))
    assert np.mean(rejected) == pytest.approx(found.power, abs=0.03)


def test_nothing_to_see_is_seen_as_often_as_the_level_says():
    assert power_at(0.0, 3, 0.05) == 0.05
    group, gain, arms = toy(0.0)
    found = detect("group", group, gain, arms, 400)
    assert found.patients > 10**6
    noise = np.random.default_rng(2).normal(size=2000)
    levels, some = np.arange(2000) % 50, Arms(arms.values[:2000], arms.chance[:2000])
    told = detect("levels", levels.astype(float), noise, some, 400).variance
    assert told < 0.2 * 49 / 2000  # means of 50 levels vary by 0.0245 by chance, which is taken off
    assert detect("one", np.zeros(len(gain)), gain, arms, 400).patients == np.inf


def test_a_patient_has_an_event_or_not():
    """Risks of 0.3 and 0.2: the variance is that of the events, not of the risks, which is 0."""
    risks = np.tile([0.3, 0.2], (1000, 1))
    top = enrich(np.zeros(1000), np.full(1000, 0.1), Arms.of(risks, event=True), (1.0,))[0]
    sd = np.sqrt((0.3 * 0.7 + 0.2 * 0.8) / 2)
    assert power_of_means(0.1, sd, top.patients / 2) == pytest.approx(0.9, abs=0.005)


def test_enrichment_takes_fewer_patients_and_screens_more():
    _, gain, arms = toy(1.0)
    half, whole = enrich(gain, gain, arms, (0.5, 1.0))
    assert (half.gain, whole.gain) == (pytest.approx(1.0), pytest.approx(0.5))
    assert power_of_means(0.5, np.sqrt(arms.values.var(axis=0).mean()), whole.patients / 2) == pytest.approx(
        0.9, abs=0.01
    )
    assert half.screened == 2
    assert half.patients < whole.patients / 3
    assert enrich(-gain, gain - 2, arms, (1.0,))[0].patients == np.inf
