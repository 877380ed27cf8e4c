"""Covariate effects: parameters that depend on covariates by coefficients, which are parameters themselves.

    {"clearance": {"weight": {"power": 0.75, "reference": 70}, "sex": {"category": {"female": -0.1}}}}

multiplies the typical clearance by (weight / 70)^weight_on_clearance and, in women, by 1 + sex_female_on_clearance.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from ...errors import TwinError, suggest
from ...quantity import parse_quantity
from ...types import Scalar
from ..base import replace
from ..declarations import Covariate, parameter
from .columns import Column
from .step import Extension, Kind, with_fields

# A form's factor, from its coefficient, the covariate and its reference; `category` looks levels up instead.
FORMS = {
    "power": lambda c, value, reference: (value / reference) ** c,
    "exponential": lambda c, value, reference: jnp.exp(c * (value - reference)),
    "linear": lambda c, value, reference: 1 + c * (value - reference),
}
CATEGORY = "category"
_BESIDE = ("reference", "unit", "levels")  # words that may stand beside the form


@dataclasses.dataclass(frozen=True)
class Effect:
    """One covariate's effect on one parameter. `strengths` are (level, coefficient); a number's has no level."""

    parameter: str
    covariate: str
    form: str
    strengths: tuple[tuple[str, float], ...]
    reference: float = 0.0

    def name(self, level: str) -> str:
        """What a coefficient is called, among parameters."""
        parts = [self.covariate, re.sub(r"\W+", "_", level).strip("_")] if level else [self.covariate]
        return f"{'_'.join(parts)}_on_{self.parameter}"

    @property
    def names(self) -> dict[str, float]:
        """Its coefficients by the names they have among parameters."""
        return {self.name(level): value for level, value in self.strengths}

    def factor(self, p: Any, covariates: Any) -> Scalar:
        """What the parameter is multiplied by, in a person with these covariates."""
        value = getattr(covariates, self.covariate)
        if self.form != CATEGORY:
            return FORMS[self.form](getattr(p, self.name("")), value, self.reference)
        own = {level: 1 + getattr(p, self.name(level)) for level, _ in self.strengths}
        return value.pick(dict.fromkeys(value.levels, 1.0) | own)

    def fields(self, kind: Kind) -> dict[str, Any]:
        """Its coefficients as parameters."""
        unit = str(kind.covariates()[self.covariate].unit)
        per = "1" if self.form in ("power", CATEGORY) or unit in ("", "1") else f"1/({unit})"
        words = f"{self.form} effect of {self.covariate}"
        return {
            self.name(level): parameter(
                value, per, f"{words}{f' {level}' if level else ''} on {self.parameter}", source="stated by the user"
            )
            for level, value in self.strengths
        }


@dataclasses.dataclass(frozen=True)
class Effects(Extension):
    """The step that adds them."""

    effects: tuple[Effect, ...]
    word = "effects"

    def members(self, kind: Kind) -> dict[str, Any]:
        fields = {name: field for effect in self.effects for name, field in effect.fields(kind).items()}

        def individual(model: Any, p: Any, covariates: Any) -> Any:
            typical = kind.individual(model, p, covariates)
            moved: dict[str, Scalar] = {}
            for effect in self.effects:
                name = effect.parameter
                moved[name] = moved.get(name, getattr(typical, name)) * effect.factor(p, covariates)
            return replace(typical, **moved)

        known = {**kind.covariate_effects}
        for effect in self.effects:
            known[effect.parameter] = (*known.get(effect.parameter, ()), *effect.names)
        parameters = with_fields(kind.Parameters, "Parameters", fields)
        return {"Parameters": parameters, "individual": individual, "covariate_effects": known}

    def plain(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Effects:
        pairs = lambda one: tuple((level, float(value)) for level, value in one)  # noqa: E731
        return cls(tuple(Effect(**one | {"strengths": pairs(one["strengths"])}) for one in plain["effects"]))


def read_columns(kind: Kind, given: Mapping[str, Mapping[str, Any]]) -> tuple[Column, ...]:
    """Covariates that effects ask for and the model does not know."""
    found: dict[str, Column] = {}
    for parameter_name, several in given.items():
        for name, said in several.items():
            if name in kind.covariates():
                continue
            column = _column(f"{name} on {parameter_name}", name, said)
            if found.setdefault(name, column) != column:
                raise TwinError(
                    f"covariate '{name}' is said in two ways; give it one unit, reference and set of levels"
                )
    return tuple(found.values())


def _column(place: str, name: str, said: Mapping[str, Any]) -> Column:
    if CATEGORY not in said:
        unit = str(said.get("unit", "1"))
        if "reference" not in said:
            raise TwinError(f"effect of {place}: the model knows no covariate '{name}'; give reference, and its unit")
        return Column(name, unit, (), parse_quantity(said["reference"], unit))
    if "reference" not in said:
        raise TwinError(f"effect of {place}: the model knows no covariate '{name}'; give reference, the level without")
    reference = str(said["reference"])
    levels = tuple(dict.fromkeys(map(str, said.get("levels", (reference, *said[CATEGORY])))))
    if reference not in levels:
        raise TwinError(f"effect of {place}: reference '{reference}' is not among the levels {', '.join(levels)}")
    return Column(name, levels=levels, reference=reference)


def read_effects(kind: Kind, given: Mapping[str, Mapping[str, Any]]) -> tuple[Effect, ...]:
    """Effects as people write them, for a model that knows their covariates."""
    found = tuple(_effect(kind, one, name, said) for one, several in given.items() for name, said in several.items())
    names = [name for effect in found for name in effect.names]
    taken = {*kind.parameters(), *kind.covariates(), *kind.inputs()}
    for i, name in enumerate(names):
        if name in taken or name in names[:i]:
            raise TwinError(f"the coefficient '{name}' would stand for two things; state each effect once")
    return found


def _effect(kind: Kind, parameter_name: str, name: str, said: Mapping[str, Any]) -> Effect:
    place = f"{name} on {parameter_name}"
    if parameter_name not in kind.parameters():
        raise TwinError(
            f"effect of {place}: no parameter '{parameter_name}'; {suggest(parameter_name, kind.parameters())}"
        )
    forms = [word for word in said if word not in _BESIDE]
    known = (*FORMS, CATEGORY)
    if len(forms) != 1 or forms[0] not in known:
        raise TwinError(f"effect of {place}: name exactly one of {', '.join(known)}, with its coefficient")
    form, declared = forms[0], kind.covariates()[name]
    if bool(declared.levels) != (form == CATEGORY):
        word = "category" if declared.levels else "number"
        raise TwinError(f"effect of {place}: '{name}' is a {word}, and {form} is not for one; choose another form")
    if form == CATEGORY:
        return Effect(parameter_name, name, form, _levels(place, declared.levels, said[form]))
    reference = _reference(place, declared, said)
    if form == "power" and not reference > 0:
        raise TwinError(f"effect of {place}: a power needs a reference above 0, not {reference:g}")
    return Effect(parameter_name, name, form, (("", _number(place, form, said[form])),), reference)


def _reference(place: str, declared: Covariate, said: Mapping[str, Any]) -> float:
    given = said.get("reference", declared.reference)
    return declared.number(place, given)


def _levels(place: str, levels: tuple[str, ...], given: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(given, Mapping) or not given:
        raise TwinError(f"effect of {place}: category needs a coefficient by level, such as {{{levels[-1]}: 0.2}}")
    for level in given:
        if level not in levels:
            raise TwinError(f"effect of {place}: unknown level '{level}'; {suggest(str(level), levels)}")
    if len(given) == len(levels):
        raise TwinError(f"effect of {place}: every level has a coefficient; leave out the one that others differ from")
    return tuple((str(level), _number(place, str(level), value)) for level, value in given.items())


def _number(place: str, word: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TwinError(f"effect of {place}: {word} must be a number")
    return float(value)
