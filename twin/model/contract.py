"""Checks what a model file declares, once per model class: names, units, and what each declaration refers to.

The equations are not looked at here; that a block is linear is proven in `solver/linear/proof.py`.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import units
from ..errors import TwinError, TwinErrors, suggest
from .codes import SYSTEMS
from .declarations import Observable, Treatment

Model = Any  # a class of models (`base.DiseaseModel`, which asks for its contract)

_BASE = "twin.model.base"  # where `DiseaseModel` stands, which asks for its contract and so cannot be imported
_FIELDS = {"cls", "self"}  # no class takes these by name
_PERSON = {*_FIELDS, "parameters", "covariates", "inputs"}  # what p has already
_LANES = {"patient", "regimen", "draw"}  # dimensions of results
_DOSE = {"treatment", "amount", "time", "every", "doses", "over", "steady_state", "events", "inputs"}
RESERVED: Mapping[str, set[str]] = {
    "parameter": _PERSON | _LANES,
    "covariate": _PERSON | _LANES | {"assumed"},
    "input": _PERSON,
    "state": _FIELDS,
    "treatment": _DOSE,  # words of a regimen
    "observable": _LANES | {"time", "status"},
    "outcome": _LANES | {"status"},
}
_NEEDED = ("name", "title", "time_unit", "State", "Parameters")


@functools.cache
def require_contract(kind: Model) -> None:
    """Raises TwinErrors with everything that is wrong with a model class; looks at each class once."""
    if problems := check_model(kind):
        name = getattr(kind, "name", kind.__name__)
        raise TwinErrors(f"model '{name}': {problem}" for problem in problems)


def check_model(kind: Model) -> list[str]:
    """What is wrong with a model's declarations, one sentence each; empty if nothing is."""
    missing = [f"'{word}' is missing; every model says it" for word in _NEEDED if not _says(kind, word)]
    if missing:
        return missing
    undeclared = [*_undeclared_fields(kind), *_hidden_names(kind)]
    if undeclared:
        return undeclared
    chapters = (_names, _reserved_names, _units, _codes, _states, _noise, _outcomes, _correlations, _domain)
    return [problem for chapter in chapters for problem in chapter(kind)]


def check_outcome_name(name: str) -> None:
    """Raises TwinError for what no outcome can be called, whoever asks for it."""
    if name in RESERVED["outcome"] or not name or "/" in name:
        raise TwinError(f"an outcome cannot be called '{name}', which results need for themselves; rename it")


def _says(kind: type, word: str) -> bool:
    return getattr(kind, word, None) is not None


def _undeclared_fields(kind: Model) -> Iterator[str]:
    """Fields that are no declaration: a solver would not know what to do with them."""
    words = {"State": "state() or part()", "Parameters": "parameter()"}
    words |= {"Covariates": "covariate() or category()", "Inputs": "exogenous()"}
    for group, word in words.items():
        for field in dataclasses.fields(getattr(kind, group)):
            if "twin" not in field.metadata:
                yield f"{group}.{field.name} is not declared; write it with {word}"


def _hidden_names(kind: Model) -> Iterator[str]:
    """Treatments and observables called like something that every model answers, which nobody could ask any more."""
    own = {name for base in kind.__mro__ if base.__module__ == _BASE for name in vars(base)}
    for name in own:
        member = getattr(kind, name, None)
        if isinstance(member, Treatment | Observable):
            word = "a treatment" if isinstance(member, Treatment) else "an observable"
            yield f"{word} cannot be called '{name}', which every model has already; choose another name"


def _reserved_names(kind: Model) -> Iterator[str]:
    """Names that have a meaning of their own where a declaration would stand beside them."""
    groups: Mapping[str, Mapping[str, Any]] = {
        "parameter": kind.parameters(), "covariate": kind.covariates(), "input": kind.inputs(),
        "state": kind.states(), "treatment": kind.treatments(), "observable": kind.observables(),
        "outcome": kind.outcomes,
    }  # fmt: skip
    for word, group in groups.items():
        for name in group:
            if name in RESERVED[word]:
                article = "an" if word[0] in "aeiou" else "a"
                yield f"{article} {word} cannot be called '{name}', which is taken; choose another name"


def _names(kind: Model) -> Iterator[str]:
    """The equations read parameters, covariates and inputs from one `p`."""
    groups = (("parameter", kind.parameters()), ("covariate", kind.covariates()), ("input", kind.inputs()))
    homes: dict[str, list[str]] = collections.defaultdict(list)
    for word, group in groups:
        for name in group:
            homes[name].append(word)
    for name, found in homes.items():
        if len(found) > 1:
            yield f"'{name}' is declared as {' and as '.join(found)}; give each its own name, both are read as p.{name}"


def _units(kind: Model) -> Iterator[str]:
    groups: dict[str, Mapping[str, Any]] = {
        "parameter": kind.parameters(),
        "covariate": {n: c for n, c in kind.covariates().items() if not c.levels},
        "input": kind.inputs(),
        "state": kind.states(),
        "treatment": kind.treatments(),
        "observable": kind.observables(),
    }
    for word, group in groups.items():
        for name, declared in group.items():
            try:
                units.parse(declared.unit)
            except TwinError as problem:
                yield f"{word} '{name}': {problem}"
    try:
        if not units.are_compatible(kind.time_unit, "h"):
            yield f"time_unit '{kind.time_unit}' is no unit of time; write one such as h or day"
    except TwinError as problem:
        yield f"time_unit: {problem}"


def _codes(kind: Model) -> Iterator[str]:
    """What readers of records rely on: a mistyped vocabulary would never match anything."""
    declared = [*kind.covariates().items(), *kind.treatments().items(), *kind.observables().items()]
    for name, one in declared:
        for system, values in one.codes.items():
            if system not in SYSTEMS and ":" not in system:
                yield f"codes of '{name}': unknown vocabulary '{system}'; {suggest(system, SYSTEMS)}"
            if isinstance(values, str) or not all(isinstance(value, str) and value for value in values):
                yield f"codes of '{name}': '{system}' needs a tuple of texts, such as ('6301-6',)"
    for word, group in (("covariate", kind.covariates()), ("observable", kind.observables())):
        for name, one in group.items():
            if one.molar_mass is not None and not one.molar_mass > 0:
                yield f"{word} '{name}': molar_mass must be above 0 g/mol"
    for name, observable in kind.observables().items():
        if observable.plausible is not None and not observable.plausible[0] < observable.plausible[1]:
            yield f"observable '{name}': plausible must rise, from the lowest value to the highest"


def _states(kind: Model) -> Iterator[str]:
    """Where treatments go, and which states are said to be linear."""
    states = kind.states()
    parts = {state.split(".")[0] for state in states}
    for name, into in ((name, treatment.into) for name, treatment in kind.treatments().items()):
        inside = [state for state in states if state == into or state.startswith(f"{into}.")]
        if not inside:
            yield f"treatment '{name}' goes into unknown state '{into}'; {suggest(into, states)}"
        if len(inside) > 1:
            yield f"treatment '{name}' goes into '{into}', which is several states; name one: {', '.join(inside)}"
    restarts: dict[str, tuple[str, ...]] = {}
    for name, declared in kind.treatments().items():
        for state in declared.restarts:
            if state not in states:
                yield f"treatment '{name}' restarts unknown state '{state}'; {suggest(state, states)}"
        if restarts.setdefault(declared.into, declared.restarts) != declared.restarts:
            yield f"treatments into '{declared.into}' restart different states; let them restart the same ones"
        if declared.enters not in (None, "rate", "duration"):
            yield f"treatment '{name}' enters by '{declared.enters}'; write 'rate' or 'duration', or leave it out"
    for name in kind.linear:
        if name not in {*states, *parts}:
            yield f"linear names unknown state '{name}'; {suggest(name, {*states, *parts})}"


def _noise(kind: Model) -> Iterator[str]:
    """Which parameters size the errors; these are used as they are, so their units must be those of the error."""
    declared = kind.parameters()
    for name, observable in kind.observables().items():
        noise = observable.noise
        if noise is None:
            continue
        for used in noise.parameters:
            if used not in declared:
                yield f"noise of observable '{name}': unknown parameter '{used}'; {suggest(used, declared)}"
        for used, unit in noise.units(observable.unit, kind.time_unit).items():
            if used in declared and not _are_alike(declared[used].unit, unit):
                yield (
                    f"noise of observable '{name}': parameter '{used}' is in '{declared[used].unit}', not in '{unit}'; "
                    f"change the unit, or check which error it is ({noise.describe()})"
                )


def _are_alike(one: str, other: str) -> bool:
    """Whether a number means the same in both units; of one that cannot be read, something else is said."""
    try:
        return units.are_compatible(one, other) and units.factor(one, other) == 1.0
    except TwinError:
        return True


def _outcomes(kind: Model) -> Iterator[str]:
    for name, outcome in kind.outcomes.items():
        if outcome.of not in kind.observables():
            yield f"outcome '{name}': unknown observable '{outcome.of}'; {suggest(outcome.of, kind.observables())}"


def _correlations(kind: Model) -> Iterator[str]:
    """Correlations act on the standard normals of parameters with a spread, and must be possible together."""
    if wrong := [*_pairs(kind, "correlation", kind.correlations), *_pairs(kind, "covariance", kind.covariances)]:
        yield from wrong
        return
    for pair in kind.correlations.keys() & kind.covariances.keys():
        yield f"{' and '.join(pair)} have a correlation and a covariance; keep one of them"
    varied = [name for name, declared in kind.parameters().items() if declared.spread is not None]
    matrix = np.eye(len(varied))
    for pair, value in kind.normal_correlations().items():
        i, j = (varied.index(name) for name in pair)
        if i == j or not -1 < value < 1 or matrix[i, j]:
            yield f"correlation of {' and '.join(pair)} cannot be {value:g}; write each pair once, within -1 and 1"
            return
        matrix[i, j] = matrix[j, i] = value
    lowest = float(np.linalg.eigvalsh(matrix).min()) if varied else 1.0
    if lowest <= 0:
        yield f"the correlations contradict each other (smallest eigenvalue {lowest:.2g}); make them weaker"


def _pairs(kind: Model, word: str, pairs: Mapping[tuple[str, str], float]) -> Iterator[str]:
    """Whose correlation or covariance has no meaning."""
    declared = kind.parameters()
    for pair in pairs:
        for name in pair:
            spread = declared[name].spread if name in declared else None
            if name not in declared:
                lack = "is no parameter"
            elif spread is None:
                lack = "has no spread; give it one"
            elif word == "covariance" and spread.normal_sd is None:
                lack = "is normal on no scale; give the correlation instead"
            else:
                continue
            yield f"{word} of {' and '.join(pair)}: '{name}' {lack}, or leave the {word} out"


def _domain(kind: Model) -> Iterator[str]:
    for name in kind.domain.largest_dose:
        if name not in kind.treatments():
            yield f"largest_dose names unknown treatment '{name}'; {suggest(name, kind.treatments())}"
