"""What people make of a plan, as written: adherence, lateness and giving up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import TwinError, shorten
from ...files.schema import examine
from ...quantity import parse_quantity, parse_time
from .file import HabitsEntry

if TYPE_CHECKING:
    from ...model import DiseaseModel


@dataclasses.dataclass(frozen=True)
class Habits:
    """What people make of a plan: doses forgotten, alone or in a row, taken twice or late, and treatment given up."""

    taken: float = 1.0
    spread: float = 0.0  # between people, of the logit of `taken`
    holiday: float = 0.0  # how many doses are forgotten in a row, on average; 0: each for itself
    doubled: float = 0.0
    late: float = 0.0  # standard deviation of how late
    leave: float = 0.0  # rate of giving up


@dataclasses.dataclass(frozen=True)
class Adherence:
    """Habits as written."""

    entry: HabitsEntry

    def bind(self, model: DiseaseModel) -> Habits:
        """In the model's time."""
        e = self.entry
        found = {}
        for key in ("taken", "doubled"):
            if getattr(e, key) is not None:
                found[key] = _share(getattr(e, key), key)
        if e.late is not None:
            found["late"] = _number(e.late, "late", lambda text: parse_time(text, model.time_unit))
        if e.leave is not None:
            found["leave"] = _number(e.leave, "leave", lambda text: parse_quantity(text, f"1/{model.time_unit}"))
        return Habits(**found, spread=e.spread or 0.0, holiday=e.holidays or 0.0)


def read_adherence(written: Any) -> Adherence:
    """Habits from a mapping, as in a file; an error says where in it."""
    if isinstance(written, HabitsEntry):
        return Adherence(written)
    if not isinstance(written, Mapping):
        raise TwinError(f"adherence: '{shorten(written)}' is not a mapping; write one such as {{taken: 80 %}}")
    examined = examine(dict(written), HabitsEntry)
    for problem in examined.problems:
        raise TwinError(f"adherence.{'.'.join(map(str, problem.at))}: {problem.message}")
    assert examined.content is not None
    return Adherence(examined.content)


def _share(value: Any, key: str) -> float:
    found = _number(value, key, lambda text: parse_quantity(text, "1"))
    if found > 1:
        raise TwinError(f"adherence.{key}: '{shorten(value)}' is not between 0 and 1; write one such as '80 %'")
    return found


def _number(value: Any, key: str, read: Any) -> float:
    try:
        found = read(value)
    except TwinError as problem:
        raise TwinError(f"adherence.{key}: {problem}") from None
    if found < 0:
        raise TwinError(f"adherence.{key}: '{shorten(value)}' is less than nothing")
    return found
