"""Any drug with one compartment: oral or intravenous, linear elimination."""

from __future__ import annotations

import equinox as eqx

from ..model import part
from ..parts.any_drug import AnyDrug, to_fit, to_fit_between
from ..parts.compartments import OralOneCompartment
from ..types import Scalar


class Parameters(eqx.Module):
    clearance: Scalar = to_fit_between(5.0, "L/h", "clearance")
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


class AnyOneCompartment(AnyDrug):
    """One compartment; absorption at first order."""

    name = "one_compartment"
    title = "Any drug: one compartment"
    State, Parameters = State, Parameters
    linear = ("drug",)

    def derivatives(self, t, y, p) -> State:
        return State(drug=y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))
