"""Drawing individuals: keys that stay what they are, correlated parameters, and what a draw depends on."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

import twin
from twin.errors import TwinError
from twin.model import DiseaseModel, LogitNormal, LogNormal, Normal, covariate, observable, parameter, replace, state
from twin.population.individual import cholesky, reference_covariates
from twin.population.keys import fold, patient_key, study_key
from twin.types import Scalar

KNOWN = {"ana": [2003357730, 3346710167], "ben": [669061025, 1750238369], "study": [1145789659, 1751018598]}
WEIGHTS = {("a", "b"): 0.8, ("b", "c"): -0.5, ("a", "d"): 0.3}


class Correlated(DiseaseModel):
    """Parameters of three kinds of spread, correlated on the scale of their normals."""

    name, title, time_unit = "toy_correlated", "correlated parameters", "h"
    correlations = WEIGHTS

    class State(eqx.Module):
        x: Scalar = state("1", "x")

    class Parameters(eqx.Module):
        a: Scalar = parameter(2.0, "1/h", "a", spread=LogNormal(0.4))
        b: Scalar = parameter(5.0, "L", "b", spread=LogNormal(0.2))
        c: Scalar = parameter(0.3, "1", "c", spread=LogitNormal(0.7))
        d: Scalar = parameter(1.0, "1", "d", spread=Normal(2.0))
        alone: Scalar = parameter(1.0, "1", "correlated with nothing", spread=LogNormal(0.5))
        fixed: Scalar = parameter(3.0, "1", "the same in everybody")

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "weight", low=0.0)

    linear = ("x",)

    def individual(self, p, covariates):
        return replace(p, b=p.b * covariates.weight / 70)

    def derivatives(self, t, y, p):
        return self.State(-p.a * y.x)

    @observable(unit="1")
    def x(self, t, y, p):
        return y.x


def drawn(model=None, patient=None, draws=4000, **words):
    """Parameters by name, in draws."""
    result = twin.simulate(
        model or Correlated(), patient or twin.Patient("ana"), regimens={"none": None}, outcomes=[], times=[],
        until=1.0, draws=draws, **words,
    )  # fmt: skip
    return {name: np.broadcast_to(values.values[0], draws) for name, values in result["prior"].data_vars.items()}


def normals(values) -> dict[str, np.ndarray]:
    """The standard normals behind drawn parameters, by the inverse of each spread."""
    logit = scipy.special.logit
    return {
        "a": np.log(values["a"] / 2.0) / 0.4,
        "b": np.log(values["b"] / 5.0) / 0.2,
        "c": (logit(values["c"]) - logit(0.3)) / 0.7,
        "d": (values["d"] - 1.0) / 2.0,
        "alone": np.log(values["alone"]) / 0.5,
    }


# --- keys ---------------------------------------------------------------------------------------------


def test_keys_are_what_they_have_always_been():
    """A change here changes everybody's random draws: no stored result could be made again."""
    assert patient_key(7, "ana").tolist() == KNOWN["ana"]
    assert patient_key(0, "ben").tolist() == KNOWN["ben"]
    assert study_key(7).tolist() == KNOWN["study"]


def test_keys_differ_by_seed_and_by_name():
    pairs = [(s, n) for s in range(50) for n in ("ana", "ben", "Ana", "ana ", "añá", "\0study", "")]
    assert len({tuple(patient_key(s, n).tolist()) for s, n in pairs}) == len(pairs)


def test_folded_keys_are_those_of_jax():
    keys = np.array([patient_key(seed, name) for seed in (0, 7) for name in ("ana", "ben")])
    numbers = np.array([0, 1, 77, 2**31])
    known = [
        jax.random.key_data(jax.random.fold_in(jax.random.wrap_key_data(k), n))
        for k, n in zip(keys, numbers, strict=True)
    ]
    np.testing.assert_array_equal(fold(keys, numbers), known)
    np.testing.assert_array_equal(fold(keys[1], 1), known[1])


# --- correlations -------------------------------------------------------------------------------------


def test_correlations_are_the_declared_ones():
    """Fisher's z of a sample correlation has a standard error of 1/sqrt(n - 3); four of them."""
    z = normals(drawn())
    for i, one in enumerate(z):
        for other in list(z)[i + 1 :]:
            found = np.corrcoef(z[one], z[other])[0, 1]
            declared = WEIGHTS.get((one, other), 0.0)
            assert abs(np.arctanh(found) - np.arctanh(declared)) < 4 / np.sqrt(4000 - 3), (one, other)


def test_correlation_leaves_each_spread_alone():
    for name, z in normals(drawn()).items():
        assert scipy.stats.kstest(z, "norm").pvalue > 1e-3, name


def test_the_factor_makes_the_matrix():
    names, factor = cholesky(Correlated())
    assert names == ("a", "b", "c", "d", "alone")
    matrix = factor @ factor.T
    for (a, b), value in WEIGHTS.items():
        assert matrix[names.index(a), names.index(b)] == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(np.diag(matrix), 1.0, rtol=1e-12)


def test_covariances_are_those_of_a_block_of_omega():
    """On each spread's own normal scale: sd L (sd L)' is the block; `c` with `d` stays a correlation."""
    sds = {"a": 0.4, "b": 0.2, "c": 0.7, "d": 2.0, "alone": 0.5}
    omega = {("a", "b"): 0.064, ("b", "c"): -0.07, ("d", "a"): 0.24}

    class Block(Correlated):
        name, correlations, covariances = "toy_block", {("c", "d"): 0.1}, omega

    names, factor = cholesky(Block())
    root = np.diag([sds[n] for n in names]) @ factor
    block = {pair: (root @ root.T)[names.index(pair[0]), names.index(pair[1])] for pair in [*omega, ("c", "d")]}
    assert block == pytest.approx(omega | {("c", "d"): 0.1 * 0.7 * 2.0}, rel=1e-12)
    np.testing.assert_allclose(np.diag(root @ root.T), [sds[n] ** 2 for n in names], rtol=1e-12)
    assert cholesky(Correlated())[1][1, 0] == pytest.approx(factor[1, 0], rel=1e-12)  # 0.064 is 0.8 of 0.4 x 0.2


def test_correlations_that_contradict_each_other_are_refused():
    """a with b and b with c at 0.9 each leave no room for a with c at -0.9."""

    class Impossible(Correlated):
        name, correlations = "toy_impossible", {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}

    with pytest.raises(TwinError, match=r"model 'toy_impossible': the correlations contradict each other"):
        drawn(Impossible())


# --- what a draw depends on ---------------------------------------------------------------------------


def test_a_parameter_without_spread_is_the_same_in_everybody():
    assert set(drawn(draws=50)["fixed"]) == {3.0}


def test_spread_comes_after_covariates():
    """Twice the weight is twice the typical volume, and so twice every drawn one: the draw is the same."""
    light, heavy = (drawn(patient=twin.Patient("ana", covariates={"weight": w}), draws=50) for w in (70, 140))
    np.testing.assert_allclose(heavy["b"], 2 * light["b"], rtol=1e-12)
    np.testing.assert_array_equal(heavy["a"], light["a"])


def test_another_typical_value_keeps_the_draw():
    one, other = drawn(draws=50), drawn(Correlated().with_values(a=4.0), draws=50)
    np.testing.assert_allclose(other["a"], 2 * one["a"], rtol=1e-12)
    np.testing.assert_array_equal(other["c"], one["c"])


def test_both_precisions_meet_the_same_individuals():
    wide, narrow = drawn(draws=50), drawn(draws=50, dtype="float32")
    for name in wide:
        assert narrow[name].dtype == jnp.float32
        np.testing.assert_allclose(narrow[name], wide[name], rtol=2e-6)  # a few roundings of 6e-8


def test_reference_covariates_are_numbers():
    model = twin.load_model("warfarin")
    found = reference_covariates(model)
    assert found == {"age": 71.0, "cyp2c9": 0.0, "vkorc1": 0.0, "baseline_inr": 1.0}
