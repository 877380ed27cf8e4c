"""What every analysis has in common: p values, limits, masks, and what it says when it cannot be made."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from twin.statistics import analysis
from twin.statistics.analysis import Estimate, Times, Values, interval, p_value, z_of


def of_statistics(statistic, degrees):
    statistic, degrees = np.broadcast_arrays(np.asarray(statistic, float), np.asarray(degrees, float))
    return Estimate(statistic, np.ones_like(statistic), statistic, degrees, np.ones_like(statistic, bool))


SIZES = np.array([0.0, 1e-9, 0.3, 1.0, 1.96, 4.0, 12.0, 35.0])


@pytest.mark.parametrize("degrees", [1.0, 2.5, 4.0, 38.0, 1e4, np.inf])
def test_p_values_are_those_of_scipy(degrees):
    law = scipy.stats.norm if np.isinf(degrees) else scipy.stats.t(degrees)
    for sign in (1, -1):
        made = of_statistics(sign * SIZES, degrees)
        np.testing.assert_allclose(p_value(made), 2 * law.sf(SIZES), rtol=1e-9)
        np.testing.assert_allclose(p_value(made, 1), law.sf(sign * SIZES), rtol=1e-9)
        z = np.asarray(z_of(made))
        np.testing.assert_allclose(scipy.stats.norm.logsf(np.abs(z)), law.logsf(SIZES), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(np.sign(z), np.sign(sign * SIZES))


def test_far_tails_are_on_the_normal_scale_too():
    """Where p is 0 in float64: by the series of the tail of Student's t, z to 1e-3 of itself."""
    size, degrees = np.array([80.0, 200.0, 2000.0, 1e6]), np.array([600.0, 300.0, 200.0, 120.0])
    share = degrees / (degrees + size**2)
    series = scipy.special.hyp2f1(degrees / 2, 0.5, degrees / 2 + 1, share)
    logs = degrees / 2 * np.log(share) - np.log(degrees) - scipy.special.betaln(degrees / 2, 0.5) + np.log(series)
    z = np.asarray(z_of(of_statistics(size, degrees)))
    assert (scipy.stats.t.sf(size, degrees) < 1e-280).all()
    np.testing.assert_allclose(scipy.stats.norm.logsf(z), logs, rtol=2e-3)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_limits_are_those_of_scipy(level):
    degrees = np.array([1.0, 2.2, 5.0, 40.0, 1e5, np.inf])
    low, high = interval(of_statistics(0.0, degrees), level)
    expected = scipy.stats.t.ppf(0.5 + level / 2, np.where(np.isinf(degrees), 1e12, degrees))
    np.testing.assert_allclose(high, expected, rtol=1e-8)
    np.testing.assert_array_equal(low, -np.asarray(high))


# --- masks ----------------------------------------------------------------------------------------------

COUNT, PEOPLE = 4, 40  # and three visits, as in test_repeated: one program serves both


def arrays():
    generator = np.random.default_rng(11)
    shape = COUNT, PEOPLE
    return {
        "value": generator.standard_normal(shape), "time": generator.exponential(size=shape),
        "event": generator.random(shape) < 0.7, "answer": generator.random(shape) < 0.5,
        "arm": generator.integers(0, 2, shape), "inside": generator.random(shape) < 0.8,
        "x": generator.standard_normal((*shape, 2)), "strata": generator.integers(0, 2, shape),
        "visits": generator.standard_normal((*shape, 3)),
    }  # fmt: skip


ANALYSES = {
    "t_test": lambda d: analysis.t_test(d["value"], d["arm"], d["inside"]),
    "ancova": lambda d: analysis.ancova(d["value"], d["arm"], d["inside"], covariates=d["x"]),
    "ancova, robust": lambda d: analysis.ancova(d["value"], d["arm"], d["inside"], covariates=d["x"], robust=True),
    "slope": lambda d: analysis.slope(d["value"], d["arm"], d["inside"], covariates=d["x"]),
    "procova": lambda d: analysis.procova(d["value"], d["arm"], d["inside"], score=d["x"][..., 0]),
    "mmrm": lambda d: analysis.mmrm(d["visits"], d["arm"], d["inside"], covariates=d["x"][..., :1]),
    "proportions": lambda d: analysis.proportions(d["answer"], d["arm"], d["inside"]),
    "cochran_mantel_haenszel": lambda d: analysis.cochran_mantel_haenszel(
        d["answer"], d["arm"], d["inside"], strata=d["strata"], levels=2
    ),
    "logistic": lambda d: analysis.logistic(d["answer"], d["arm"], d["inside"], covariates=d["x"]),
    "logistic_standardised": lambda d: analysis.logistic_standardised(
        d["answer"], d["arm"], d["inside"], covariates=d["x"]
    ),
    "log_rank": lambda d: analysis.log_rank(d["time"], d["event"], d["arm"], d["inside"], strata=d["strata"]),
    "cox": lambda d: analysis.cox(d["time"], d["event"], d["arm"], d["inside"], covariates=d["x"]),
    "rmst": lambda d: analysis.rmst(d["time"], d["event"], d["arm"], d["inside"], until=0.5),
    "milestone": lambda d: analysis.milestone(d["time"], d["event"], d["arm"], d["inside"], at=0.5),
    "wilcoxon": lambda d: analysis.wilcoxon(d["value"], d["arm"], d["inside"]),
    "van_elteren": lambda d: analysis.van_elteren(d["value"], d["arm"], d["inside"], strata=d["strata"]),
    "win_ratio": lambda d: analysis.win_ratio(
        [Times(d["time"], d["event"]), Values(d["value"])], d["arm"], d["inside"]
    ),
    "finkelstein_schoenfeld": lambda d: analysis.finkelstein_schoenfeld([Values(d["value"])], d["arm"], d["inside"]),
    "crossover": lambda d: analysis.crossover(d["visits"][..., :2], d["arm"], d["inside"]),
    "crossover_many": lambda d: analysis.crossover_many(
        d["visits"], np.stack([d["arm"], 1 - d["arm"], d["arm"]], 2), d["inside"]
    ),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_masks_order_labels_and_what_is_lost(name):
    """People outside or of another arm say nothing; their order does not matter; with arms exchanged the effect
    turns; with one arm empty nothing can be said, of that replicate alone."""
    run, data = ANALYSES[name], arrays()
    made = run(data)
    assert made.ok.all()
    assert made.effect.dtype == np.float64

    nonsense = {k: v.copy() for k, v in data.items()}
    for each in ("value", "time", "x", "visits"):
        nonsense[each][~data["inside"]] = np.nan
    nonsense["arm"][~data["inside"]] = 1
    nonsense["strata"][~data["inside"]] = 7
    if name not in ("slope", "crossover_many"):  # of which arms are no argument
        other = ~data["inside"] & (np.arange(PEOPLE) % 2 == 0)
        nonsense["inside"], nonsense["arm"] = data["inside"] | other, np.where(other, 2, nonsense["arm"])
    order = np.random.default_rng(1).permutation(PEOPLE)
    shuffled = {k: v[:, order] for k, v in nonsense.items()}
    for one, two in zip(made, run(shuffled), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-9)

    turned = run(data | {"arm": 1 - data["arm"]})
    for one, two in ((made.effect, turned.effect), (made.statistic, turned.statistic)):
        np.testing.assert_allclose(one, -np.asarray(two), rtol=1e-6, atol=1e-8)

    arm = data["arm"].copy()
    arm[1] = 0
    lost = run(data | {"arm": arm})
    np.testing.assert_array_equal(lost.ok, [True, False, True, True])
    for one in lost[:4]:
        np.testing.assert_array_equal(np.isnan(one), ~np.asarray(lost.ok))
    np.testing.assert_allclose(np.delete(lost.statistic, 1), np.delete(made.statistic, 1), rtol=1e-7, atol=1e-9)


def test_what_cannot_be_estimated_is_said():
    """No events; all events in one arm, or foretold by it; a covariate that says who is treated; a missing value."""
    data = arrays()
    none, one_sided = np.zeros_like(data["event"]), data["event"] & (data["arm"] == 1)
    for event in (none, one_sided):
        assert not ANALYSES["cox"](data | {"event": event}).ok.any()
    assert not ANALYSES["log_rank"](data | {"event": none}).ok.any()
    assert ANALYSES["log_rank"](data | {"event": one_sided}).ok.all()  # a score test needs no estimate
    for answer in (none, data["arm"] == 1):
        assert not ANALYSES["logistic"](data | {"answer": answer}).ok.any()
    assert not ANALYSES["proportions"](data | {"answer": none}).ok.any()
    same = np.stack([data["arm"], data["x"][..., 1]], 2)
    assert not ANALYSES["ancova"](data | {"x": same}).ok.any()
    assert not ANALYSES["cox"](data | {"x": same}).ok.any()
    value = data["value"].copy()
    value[2, np.flatnonzero(data["inside"][2])[0]] = np.nan
    np.testing.assert_array_equal(ANALYSES["ancova"](data | {"value": value}).ok, [True, True, False, True])


def test_a_column_that_says_nothing_new_costs_nothing():
    data = arrays()
    more = np.concatenate([data["x"], data["x"].sum(axis=2, keepdims=True), np.ones((COUNT, PEOPLE, 1))], 2)
    for one, two in zip(ANALYSES["ancova"](data), ANALYSES["ancova"](data | {"x": more}), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9)


def test_numbers_far_from_zero_keep_their_digits():
    data = arrays()
    far = {"value": 1e6 + data["value"], "x": data["x"] * 1e-3 + 1e3}
    plain, moved = ANALYSES["ancova"](data), ANALYSES["ancova"](data | far)
    np.testing.assert_allclose(plain.statistic, moved.statistic, rtol=1e-7)


def test_inside_another_program_and_without_float64():
    """A caller may compile an analysis with more around it; and need not have set JAX to float64."""
    data = arrays()

    @jax.jit
    def both(value, arm, inside):
        return z_of(analysis.t_test(value, arm, inside))

    np.testing.assert_allclose(
        both(*(jnp.asarray(data[k]) for k in ("value", "arm", "inside"))), z_of(ANALYSES["t_test"](data)), rtol=1e-12
    )
    with jax.enable_x64(False):
        made = ANALYSES["t_test"](data)
        assert made.effect.dtype == np.float64
        assert p_value(made).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda d: analysis.log_rank(d["time"], d["event"], d["arm"], d["inside"], weights="peto"), "called 'peto'"),
        (lambda d: analysis.cox(d["time"], d["event"], d["arm"], d["inside"], ties="exact"), "not 'exact'"),
        (lambda d: analysis.mmrm(d["visits"], d["arm"], d["inside"], structure="un"), "called 'un'"),
        (lambda d: analysis.win_ratio([], d["arm"], d["inside"]), "at least one comparison"),
        (lambda d: analysis.win_ratio([Values(d["value"])], d["arm"], d["inside"], scale="log"), "not 'log'"),
        (lambda d: p_value(ANALYSES["t_test"](d), 3), "not 3"),
    ],
)
def test_words_that_mean_nothing_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call(arrays())
