"""States that begin again at 0 when a dose begins to enter, against closed forms, by every solver."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.model import Delivery, DiseaseModel, log_normal, observable, parameter, state, treatment
from twin.types import Scalar

RATE = 0.3


class Parameters(eqx.Module):
    loss: Scalar = parameter(RATE, "1/h", "loss rate", spread=log_normal(cv=0.2))
    lag: Scalar = parameter(0.5, "h", "lag")


class Emptied(DiseaseModel):
    """What is given is lost at first order; how much is lost since the last dose began to enter."""

    name, title, time_unit = "emptied", "lost since the last dose", "h"
    Parameters, linear = Parameters, ("body", "lost", "other")

    class State(eqx.Module):
        body: Scalar = state("mg", "in the body")
        lost: Scalar = state("mg", "lost since the last dose")
        other: Scalar = state("mg", "another drug")

    def derivatives(self, t, y, p):
        return self.State(body=-p.loss * y.body, lost=p.loss * y.body, other=-p.loss * y.other)

    @treatment(unit="mg", into="body", restarts=("lost",))
    def meal(self, p):
        return Delivery(lag=p.lag)

    @treatment(unit="mg", into="other")
    def drug(self, p):
        return Delivery()

    @observable(unit="mg")
    def lost(self, t, y, p):
        return y.lost

    @observable(unit="mg")
    def body(self, t, y, p):
        return y.body


TIMES = np.array([0.25, 1.0, 5.0, 10.4, 11.0, 12.5, 20.0])
# Ten mg at 0, ten over two hours from 10, both half an hour later; a drug in between restarts nothing.
GIVEN = "10 mg meal; 10 mg meal over 2 h at 10 h; 5 mg drug at 4 h"


def known():
    """In the body, and lost since the last dose."""
    rows = []
    for time in TIMES:
        first, second = time - 0.5, time - 10.5
        left = 10 * np.exp(-RATE * first) if first >= 0 else 0.0
        if second < 0:
            rows.append((left, 10 - left if first >= 0 else 0.0))
            continue
        before, during, after = 10 * np.exp(-RATE * 10), min(second, 2.0), max(second - 2.0, 0.0)
        held = before * np.exp(-RATE * second) + 5 / RATE * (1 - np.exp(-RATE * during)) * np.exp(-RATE * after)
        rows.append((held, before + 5 * during - held))
    return np.array(rows).T


@pytest.mark.parametrize("solver", ["linear", "adaptive", "stiff"])
def test_one_course(solver):
    """1e-5: adaptive steps at 1e-7 each."""
    found = twin.solve(Emptied(), GIVEN, TIMES, solver=solver)
    np.testing.assert_allclose([found["body"], found["lost"]], known(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", ["linear", "ensemble", "rosenbrock"])
def test_many_together(solver):
    """The first as known, whoever is beside; the padding of a shorter regimen restarts nothing."""
    found = twin.simulate(
        Emptied(), twin.Patient("ana"), regimens={"two": GIVEN, "one": "10 mg meal"}, times=TIMES, draws=3,
        individuals={"loss": np.array([[RATE, 0.2, 0.5]])}, solver=solver, outcomes=[],
    )["predictions"]  # fmt: skip
    shown = [found[name].sel(regimen="two").values[0, 0] for name in ("body", "lost")]
    np.testing.assert_allclose(shown, known(), rtol=1e-5, atol=1e-6)
    alone = 10 * (1 - np.exp(-RATE * np.maximum(TIMES - 0.5, 0)))
    np.testing.assert_allclose(found["lost"].sel(regimen="one").values[0, 0], alone, rtol=1e-5, atol=1e-6)


def test_its_steady_state_is_refused():
    with pytest.raises(TwinError, match="each of its doses restarts a state"):
        twin.solve(Emptied(), [{"amount": "10 mg", "treatment": "meal", "every": "12 h", "steady_state": True}], [1.0])
