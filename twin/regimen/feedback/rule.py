"""Feedback as it is written, and bound to a model: when to read, what to do, what can be given.

    rules = [{"above": 4, "dose": "x 0.9"}, {"dose": "same"}]
    feedback = read_feedback({"measure": "inr", "at": "day 3", "rules": rules})
    feedback.bind(model, [0])   # numbers in the model's units

Nothing in it is run as code: words are parsed here and in `condition`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ... import units
from ...errors import TwinError, shorten, suggest
from ...files.schema import examine
from ...quantity import NUMBER, parse_amount, parse_quantity, parse_time
from .condition import Condition, parse
from .file import DosesEntry, DoseVisit, FeedbackEntry, Hold, NextEntry, RuleEntry, TimeVisit

if TYPE_CHECKING:
    from ...model import DiseaseModel

KNOWN = {  # what conditions may ask besides the reading and covariates
    "last": "the reading before, not a number at the first",
    "change": "the reading less the one before",
    "dose": "the dose that would be given next, in the treatment's unit",
    "number": "how many readings there have been, this one included",
    "time": "when it was read, in the model's time unit",
    "since_dose": "how long ago the last dose was given",
    "lowest": "the lowest reading since the last dose",
    "highest": "the highest reading since the last dose",
}


@dataclasses.dataclass(frozen=True)
class Amount:
    """What becomes of a dose: `factor` times it plus `plus`, a step along the levels, `to` an amount, or in proportion.

    In proportion, it changes as a reading would have to for it to be the `aim`.
    """

    factor: float = 1.0
    plus: float = 0.0
    step: int = 0
    to: float = math.nan
    aim: float = 0.0
    per: str | None = None  # covariate that `to` and `plus` are multiplied by: kg, m2

    @property
    def same(self) -> bool:
        return self == Amount()


@dataclasses.dataclass(frozen=True)
class Rescue:
    """What is given at once, beside the regimen."""

    amount: float
    per: str | None
    treatment: int


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule in numbers: the readings and circumstances it fits, and what is done."""

    name: str
    above: float
    below: float
    at_least: float
    at_most: float
    when: Condition | None
    again: bool | None
    in_a_row: int
    lasting: float
    dose: Amount
    once: Amount | None
    every: float
    skip: int
    hold: tuple[float, float, float] | None  # until a reading is at most, or at least; how long until the next reading
    delay: float
    delays: float
    stop: bool
    give: Rescue | None
    next: float

    @property
    def acts_at_once(self) -> bool:
        """Whether it does something before the next dose."""
        return self.give is not None


@dataclasses.dataclass(frozen=True)
class Visits:
    """When readings are taken: at times, then every so often; or with doses."""

    times: tuple[float, ...] = ()
    every: float = math.nan
    until: float = math.inf
    doses: frozenset[int] | None = None  # numbers; None: none of them, empty: each
    offset: float = 0.0  # from the dose; at most 0: before it


@dataclasses.dataclass(frozen=True)
class Assay:
    """How a reading is reported."""

    latent: bool
    rounded: float
    least: float
    most: float
    delay: float
    missed: float


@dataclasses.dataclass(frozen=True)
class InRange:
    """How long until the next reading, by how long readings have been in range."""

    low: float
    high: float
    after: tuple[tuple[float, float], ...]  # (in range for, next), ascending
    otherwise: float


@dataclasses.dataclass(frozen=True)
class Products:
    """What can be given."""

    multiple_of: float
    least: float
    most: float
    change: float


@dataclasses.dataclass(frozen=True)
class Rules:
    """Feedback bound to a model."""

    measure: str
    treatment: int
    assay: Assay
    visits: Visits
    rules: tuple[Rule, ...]
    next: InRange | None
    levels: tuple[float, ...]
    per: str | None  # covariate that the levels are multiplied by
    products: Products

    @property
    def acts_at_once(self) -> bool:
        return any(rule.acts_at_once for rule in self.rules)


@dataclasses.dataclass(frozen=True)
class Feedback:
    """Rules that change a regimen by what is measured under it, as written."""

    entry: FeedbackEntry
    moved: float = 0.0  # by how much its times are later than written
    moved_unit: str = "h"

    def after(self, now: float, unit: str) -> Feedback:
        """The same, its times counted from `now`."""
        return dataclasses.replace(self, moved=now, moved_unit=unit)

    def bind(self, model: DiseaseModel, treatments: Sequence[int]) -> Rules:
        """In the model's numbers; `treatments` are the positions of those in the start."""
        return _Binder(self, model, treatments).rules()


def read_feedback(written: Any) -> Feedback:
    """Feedback from a mapping, as in a file; an error says where in it."""
    if isinstance(written, FeedbackEntry):
        return Feedback(written)
    if not isinstance(written, Mapping):
        raise TwinError(f"feedback: '{shorten(written)}' is not a mapping; write measure, at and rules")
    examined = examine(dict(written), FeedbackEntry)
    for problem in examined.problems:
        place = ".".join(str(part) for part in problem.at)
        raise TwinError(f"feedback{'.' * bool(place)}{place}: {problem.message}")
    assert examined.content is not None
    return Feedback(examined.content)


class _Binder:
    """Reads an entry for a model, part by part; errors say where in the entry."""

    def __init__(self, feedback: Feedback, model: DiseaseModel, treatments: Sequence[int]):
        self.entry, self.model, self.given = feedback.entry, model, list(dict.fromkeys(treatments))
        self.begin = parse_time(f"{feedback.moved} {feedback.moved_unit}", model.time_unit) if feedback.moved else 0.0

    def rules(self) -> Rules:
        entry, model = self.entry, self.model
        if entry.measure not in model.observables():
            raise TwinError(
                f"feedback.measure: unknown observable '{entry.measure}'; {suggest(entry.measure, model.observables())}"
            )
        self.unit = model.observables()[entry.measure].unit
        self.treatment = self._treatment()
        self.dose_unit = list(model.treatments().values())[self.treatment].unit
        levels = [self._amount(level, f"levels[{i}]") for i, level in enumerate(entry.levels or ())]
        if len({per for _, per in levels}) > 1:
            raise TwinError("feedback.levels: some are by size and some are not; write all in one way")
        sizes = [size for size, _ in levels]
        if sizes != sorted(set(sizes)):
            raise TwinError("feedback.levels: they do not ascend; write the smallest first")
        return Rules(
            entry.measure, self.treatment, self._assay(), self._visits(),
            tuple(self._rule(i, rule) for i, rule in enumerate(entry.rules)), self._next(entry.next),
            tuple(sizes), levels[0][1] if levels else None, self._products(entry.doses),
        )  # fmt: skip

    def _treatment(self) -> int:
        names = list(self.model.treatments())
        if self.entry.treatment is not None:
            if self.entry.treatment not in names:
                hint = suggest(self.entry.treatment, names)
                raise TwinError(f"feedback.treatment: unknown treatment '{self.entry.treatment}'; {hint}")
            index = names.index(self.entry.treatment)
            if index not in self.given:
                raise TwinError(f"feedback.treatment: the start gives no '{self.entry.treatment}'; add it to start")
            return index
        if len(self.given) != 1:
            known = ", ".join(names[i] for i in self.given) or "none"
            raise TwinError(f"feedback: the start gives {known}; say which one is changed, with treatment:")
        return self.given[0]

    # numbers ----------------------------------------------------------------------------------------

    def _reading(self, value: Any, where: str, otherwise: float) -> float:
        if value is None:
            return otherwise
        try:
            return parse_quantity(value, self.unit)
        except TwinError as problem:
            raise TwinError(f"feedback.{where}: {problem}") from None

    def _time(self, value: Any, where: str, otherwise: float, *, positive: bool = True) -> float:
        if value is None:
            return otherwise
        try:
            found = parse_time(value, self.model.time_unit)
        except TwinError as problem:
            raise TwinError(f"feedback.{where}: {problem}") from None
        if found < 0 or (positive and found == 0):
            raise TwinError(
                f"feedback.{where}: '{shorten(value)}' is not {'longer than nothing' if positive else 'zero or more'}"
            )
        return found

    def _share(self, value: Any, where: str, otherwise: float, most: float = 1.0) -> float:
        if value is None:
            return otherwise
        try:
            found = parse_quantity(value, "1")
        except TwinError as problem:
            raise TwinError(f"feedback.{where}: {problem}") from None
        if not 0 <= found <= most:
            raise TwinError(
                f"feedback.{where}: '{shorten(value)}' is not between 0 and {most:g}; write one such as '5 %'"
            )
        return found

    def _amount(self, text: Any, where: str) -> tuple[float, str | None]:
        """An amount in the treatment's unit, and the size it is multiplied by."""
        try:
            value, unit, per = parse_amount(text)
            if unit is None and not units.are_compatible("1", self.dose_unit):
                raise TwinError(f"'{shorten(text)}' has no unit; write '{text} {self.dose_unit}'")
            return (units.convert(value, unit, self.dose_unit) if unit else value), per
        except TwinError as problem:
            raise TwinError(f"feedback.{where}: {problem}") from None

    # parts ------------------------------------------------------------------------------------------

    def _assay(self) -> Assay:
        e = self.entry.reading
        return Assay(
            self.entry.latent, self._reading(e.rounded, "reading.rounded", 0.0),
            self._reading(e.least, "reading.least", -math.inf), self._reading(e.most, "reading.most", math.inf),
            self._time(e.delay, "reading.delay", 0.0, positive=False), self._share(e.missed, "reading.missed", 0.0),
        )  # fmt: skip

    def _visits(self) -> Visits:
        listed = self.entry.at if isinstance(self.entry.at, list) else [self.entry.at]
        times: list[float] = []
        every, until = math.nan, math.inf
        for i, visit in enumerate(listed):
            where = f"at[{i}]" if isinstance(self.entry.at, list) else "at"
            if isinstance(visit, DoseVisit):
                if len(listed) > 1:
                    raise TwinError(f"feedback.{where}: a reading with doses stands alone; leave out the other times")
                return self._with_doses(visit, where)
            last = i == len(listed) - 1
            if isinstance(visit, TimeVisit):
                if not last:
                    raise TwinError(f"feedback.{where}: 'every' comes last in the list; move it to the end")
                every = self._time(visit.every, f"{where}.every", math.nan)
                until = self.begin + self._time(visit.until, f"{where}.until", math.inf)
                first = self._time(visit.start, f"{where}.from", math.nan, positive=False)
                if not math.isnan(first):
                    times.append(first)
                elif not times:
                    times.append(every)
                continue
            text = str(visit).strip()
            match = re.fullmatch(r"(?:then\s+)?every\s+(.+)", text, flags=re.IGNORECASE)
            if match:
                if not last:
                    raise TwinError(f"feedback.{where}: '{text}' comes last in the list; move it to the end")
                every = self._time(match[1], where, math.nan)
                times = times or [every]
            else:
                times.append(self._time(visit, where, math.nan, positive=False))
        if times != sorted(set(times)):
            raise TwinError("feedback.at: times do not ascend; write the earliest first")
        return Visits(tuple(self.begin + t for t in times), every, until)

    def _with_doses(self, visit: DoseVisit, where: str) -> Visits:
        numbers = [] if visit.dose == "each" else visit.dose if isinstance(visit.dose, list) else [visit.dose]
        if any(number < 1 for number in numbers):
            raise TwinError(f"feedback.{where}.dose: doses are counted from 1")
        if visit.before is not None and visit.after is not None:
            raise TwinError(f"feedback.{where}: a reading is before or after a dose, not both; leave one out")
        before = self._time(visit.before, f"{where}.before", 0.0, positive=False)
        after = self._time(visit.after, f"{where}.after", 0.0)
        return Visits(doses=frozenset(numbers), offset=after or -before)

    def _rule(self, i: int, e: RuleEntry) -> Rule:
        where = f"rules[{i}]"
        dose = self._change(e.dose, f"{where}.dose") if e.dose is not None else Amount()
        does = (e.dose, e.once, e.every, e.skip, e.hold, e.delay, e.stop, e.give)
        if all(action is None for action in does):
            raise TwinError(f"feedback.{where}: it does nothing; write dose: same if that is meant")
        if e.delays is not None and e.delay is None:
            raise TwinError(f"feedback.{where}.delays: nothing is delayed; add delay: 7 day")
        if dose.step and not self.entry.levels:
            raise TwinError(f"feedback.{where}.dose: '{e.dose}' goes along levels, and there are none; add levels:")
        return Rule(
            name=e.name or self._describe(e), above=self._reading(e.above, f"{where}.above", -math.inf),
            below=self._reading(e.below, f"{where}.below", math.inf),
            at_least=self._reading(e.at_least, f"{where}.from", -math.inf),
            at_most=self._reading(e.at_most, f"{where}.to", math.inf),
            when=self._condition(e.when, where), again=e.again, in_a_row=e.in_a_row or 1,
            lasting=self._time(e.lasting, f"{where}.lasting", 0.0), dose=dose,
            once=self._change(e.once, f"{where}.once") if e.once is not None else None,
            every=self._time(e.every, f"{where}.every", math.nan), skip=e.skip or 0,
            hold=self._hold(e.hold, where), delay=self._time(e.delay, f"{where}.delay", 0.0),
            delays=e.delays or math.inf, stop=bool(e.stop), give=self._rescue(e.give, where),
            next=self._time(e.next, f"{where}.next", math.nan),
        )  # fmt: skip

    def _describe(self, e: RuleEntry) -> str:
        told = e.model_dump(by_alias=True, exclude_none=True, exclude={"name"})
        return ", ".join(f"{key} {_plain(value)}" for key, value in told.items())

    def _condition(self, text: str | None, where: str) -> Condition | None:
        if text is None:
            return None
        try:
            found = parse(text)
            known = [self.entry.measure, *KNOWN, *self.model.covariates()]
            for name in sorted(found.names):
                if name not in known:
                    raise TwinError(f"unknown name '{name}'; {suggest(name, known)}")
            for name, word in sorted(found.words):
                declared = self.model.covariates().get(name)
                if declared is None or not declared.levels:
                    raise TwinError(f"'{name}' has no levels to be compared with '{shorten(word)}'")
                declared.number(name, word)
        except TwinError as problem:
            raise TwinError(f"feedback.{where}.when: {problem}") from None
        return found

    def _change(self, text: str, where: str) -> Amount:
        said = " ".join(text.split())
        if said in ("same", "up", "down"):
            return Amount(step=("down", "same", "up").index(said) - 1)
        if match := re.fullmatch(rf"x ?({NUMBER})", said):
            return Amount(factor=_not_negative(float(match[1]), where, text))
        if match := re.fullmatch(rf"([-+]) ?({NUMBER}) ?%", said):
            return Amount(factor=_not_negative(1 + float(match[1] + match[2]) / 100, where, text))
        if match := re.fullmatch(r"([-+]) ?(.+)", said):
            value, per = self._amount(match[2], where)
            return Amount(plus=value if match[1] == "+" else -value, per=per)
        if said == "none":
            return Amount(to=0.0)
        if said.startswith("aim "):
            aim = self._reading(_number_or_text(said[4:]), where, 0.0)
            if not aim > 0:
                raise TwinError(f"feedback.{where}: '{shorten(text)}' aims at nothing; write one such as 'aim 10'")
            return Amount(aim=aim)
        value, per = self._amount(said, where)
        return Amount(to=value, per=per)

    def _hold(self, e: Hold | None, where: str) -> tuple[float, float, float] | None:
        if e is None:
            return None
        if (e.until_to is None) == (e.until_from is None):
            raise TwinError(
                f"feedback.{where}.hold: say until when, with one of to: 3 (at most) or from: 1.5 (at least)"
            )
        most = self._reading(e.until_to, f"{where}.hold.to", math.inf)
        least = self._reading(e.until_from, f"{where}.hold.from", -math.inf)
        return most, least, self._time(e.again, f"{where}.hold.again", math.nan)

    def _rescue(self, text: str | None, where: str) -> Rescue | None:
        if text is None:
            return None
        amount, _, name = text.strip().rpartition(" ")
        names = list(self.model.treatments())
        if name not in names or not amount:
            raise TwinError(f"feedback.{where}.give: '{shorten(text)}' names no treatment; write '5 mg {names[0]}'")
        index, kept = names.index(name), self.dose_unit
        self.dose_unit = list(self.model.treatments().values())[index].unit
        try:
            value, per = self._amount(amount, f"{where}.give")
        finally:
            self.dose_unit = kept
        return Rescue(value, per, index)

    def _next(self, e: NextEntry | None) -> InRange | None:
        if e is None:
            return None
        low, high = self._reading(e.at_least, "next.from", 0.0), self._reading(e.at_most, "next.to", 0.0)
        if low > high:
            raise TwinError("feedback.next: the range is empty; write the smaller number as from")
        after = sorted(
            (self._time(span, f"next.after.{span}", 0.0, positive=False), self._time(then, f"next.after.{span}", 0.0))
            for span, then in e.after.items()
        )
        return InRange(low, high, tuple(after), self._time(e.otherwise, "next.otherwise", math.nan))

    def _products(self, e: DosesEntry) -> Products:
        def size(value: Any, key: str, otherwise: float) -> float:
            if value is None:
                return otherwise
            amount, per = self._amount(value, f"doses.{key}")
            if per:
                raise TwinError(
                    f"feedback.doses.{key}: what can be given is not by size; write '{amount:g} {self.dose_unit}'"
                )
            return amount

        least, most = size(e.least, "least", 0.0), size(e.most, "most", math.inf)
        multiple = size(e.multiple_of, "multiple_of", 0.0)
        if least > most:
            raise TwinError(f"feedback.doses: the least, {least:g}, is more than the most, {most:g}")
        if multiple and math.isfinite(most) and math.floor(most / multiple + 1e-9) * multiple < least:
            raise TwinError(f"feedback.doses: no multiple of {multiple:g} lies between {least:g} and {most:g}")
        return Products(multiple, least, most, self._share(e.change, "doses.change", math.inf, 100.0))


def _number_or_text(text: str) -> float | str:
    """A bare number, in the unit of whatever it is; else text with a unit."""
    return float(text) if re.fullmatch(NUMBER, text) else text


def _not_negative(value: float, where: str, text: str) -> float:
    if not (0 <= value < math.inf):
        raise TwinError(f"feedback.{where}: '{shorten(text)}' makes a dose negative; write one such as 'x 0.9'")
    return value


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_plain(one)}" for key, one in value.items())
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
