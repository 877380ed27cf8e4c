"""solve_many(): many individuals equal each by itself, whatever their doses and times; and what it refuses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from tests.toys import MichaelisMenten, One, OralOne, Pk, Savic, Turnover
from twin.errors import TwinError
from twin.model import DiseaseModel, Final, Highest, log_normal, parameter
from twin.patient import Change, DoseRecord, Patient
from twin.solver.status import Status
from twin.types import Scalar

ANA, BEN = Patient("ana"), Patient("ben")
CLEARANCE = np.array([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])  # (patient, draw)


class Lag(Pk):
    lag: Scalar = parameter(0.7, "h", "lag", spread=log_normal(cv=0.8))


class LaggedBlood(OralOne):
    """Blood doses lag, those by mouth do not: which comes first differs between individuals."""

    name, Parameters = "toy_lagged_blood", Lag


def one_by_one(model: DiseaseModel, own: dict[str, np.ndarray], regimen, times, shape, **words) -> np.ndarray:
    """The first observable (patient, draw, time) by `solve`, regimens and times by patient."""
    (seen, *_) = model.observables()
    result = np.full((*shape, max(len(t) for t in times)), np.nan)
    for patient, draw in np.ndindex(*shape):
        values = {name: v[patient, draw] for name, v in own.items()}
        found = twin.solve(model, regimen[patient], times[patient], parameters=values, check=False, **words)
        result[patient, draw, : len(times[patient])] = found[seen]
    return result


# --- what comes back ----------------------------------------------------------------------------------


def test_each_patient_has_their_own_doses_and_times():
    """A closed form: a bolus that each patient had, and another that all are given."""
    ana = Patient("ana", doses=[DoseRecord("20 mg", time=0.0)])
    ben = Patient("ben", doses=[DoseRecord("50 mg", time=2.0)])
    times = [[1.0, 5.0, 30.0], [4.0, 12.0]]
    found = twin.solve_many(
        One(), [ana, ben], "10 mg at 6 h", times, parameters={"clearance": CLEARANCE}, outcomes=["final"], until=40.0
    )
    assert {name: v.shape for name, v in found.items()} == {
        "concentration": (2, 3, 3), "final": (2, 3), "status": (2, 3)
    }  # fmt: skip

    def course(time, rate):
        begin, amount = np.array([[[0.0]], [[2.0]]]), np.array([[[20.0]], [[50.0]]])
        own = np.where(time > begin, amount * np.exp(-rate * np.maximum(time - begin, 0.0)), 0.0)
        return (own + np.where(time > 6.0, 10.0 * np.exp(-rate * np.maximum(time - 6.0, 0.0)), 0.0)) / 50

    rate = CLEARANCE[..., None] / 50
    padded = np.array([[times[0]], [[*times[1], np.nan]]])
    np.testing.assert_allclose(found["concentration"], course(padded, rate) + 0 * padded, rtol=1e-12)
    np.testing.assert_allclose(found["final"], course(40.0, rate)[..., 0], rtol=1e-12)
    assert not np.any(found["status"])


def test_it_equals_solve_with_covariates_histories_and_outcomes():
    """2e-7 of the largest, at 1e-9 a step; the patients differ in their age, genotype and doses."""
    model = twin.load_model("warfarin_hamberg2007")
    ana = Patient("ana", covariates={"age": 80.0, "cyp2c9": "*1/*3"}, doses=[DoseRecord("5 mg", every="24 h", doses=3)])
    ben = Patient("ben", covariates={"vkorc1": "AA"}, doses=[DoseRecord("10 mg", time=12.0)])
    half_effect, times = [4.0, 2.0], [[24.0, 72.0, 130.0], [13.0, 48.0, 100.0]]
    found = twin.solve_many(
        model, [ana, ben], None, times, parameters={"half_effect": np.array(half_effect)[:, None]},
        outcomes=["highest_inr"], rtol=1e-9, atol=1e-11,
    )  # fmt: skip
    for i, (person, regimen) in enumerate([(ana, "5 mg q24h x3"), (ben, "10 mg at 12 h")]):
        known = twin.solve(
            model, regimen, times[i], covariates=person.covariates, parameters={"half_effect": half_effect[i]},
            outcomes=["highest_inr"], rtol=1e-10, atol=1e-12,
        )  # fmt: skip
        for seen in model.observables():
            atol = 2e-7 * float(np.max(known[seen]))
            np.testing.assert_allclose(found[seen][i, 0], known[seen], rtol=0, atol=atol, err_msg=seen)
        assert float(found["highest_inr"][i, 0]) == pytest.approx(float(known["highest_inr"]), rel=1e-4)


def test_the_order_of_events_is_each_individuals_own():
    """A lag longer than the time to the next dose puts that dose first."""
    own = {"lag": np.array([[0.5, 1.5]])}
    regimen, times = "10 mg blood; 20 mg blood over 1 h at 1 h; 20 mg oral at 1.2 h", [0.7, 1.0, 1.4, 2.0, 3.5, 6.0]
    found = twin.solve_many(LaggedBlood(), ANA, regimen, times, parameters=own)
    known = one_by_one(LaggedBlood(), own, [regimen], [times], (1, 2))
    np.testing.assert_allclose(found["concentration"], known, rtol=1e-10)


def test_changing_inputs_hold_from_their_time_on():
    patient = Patient("ana", inputs={"production": [Change(0.0, 1.0), Change(5.0, 2.0), Change(9.0, 0.5)]})
    times = [0.0, 5.0, 9.0, 20.0]
    found = twin.solve_many(Turnover(), patient, None, times, parameters={"clearance": [[5.0]]}, rtol=1e-9, atol=1e-11)
    level, expected = 10.0, [10.0]
    for length, production in [(5.0, 1.0), (4.0, 2.0), (11.0, 0.5)]:  # without a drug: towards production / 0.1
        level = 10.0 * production + (level - 10.0 * production) * np.exp(-0.1 * length)
        expected.append(level)
    np.testing.assert_allclose(found["biomarker"][0, 0], expected, rtol=1e-8)


def test_individuals_fill_their_blocks():
    """Lanes are padded to whole blocks; nobody is lost or exchanged."""
    clearance = np.linspace(1.0, 20.0, 130).reshape(2, 65)
    found = twin.solve_many(One(), [ANA, BEN], "50 mg", [10.0], parameters={"clearance": clearance})
    np.testing.assert_allclose(found["concentration"][..., 0], np.exp(-clearance / 5), rtol=1e-12)


def test_float32_is_asked_for_and_given():
    """1e-5: a few rounding errors of 6e-8 in an exact course."""
    words = {"parameters": {"clearance": CLEARANCE}, "outcomes": ["peak"]}
    found = twin.solve_many(One(), [ANA, BEN], "50 mg", [1.0, 10.0], dtype="float32", **words)
    assert found["concentration"].dtype == found["peak"].dtype == np.float32
    rate = CLEARANCE[..., None] / 50
    np.testing.assert_allclose(found["concentration"], np.exp(-rate * np.array([1.0, 10.0])), rtol=1e-5)


def test_outcomes_alone_need_no_times():
    found = twin.solve_many(
        One(), [ANA, BEN], "50 mg", parameters={"clearance": CLEARANCE}, until=20.0,
        outcomes={"highest": Highest(of="concentration"), "last": Final(of="concentration")},
    )  # fmt: skip
    assert set(found) == {"highest", "last", "status"}
    np.testing.assert_allclose(found["highest"], 1.0, rtol=1e-12)
    np.testing.assert_allclose(found["last"], np.exp(-CLEARANCE / 50 * 20.0), rtol=1e-12)


# --- inside JAX ---------------------------------------------------------------------------------------


def test_inside_jit_parameters_are_tracers():
    def last(clearance, volume):
        own = {"clearance": clearance, "volume": volume}
        found = twin.solve_many(OralOne(), [ANA, BEN], "50 mg oral", [5.0, 10.0], parameters=own)
        return found["concentration"][..., -1].sum()

    at = jnp.asarray(CLEARANCE), jnp.full((2, 3), 40.0)
    value, slope = jax.jit(jax.value_and_grad(last))(*at)
    assert float(value) == pytest.approx(float(last(*at)), rel=1e-12)
    assert slope.shape == (2, 3)
    assert np.all(np.asarray(slope) < 0)


# --- courses that fail --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_course_that_fails_leaves_its_block_alone(value):
    """One individual of six cannot be solved: it has a status and no numbers, the others are as without it."""
    own = {"bioavailability": np.full((2, 3), 0.8)}
    words = {"outcomes": ["final"], "rtol": 1e-8, "atol": 1e-10}
    well = twin.solve_many(Turnover(), [ANA, BEN], "20 mg q12h x2", [6.0, 20.0], parameters=own, **words)
    own["bioavailability"][1, 0] = value
    found = twin.solve_many(Turnover(), [ANA, BEN], "20 mg q12h x2", [6.0, 20.0], parameters=own, **words)
    status = np.asarray(found["status"])
    assert status[1, 0] in (Status.NOT_FINITE, Status.STEP_LIMIT)
    assert np.sum(status != Status.OK) == 1
    assert np.all(np.isnan(found["biomarker"][1, 0]))
    assert np.isnan(found["final"][1, 0])
    mask = status == Status.OK
    np.testing.assert_array_equal(np.asarray(found["biomarker"])[mask], np.asarray(well["biomarker"])[mask])
    np.testing.assert_array_equal(np.asarray(found["final"])[mask], np.asarray(well["final"])[mask])


def test_a_time_of_an_event_that_is_not_a_number_fails_that_course_alone():
    own = {"lag": np.array([[0.5, np.nan, 2.0]])}
    found = twin.solve_many(Turnover(), ANA, "20 mg q12h x2", [6.0, 20.0], parameters=own)
    alone = twin.solve_many(Turnover(), ANA, "20 mg q12h x2", [6.0, 20.0], parameters={"lag": own["lag"][:, ::2]})
    status = np.asarray(found["status"])[0]
    assert list(status == Status.OK) == [True, False, True]
    np.testing.assert_array_equal(np.asarray(found["biomarker"])[:, ::2], alone["biomarker"])


def test_too_few_steps_are_a_status():
    found = twin.solve_many(
        Turnover(), ANA, "20 mg q12h x2", [6.0, 20.0], parameters={"clearance": [[5.0]]}, max_steps=3
    )
    assert int(found["status"][0, 0]) == Status.STEP_LIMIT
    assert np.isnan(found["biomarker"][0, 0, -1])


# --- models that the engine does not solve ------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "regimen", "name", "values"),
    [
        pytest.param(Savic(), "20 mg q12h x2", "mean_time", [[1.0], [2.0]], id="transit chain"),
        pytest.param(
            MichaelisMenten(),
            "20 mg q12h x2 at steady state",
            "vmax",
            [[6.0, 8.0], [10.0, 12.0]],
            id="steady state of a nonlinear model",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_the_engine_cannot_solve_is_solved_one_by_one(model, regimen, name, values):
    """By the same solver as `solve`, so equal to rounding."""
    own, times = {name: np.array(values)}, [[3.0, 14.0], [6.0]]
    found = twin.solve_many(model, [ANA, BEN], regimen, times, parameters=own)
    known = one_by_one(model, own, [regimen, regimen], times, own[name].shape)
    np.testing.assert_allclose(found["concentration"], known, rtol=1e-9)
    assert found["status"].shape == own[name].shape


# --- what it refuses ----------------------------------------------------------------------------------

REFUSED = {
    "unknown parameter": ({"parameters": {"clearence": CLEARANCE}}, "'clearence'"),
    "no parameters": ({"parameters": {}}, "name at least one"),
    "wrong shape": ({"parameters": {"clearance": CLEARANCE[:, 0]}}, r"'clearance' \(2,\)"),
    "another number of patients": ({"parameters": {"clearance": CLEARANCE[:1]}}, r"need \(2, draws\)"),
    "shapes that differ": ({"parameters": {"clearance": CLEARANCE, "volume": CLEARANCE[:, :2]}}, r"'volume' \(2, 2\)"),
    "times not ascending": ({"times": [5.0, 1.0]}, "ascending"),
    "times not finite": ({"times": [1.0, np.nan]}, "finite"),
    "times of three patients": ({"times": [[1.0], [2.0], [3.0]]}, "3 patients; there are 2"),
    "times after the end": ({"until": 5.0, "times": [6.0]}, "after until"),
    "no patient": ({"patients": []}, "patient"),
    "unknown outcome": ({"outcomes": ["pek"]}, "'pek'"),
    "unknown solver": ({"solver": "fast"}, "'fast'"),
    "a solver that cannot": ({"model": Turnover(), "regimen": "20 mg", "solver": "linear"}, "linear"),
    "unknown dtype": ({"dtype": "float16"}, "'float16'"),
    "a dose it has no treatment for": ({"regimen": "20 mg tablet"}, "tablet"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused_in_a_sentence(words, said):
    usual = {
        "model": One(), "patients": [ANA, BEN], "regimen": "20 mg", "times": [1.0, 2.0],
        "parameters": {"clearance": CLEARANCE},
    }  # fmt: skip
    asked = usual | words
    with pytest.raises(TwinError, match=said):
        twin.solve_many(asked.pop("model"), asked.pop("patients"), asked.pop("regimen"), asked.pop("times"), **asked)
