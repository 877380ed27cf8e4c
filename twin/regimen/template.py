"""Regimens with slots, and what may be put into them: '{dose} over 1 h q{every}'.

template = Template("{dose} q{every}", {"dose": steps("1 g", "2 g", "250 mg"), "every": levels(["12 h", "24 h"])})
template.count                                  # 10: what can be given is what is searched
template.regimen(template.candidate(3))         # Regimen of '1.25 g q24h'

A slot is replaced by a value's own words, whatever stands around it; nothing is computed from text.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import TwinError, show, suggest
from ..quantity import NUMBER, is_finite
from .feedback.condition import Condition
from .regimen import Regimen

MOST_STEPS = 10_000  # of one slot
_SLOT = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True)
class Level:
    """One value of a slot: as it is written, and its number and unit where it has one."""

    written: Any
    number: float | None = None
    unit: str = ""

    def __str__(self) -> str:
        return str(self.written)


@dataclasses.dataclass(frozen=True)
class Between:
    """Any value between two, in a unit."""

    low: float
    high: float
    unit: str

    def level(self, number: float) -> Level:
        return _level(number, self.unit)


Levels = tuple[Level, ...]
Candidate = tuple[Level, ...]  # a value for each slot, in the template's order


def levels(listed: Sequence[Any]) -> Levels:
    """A slot's values as they are listed."""
    found: list[Level] = []
    for one in listed:
        level = read_level(one)
        if level in found:
            raise TwinError(f"{show(one)} is listed twice; keep one")
        found.append(level)
    if not found:
        raise TwinError("nothing is listed that could be chosen; write at least one value")
    return tuple(found)


def read_level(written: Any) -> Level:
    """A value with its number and unit; a text without a number is a value, too."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        if not is_finite(written):
            raise TwinError(f"{show(written)} is not a finite number; write one such as '500 mg'")
        return Level(written, float(written))
    if not isinstance(written, str) or not written.strip():
        raise TwinError(f"{show(written)} cannot be put into a regimen; write a number or text such as '500 mg'")
    match = re.fullmatch(rf"({NUMBER}) ?([^\d\s].*)?", " ".join(written.split()))
    return Level(written, float(match[1]), match[2] or "") if match else Level(written)


def between(low: Any, high: Any) -> Between:
    """Any value between two."""
    first, last = read_level(low), read_level(high)
    for level in (first, last):
        if level.number is None:
            raise TwinError(f"{show(level.written)} has no number to go from; write one such as '500 mg'")
    if first.unit != last.unit:
        raise TwinError(f"from {show(low)} to {show(high)}: the units differ; write both in one")
    if not last.number > first.number:  # type: ignore[operator]
        raise TwinError(f"from {show(low)} to {show(high)} there is nothing between; let 'to' be the larger")
    return Between(first.number, last.number, first.unit)  # type: ignore[arg-type]


def steps(low: Any, high: Any, step: Any) -> Levels:
    """Values at equal distances, both ends among them."""
    whole, one = between(low, high), read_level(step)
    if one.unit != whole.unit or one.number is None or not one.number > 0:
        raise TwinError(f"a step of {show(step)} leads nowhere from {show(low)}; write one above 0 in the same unit")
    count = (whole.high - whole.low) / one.number
    if count > MOST_STEPS:
        raise TwinError(f"{count:.0f} steps are more than the {MOST_STEPS} allowed; take longer ones")
    if abs(count - round(count)) > 1e-6:
        last = _level(whole.low + int(count) * one.number, whole.unit)
        raise TwinError(f"steps of {one} from {show(low)} do not lead to {show(high)}; end them at '{last}'")
    return tuple(_level(whole.low + k * one.number, whole.unit) for k in range(round(count) + 1))


def _level(number: float, unit: str) -> Level:
    number = float(f"{number:.12g}")
    plain: Any = int(number) if number.is_integer() and abs(number) < 1e15 else number
    return Level(f"{plain} {unit}" if unit else plain, number, unit)


def slots_of(spec: Any) -> Iterator[str]:
    """The names of the slots in a regimen, wherever they stand in its texts."""
    if isinstance(spec, str):
        yield from (name.strip() for name in _SLOT.findall(spec))
    elif isinstance(spec, Mapping):
        for value in spec.values():
            yield from slots_of(value)
    elif isinstance(spec, list | tuple):
        for value in spec:
            yield from slots_of(value)


def fill(spec: Any, values: Mapping[str, Any]) -> Any:
    """The regimen with values in its slots; a text that is nothing but a slot becomes the value itself."""
    if isinstance(spec, str):
        whole = _SLOT.fullmatch(spec.strip())
        if whole:
            return values[whole[1].strip()]
        return _SLOT.sub(lambda match: str(values[match[1].strip()]), spec)
    if isinstance(spec, Mapping):
        return {key: fill(value, values) for key, value in spec.items()}
    if isinstance(spec, list | tuple):
        return [fill(value, values) for value in spec]
    return spec


@dataclasses.dataclass(frozen=True)
class Template:
    """A regimen with slots, what may be put into each, and which combinations are allowed (`where`)."""

    spec: Any
    slots: Mapping[str, Levels | Between]
    where: Condition | None = None

    def __post_init__(self):
        used = set(slots_of(self.spec))
        for name in self.slots:
            if not _NAME.fullmatch(name):
                raise TwinError(f"'{name}' is no name for a slot; use letters, digits and _, as in '{{dose}}'")
        for name in sorted(used):
            if name not in self.slots:
                raise TwinError(
                    f"the regimen has a slot {{{name}}} that nothing is chosen for; {suggest(name, self.slots)}"
                )
        for name in self.slots:
            if name not in used:
                raise TwinError(f"'{name}' is chosen and stands nowhere in the regimen; write {{{name}}} where it goes")
        for name in self.where.names if self.where else ():
            self._numbers(name)

    @property
    def continuous(self) -> tuple[str, ...]:
        """The slots that may have any value between two."""
        return tuple(name for name, values in self.slots.items() if isinstance(values, Between))

    @property
    def count(self) -> int:
        """How many combinations there are, allowed or not."""
        return int(np.prod([len(self.levels(name)) for name in self.slots], dtype=object))

    def levels(self, name: str) -> Levels:
        """A slot's values, which are no span."""
        values = self.slots[name]
        assert not isinstance(values, Between)
        return values

    def everything(self) -> Iterator[Candidate]:
        """All combinations, the last slot's values first."""
        return itertools.product(*(self.levels(name) for name in self.slots))

    def candidate(self, number: int) -> Candidate:
        """The combination of this number among all."""
        places = np.unravel_index(number, [len(self.levels(name)) for name in self.slots])
        return tuple(self.levels(name)[int(k)] for name, k in zip(self.slots, places, strict=True))

    def allows(self, candidate: Candidate) -> bool:
        """Whether `where` holds."""
        if self.where is None:
            return True
        return bool(
            self.where.holds(
                {n: np.float64(v.number) for n, v in self.values(candidate).items() if v.number is not None}
            )
        )

    def values(self, candidate: Candidate) -> dict[str, Level]:
        return dict(zip(self.slots, candidate, strict=True))

    def spell(self, candidate: Candidate) -> Any:
        """The regimen as it would be written."""
        return fill(self.spec, {name: level.written for name, level in self.values(candidate).items()})

    def regimen(self, candidate: Candidate) -> Regimen:
        return Regimen.build(self.spell(candidate))

    def describe(self, candidate: Candidate) -> str:
        """'dose 1500 mg, every 12 h'."""
        return ", ".join(f"{name} {level}" for name, level in self.values(candidate).items())

    def rank(self, candidate: Candidate) -> tuple[Any, ...]:
        """What decides between candidates that are as good: the smaller values, whatever order they are listed in."""
        found = sorted(self.values(candidate).items())
        return tuple((level.unit, level.number, "") if level.number is not None else ("", 0.0, str(level))
                     for _, level in found)  # fmt: skip

    def _numbers(self, name: str) -> None:
        if name not in self.slots:
            raise TwinError(f"where: '{name}' is not chosen; {suggest(name, self.slots)}")
        values = self.slots[name]
        units = {values.unit} if isinstance(values, Between) else {level.unit for level in values}
        if len(units) > 1 or (not isinstance(values, Between) and any(level.number is None for level in values)):
            raise TwinError(f"where: the values of '{name}' are no numbers of one unit; write them so, or leave it out")
