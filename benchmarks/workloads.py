"""The workloads that speeds are quoted on: exact definitions, so that tools can be put side by side.

Individual parameters are typical * exp(omega * z), z standard normal from NumPy's default_rng(seed), drawn
as an (n, parameters) matrix with columns in the order below. W1: oral two-compartment kinetics, linear.
W2: docetaxel and neutrophils (a benchmark, not a clinical model). W3: target-mediated disposition, stiff.
Lorenz: three states, the end state only, one parameter spread evenly; what GPU solvers are compared on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import numpy as np

from twin.model import Delivery, DiseaseModel, log_normal, observable, parameter, part, state, treatment, zeros
from twin.parts.compartments import OralTwoCompartment, ThreeCompartment
from twin.types import Scalar


class OralParameters(eqx.Module):
    clearance: Scalar = parameter(10.0, "L/h", "clearance")
    volume: Scalar = parameter(50.0, "L", "central volume")
    exchange: Scalar = parameter(15.0, "L/h", "exchange")
    peripheral_volume: Scalar = parameter(100.0, "L", "peripheral volume")
    absorption: Scalar = parameter(1.2, "1/h", "absorption rate")


class OralState(eqx.Module):
    drug: OralTwoCompartment = part(OralTwoCompartment, "mg", "drug")


class Oral(DiseaseModel):
    name, title, time_unit = "w1", "W1: oral two-compartment kinetics", "h"
    State, Parameters, linear = OralState, OralParameters, ("drug",)

    def derivatives(self, t, y, p):
        return OralState(
            y.drug.rates(
                absorption=p.absorption,
                clearance=p.clearance,
                volume=p.volume,
                exchange=p.exchange,
                peripheral_volume=p.peripheral_volume,
            )
        )

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L")
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


def _omega(sd: float) -> Any:
    """The workload's spread of a parameter, for runs that draw individuals themselves."""
    return log_normal(variance=sd**2)


class MarrowParameters(eqx.Module):
    clearance: Scalar = parameter(38.5, "L/h", "clearance", spread=_omega(0.3))
    volume: Scalar = parameter(8.31, "L", "central volume", spread=_omega(0.1))
    baseline: Scalar = parameter(5.05, "10^9/L", "neutrophils before treatment", spread=_omega(0.42))
    maturation_time: Scalar = parameter(89.3, "h", "mean transit time", spread=_omega(0.16))
    feedback: Scalar = parameter(0.163, "1", "feedback exponent", spread=_omega(0.039))
    largest_effect: Scalar = parameter(83.9, "1", "largest effect", spread=_omega(0.33))
    half_effect: Scalar = parameter(7.17, "umol/L", "concentration of half of it", spread=_omega(0.5))


class MarrowState(eqx.Module):
    drug: ThreeCompartment = part(ThreeCompartment, "mg", "docetaxel")
    proliferating: Scalar = state("10^9/L", "proliferating")
    maturing_1: Scalar = state("10^9/L", "maturing, stage 1")
    maturing_2: Scalar = state("10^9/L", "maturing, stage 2")
    maturing_3: Scalar = state("10^9/L", "maturing, stage 3")
    circulating: Scalar = state("10^9/L", "circulating")


class Marrow(DiseaseModel):
    name, title, time_unit = "w2", "W2: docetaxel and neutrophils", "h"
    State, Parameters, linear = MarrowState, MarrowParameters, ("drug",)

    def initial(self, p):
        return MarrowState(ThreeCompartment(0.0, 0.0, 0.0), *[p.baseline] * 5)

    def derivatives(self, t, y, p):
        k12, k21, k13, k31 = 1.07, 1.74, 1.28, 0.0787
        drug = y.drug.rates(  # the workload is given in rate constants; volumes that yield them
            clearance=p.clearance,
            volume=p.volume,
            shallow_exchange=k12 * p.volume,
            shallow_volume=k12 / k21 * p.volume,
            deep_exchange=k13 * p.volume,
            deep_volume=k13 / k31 * p.volume,
        )
        c = y.drug.central / p.volume * (1000 / 807.88)
        effect = p.largest_effect * c / (p.half_effect + c)
        rate = 4 / p.maturation_time
        return MarrowState(
            drug,
            rate * y.proliferating * ((1 - effect) * (p.baseline / y.circulating) ** p.feedback - 1),
            rate * (y.proliferating - y.maturing_1),
            rate * (y.maturing_1 - y.maturing_2),
            rate * (y.maturing_2 - y.maturing_3),
            rate * (y.maturing_3 - y.circulating),
        )

    @treatment(unit="mg", into="drug.central")
    def infusion(self, p):
        return Delivery()

    @observable(unit="10^9/L")
    def neutrophils(self, t, y, p):
        return y.circulating


class BindingParameters(eqx.Module):
    absorption: Scalar = parameter(0.28, "1/day", "absorption rate")
    clearance: Scalar = parameter(0.22, "L/day", "clearance")
    volume: Scalar = parameter(3.0, "L", "central volume")
    receptor: Scalar = parameter(10.0, "nM", "receptor at rest")
    internalisation: Scalar = parameter(0.3, "1/day", "internalisation rate")


class BindingState(eqx.Module):
    depot: Scalar = state("nmol", "under the skin")
    ligand: Scalar = state("nM", "free drug")
    tissue: Scalar = state("nM", "drug in tissue")
    receptor: Scalar = state("nM", "free receptor")
    complex: Scalar = state("nM", "complex")


class Binding(DiseaseModel):
    name, title, time_unit = "w3", "W3: target-mediated disposition, full binding", "day"
    State, Parameters, stiff = BindingState, BindingParameters, True

    def initial(self, p):
        return eqx.tree_at(lambda y: y.receptor, zeros(BindingState), p.receptor)

    def derivatives(self, t, y, p):
        exchange, tissue_volume, kdeg, kon, koff = 0.5, 2.5, 2.0, 100.0, 5.0
        bound = kon * y.ligand * y.receptor - koff * y.complex
        return BindingState(
            depot=-p.absorption * y.depot,
            ligand=p.absorption * y.depot / p.volume
            - (p.clearance + exchange) / p.volume * y.ligand
            + exchange / p.volume * y.tissue
            - bound,
            tissue=exchange / tissue_volume * (y.ligand - y.tissue),
            receptor=kdeg * (p.receptor - y.receptor) - bound,
            complex=bound - p.internalisation * y.complex,
        )

    @treatment(unit="nmol", into="depot")
    def injection(self, p):
        return Delivery()

    @observable(unit="nM")
    def ligand(self, t, y, p):
        return y.ligand

    @observable(unit="nM")
    def receptor(self, t, y, p):
        return y.receptor


class LorenzParameters(eqx.Module):
    rho: Scalar = parameter(21.0, "1", "rho")


class LorenzState(eqx.Module):
    x: Scalar = state("1", "x")
    y: Scalar = state("1", "y")
    z: Scalar = state("1", "z")


class Lorenz(DiseaseModel):
    name, title, time_unit = "lorenz", "Lorenz: three states, end state only", "h"
    State, Parameters = LorenzState, LorenzParameters

    def initial(self, p):
        return LorenzState(1.0, 0.0, 0.0)

    def derivatives(self, t, y, p):
        sigma, beta = 10.0, 8 / 3
        return LorenzState(sigma * (y.y - y.x), p.rho * y.x - y.y - y.x * y.z, y.x * y.y - beta * y.z)

    @observable(unit="1")
    def x(self, t, y, p):
        return y.x

    @observable(unit="1")
    def y(self, t, y, p):
        return y.y

    @observable(unit="1")
    def z(self, t, y, p):
        return y.z


@dataclasses.dataclass(frozen=True)
class LogNormal:
    """Individuals spread about the model's typical values, `omega` on each parameter in their order."""

    seed: int
    omega: tuple[float, ...]

    def draw(self, model: type[DiseaseModel], n: int) -> np.ndarray:
        return next(self.batches(model, n))

    def batches(self, model: type[DiseaseModel], n: int) -> Iterator[np.ndarray]:
        """Individuals n at a time, without end; together they are those of one draw."""
        typical = np.array([declared.value for declared in model.parameters().values()])
        generator = np.random.default_rng(self.seed)
        while True:
            yield typical * np.exp(np.array(self.omega) * generator.standard_normal((n, len(typical))))

    def checked(self, n: int, most: int) -> np.ndarray:
        return np.arange(min(n, most))


@dataclasses.dataclass(frozen=True)
class Even:
    """One parameter, spread evenly from `low` to `high`."""

    low: float
    high: float

    def draw(self, model: type[DiseaseModel], n: int) -> np.ndarray:
        return np.linspace(self.low, self.high, n)[:, None]

    def checked(self, n: int, most: int) -> np.ndarray:
        return np.unique(np.linspace(0, n - 1, most).astype(int))


@dataclasses.dataclass(frozen=True)
class Workload:
    """A model, what is given, when it is looked at, and who its individuals are."""

    model: type[DiseaseModel]
    regimen: str | None
    times: Any
    spread: LogNormal | Even
    solver: str

    def parameters(self, n: int) -> np.ndarray:
        """Parameters of n individuals as a matrix (individual, parameter)."""
        return self.spread.draw(self.model, n)

    def individuals(self, parameters: np.ndarray) -> dict[str, np.ndarray]:
        """The same as simulate() takes them: name -> (patient, draw) = (1, n)."""
        return {name: parameters[None, :, i] for i, name in enumerate(self.model.parameters())}

    def checked(self, n: int, most: int) -> np.ndarray:
        """Which of n individuals are compared with a reference."""
        return self.spread.checked(n, most)


MARROW_OMEGA = (0.3, 0.1, 0.42, 0.16, 0.039, 0.33, 0.5)
WORKLOADS = {
    "W1": Workload(Oral, "100 mg q12h x14", 1.75 * np.arange(97), LogNormal(101, (0.3,) * 5), "linear"),
    "W2": Workload(Marrow, "180 mg over 1 h q504h x3", 24.0 * np.arange(64), LogNormal(202, MARROW_OMEGA), "ensemble"),
    "W3": Workload(Binding, "1000 nmol q28d x3", 1.0 * np.arange(85), LogNormal(303, (0.3,) * 5), "rosenbrock"),
    "lorenz": Workload(Lorenz, None, np.array([1.0]), Even(0.0, 21.0), "ensemble"),
}
