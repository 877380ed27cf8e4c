"""Exact linear blocks: against closed forms, matrix exponentials and the integrated equations."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import twin
from tests.toys import BLOCKS, Erlang, One, OralOne, OralThree, OralTwo, Oscillator, Three, Two
from twin.solver.linear.spectrum import divided_exponentials
from twin.solver.linear.structure import components

TIMES = [1.0, 4.0, 12.0, 24.0]

# Golden values of the specification (M1): D 100 mg, CL 5, V1 50, ka 1.2, F 0.8 by mouth; printed to 1e-6.
GOLDEN = [
    ("one, bolus", One, "100 mg", {}, [1.809675, 1.340640, 0.602388, 0.181436]),
    ("one, oral", OralOne, "100 mg oral", {"bioavailability": 0.8}, [1.053632, 1.155649, 0.525720, 0.158344]),
    ("two, bolus", Two, "100 mg", {}, [1.497519, 0.734184, 0.324339, 0.222378]),
    ("two, 2 h infusion", Two, "100 mg over 2 h", {}, [0.866745, 0.916942, 0.341406, 0.228538]),
    ("two, oral", OralTwo, "100 mg oral", {"bioavailability": 0.8}, [0.941919, 0.704376, 0.271534, 0.182035]),
    ("three, bolus", Three, "100 mg", {}, [1.439226, 0.634686, 0.251830, 0.164249]),
]


@pytest.mark.parametrize(("what", "kind", "regimen", "parameters", "expected"), GOLDEN, ids=[g[0] for g in GOLDEN])
def test_golden_values(what, kind, regimen, parameters, expected):
    found = twin.solve(kind(), regimen, TIMES, parameters=parameters)
    np.testing.assert_allclose(found["concentration"], expected, atol=6e-7)  # half a printed unit


# Parameters at which a sum of exponentials divides zero by zero, or nearly.
DEGENERATE = {
    "usual": {},
    "absorption equals elimination": {"absorption": 0.1},
    "absorption nearly equals elimination": {"absorption": 0.1 * (1 + 1e-9)},
    "absorption within 1e-4 of elimination": {"absorption": 0.1 * (1 + 1e-4)},
    "no exchange": {"exchange": 0.0, "deep_exchange": 0.0},
    "equal tissues": {"exchange": 10.0, "shallow_volume": 100.0, "deep_exchange": 10.0, "deep_volume": 100.0},
    "no elimination": {"clearance": 0.0},
    "very fast absorption": {"absorption": 200.0},
    "slow everything": {"clearance": 1e-4, "exchange": 1e-4, "deep_exchange": 1e-5},
    "absorption equals a two-compartment root": {"absorption": 0.373205080756888},
}


def complete(kind, parameters):
    """With the typical values of all that some case varies: one program then serves every case."""
    varied = {name for case in DEGENERATE.values() for name in case} & kind().parameters().keys()
    return {name: float(getattr(kind().typical(), name)) for name in varied} | parameters


# Those that hold the others in them; all by make test-slow.
SOME = [pytest.param(kind, id=kind.name, marks=() if kind in (OralTwo, Three) else pytest.mark.slow) for kind in BLOCKS]


@pytest.mark.parametrize("parameters", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize("kind", SOME)
def test_every_block_equals_its_equations_integrated(kind, parameters):
    """1e-8 of the highest value: what the integrator itself reaches at these tolerances."""
    into = "oral" if "oral" in kind.treatments() else "blood"
    regimen = [
        {"treatment": into, "amount": "100 mg"},
        {"treatment": "blood", "amount": "50 mg", "time": "6 h", "over": "3 h"},
    ]
    times, parameters = np.linspace(0, 30, 31), complete(kind, parameters)
    exact = twin.solve(kind(), regimen, times, parameters=parameters, solver="linear")
    integrated = twin.solve(kind(), regimen, times, parameters=parameters, solver="ode", rtol=1e-11, atol=1e-12)
    for name in kind.states():
        one, other = exact[f"state.{name}"], integrated[f"state.{name}"]
        assert np.max(np.abs(one - other)) < 1e-8 * max(1.0, np.max(np.abs(one)))


@pytest.mark.parametrize("parameters", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.name, marks=() if kind is Three else pytest.mark.slow) for kind in BLOCKS]
)
def test_areas_equal_quadrature_of_the_exact_course(kind, parameters):
    """A bolus and an infusion; Gauss-Legendre in pieces that halve towards each event reaches 1e-10."""
    into = "oral" if "oral" in kind.treatments() else "blood"
    regimen = [
        {"treatment": into, "amount": "100 mg"},
        {"treatment": "blood", "amount": "50 mg", "time": "6 h", "over": "3 h"},
    ]
    edges = [b + w * np.r_[0, 0.5 ** np.arange(12, -1, -1)] for b, w in ((0, 6), (6, 3), (9, 21))]
    cells = [(a, b) for run in edges for a, b in itertools.pairwise(run)]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    times = np.concatenate([(a + b) / 2 + (b - a) / 2 * nodes for a, b in cells])
    parameters = complete(kind, parameters)
    values = np.asarray(twin.solve(kind(), regimen, times, parameters=parameters)["concentration"])
    known = np.sum(values * np.concatenate([(b - a) / 2 * weights for a, b in cells]))
    found = twin.solve(kind(), regimen, [30.0], parameters=parameters, outcomes=["exposure"])
    assert float(found["exposure"]) == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.name)
def test_all_compartment_blocks_have_closed_forms(kind):
    assert all(part.closed_form for part in components(kind))


@pytest.mark.parametrize("kind", [Erlang, Oscillator], ids=lambda kind: kind.name)
def test_what_has_no_closed_form_uses_the_matrix_exponential(kind):
    assert not any(part.closed_form for part in components(kind))


def test_an_erlang_delay_equals_its_density():
    """The matrix exponential at an eight-fold eigenvalue, against the gamma density, to rounding."""
    times = np.linspace(0, 40, 21)
    found = twin.solve(Erlang(), "100 mg", times, parameters={"clearance": 0.0, "absorption": 0.5})
    arrived = 100 * scipy.special.gammainc(8, 0.5 * times)  # everything that has passed all eight stages stays
    np.testing.assert_allclose(found["state.drug.central"], arrived, rtol=1e-11, atol=1e-12)


def test_an_oscillator_keeps_its_period():
    times = np.linspace(0, 50, 26)
    found = twin.solve(Oscillator(), None, times, solver="linear")
    np.testing.assert_allclose(found["place"], np.cos(times), atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_divided_differences_equal_the_exponential_of_a_bidiagonal_matrix(seed):
    """Opitz: they are the first row of exp([[z0, 1], [., z1, 1], ...]). 1e-12: scipy's own accuracy."""
    generator = np.random.default_rng(seed)
    nodes = np.sort(-(10 ** generator.uniform(-4, 1.0, 6)))
    if seed % 2:
        nodes[1:5] = nodes[1] * (1 + 10 ** generator.uniform(-15, -1, 4))
        nodes = np.sort(nodes)
    expected = scipy.linalg.expm(np.diag(nodes) + np.diag(np.ones(5), 1))[0]
    found = divided_exponentials([jnp.asarray(z) for z in nodes])
    np.testing.assert_allclose(np.stack(found), expected, rtol=1e-12, atol=1e-15)


def test_long_after_the_dose_amounts_keep_their_relative_accuracy():
    """Nothing is lost to cancellation: 40 half-lives on, the course is still an exponential."""
    found = twin.solve(OralThree(), "100 mg oral", [4000.0, 4100.0], parameters={"absorption": 5.0})
    ratio = float(found["concentration"][1] / found["concentration"][0])
    slowest = 0.00454891  # per hour, printed in the specification
    assert ratio == pytest.approx(np.exp(-100 * slowest), rel=1e-6)


STEADY = [
    ("two, bolus every 12 h", Two, {"amount": "100 mg", "every": "12 h"}, {}),
    ("one, oral every 8 h", OralOne, {"treatment": "oral", "amount": "100 mg", "every": "8 h"}, {}),
    ("three, oral, ka at a root", OralThree, {"treatment": "oral", "amount": "50 mg", "every": "24 h"},
     {"absorption": 0.4060224}),
    ("two, infusion shorter than the interval", Two, {"amount": "100 mg", "every": "12 h", "over": "2 h"}, {}),
    ("two, infusion longer than the interval", Two, {"amount": "100 mg", "every": "6 h", "over": "20 h"}, {}),
    ("two, infusion as long as the interval", Two, {"amount": "100 mg", "every": "6 h", "over": "6 h"}, {}),
    ("one, lag", One, {"amount": "100 mg", "every": "12 h"}, {"lag": 5.0}),
    ("two, infusion with lag", Two, {"amount": "100 mg", "every": "12 h", "over": "10 h"}, {"lag": 4.0}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "kind", "dose", "parameters"), STEADY, ids=[s[0] for s in STEADY])
def test_steady_state_equals_a_long_run_in(what, kind, dose, parameters):
    """A steady-state record followed by its doses repeats the last cycles of doses given for 6,000 h."""
    every, cycles = float(dose["every"].split()[0]), round(6000 / float(dose["every"].split()[0]))
    if "treatment" not in dose:
        dose = dose | {"treatment": "blood"}
    parameters = complete(kind, {"lag": 0.0} | parameters)
    begin = every * cycles
    times = np.linspace(0.25, 3 * every, 25)
    steady = twin.solve(kind(), [dose | {"doses": 4, "steady_state": True}], times, parameters=parameters)
    run_in = twin.solve(kind(), [dose | {"doses": cycles + 4}], begin + times, parameters=parameters)
    np.testing.assert_allclose(steady["concentration"], run_in["concentration"], rtol=1e-9)


def test_golden_steady_state():
    found = twin.solve(Two(), [{"amount": "100 mg", "every": "12 h", "steady_state": True}], [1e-12, 1.0, 4.0, 12.0])
    np.testing.assert_allclose(found["concentration"], [3.132549, 2.594962, 1.739426, 1.132549], atol=6e-7)


@pytest.mark.parametrize("parameters", DEGENERATE.values(), ids=DEGENERATE)
def test_gradients_are_finite_and_right_at_degenerate_roots(parameters):
    """Forward differences of the integrated equations are not needed: central differences of the exact form are."""
    values, step = complete(OralThree, parameters), 1e-6
    found = slope_of_final(values)
    for name in ("clearance", "absorption"):
        size = step * max(1.0, values[name])
        up, down = (final(values | {name: values[name] + sign * size}) for sign in (1, -1))
        assert float(found[name]) == pytest.approx(float(up - down) / (2 * size), rel=2e-4, abs=1e-8)


def final(parameters):
    return twin.solve(OralThree(), "100 mg oral", [7.0], parameters=parameters, check=False)["concentration"][0]


slope_of_final = jax.jit(jax.grad(final))  # compiled once for all cases
