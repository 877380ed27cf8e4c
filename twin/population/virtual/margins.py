"""Distributions as they are written, in a model's units."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import TwinError, show, suggest
from ...model import DiseaseModel
from ...model.domain import admit
from ...quantity import parse_quantity
from .file import ColumnEntry, CopiesEntry, LogNormalEntry, NormalEntry, UniformEntry
from .genotype import allele_frequencies, copies, hardy_weinberg
from .margin import ByLevel, Chances, LogNormal, Margin, Normal, Uniform

KINDS = ("normal", "log_normal", "uniform", "chances", "alleles", "copies", "formula", "by")
Numbers = Mapping[str, Callable[[str], float]]  # of a column, what a level is
_ROUNDING = 0.011  # chances are written with two decimals


@dataclasses.dataclass(frozen=True)
class Target:
    """What a column is: a model's covariate, or a further column with a unit or levels of its own."""

    name: str
    unit: str
    levels: tuple[str, ...]
    number: Callable[[Any], float]  # of a value as it is written
    pair: Callable[[str, str], float]  # of a genotype's two alleles


def covariate_target(name: str, model: DiseaseModel) -> Target:
    if name not in model.covariates():
        raise TwinError(
            f"model '{model.name}' has no covariate '{name}'; {suggest(name, model.covariates())}; other columns stand "
            "under others"
        )
    declared = model.covariates()[name]

    def number(given: Any) -> float:
        return declared.number(name, given)

    def pair(one: str, other: str) -> float:
        for text in (f"{one}/{other}", f"{one}{other}"):
            try:
                return declared.number(name, text)
            except TwinError:
                continue
        raise TwinError(
            f"model '{model.name}' knows no genotype {one}/{other} of '{name}' (known: {', '.join(declared.levels)}); "
            "leave the allele out, so that it counts as another: '*1': rest"
        )

    return Target(name, declared.unit, declared.levels, number, pair)


def further_target(name: str, entry: ColumnEntry) -> Target:
    """A column that the model does not have; its levels are those that its source names, in that order."""
    unit, levels = entry.unit or "1", _levels_named(entry)

    def number(given: Any) -> float:
        if levels:
            if given not in levels:
                raise TwinError(f"unknown level {show(given)} of '{name}'; {suggest(str(given), levels)}")
            return float(levels.index(given))
        return parse_quantity(given, unit)

    def pair(one: str, other: str) -> float:
        return number(_genotype(one, other) if _genotype(one, other) in levels else _genotype(other, one))

    return Target(name, unit, levels, number, pair)


def _genotype(one: str, other: str) -> str:
    return f"{one}/{other}"


def _levels_named(entry: ColumnEntry) -> tuple[str, ...]:
    if entry.chances and not all(_is_number(word) for word in entry.chances):
        return tuple(entry.chances)
    if entry.alleles:
        names = list(entry.alleles)
        return tuple(_genotype(one, other) for i, one in enumerate(names) for other in names[i:])
    if entry.copies is not None and entry.copies.levels:
        return tuple(entry.copies.levels)
    if entry.by:
        inner = [_levels_named(one) for each in entry.by.values() for one in each.values()]
        return tuple(dict.fromkeys(level for several in inner for level in several))
    return ()


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def kind_of(entry: ColumnEntry) -> str:
    """The one source that an entry names."""
    said = [kind for kind in KINDS if getattr(entry, kind) is not None]
    if len(said) != 1:
        raise TwinError(f"exactly one of {', '.join(KINDS)} is wanted, here {' and '.join(said) or 'none'}; write one")
    return said[0]


def build_margin(
    entry: ColumnEntry, target: Target, levels: Mapping[str, Sequence[str]], numbers: Numbers
) -> Margin:  # fmt: skip
    """The distribution of an entry. `levels` and `numbers` are those of the columns that `by` may name."""
    kind = kind_of(entry)
    if target.levels and kind in ("normal", "log_normal", "uniform"):
        raise TwinError(
            f"'{target.name}' has levels ({', '.join(target.levels)}); write chances: {{level: probability}}"
        )
    match kind:
        case "normal":
            return _normal(entry.normal, target)
        case "log_normal":
            return _log_normal(entry.log_normal, target)
        case "uniform":
            return _uniform(entry.uniform, target)
        case "chances":
            return _chances(entry.chances or {}, target)
        case "alleles":
            return Chances(*hardy_weinberg(allele_frequencies(entry.alleles or {}), target.pair))
        case "copies":
            return _copies(entry.copies, target)
        case "by":
            return _by_level(entry, target, levels, numbers)
    raise TwinError("a formula is computed, not drawn; write it for the column as a whole")


def fix(value: Any, target: Target, model: DiseaseModel, warn: Callable[[str], None]) -> Margin:
    """One value for all, which the model must admit."""
    return Chances((admit(target.name, value, model.covariates()[target.name], model.name, warn),), (1.0,))


def _normal(entry: NormalEntry | None, target: Target) -> Margin:
    assert entry is not None
    sd = parse_quantity(entry.sd, target.unit)
    if not sd > 0:
        raise TwinError(f"sd {show(entry.sd)} is not above 0; a value that is the same for all is written by itself")
    return Normal(parse_quantity(entry.mean, target.unit), sd)


def _log_normal(entry: LogNormalEntry | None, target: Target) -> Margin:
    assert entry is not None
    if (entry.median is None) == (entry.mean is None) or (entry.cv is None) == (entry.sd is None):
        raise TwinError("log_normal needs a median or a mean, and a cv or an sd (of the logarithm); write {median, cv}")
    sd = entry.sd if entry.sd is not None else math.sqrt(math.log1p(float(entry.cv or 0) ** 2))
    middle = parse_quantity(entry.median if entry.median is not None else entry.mean, target.unit)
    if not middle > 0:
        raise TwinError(f"{show(entry.median or entry.mean)} is not above 0, as everything log-normal is; write normal")
    return LogNormal(middle if entry.median is not None else middle * math.exp(-(sd**2) / 2), sd)


def _uniform(entry: UniformEntry | None, target: Target) -> Margin:
    assert entry is not None
    low, high = parse_quantity(entry.start, target.unit), parse_quantity(entry.to, target.unit)
    if not low < high:
        raise TwinError(f"{show(entry.start)} is not below {show(entry.to)}; turn them round")
    return Uniform(low, high)


def _chances(said: Mapping[str, float], target: Target) -> Margin:
    total = sum(said.values())
    if abs(total - 1) > _ROUNDING:
        raise TwinError(f"the chances add up to {total:g}, not 1; give every possible value")
    there = {target.number(_as_written(word, target)): share for word, share in said.items() if share > 0}
    return Chances(tuple(there), tuple(share / total for share in there.values()))


def _as_written(word: str, target: Target) -> Any:
    """A key is text even where it is a number."""
    return float(word) if not target.levels and _is_number(word) else word


def _copies(entry: CopiesEntry | None, target: Target) -> Margin:
    assert entry is not None
    if target.levels and entry.levels is None:
        raise TwinError(f"say which of {', '.join(target.levels)} stand for no, one and two copies: levels: [...]")
    values = [target.number(one) for one in entry.levels or (0.0, 1.0, 2.0)]
    chances = copies(entry.frequency)
    merged: dict[float, float] = {}
    for value, share in zip(values, chances, strict=True):  # 'carrier' may stand for one and for two
        merged[value] = merged.get(value, 0.0) + share
    return Chances(tuple(merged), tuple(merged.values()))


def _by_level(
    entry: ColumnEntry, target: Target, levels: Mapping[str, Sequence[str]], numbers: Numbers
) -> Margin:  # fmt: skip
    if len(entry.by or {}) != 1:
        raise TwinError("'by' names one column: by: {sex: {female: {...}, male: {...}}}")
    ((of, each),) = (entry.by or {}).items()
    if not levels.get(of):
        raise TwinError(
            f"'by' names a column with levels, and '{of}' is none; {suggest(of, [n for n in levels if levels[n]])}"
        )
    missing = [
        level for level in levels[of] if level not in each and level not in _readable(each, numbers[of], levels[of])
    ]
    if missing:
        raise TwinError(f"'by' names every level of '{of}'; {', '.join(missing)} is missing")
    return ByLevel(of, {numbers[of](word): build_margin(one, target, levels, numbers) for word, one in each.items()})


def _readable(each: Mapping[str, Any], number: Callable[[str], float], levels: Sequence[str]) -> set[str]:
    """The levels that words name, where alleles may stand in either order."""
    return {levels[int(number(word))] for word in each}
