"""Stiff models for tests, written as a user writes them, and the way they are solved through `simulate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import numpy as np

import twin
from twin.model import Delivery, DiseaseModel, LogNormal, observable, parameter, replace, state, treatment, zeros
from twin.types import Scalar

# --- individuals, and the way through simulate --------------------------------------------------------


def factors(model: type[DiseaseModel], draws: int, seed: int = 0) -> dict[str, np.ndarray]:
    """How individuals differ from the typical one: factors (draw,) of every parameter with a spread, log-normal.

    The first individual is the typical one, whose course is what is published.
    """
    spreads = {name: p.spread.sd for name, p in model.parameters().items() if isinstance(p.spread, LogNormal)}
    normals = np.random.default_rng(seed).standard_normal((draws, len(spreads)))
    normals[0] = 0.0
    return {name: np.exp(sd * normals[:, i]) for i, (name, sd) in enumerate(spreads.items())}


def individuals(model: DiseaseModel, factors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters (draw,) of these individuals: the typical ones at the reference covariates, times the factors."""
    typical = model.individual(model.typical(), model.Covariates())
    return {name: float(getattr(typical, name)) * factor for name, factor in factors.items()}


def through_simulate(
    model: DiseaseModel,
    regimen: Any,
    times: Sequence[float],
    solver: str,
    individuals: Mapping[str, np.ndarray],
    rtol: float,
    atol: float,
) -> dict[str, np.ndarray]:
    """Every observable (draw, time) of these individuals (parameter -> (draw,)), all in one batch."""
    (draws,) = {len(values) for values in individuals.values()}
    result = twin.simulate(
        model, twin.Patient("all"), regimens={"one": regimen}, outcomes=[], draws=draws, times=times, spread=False,
        individuals={name: values[None, :] for name, values in individuals.items()},
        solver=solver, rtol=rtol, atol=atol,
    )  # fmt: skip
    assert result.attrs["solver"] == solver
    assert not np.any(result["sample_stats/status"].values)
    return {str(name): values.values[0, 0] for name, values in result["predictions"].data_vars.items()}


# --- the classical problems ---------------------------------------------------------------------------


class RobertsonParameters(eqx.Module):
    slow: Scalar = parameter(0.04, "1/s", "first reaction", spread=LogNormal(0.3))
    fast: Scalar = parameter(3e7, "1/s", "second reaction", spread=LogNormal(0.3))
    middle: Scalar = parameter(1e4, "1/s", "third reaction", spread=LogNormal(0.3))


class RobertsonState(eqx.Module):
    first: Scalar = state("1", "what reacts")
    second: Scalar = state("1", "the intermediate, a few millionths")
    third: Scalar = state("1", "the product")


class Robertson(DiseaseModel):
    """Three reactions whose rates differ by nine orders of magnitude (ROBER of the test set)."""

    name, title, time_unit = "stiff_robertson", "Robertson's reactions", "s"
    State, Parameters, stiff = RobertsonState, RobertsonParameters, True

    def initial(self, p):
        return replace(zeros(RobertsonState), first=1.0)

    def derivatives(self, t, y, p):
        forth, back, out = p.slow * y.first, p.middle * y.second * y.third, p.fast * y.second * y.second
        return RobertsonState(first=back - forth, second=forth - back - out, third=out)

    @observable(unit="1")
    def first(self, t, y, p):
        return y.first

    @observable(unit="1")
    def second(self, t, y, p):
        return y.second

    @observable(unit="1")
    def third(self, t, y, p):
        return y.third

    @observable(unit="1", meaning="all there is, which stays as it was")
    def total(self, t, y, p):
        return y.first + y.second + y.third


class OregonatorParameters(eqx.Module):
    speed: Scalar = parameter(77.27, "1/s", "of bromous acid", spread=LogNormal(0.05))
    limit: Scalar = parameter(8.375e-6, "1", "of its growth", spread=LogNormal(0.05))
    recovery: Scalar = parameter(0.161, "1/s", "of the catalyst", spread=LogNormal(0.05))


class OregonatorState(eqx.Module):
    acid: Scalar = state("1", "bromous acid")
    bromide: Scalar = state("1", "bromide")
    catalyst: Scalar = state("1", "oxidised catalyst")


class Oregonator(DiseaseModel):
    """A chemical clock: long rests and jumps over five orders of magnitude (OREGO of the test set)."""

    name, title, time_unit = "stiff_oregonator", "the Oregonator", "s"
    State, Parameters, stiff = OregonatorState, OregonatorParameters, True

    def initial(self, p):
        return OregonatorState(acid=1.0, bromide=2.0, catalyst=3.0)

    def derivatives(self, t, y, p):
        return OregonatorState(
            acid=p.speed * (y.bromide + y.acid * (1 - p.limit * y.acid - y.bromide)),
            bromide=(y.catalyst - (1 + y.acid) * y.bromide) / p.speed,
            catalyst=p.recovery * (y.acid - y.catalyst),
        )

    @observable(unit="1")
    def acid(self, t, y, p):
        return y.acid

    @observable(unit="1")
    def bromide(self, t, y, p):
        return y.bromide

    @observable(unit="1")
    def catalyst(self, t, y, p):
        return y.catalyst


class VanDerPolParameters(eqx.Module):
    stiffness: Scalar = parameter(1e6, "1/s", "of the fast phases", spread=LogNormal(0.5))


class VanDerPolState(eqx.Module):
    place: Scalar = state("1", "place")
    speed: Scalar = state("1/s", "speed")


class VanDerPol(DiseaseModel):
    """Relaxation oscillations: slow drifts and all but instantaneous jumps (VDPOL of the test set, scaled)."""

    name, title, time_unit = "stiff_van_der_pol", "van der Pol's oscillator", "s"
    State, Parameters, stiff = VanDerPolState, VanDerPolParameters, True

    def initial(self, p):
        return VanDerPolState(place=2.0, speed=0.0)

    def derivatives(self, t, y, p):
        return VanDerPolState(place=y.speed, speed=p.stiffness * ((1 - y.place * y.place) * y.speed - y.place))

    @observable(unit="1")
    def place(self, t, y, p):
        return y.place

    @observable(unit="1/s")
    def speed(self, t, y, p):
        return y.speed


# --- target-mediated disposition ----------------------------------------------------------------------


class BindingParameters(eqx.Module):
    """The five that vary are those of the benchmark W3, with its spread."""

    absorption: Scalar = parameter(0.28, "1/day", "absorption rate", spread=LogNormal(0.3))
    clearance: Scalar = parameter(0.22, "L/day", "clearance of free drug", spread=LogNormal(0.3))
    volume: Scalar = parameter(3.0, "L", "central volume", spread=LogNormal(0.3))
    receptor_at_rest: Scalar = parameter(10.0, "nM", "receptor without drug", spread=LogNormal(0.3))
    internalisation: Scalar = parameter(0.3, "1/day", "loss of the complex", spread=LogNormal(0.3))
    exchange: Scalar = parameter(0.5, "L/day", "exchange with tissue")
    tissue_volume: Scalar = parameter(2.5, "L", "tissue volume")
    turnover: Scalar = parameter(2.0, "1/day", "turnover of the receptor")
    association: Scalar = parameter(100.0, "1/nM/day", "binding rate")
    dissociation: Scalar = parameter(5.0, "1/day", "unbinding rate")


class BindingState(eqx.Module):
    depot: Scalar = state("nmol", "drug under the skin")
    ligand: Scalar = state("nM", "free drug")
    tissue: Scalar = state("nM", "drug in tissue")
    receptor: Scalar = state("nM", "free receptor")
    complex: Scalar = state("nM", "drug bound to receptor")


class Binding(DiseaseModel):
    """Full binding: nothing is assumed in equilibrium. Free drug falls steeply once its target is left to it."""

    name, title, time_unit = "stiff_binding", "target-mediated disposition", "day"
    State, Parameters, stiff = BindingState, BindingParameters, True

    def initial(self, p):
        return replace(zeros(BindingState), receptor=p.receptor_at_rest)

    def derivatives(self, t, y, p):
        binding = p.association * y.ligand * y.receptor - p.dissociation * y.complex
        absorbed = p.absorption * y.depot
        return BindingState(
            depot=-absorbed,
            ligand=(absorbed - p.clearance * y.ligand - p.exchange * (y.ligand - y.tissue)) / p.volume - binding,
            tissue=p.exchange * (y.ligand - y.tissue) / p.tissue_volume,
            receptor=p.turnover * (p.receptor_at_rest - y.receptor) - binding,
            complex=binding - p.internalisation * y.complex,
        )

    @treatment(unit="nmol", into="depot")
    def injection(self, p):
        """Under the skin"""
        return Delivery()

    @treatment(unit="nmol", into="ligand")
    def intravenous(self, p):
        """Into a vein; the state is a concentration"""
        return Delivery(scale=1 / p.volume)

    @observable(unit="nM")
    def ligand(self, t, y, p):
        return y.ligand

    @observable(unit="nM")
    def tissue(self, t, y, p):
        return y.tissue

    @observable(unit="nM")
    def receptor(self, t, y, p):
        return y.receptor

    @observable(unit="nM")
    def complex(self, t, y, p):
        return y.complex


class BindingWithExactDepot(Binding):
    """The same equations, with the depot solved exactly beside the rest."""

    name, linear = "stiff_binding_exact_depot", ("depot",)
