"""A toy whose effect is a known function of covariates, some of which only foretell."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from tests.trials.models import Marker
from twin.model import Final, Normal, category, covariate, parameter, replace
from twin.types import Scalar


class Parameters(eqx.Module):
    level: Scalar = parameter(10.0, "1", "where a person stands without treatment", spread=Normal(1.0))
    response: Scalar = parameter(1.0, "1/mg", "what a dose of 1 mg adds", spread=Normal(0.5))
    hazard: Scalar = parameter(0.1, "1/day", "hazard of the event without treatment")
    loss: Scalar = parameter(0.0, "1/day", "how fast what is given is lost")
    error: Scalar = parameter(0.5, "1", "error of a reading")


class Covariates(eqx.Module):
    age: Scalar = covariate(50.0, "year", "foretells the level, and changes no effect", low=0.0, high=120.0)
    size: Scalar = covariate(0.0, "1", "responds more where it is high", low=-10.0, high=10.0)
    kind: Scalar = category("plain", ("plain", "other"), "of the other kind nobody responds well")


class Responder(Marker):
    """A dose of 1 mg adds 1 + size, minus 3 for the other kind, give or take 0.5; risks fall in one ratio."""

    name, title, time_unit = "responder", "a marker whose response differs", "day"
    Parameters, Covariates = Parameters, Covariates
    outcomes: ClassVar = {
        "marker": Final(of="marker", meaning="the marker at the end"),
        "event": Marker.outcomes["event"],
    }

    def individual(self, p, covariates):
        return replace(
            p, level=p.level + (covariates.age - 50.0) / 10.0,
            hazard=p.hazard * jnp.exp((covariates.age - 50.0) / 10.0),
            response=p.response + covariates.size - 3.0 * covariates.kind.is_("other"),
        )  # fmt: skip


POPULATION = {
    "covariates": {
        "age": {"normal": {"mean": "50 year", "sd": "10 year"}, "low": 10, "high": 90},
        "size": {"normal": {"mean": 0.0, "sd": 1.0}, "low": -5, "high": 5},
        "kind": {"chances": {"plain": 0.7, "other": 0.3}},
    },
    "others": {"noise": {"normal": {"mean": 0.0, "sd": 1.0}}},
}
