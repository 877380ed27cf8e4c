"""Feedback as it is written, until a model is known whose numbers it is in.

    rules = [{"above": 4, "dose": "x 0.9"}, {"dose": "same"}]
    feedback = read_feedback({"measure": "inr", "at": "day 3", "rules": rules})   # or a list of such
    bind_feedback(feedback, model, [0])   # rules, in the model's units

Nothing in it is run as code: words are parsed in `bind` and in `condition`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import TwinError, shorten
from ...files.schema import examine
from ...quantity import parse_time
from .bind import Binder
from .check import rules_problems
from .file import FeedbackEntry
from .rule import Rules

if TYPE_CHECKING:
    from ...model import DiseaseModel


@dataclasses.dataclass(frozen=True)
class Feedback:
    """Rules that change a regimen by what is measured under it, as written."""

    entry: FeedbackEntry
    place: str = "feedback"  # in the regimen
    moved: float = 0.0  # by how much its times are later than written
    moved_unit: str = "h"

    def after(self, now: float, unit: str) -> Feedback:
        """The same, its times counted from `now`."""
        return dataclasses.replace(self, moved=now, moved_unit=unit)

    def bind(self, model: DiseaseModel, treatments: Sequence[int]) -> Rules:
        """In the model's numbers; `treatments` are the positions of those in the start."""
        begin = parse_time(f"{self.moved} {self.moved_unit}", model.time_unit) if self.moved else 0.0
        try:
            return Binder(self.entry, model, treatments, begin).rules()
        except TwinError as problem:
            raise TwinError(self.locate(str(problem))) from None

    def locate(self, problem: str) -> str:
        """A problem of this feedback, and where in the regimen it is."""
        return problem.replace("feedback", self.place, 1) if problem.startswith("feedback") else problem

    def problems(self, model: DiseaseModel, treatments: Sequence[int]) -> list[str]:
        """What is wrong with it for a model, one sentence each."""
        return [self.locate(problem) for problem in rules_problems(self.bind(model, treatments))]


def read_feedback(written: Any) -> tuple[Feedback, ...]:
    """Feedback from a mapping, as in a file, or a list of such; an error says where in it."""
    if isinstance(written, Sequence) and not isinstance(written, str):
        if not written:
            raise TwinError("feedback: the list is empty; leave it out")
        return tuple(_read(one, f"feedback[{i}]") for i, one in enumerate(written))
    return (_read(written, "feedback"),)


def bind_feedback(feedback: Sequence[Feedback], model: DiseaseModel, treatments: Sequence[int]) -> tuple[Rules, ...]:
    """All feedback of one arm in the model's numbers; `treatments` are the positions of those in the start."""
    found = tuple(one.bind(model, treatments) for one in feedback)
    for i, (one, rules) in enumerate(zip(feedback, found, strict=True)):
        for other in found[:i]:
            _require_apart(rules, other, one.place)
    return found


def _read(written: Any, place: str) -> Feedback:
    if isinstance(written, FeedbackEntry):
        return Feedback(written, place)
    if not isinstance(written, Mapping):
        raise TwinError(f"{place}: '{shorten(written)}' is not a mapping; write measure, at and rules")
    examined = examine(dict(written), FeedbackEntry)
    for problem in examined.problems:
        inside = ".".join(str(part) for part in problem.at)
        raise TwinError(f"{place}{'.' * bool(inside)}{inside}: {problem.message}")
    assert examined.content is not None
    return Feedback(examined.content, place)


def _require_apart(rules: Rules, other: Rules, place: str) -> None:
    """Refuse what two feedbacks of one arm cannot both mean."""
    if rules.name == other.name:
        raise TwinError(f"{place}: two are called '{rules.name}'; give each a name:")
    if rules.treatment != other.treatment:
        return
    if rules.levels and other.levels and (rules.levels, rules.per) != (other.levels, other.per):
        raise TwinError(
            f"{place}.levels: '{other.name}' has others for the same treatment, which is at one level at a time; "
            "write the same list in both"
        )
    for name in dict(rules.lines).keys() & dict(other.lines).keys():
        if dict(rules.lines)[name] != dict(other.lines)[name]:
            raise TwinError(f"{place}.lines: '{name}' is another one in '{other.name}'; give it a name of its own")
