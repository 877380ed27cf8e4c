"""Stiff models through every solver that takes them: against NumPy equations solved by SciPy, and published ends."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from tests.solver import independent as reference
from tests.stiff import (
    Binding,
    BindingWithExactDepot,
    Oregonator,
    Robertson,
    VanDerPol,
    factors,
    individuals,
    through_simulate,
)
from twin.disease.alzheimer_cao2026 import AlzheimerCao2026
from twin.model import DiseaseModel

SOLVERS = ("stiff", "ensemble", "rosenbrock")  # those of simulate(); for these models the last two are one method
DRAWS = 6  # the first is the typical individual
RELATIVE = 1e-8  # asked of a step
ALLOWED = 2e-7  # of a course: errors of thousands of steps add up; the largest seen is 3e-8, the references' 1e-10


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, what is given, when it is looked at, and the reference: (factors, times, method) -> its course.

    `end` is published, of the states at the last time in the typical individual. Values below the share `floor`
    of the largest are compared with that: a state that has all but vanished is known to no relative accuracy.
    """

    model: type[DiseaseModel]
    regimen: Any
    times: tuple[float, ...]
    known: Callable[..., reference.Course]
    end: tuple[float, ...] = ()
    absolute: float = 1e-10
    floor: float = 1e-3


# Injections, a large bolus, and one too small to saturate the target.
DOSES = "1000 nmol injection q28d x2; 600 nmol intravenous at 56 day; 20 nmol intravenous at 84 day"
GIVEN = {"injections": {0.0: 1000.0, 28.0: 1000.0}, "boluses": {56.0: 600.0, 84.0: 20.0}}
LOOKS = (0.01, 1.0, 7.0, 21.0, 28.0, 49.0, 56.0, 56.01, 70.0, 84.0, 84.001, 84.1, 98.0)

CASES = {
    # the intermediate ends near 1e-13 and the first species near 2e-8, and both are published to all digits
    "robertson": Case(
        Robertson, None, (1e-3, 0.4, 40.0, 1e3, 1e5, 1e8, reference.ROBERTSON_END[0]), reference.robertson,
        end=reference.ROBERTSON_END[1], absolute=1e-18, floor=0.0,
    ),
    "oregonator": Case(
        Oregonator, None, (10.0, 100.0, 200.0, 302.0, reference.OREGONATOR_END[0]), reference.oregonator,
        end=reference.OREGONATOR_END[1],
    ),
    "van der pol": Case(
        VanDerPol, None, (0.5, 1.0, 1.6, reference.VAN_DER_POL_END[0]), reference.van_der_pol,
        end=reference.VAN_DER_POL_END[1],
    ),
    "binding": Case(Binding, DOSES, LOOKS, functools.partial(reference.binding, **GIVEN)),
    "binding, exact depot": Case(BindingWithExactDepot, DOSES, LOOKS, functools.partial(reference.binding, **GIVEN)),
    "alzheimer": Case(
        AlzheimerCao2026,
        {"inputs": {"lecanemab": [{"time": "27 year", "value": 135.0}, {"time": "28.5 year", "value": 0.0}]}},
        (1.0, 10.0, 20.0, 27.0, 27.01, 28.5, 32.0),
        functools.partial(reference.alzheimer, lecanemab={27.0: 135.0, 28.5: 0.0}),
    ),
}  # fmt: skip
LARGE = ("alzheimer",)  # takes half a minute to compile for many; every run takes it through one solver
ALIKE = ("binding",)  # its equations, with the depot solved exactly, are taken through all solvers by every run


@functools.cache
def known(name: str, method: str = "LSODA", draws: int = DRAWS) -> reference.Course:
    """The reference of the first individuals: observable or 'state.<name>' -> (draw, time)."""
    case, varied = CASES[name], factors(CASES[name].model, DRAWS)
    courses = [
        case.known({parameter: values[draw] for parameter, values in varied.items()}, case.times, method)
        for draw in range(draws)
    ]
    return {seen: np.array([course[seen] for course in courses]) for seen in courses[0]}


def assert_agrees(found: Any, expected: np.ndarray, floor: float, what: str, allowed: float = ALLOWED) -> None:
    """Relative to each value, or to the share `floor` of the course's largest."""
    size = np.maximum(np.abs(expected), floor * np.max(np.abs(expected), axis=-1, keepdims=True))
    error = np.max(np.abs(np.asarray(found) - expected) / size)
    assert error <= allowed, f"{what}: relative error {error:.2g}"


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in CASES])
def test_one_individual_equals_its_reference(name):
    """Every state and every observable of the typical individual; and where they are published, the end states."""
    case = CASES[name]
    model = case.model()
    found = twin.solve(model, case.regimen, case.times, solver="stiff", rtol=RELATIVE, atol=case.absolute)
    assert set(found) == {*known(name), "status"}
    for seen, expected in known(name).items():
        assert_agrees(found[seen], expected[0], case.floor, seen)
    for state, end in zip(model.states(), case.end, strict=False):
        assert float(found[f"state.{state}"][-1]) == pytest.approx(end, rel=ALLOWED)


@pytest.mark.parametrize(
    ("name", "solver"),
    [
        pytest.param(n, s, marks=pytest.mark.slow) if n in ALIKE or (n in LARGE and s != "stiff") else (n, s)
        for n in CASES
        for s in SOLVERS
    ],
)
def test_individuals_equal_their_references(name, solver):
    """Every observable of individuals who differ, in one batch."""
    case = CASES[name]
    model = case.model()
    people = individuals(model, factors(case.model, DRAWS))
    found = through_simulate(model, case.regimen, case.times, solver, people, RELATIVE, case.absolute)
    assert set(found) == set(model.observables())
    for seen, values in found.items():
        assert_agrees(values, known(name)[seen], case.floor, seen)


# the specification's effects on logarithms, of a person of 70 years
EFFECTS = {
    ("oligomer_formation", 20.11): {
        (("apoe4", "one"),): 0.15, (("apoe4", "two"), ("diagnosis", "MCI")): 0.18 + 0.12,
        (("diagnosis", "mild AD dementia"),): 0.032, (("diagnosis", "late MCI"), ("ancestry", "Asian")): 0.0,
    },
    ("cdr_scale", 3.58): {
        (("apoe4", "two"), ("diagnosis", "AD dementia")): 0.39 - 0.21, (("diagnosis", "mild AD dementia"),): 0.18,
    },
    ("adas_scale", 16.9): {
        (("apoe4", "one"), ("ancestry", "Asian")): 0.14 - 0.097, (("diagnosis", "late MCI"),): 0.13,
        (("diagnosis", "MCI"),): 0.14, (("diagnosis", "mild AD dementia"),): 0.16,
        (("diagnosis", "AD dementia"),): 0.39,
    },
    ("adas_shape", 6.23): {(): -0.021 * 70}, ("lecanemab_on_plaque", 0.0015): {(): 0.041 * 70},
    ("ratio_floor", 0.091): {(): -0.0019 * 70, (("ancestry", "Asian"),): 0.038 - 0.0019 * 70},
}  # fmt: skip


@pytest.mark.parametrize("parameter", EFFECTS, ids=lambda parameter: parameter[0])
def test_covariates_act_on_alzheimer_parameters(parameter):
    name, value = parameter
    for covariates, effect in EFFECTS[parameter].items():
        found = getattr(typical(AlzheimerCao2026(), age=70.0, **dict(covariates)), name)
        assert float(found) == pytest.approx(value * np.exp(effect), rel=1e-12)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.end])
def test_references_equal_published_ends(name):
    """1e-9 covers the references' own error, 1e-11 to 4e-11 here."""
    ends = [values[0, -1] for seen, values in known(name).items() if seen.startswith("state.")]
    np.testing.assert_allclose(ends, CASES[name].end, rtol=1e-9)


def test_the_scale_of_tau_pet_follows_from_what_is_printed():
    """It was the model's own number, so that the comparison went in a circle. The last printed digit leaves 1e-4."""
    for years, tau_pet in reference.TAU_PET_PRINTED.items():
        low, high = (reference.tau_pet_scale_of(tau_pet + digit, years) for digit in (-1e-4, 1e-4))
        assert low < reference.tau_pet_scale() < high
    assert AlzheimerCao2026().typical().tau_pet_scale == reference.tau_pet_scale()


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_references_do_not_depend_on_the_method(name):
    """LSODA against Radau: 1e-10 is what the references promise."""
    for seen, expected in known(name, "Radau", 2).items():
        assert_agrees(known(name, "LSODA", 2)[seen], expected, CASES[name].floor, seen, allowed=1e-10)
