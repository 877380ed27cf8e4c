"""Feedback as written, read for a model part by part: words become numbers in the model's units."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ... import units
from ...errors import TwinError, shorten, suggest
from ...quantity import NUMBER, parse_amount, parse_quantity, parse_time
from ..dose import Dose, find_treatment
from ..shorthand import parse_text
from .choose import bind_choosing
from .condition import Condition, Formula, parse, parse_formula
from .file import DosesEntry, DoseVisit, FeedbackEntry, NextEntry, RuleEntry, TimeVisit
from .file import Hold as HoldEntry
from .rule import KNOWN, START, Amount, Assay, ByDose, Hold, InRange, Products, Rescue, Rule, Rules, Visits

if TYPE_CHECKING:
    from ...model import DiseaseModel

_Asked = TypeVar("_Asked", Condition, Formula)


class Binder:
    """Reads an entry for a model, part by part; errors say where in the entry."""

    def __init__(self, entry: FeedbackEntry, model: DiseaseModel, treatments: Sequence[int], begin: float):
        self.entry, self.model, self.given, self.begin = entry, model, list(dict.fromkeys(treatments)), begin

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
        lines, products = self._lines(), self._products(entry.doses)
        return Rules(
            entry.name or entry.measure, entry.measure, self.treatment, self._assay(), self._visits(),
            tuple(self._rule(i, rule) for i, rule in enumerate(entry.rules)), self._next(entry.next),
            tuple(sizes), levels[0][1] if levels else None, products, lines,
            bind_choosing(entry, self.model, self.treatment, products),
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

    def _lines(self) -> tuple[tuple[str, tuple[Dose, ...]], ...]:
        """What rules may switch to, each of one treatment."""
        return tuple((name, self._line(name, text)) for name, text in (self.entry.lines or {}).items())

    def _line(self, name: str, text: str) -> tuple[Dose, ...]:
        where = f"feedback.lines.{name}"
        if name == START:
            raise TwinError(f"{where}: the doses that it begins with are called that; take another name")
        try:
            doses = parse_text(text)
            given = {find_treatment(dose, self.model) for dose in doses}
        except TwinError as problem:
            raise TwinError(f"{where}: {problem}") from None
        if len(given) != 1:
            raise TwinError(f"{where}: a line is of one treatment; '{shorten(text)}' is of {len(given)}")
        (treatment,) = given
        if any(dose.steady_state for dose in doses):
            raise TwinError(f"{where}: it cannot begin in a steady state; give the doses that lead to it")
        unit = list(self.model.treatments().values())[treatment].unit
        if treatment == self.treatment:
            return doses
        if treatment in self.given:
            raise TwinError(f"{where}: the start gives its treatment, too; take another treatment")
        if self.entry.levels:
            raise TwinError(f"{where}: levels are doses of one treatment, and this is another; leave levels out")
        if not units.are_compatible(unit, self.dose_unit):
            raise TwinError(f"{where}: it is in {unit}, and rules are in {self.dose_unit}; take a model with one unit")
        return doses

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
        if any(isinstance(visit, DoseVisit) for visit in listed):
            return self._with_doses(listed)
        times: list[float] = []
        every, until = math.nan, math.inf
        for i, visit in enumerate(listed):
            where = f"at[{i}]" if isinstance(self.entry.at, list) else "at"
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

    def _with_doses(self, listed: Sequence[Any]) -> Visits:
        found = []
        for i, visit in enumerate(listed):
            where = f"at[{i}]" if isinstance(self.entry.at, list) else "at"
            if not isinstance(visit, DoseVisit):
                raise TwinError(f"feedback.{where}: readings are with doses or at times, not both; leave some out")
            found.append(self._by_dose(visit, where))
        return Visits(with_doses=tuple(found))

    def _by_dose(self, visit: DoseVisit, where: str) -> ByDose:
        numbers = [] if visit.dose == "each" else visit.dose if isinstance(visit.dose, list) else [visit.dose]
        if any(number < 1 for number in numbers):
            raise TwinError(f"feedback.{where}.dose: doses are counted from 1")
        if visit.before is not None and visit.after is not None:
            raise TwinError(f"feedback.{where}: a reading is before or after a dose, not both; leave one out")
        before = self._time(visit.before, f"{where}.before", 0.0, positive=False)
        after = self._time(visit.after, f"{where}.after", 0.0)
        return ByDose(frozenset(numbers), after or -before)

    def _rule(self, i: int, e: RuleEntry) -> Rule:
        where = f"rules[{i}]"
        dose = self._change(e.dose, f"{where}.dose") if e.dose is not None else Amount()
        does = (e.dose, e.once, e.every, e.skip, e.hold, e.delay, e.stop, e.give, e.resume, e.switch, e.leave)
        if all(action is None for action in does):
            raise TwinError(f"feedback.{where}: it does nothing; write dose: same if that is meant")
        if e.delays is not None and e.delay is None:
            raise TwinError(f"feedback.{where}.delays: nothing is delayed; add delay: 7 day")
        if dose.step and not self.entry.levels:
            raise TwinError(f"feedback.{where}.dose: '{e.dose}' goes along levels, and there are none; add levels:")
        if sum(action is not None for action in (e.stop, e.resume, e.switch, e.leave)) > 1:
            raise TwinError(f"feedback.{where}: stop, resume, switch and leave exclude one another; keep one")
        if e.switch is not None and e.switch not in (known := [START, *(self.entry.lines or {})]):
            raise TwinError(f"feedback.{where}.switch: unknown line '{e.switch}'; {suggest(e.switch, known)}")
        if e.resume and not any(rule.stop or rule.delays for rule in self.entry.rules):
            raise TwinError(f"feedback.{where}.resume: no rule stops what it would resume; add one with stop: true")
        if e.resume and self._visits().with_doses:
            raise TwinError(f"feedback.{where}.resume: after a stop there are no doses to read at; give times in at:")
        return Rule(
            name=e.name or self._describe(e), above=self._reading(e.above, f"{where}.above", -math.inf),
            below=self._reading(e.below, f"{where}.below", math.inf),
            at_least=self._reading(e.at_least, f"{where}.from", -math.inf),
            at_most=self._reading(e.at_most, f"{where}.to", math.inf),
            when=self._condition(e.when, f"{where}.when"), again=e.again, in_a_row=e.in_a_row or 1,
            lasting=self._time(e.lasting, f"{where}.lasting", 0.0), dose=dose,
            once=self._change(e.once, f"{where}.once") if e.once is not None else None,
            every=self._time(e.every, f"{where}.every", math.nan), skip=e.skip or 0,
            hold=self._hold(e.hold, where), delay=self._time(e.delay, f"{where}.delay", 0.0),
            delays=e.delays or math.inf, stop=bool(e.stop), give=self._rescue(e.give, where),
            next=self._time(e.next, f"{where}.next", math.nan), resume=bool(e.resume), switch=e.switch,
            leave=bool(e.leave), limit=e.limit or math.inf, chance=self._share(e.chance, f"{where}.chance", 1.0),
        )  # fmt: skip

    def _describe(self, e: RuleEntry) -> str:
        told = e.model_dump(by_alias=True, exclude_none=True, exclude={"name"})
        return ", ".join(f"{key} {_plain(value)}" for key, value in told.items())

    def _condition(self, text: str | None, where: str) -> Condition | None:
        return None if text is None else self._parse_known(parse, text, where)

    def _parse_known(self, read: Callable[[str], _Asked], text: str, where: str) -> _Asked:
        """A condition or formula whose names are all known."""
        try:
            found = read(text)
            others = [name for i, name in enumerate(self.model.treatments()) if i != self.treatment]
            known = [self.entry.measure, *KNOWN, *self.model.covariates(), *others]
            for name in sorted(found.names):
                if name not in known:
                    raise TwinError(f"unknown name '{name}'; {suggest(name, known)}")
            for name, word in sorted(found.words):
                self._require_level(name, word)
        except TwinError as problem:
            raise TwinError(f"feedback.{where}: {problem}") from None
        return found

    def _require_level(self, name: str, word: str) -> None:
        if name == "line":
            if word not in (known := [START, *(self.entry.lines or {})]):
                raise TwinError(f"unknown line '{shorten(word)}'; {suggest(word, known)}")
            return
        declared = self.model.covariates().get(name)
        if declared is None or not declared.levels:
            raise TwinError(f"'{name}' has no levels to be compared with '{shorten(word)}'")
        declared.number(name, word)

    def _change(self, text: str, where: str) -> Amount:
        said = " ".join(text.split())
        if said == "chosen":
            if self.entry.choose is None or where.endswith("once"):
                remedy = "add choose: with its aim" if self.entry.choose is None else "write dose: chosen"
                raise TwinError(f"feedback.{where}: a dose cannot be chosen here; {remedy}")
            return Amount(chosen=True)
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
        if said.startswith("="):
            return Amount(formula=self._parse_known(parse_formula, said[1:], where))
        if said.startswith("aim "):
            aim = self._reading(_number_or_text(said[4:]), where, 0.0)
            if not aim > 0:
                raise TwinError(f"feedback.{where}: '{shorten(text)}' aims at nothing; write one such as 'aim 10'")
            return Amount(aim=aim)
        value, per = self._amount(said, where)
        return Amount(to=value, per=per)

    def _hold(self, e: HoldEntry | None, where: str) -> Hold | None:
        if e is None:
            return None
        if sum(end is not None for end in (e.until_to, e.until_from, e.until)) != 1:
            raise TwinError(
                f"feedback.{where}.hold: say until when, with one of to: 3 (at most), from: 1.5 (at least) or "
                "until: 'inr < 3 and change < 0'"
            )
        return Hold(
            most=self._reading(e.until_to, f"{where}.hold.to", math.inf),
            least=self._reading(e.until_from, f"{where}.hold.from", -math.inf),
            until=self._condition(e.until, f"{where}.hold.until"),
            again=self._time(e.again, f"{where}.hold.again", math.nan),
        )

    def _rescue(self, text: str | None, where: str) -> Rescue | None:
        if text is None:
            return None
        amount, _, name = text.strip().rpartition(" ")
        names = list(self.model.treatments())
        if name not in names or not amount:
            raise TwinError(f"feedback.{where}.give: '{shorten(text)}' names no treatment; write '5 mg {names[0]}'")
        if amount.startswith("="):
            return Rescue(
                Amount(formula=self._parse_known(parse_formula, amount[1:], f"{where}.give")), names.index(name)
            )
        index, kept = names.index(name), self.dose_unit
        self.dose_unit = list(self.model.treatments().values())[index].unit
        try:
            value, per = self._amount(amount, f"{where}.give")
        finally:
            self.dose_unit = kept
        return Rescue(Amount(to=value, per=per), index)

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
