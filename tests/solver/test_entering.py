"""Doses that enter as their treatment does, at its own rate or over its own time, against closed forms."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.model import Delivery, DiseaseModel, log_normal, observable, parameter, state, treatment
from twin.types import Scalar

RATE, SPEED, LENGTH = 0.3, 5.0, 4.0
TIMES = np.array([0.5, 1.0, 3.0, 6.0])


class Parameters(eqx.Module):
    loss: Scalar = parameter(RATE, "1/h", "loss rate", spread=log_normal(cv=0.2))
    length: Scalar = parameter(LENGTH, "h", "how long a patch lasts", spread=log_normal(cv=0.2))


class Eating(DiseaseModel):
    """Lost at first order; eaten at 5 mg an hour, or through the skin over a time of one's own."""

    name, title, time_unit = "eating", "eaten at a rate", "h"
    Parameters, linear = Parameters, ("body",)

    class State(eqx.Module):
        body: Scalar = state("mg", "in the body")

    def derivatives(self, t, y, p):
        return self.State(body=-p.loss * y.body)

    @treatment(unit="mg", into="body", enters="rate")
    def meal(self, p):
        return Delivery(rate=SPEED)

    @treatment(unit="mg", into="body", enters="duration")
    def patch(self, p):
        return Delivery(duration=p.length)

    @observable(unit="mg")
    def body(self, t, y, p):
        return y.body


def body(length, loss=RATE):
    """After 10 mg at a constant rate over a time; none of it is a bolus."""
    if not length:
        return 10 * np.exp(-loss * TIMES)
    during = np.minimum(TIMES, length)
    return 10 / length / loss * (1 - np.exp(-loss * during)) * np.exp(-loss * (TIMES - during))


CASES = {
    "at the treatment's rate": ("10 mg meal", 2.0),
    "over the treatment's time": ("10 mg patch", LENGTH),
    "over a given time": ("10 mg meal over 1 h", 1.0),
    "in an event table": ({"events": {"TIME": [0], "AMT": [10], "CMT": [1]}}, 0.0),
}


@pytest.mark.parametrize("solver", ["linear", "adaptive"])
@pytest.mark.parametrize("case", CASES)
def test_one_course(case, solver):
    """1e-6: adaptive steps at 1e-7 each."""
    regimen, length = CASES[case]
    found = twin.solve(Eating(), regimen, TIMES, solver=solver)["body"]
    np.testing.assert_allclose(found, body(length), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("solver", ["linear", "ensemble"])
def test_many_together(solver):
    """Two people whose patches last for different times, beside a meal whose times everybody shares."""
    lengths = np.array([[LENGTH, 2.5]])
    found = twin.simulate(
        Eating(), twin.Patient("ana"), regimens={"patch": "10 mg patch", "meal": "10 mg meal"}, times=TIMES, draws=2,
        individuals={"length": lengths}, spread=False, solver=solver, outcomes=[],
    )["predictions"]["body"]  # fmt: skip
    for draw, length in enumerate(lengths[0]):
        shown = found.sel(draw=draw).values[0]
        np.testing.assert_allclose(shown, [body(length), body(2.0)], rtol=1e-6, atol=1e-6)


def test_another_word_is_refused():
    class Wrong(Eating):
        name: ClassVar[str] = "wrong"

        @treatment(unit="mg", into="body", enters="speed")
        def meal(self, p):
            return Delivery(rate=SPEED)

    with pytest.raises(TwinError, match="treatment 'meal' enters by 'speed'; write 'rate' or 'duration'"):
        Wrong()
