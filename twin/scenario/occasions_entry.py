"""What a scenario may say of occasions and covariate effects, and when the occasions of its patients begin."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..errors import TwinError
from ..files.schema import Closed, Name, Number, Quantity
from ..model.extension import MOST, extend
from ..patient.bound import divide, place_occasions
from ..quantity import Span, parse_span
from ..regimen import Regimen
from ..regimen.schedule import span_of, write_out

if TYPE_CHECKING:
    from ..model import DiseaseModel
    from ..patient import BoundPatient

_RULES = ("every", "starts", "each")


class EffectEntry(Closed):
    """How a covariate acts on a parameter: exactly one form, with its coefficient."""

    power: Number | None = Field(None, description="c of (covariate / reference)^c")
    exponential: Number | None = Field(None, description="c of exp(c (covariate - reference))")
    linear: Number | None = Field(None, description="c of 1 + c (covariate - reference)")
    category: dict[Name, Number] | None = Field(None, description="Level -> c of 1 + c; the other levels have none")
    reference: Quantity | None = Field(None, description="The covariate of whom the typical value is: 70, '154 lb'")
    unit: Name | None = Field(None, description="The unit of a number that the model does not know")
    levels: list[Name] | None = Field(None, description="The levels of a category that the model does not know")


class WidthEntry(Closed):
    """How much a parameter differs between occasions: exactly one of these, on the scale of its spread."""

    cv: Number | None = Field(None, ge=0, description="Of a log-normal spread, the coefficient of variation: 0.2")
    sd: Number | None = Field(None, ge=0, description="The standard deviation")
    variance: Number | None = Field(None, ge=0, description="The variance")


class KappaPairEntry(Closed):
    """How the deviations of two parameters go together within an occasion."""

    between: list[Name] = Field(min_length=2, max_length=2, description="Two of the parameters")
    normal: Number = Field(gt=-1, lt=1, description="Their correlation, on the scales of their spreads")


class OccasionsEntry(Closed):
    """Which parameters differ from occasion to occasion, and when these begin where patients do not say it."""

    of: dict[Name, WidthEntry] = Field(min_length=1, description="Parameter -> how much it differs: {cv: 0.2}")
    correlations: list[KappaPairEntry] = Field(default_factory=list, description="Pairs that go together")
    every: Quantity | None = Field(None, description="An occasion begins so often: '7 day'")
    starts: list[Quantity] | None = Field(None, min_length=1, description="When they begin, in rising order")
    each: Literal["dose"] | None = Field(None, description="dose: each dose begins one")


def effects_of(said: Mapping[str, Mapping[str, EffectEntry]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Covariate effects as `twin.extend` takes them."""
    return {
        name: {covariate: one.model_dump(exclude_none=True) for covariate, one in several.items()}
        for name, several in said.items()
    }


@dataclasses.dataclass(frozen=True)
class Occasions:
    """A scenario's occasions: when a patient's begin, and which begins when in a regimen."""

    entry: OccasionsEntry
    unit: str
    now: float | None
    end: float

    @classmethod
    def of(
        cls, entry: OccasionsEntry, model: DiseaseModel, patients: Sequence[BoundPatient], arms: Sequence[Regimen], *,
        now: float | None, until: float | None, times: Sequence[float],
    ) -> Occasions:  # fmt: skip
        """`now`, `until` and `times` are the scenario's, in the model's time."""
        if sum(getattr(entry, rule) is not None for rule in _RULES) > 1:
            raise TwinError(f"{', '.join(_RULES)}: several are given; keep one")
        histories = [patient.doses for patient in patients] or [()]
        ahead = [arm.after(now or 0.0, model.time_unit) for arm in arms] or [Regimen()]
        spans = [span_of(arm, history, model.time_unit) for arm in ahead for history in histories]
        # Where nothing lies ahead, as when patients are only fitted, occasions end with what is known of them.
        seen = [model.horizon] if arms else [o.time for one in patients for o in one.observations]
        end = max([*(last for _, last in spans), *times, *seen]) if until is None else until
        return cls(entry, model.time_unit, now, end)

    def begins(self, patient: BoundPatient, model: DiseaseModel) -> tuple[float, ...]:
        """When a patient's occasions begin, those of a regimen's doses aside."""
        own = patient.occasions
        if self.entry.every is not None:
            return (*own, *self._every(own[-1] if own else None, patient))
        if own:
            return own
        if self.entry.starts is not None:
            return self._starts()
        return self._doses(patient, model) if self.entry.each else ()

    def _starts(self) -> tuple[float, ...]:
        found = tuple(parse_span(one).within(self.unit) for one in self.entry.starts or ())
        if any(later <= one for one, later in itertools.pairwise(found)):
            raise TwinError("starts: a time is not after the one before; put them in rising order")
        return found

    def _every(self, last: float | None, patient: BoundPatient) -> tuple[float, ...]:
        step = parse_span(self.entry.every).within(self.unit)
        if not step > 0:
            raise TwinError("every: is not a time above 0; write one such as '7 day'")
        seen = [0.0, *(dose.time.within(self.unit) for dose in patient.doses), *(o.time for o in patient.observations)]
        first, skipped = (min(seen), 0) if last is None else (last, 1)
        count = math.ceil((self.end - first) / step - 1e-9)
        _require_few(count)
        return tuple(first + k * step for k in range(skipped, count))

    def _doses(self, patient: BoundPatient, model: DiseaseModel) -> tuple[float, ...]:
        end = self.end if self.now is None else self.now
        rows = [one for dose in patient.doses for one in write_out(dose, model, patient.covariates, end)]
        return tuple(sorted({one.time for one in rows if self.now is None or one.time < self.now}))

    def in_regimen(self, arm: Regimen, first: int) -> Regimen:
        """The regimen with an occasion from each dose on, the first of which has the number `first`."""
        if self.entry.each is None:
            return arm
        if arm.reacts:
            raise TwinError(
                "each: doses that a rule chooses or people forget begin no occasions; write every or starts"
            )
        end, times = self.end - (self.now or 0.0), set()
        for dose in arm.doses:
            start, step = dose.time.within(self.unit), dose.every.within(self.unit) if dose.every else 0.0
            count = dose.count or (max(1, math.ceil((end - start) / step - 1e-9)) if step else 1)
            _require_few(count)
            times |= {start + k * step for k in range(count)}
        ordered = sorted(time for time in times if time < end)
        changes = tuple((Span(time, self.unit), float(first + k)) for k, time in enumerate(ordered))
        return dataclasses.replace(arm, occasions=changes)

    def extend(self, model: DiseaseModel, count: int) -> DiseaseModel:
        """The model with so many occasions."""
        _require_few(count)
        widths = {name: one.model_dump(exclude_none=True) for name, one in self.entry.of.items()}
        pairs = {(one.between[0], one.between[1]): one.normal for one in self.entry.correlations}
        return extend(model, occasions=widths, count=max(count, 1), correlations=pairs)


def _require_few(count: int) -> None:
    if count > MOST:
        raise TwinError(f"there are {count} occasions; a model can have 1 to {MOST}, so let them be longer or fewer")


def with_occasions(
    said: Occasions, model: DiseaseModel, patients: Sequence[BoundPatient], arms: Mapping[str, Regimen]
) -> tuple[DiseaseModel, list[BoundPatient], dict[str, Regimen]]:
    """The model with as many occasions as there are, and patients and regimens in which these begin."""
    people = [divide(patient, said.begins(patient, model)) for patient in patients]
    past = max((len(patient.occasions) for patient in people), default=0)
    regimens = {name: said.in_regimen(arm, max(past, 0) + 1) for name, arm in arms.items()}
    count = max([past, *(past + len(arm.occasions) for arm in regimens.values())])
    longer = said.extend(model, count)
    return longer, [place_occasions(patient, longer) for patient in people], regimens
