"""Any drug with three compartments: oral or intravenous, linear elimination from the first."""

from __future__ import annotations

import equinox as eqx

from ..model import part
from ..parts.any_drug import AnyDrug, to_fit, to_fit_between
from ..parts.compartments import OralThreeCompartment
from ..types import Scalar


class Parameters(eqx.Module):
    clearance: Scalar = to_fit_between(5.0, "L/h", "clearance")
    volume: Scalar = to_fit_between(50.0, "L", "central volume")
    shallow_exchange: Scalar = to_fit(10.0, "L/h", "exchange with the shallow tissue")
    shallow_volume: Scalar = to_fit_between(100.0, "L", "volume of the shallow tissue")
    deep_exchange: Scalar = to_fit(2.0, "L/h", "exchange with the deep tissue")
    deep_volume: Scalar = to_fit_between(300.0, "L", "volume of the deep tissue")
    # by mouth; intravenous doses alone say nothing of these
    absorption: Scalar = to_fit_between(1.0, "1/h", "absorption rate")
    lag: Scalar = to_fit(0.0, "h", "lag before absorption")
    bioavailability: Scalar = to_fit(
        1.0, "1", "share of an oral dose that is absorbed; at 1, clearance and volumes are apparent"
    )
    # measurement
    proportional_error: Scalar = to_fit(0.2, "1", "proportional SD of a concentration")
    additive_error: Scalar = to_fit(0.05, "mg/L", "additive SD of a concentration")


class State(eqx.Module):
    drug: OralThreeCompartment = part(OralThreeCompartment, "mg", "the drug")


class AnyThreeCompartments(AnyDrug):
    """Three compartments; absorption at first order."""

    name = "three_compartments"
    title = "Any drug: three compartments"
    State, Parameters = State, Parameters
    linear = ("drug",)

    def derivatives(self, t, y, p) -> State:
        return State(
            drug=y.drug.rates(
                absorption=p.absorption,
                clearance=p.clearance,
                volume=p.volume,
                shallow_exchange=p.shallow_exchange,
                shallow_volume=p.shallow_volume,
                deep_exchange=p.deep_exchange,
                deep_volume=p.deep_volume,
            )
        )
