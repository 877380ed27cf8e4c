"""Who is calibrated together: a steady state of a nonlinear model keeps to itself, and nobody notices."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest

import calibration
from calibration import ladder
from tests.toys import MichaelisMenten
from twin.errors import TwinError
from twin.model import LogNormal, Proportional, observable, parameter
from twin.patient import DoseRecord, Observation, Patient
from twin.types import Scalar


class Saturable(MichaelisMenten):
    """The same, with people who differ and measurements that err."""

    name = "toy_saturable"

    class Parameters(eqx.Module):
        vmax: Scalar = parameter(8.0, "mg/h", "largest elimination rate", spread=LogNormal(0.3))
        km: Scalar = parameter(2.0, "mg/L", "concentration of half that rate")
        volume: Scalar = parameter(50.0, "L", "volume")
        error: Scalar = parameter(0.1, "1", "proportional error")

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


def person(name: str, *, steady: bool) -> Patient:
    dose = DoseRecord("50 mg", 0.0, every=12.0, steady_state=steady)
    return Patient(name, doses=[dose], observations=[Observation("concentration", 6.0, 1.0)])


WHO = {"a": False, "b": True, "c": False, "d": True}


@pytest.fixture
def target():
    people = [person(name, steady=steady).bind(Saturable()) for name, steady in WHO.items()]
    return calibration.Target(Saturable(), people)


def test_who_begins_in_a_steady_state_is_calibrated_alone(target):
    assert [list(part) for part in ladder._group(target)] == [[0, 2], [1], [3]]
    together = target.of([target.patients[i] for i in (0, 2)])
    assert together.courses.choice.name == "ensemble", "the others keep the engine"
    assert [list(part) for part in ladder._group(together)] == [[0, 1]]


def test_parts_are_put_together_in_the_order_of_the_patients(target, monkeypatch):
    """Each patient's draws are made to be the number of their name."""

    class Fake:
        def __init__(self, target, draws, seed):
            self.target, self.draws, self.seed = target, draws, seed

        approximate = prior = lambda self, *_: None

        def posterior(self, began):
            number = np.array([float(ord(p.id)) for p in self.target.patients])
            u = np.broadcast_to(number[:, None, None], (len(number), self.draws, 1))
            stats = {"number": number, "seconds": np.full(len(number), 1.0)}
            return calibration.Posterior(self.target, u, tuple(p.id for p in self.target.patients), stats, self.seed)

    monkeypatch.setattr(ladder, "_Ladder", Fake)
    found = ladder.climb(target, method="map", draws=2, seed=3)
    assert found.method == tuple(WHO)
    assert list(found.u[:, 0, 0]) == list(found.stats["number"]) == [97.0, 98.0, 99.0, 100.0]
    assert set(found.stats["seconds"]) == {3.0}


def test_chains_of_who_begins_in_a_steady_state_are_refused_with_the_reason(target):
    alone = target.of([target.patients[1]])
    with pytest.raises(TwinError, match="a steady state of a nonlinear model is found by repetition"):
        ladder.climb(alone, method="walkers", draws=2, seed=0)
