"""Small models whose trials have closed forms: a normal outcome, and an exponential time."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from twin.model import (
    Additive,
    Delivery,
    DiseaseModel,
    EventTime,
    Final,
    Individual,
    Normal,
    Nothing,
    covariate,
    observable,
    parameter,
    replace,
    state,
    treatment,
)
from twin.types import Scalar


class Parameters(eqx.Module):
    level: Scalar = parameter(
        10.0, "1", "where a person stands without treatment", spread=Normal(1.0), uncertainty=0.02
    )
    response: Scalar = parameter(1.0, "1/mg", "what a dose of 1 mg adds", uncertainty=0.5)
    hazard: Scalar = parameter(0.1, "1/day", "hazard of the event without treatment")
    loss: Scalar = parameter(0.0, "1/day", "how fast what is given is lost")
    error: Scalar = parameter(0.5, "1", "error of a reading")


class Covariates(eqx.Module):
    age: Scalar = covariate(50.0, "year", "age; a decade above 50 adds 1 to the level", low=0.0, high=120.0)


class State(eqx.Module):
    given: Scalar = state("mg", "all that has been given")
    risk: Scalar = state("1", "cumulative hazard")


class Marker(DiseaseModel):
    """A marker at rest that a dose moves (for good, without a loss), and an event whose hazard halves with each mg."""

    name, title, time_unit = "marker", "a marker and an event", "day"
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Nothing
    resolution = 1.0
    outcomes: ClassVar = {
        "marker": Final(of="marker", meaning="the marker at the end"),
        "event": EventTime(of="risk", meaning="when the event happens"),
    }

    def individual(self, p, covariates):
        return replace(p, level=p.level + (covariates.age - 50.0) / 10.0)

    def derivatives(self, t, y, p: Individual) -> State:
        return State(given=-p.loss * y.given, risk=p.hazard * jnp.exp2(-y.given))

    @treatment(unit="mg", into="given")
    def drug(self, p: Individual) -> Delivery:
        return Delivery()

    @observable(unit="1", noise=Additive("error"))
    def marker(self, t: Scalar, y: State, p: Individual) -> Scalar:
        """The marker"""
        return p.level + p.response * y.given

    @observable(unit="1")
    def risk(self, t: Scalar, y: State, p: Individual) -> Scalar:
        """Cumulative hazard"""
        return y.risk
