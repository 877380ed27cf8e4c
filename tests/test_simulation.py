"""simulate(): pairing, reproducibility to the last bit, failures counted, and what it refuses."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import xarray as xr

import twin
from tests.toys import Erlang, OralOne, OralTwo, Pk, Turnover
from twin.errors import TwinError
from twin.model import (
    DiseaseModel,
    EventTime,
    Final,
    Highest,
    Normal,
    covariate,
    log_normal,
    observable,
    parameter,
    state,
)
from twin.types import Scalar

ANA, BEN, EVA = (twin.Patient(name) for name in ("ana", "ben", "eva"))
ARMS = {"usual": "20 mg oral q12h x4", "double": "40 mg oral q12h x4", "none": None}


def run(model=None, patients=(ANA, BEN), regimens=ARMS, draws=30, seed=1, times=(0.0, 12.0, 48.0), **words):
    return twin.simulate(
        model or OralTwo(), list(patients), regimens=regimens, draws=draws, seed=seed, times=times, **words
    )


def test_results_are_labelled():
    result = run()
    assert dict(result["outcomes"].sizes) == {"patient": 2, "regimen": 3, "draw": 30}
    assert result["predictions/concentration"].dims == ("patient", "regimen", "draw", "time")
    assert result["outcomes/exposure"].attrs["unit"] == "(mg/L) * h"
    assert result["prior/clearance"].dims == ("patient", "draw")
    assert result.attrs["solver"] == "linear"
    assert result.attrs["dtype"] == "float64"
    assert list(result["outcomes"].data_vars) == list(OralTwo.outcomes)


def test_every_regimen_meets_the_same_individuals():
    """A linear drug's course doubles with the dose, draw by draw: pairing leaves no sampling noise."""
    result = run()
    single, double = (result["outcomes/exposure"].sel(regimen=name) for name in ("usual", "double"))
    np.testing.assert_allclose(double, 2 * single, rtol=1e-12)
    difference = twin.contrast(result, "usual")
    np.testing.assert_allclose(difference["exposure"].sel(regimen="double"), single, rtol=1e-12)
    assert list(difference["regimen"].values) == ["double", "none"]


def test_drawn_parameters_have_the_declared_spread():
    """Kolmogorov-Smirnov of 4,000 draws against the declared distribution; p below 1e-3 once in a thousand seeds."""
    drawn = run(patients=[ANA], regimens={"none": None}, draws=4000, until=1.0, outcomes=[], times=[])["prior"]
    for name in ("clearance", "absorption"):
        declared = Pk.__dataclass_fields__[name].metadata["twin"]
        z = np.log(drawn[name].values.ravel() / declared.value) / declared.spread.sd
        assert scipy.stats.kstest(z, "norm").pvalue > 1e-3
    assert float(drawn["exchange"].std()) == 0.0


def same(one: xr.DataTree, other: xr.DataTree, patients=None) -> None:
    for group in ("outcomes", "predictions", "prior", "sample_stats"):
        a, b = one[group].to_dataset(), other[group].to_dataset()
        if patients:
            a, b = a.sel(patient=patients), b.sel(patient=patients)
        xr.testing.assert_identical(a.drop_attrs(), b.drop_attrs())


@pytest.mark.parametrize("model", [OralTwo, Turnover], ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "words",
    [{"chunk": 64}, {"chunk": 100_000}, {"workers": 1}, {"workers": 4}],
    ids=["small chunks", "one chunk", "one thread", "four threads"],
)
def test_results_are_equal_to_the_last_bit_however_they_are_run(model, words):
    arms = {"usual": "20 mg q12h x4", "double": "40 mg q12h x4"} if model is Turnover else ARMS
    same(run(model(), regimens=arms, draws=70), run(model(), regimens=arms, draws=70, **words))


def test_the_order_of_patients_and_regimens_does_not_matter():
    usual = run(patients=[ANA, BEN, EVA])
    turned = run(patients=[EVA, ANA, BEN], regimens=dict(reversed(ARMS.items())))
    same(usual, turned.sel(regimen=list(ARMS)), ["ana", "ben", "eva"])


def test_a_patient_is_the_same_alone_and_in_company():
    same(run(patients=[ANA, BEN, EVA]), run(patients=[BEN]), ["ben"])


def test_more_draws_begin_with_the_same_draws():
    few, many = run(draws=40)["outcomes"].to_dataset(), run(draws=80)["outcomes"].to_dataset()
    xr.testing.assert_identical(few, many.isel(draw=slice(40)))


def test_seeds_differ():
    one, other = run(seed=1)["prior/clearance"], run(seed=2)["prior/clearance"]
    assert not np.any(one.values == other.values)


def test_without_spread_every_draw_is_the_typical_patient():
    result = run(patients=[ANA], spread=False, draws=3)
    assert np.unique(result["outcomes/peak"].sel(regimen="usual")).size == 1
    typical = twin.solve(OralTwo(), "20 mg oral q12h x4", outcomes=["peak"], times=[48.0])
    # a single course looks at even spacing, the ensemble engine where its error asks for it: 1e-5 apart at most
    np.testing.assert_allclose(result["outcomes/peak"].sel(regimen="usual"), float(typical["peak"]), rtol=1e-5)


def test_uncertainty_moves_the_population_and_not_the_patients():
    """One draw of the typical value for all patients: their clearances share what the spread does not explain."""
    words = {"regimens": {"none": None}, "until": 1.0, "outcomes": [], "times": [], "draws": 200}
    certain, uncertain = (run(uncertainty=u, **words)["prior/clearance"] for u in (False, True))
    moved = np.log(uncertain / certain)
    np.testing.assert_allclose(moved.sel(patient="ana"), moved.sel(patient="ben"), rtol=1e-9)
    assert float(moved.std()) == pytest.approx(np.sqrt(np.log1p(0.1**2)), rel=0.2)


def test_float32_agrees_with_float64_draw_by_draw():
    wide, narrow = run(), run(dtype="float32")
    assert narrow["outcomes/peak"].dtype == np.float32
    for name in ("peak", "exposure", "average", "final"):
        np.testing.assert_allclose(narrow[f"outcomes/{name}"], wide[f"outcomes/{name}"], rtol=1e-4, atol=1e-6)


def test_a_matrix_exponential_model_runs_in_batches():
    result = run(Erlang(), regimens={"one": "20 mg"}, outcomes={"peak": Highest(of="concentration")}, until=48.0)
    assert int((result["sample_stats/status"] != 0).sum()) == 0


def test_measurements_have_the_residual_error_and_are_paired():
    result = run(noise=True, times=[6.0, 18.0], draws=2000, patients=[ANA])
    ratio = (result["measurements/concentration"] / result["predictions/concentration"]).sel(
        regimen=["usual", "double"]
    )
    assert float(ratio.std()) == pytest.approx(0.1, rel=0.05)
    np.testing.assert_allclose(ratio.sel(regimen="usual"), ratio.sel(regimen="double"), rtol=1e-9)


# One dose is not padded by itself, five are, to six; the others are as one of these.
PADDED = [1, 5, *(pytest.param(doses, marks=pytest.mark.slow) for doses in (3, 6, 11))]


@pytest.mark.parametrize("doses", PADDED, ids=lambda doses: f"{doses} doses")
def test_padding_a_schedule_changes_nothing(doses):
    """Infusions beside a patient with more of them: the same course, to the last bit, and no failure.

    The times are given: those that nobody asked for follow all the doses there are.
    """
    few, words = f"20 mg blood over 1 h q12h x{doses}", {"draws": 4, "seed": 1, "times": np.linspace(0.0, 200.0, 101)}
    words |= {"outcomes": ["peak", "exposure"]}  # one looks for a place, one adds up
    both = {"few": few, "many": "5 mg blood over 2 h q6h x30"}
    alone = twin.simulate(OralTwo(), ANA, regimens={"few": few}, until=200.0, **words)
    padded = twin.simulate(OralTwo(), ANA, regimens=both, until=200.0, **words).sel(regimen=["few"])
    assert int((padded["sample_stats/status"] != 0).sum()) == 0
    same(alone, padded)
    mixed = twin.simulate(OralTwo(), ANA, regimens=both, until=200.0, solver="ode", **words)
    assert int((mixed["sample_stats/status"] != 0).sum()) == 0


def test_individuals_from_elsewhere_are_used_as_they_are():
    """A hundred given clearances: exposure is dose over clearance, whatever the spread would have drawn."""
    clearance = np.linspace(1.0, 9.0, 100)[None]
    words = {"individuals": {"clearance": clearance}, "until": 4000.0, "outcomes": ["exposure"]}
    result = run(OralOne(), [ANA], {"one": "100 mg oral"}, 100, **words)
    np.testing.assert_array_equal(result["posterior/clearance"], clearance)
    np.testing.assert_allclose(result["outcomes/exposure"].values[0, 0], 100 / clearance[0], rtol=1e-12)


# --- failures and impossible patients -----------------------------------------------------------------


class Fragile(DiseaseModel):
    """Grows without bound in the half of patients whose rate is above 0.5."""

    name, title, time_unit = "toy_fragile", "explodes in some patients", "h"

    class State(eqx.Module):
        x: Scalar = state("1", "x")

    class Parameters(eqx.Module):
        rate: Scalar = parameter(0.5, "1/h", "rate", spread=log_normal(variance=0.25))

    def initial(self, p):
        return self.State(1.0)

    def derivatives(self, t, y, p):
        return self.State(jnp.where(p.rate > 0.5, y.x * y.x, -p.rate * y.x))

    @observable(unit="1")
    def x(self, t, y, p):
        return y.x

    outcomes = {"final": Final(of="x")}


def test_failed_trajectories_are_counted_and_never_averaged():
    """Where the rate is above one half, x leaves every bound at t = 1: those draws fail, their neighbours do not."""
    result = twin.simulate(Fragile(), ANA, regimens={"none": None}, draws=100, until=3.0, times=[])
    status, rate = result["sample_stats/status"].values.ravel(), result["prior/rate"].values.ravel()
    assert np.array_equal(status != 0, rate > 0.5)
    assert 30 < np.sum(status != 0) < 70
    final = result["outcomes/final"].values.ravel()
    assert np.all(np.isnan(final[status != 0]))
    np.testing.assert_allclose(final[status == 0], np.exp(-3 * rate[status == 0]), rtol=1e-5)
    (row,) = twin.summarise(result)
    assert row.failed == np.sum(status != 0)
    assert row.mean == pytest.approx(np.mean(final[status == 0]))


class Constrained(DiseaseModel):
    """Two rates, of which the first must be the slower."""

    name, title, time_unit = "toy_constrained", "ordered rates", "h"

    class State(eqx.Module):
        x: Scalar = state("1", "x")

    class Parameters(eqx.Module):
        slow: Scalar = parameter(1.0, "1/h", "slow rate", spread=Normal(1.0))
        fast: Scalar = parameter(1.0, "1/h", "fast rate", spread=Normal(1.0))

    def admissible(self, p):
        return p.slow < p.fast

    def derivatives(self, t, y, p):
        return self.State(-p.slow * y.x)

    @observable(unit="1")
    def x(self, t, y, p):
        return y.x


def test_impossible_draws_are_drawn_again_and_not_bent():
    """Conditioned on slow < fast, the difference of two equal normals is half-normal: mean sqrt(4 / pi)."""
    drawn = twin.simulate(
        Constrained(), ANA, regimens={"none": None}, outcomes=[], draws=3000, until=0.1, times=[]
    )["prior"]  # fmt: skip
    gap = (drawn["fast"] - drawn["slow"]).values
    assert np.all(gap > 0)
    assert gap.mean() == pytest.approx(np.sqrt(4 / np.pi), abs=4 * gap.std() / np.sqrt(3000))


def test_a_patient_who_cannot_exist_is_a_failure():
    impossible = Constrained().with_values(slow=1000.0)
    result = twin.simulate(impossible, ANA, regimens={"none": None}, outcomes=[], draws=5, until=0.1, times=[])
    assert np.all(result["sample_stats/status"] == 3)


# --- hazards and covariates over time -----------------------------------------------------------------


class Mortal(DiseaseModel):
    """A constant hazard that a covariate multiplies."""

    name, title, time_unit = "toy_mortal", "a constant hazard", "day"

    class State(eqx.Module):
        hazard: Scalar = state("1", "cumulative hazard")

    class Parameters(eqx.Module):
        rate: Scalar = parameter(0.01, "1/day", "hazard")

    class Covariates(eqx.Module):
        frailty: Scalar = covariate(1.0, "1", "relative hazard", low=0.0)

    linear = ("hazard",)

    def derivatives(self, t, y, p):
        return self.State(p.rate * p.frailty)

    @observable(unit="1")
    def cumulative_hazard(self, t, y, p):
        return y.hazard

    outcomes = {"death": EventTime(of="cumulative_hazard")}


def test_event_times_have_their_distribution():
    result = twin.simulate(Mortal(), ANA, regimens={"none": None}, draws=4000, until=400.0, times=[])
    death = result["outcomes/death"].values.ravel()
    assert np.isinf(death).mean() == pytest.approx(np.exp(-4.0), abs=0.01)
    dead = death[np.isfinite(death)]
    truncated = scipy.stats.truncexpon(b=4.0, scale=100.0)
    assert scipy.stats.kstest(dead, truncated.cdf).pvalue > 1e-3


def test_a_covariate_over_time_holds_until_its_next_value():
    """Hazard 1 x for 100 days, then 3 x; carried backward the same two values mean 3 x from the start."""
    changes = [{"time": 0, "value": 1.0}, {"time": 100, "value": 3.0}]
    for carry, expected in (("forward", [1.0, 4.0]), ("backward", [3.0, 6.0])):
        patient = twin.Patient("ana", covariates={"frailty": {"series": changes, "carry": carry}})
        result = twin.simulate(Mortal(), patient, regimens={"none": None}, draws=1, times=[100.0, 200.0])
        found = result["predictions/cumulative_hazard"].values.ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-12)


# --- what is refused ----------------------------------------------------------------------------------

REFUSED = {
    "no patient": ({"patients": []}, "no patient is given"),
    "two of one name": ({"patients": [ANA, ANA]}, "two patients are called 'ana'"),
    "no regimen": ({"regimens": {}}, "no regimen is given"),
    "unknown outcome": ({"outcomes": ["peek"]}, "unknown outcome 'peek'; did you mean 'peak'"),
    "unknown observable": ({"outcomes": {"x": Highest(of="conc")}}, "unknown observable 'conc'; known: concentration"),
    "no draws": ({"draws": 0}, "draws 0 is not between"),
    "a billion draws": ({"draws": 10**9}, "draws 1000000000 is not between"),
    "more than memory": ({"draws": 10**7, "times": np.linspace(0, 1, 10_000)}, "ask for fewer draws"),
    "dtype": ({"dtype": "float16"}, "unknown dtype 'float16'"),
    "ends before it starts": ({"until": -1.0, "times": None}, "not after its start"),
    "times fall": ({"times": [3.0, 2.0]}, "ascending order"),
    "times after the end": ({"times": [99.0], "until": 10.0}, "times end at 99, after until 10"),
    "times before the start": ({"times": [-1.0, 2.0]}, "times begin at -1"),
    "window beyond the end": ({"outcomes": {"x": Final(of="concentration", until=999.0)}}, "looks until 999 h"),
    "tolerance": ({"rtol": 2.0}, "relative tolerance 2.0 is not between 0 and 1"),
    "individuals of another shape": ({"individuals": {"clearance": [[1.0]]}}, "is needed"),
    "individuals of another model": ({"individuals": {"claerance": [[1.0]]}}, "did you mean 'clearance'"),
    "a dose of the wrong kind": ({"regimens": {"a": "5 h oral"}}, "regimen 'a', dose 1: the amount's unit 'h'"),
    "an unknown treatment": ({"regimens": {"a": "5 mg orel"}}, "unknown treatment 'orel'; did you mean 'oral'"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_simulated_is_refused_in_one_sentence(words, said):
    with pytest.raises(TwinError, match=said):
        run(**words)


def test_one_program_serves_every_question_of_one_shape(monkeypatch):
    """Another seed, dose, patient or parameter value must not compile again."""
    from twin.run import program

    monkeypatch.setattr(program, "_SOLVERS", {})
    run(OralOne(), regimens={"a": "20 mg oral q12h x4"})
    run(OralOne(), regimens={"b": "33 mg oral q6h x4"}, seed=5, patients=[EVA, BEN], until=48.0)
    run(OralOne().with_values(clearance=3.0), regimens={"c": "20 mg oral q12h x4"})
    assert len(program._SOLVERS) == 1
