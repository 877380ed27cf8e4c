"""Any drug with one compartment whose elimination saturates: oral or intravenous."""

from __future__ import annotations

import equinox as eqx

from ..model import part
from ..parts.any_drug import AnyDrug, to_fit, to_fit_between
from ..parts.compartments import OralOneCompartment
from ..types import Scalar


class Parameters(eqx.Module):
    largest_rate: Scalar = to_fit_between(10.0, "mg/h", "elimination at most (Vmax)")
    half_saturation: Scalar = to_fit(2.0, "mg/L", "concentration at which half of that is eliminated (Km)")
    volume: Scalar = to_fit_between(50.0, "L", "volume")
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
    drug: OralOneCompartment = part(OralOneCompartment, "mg", "the drug")


class AnyMichaelisMenten(AnyDrug):
    """One compartment; far below half saturation, clearance is the largest rate over the half saturation."""

    name = "michaelis_menten"
    title = "Any drug: one compartment with saturable elimination"
    State, Parameters = State, Parameters
    linear = ("drug.depot",)  # absorption is exact, whatever its rate; elimination is integrated

    def derivatives(self, t, y, p) -> State:
        concentration = y.drug.central / p.volume
        clearance = p.largest_rate / (p.half_saturation + concentration)
        return State(drug=y.drug.rates(absorption=p.absorption, clearance=clearance, volume=p.volume))
