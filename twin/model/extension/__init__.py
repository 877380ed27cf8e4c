"""Models that were extended without touching their files: covariate effects, occasions, a population's other numbers.

    longer = extend(model, covariates={"clearance": {"weight": {"power": 0.75, "reference": 70}}},
                    occasions={"clearance": {"cv": 0.2}}, count=3)
    renew(longer, typical={"clearance": 4.2}, sds={"clearance": 0.25})

Each is a model of a class of its own, the same for the same arguments, whose `extensions` say how it was made:
`describe_model(longer)` tells so, and `twin.library.restore_model` makes it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import DiseaseModel
from .columns import Column, Columns
from .effects import Effects, read_columns, read_effects
from .occasions import MOST, OCCASION, Occasions, read_occasions
from .renewal import PopulationDraws, Renewal, read_renewal
from .step import Extension, take_step

__all__ = [
    "MOST",
    "OCCASION",
    "Column",
    "PopulationDraws",
    "add_columns",
    "describe_model",
    "extend",
    "renew",
    "repeat_steps",
    "without_columns",
]

_STEPS: dict[str, type[Extension]] = {step.word: step for step in (Columns, Effects, Occasions, Renewal)}


def extend(
    model: DiseaseModel,
    covariates: Mapping[str, Mapping[str, Any]] | None = None,
    occasions: Mapping[str, Mapping[str, float]] | None = None,
    *,
    count: int = 1,
    correlations: Mapping[tuple[str, str], float] | None = None,
) -> DiseaseModel:
    """The model with covariate effects, and with parameters that differ from occasion to occasion.

    Args:
        covariates: parameter -> covariate -> its effect: a form (power, exponential, linear, category) with its
            coefficient, and the reference at which it does nothing; of a covariate that the model does not know, its
            unit or levels too.
        occasions: parameter -> cv, sd or variance of its deviation in an occasion.
        count: how many occasions a patient may have.
        correlations: pair of these parameters -> how their deviations correlate within an occasion.
    """
    kind = type(model)
    if covariates:
        if columns := read_columns(kind, covariates):
            kind = take_step(kind, Columns(columns))
        kind = take_step(kind, Effects(read_effects(kind, covariates)))
    if occasions:
        kind = take_step(kind, read_occasions(kind, occasions, count, correlations or {}))
    return kind(model.values)


def add_columns(model: DiseaseModel, columns: Sequence[Column]) -> DiseaseModel:
    """The model with further covariates, which its equations do not ask for."""
    return take_step(type(model), Columns(tuple(columns)))(model.values)


def renew(
    model: DiseaseModel,
    typical: Mapping[str, float] | None = None,
    sds: Mapping[str, float] | None = None,
    correlations: Mapping[tuple[str, str], float] | None = None,
    draws: Mapping[str, Any] | None = None,
    *,
    source: str = "",
) -> DiseaseModel:
    """The model with a population's other numbers, which are from then on its declared ones.

    Args:
        typical: parameter -> typical value.
        sds: parameter -> standard deviation of its spread, on the scale on which that is normal.
        correlations: of all pairs of standard normals that correlate; None keeps those declared.
        draws: {"typical": name -> (draw,), "factors": (draw, varied, varied)}: equally likely populations, one of
            which each draw of a run has where uncertainty is asked for.
        source: where the numbers come from.
    """
    kind = take_step(type(model), read_renewal(type(model), typical or {}, sds or {}, correlations, draws, source))
    return kind({name: value for name, value in model.values.items() if name not in (typical or {})})


def without_columns(model: DiseaseModel) -> DiseaseModel:
    """The model without the covariates that were added last and that its equations do not ask for."""
    kind = type(model)
    while kind.extensions and not kind.extensions[-1].is_in_equations:
        kind = kind.__base__
    return kind(model.values)


def describe_model(model: DiseaseModel) -> dict[str, str]:
    """Which model it is, as results have it in their attributes; `twin.library.restore_model` makes it again."""
    steps = [{"step": step.word, **step.plain()} for step in without_columns(model).extensions]
    said = {"model": model.name, "parameters_changed": json.dumps(model.values)}
    return said | ({"extensions": json.dumps(steps)} if steps else {})


def repeat_steps(model: DiseaseModel, steps: Sequence[Mapping[str, Any]]) -> DiseaseModel:
    """The model of a file, extended as `steps` describe."""
    kind = type(model)
    for said in steps:
        kind = take_step(kind, _STEPS[said["step"]].restore({n: v for n, v in said.items() if n != "step"}))
    return kind(model.values)
