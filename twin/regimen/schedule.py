"""Event arrays: what one patient gets under one regimen, in one model's units, ready for a solver.

Everything that does not depend on drawn parameters is settled here, on the host: repeated doses are
written out, amounts scaled by body size, records put in order. Lag, bioavailability and modelled rates
do depend on them and act later, inside the solver (`solver/timeline.py`).
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import equinox as eqx
import numpy as np

from .. import units
from ..errors import TwinError
from ..model import DiseaseModel
from ..model.extension import OCCASION
from .dose import SIZES, Dose, find_treatment
from .regimen import Regimen

# The order of rows at equal times. Doses of a data table that were scheduled by ADDL or delayed by a lag
# come before the table's own rows at that time, as NONMEM has it; otherwise samples come before doses.
SCHEDULED, SAMPLE_BEFORE, RESET, STEADY, DOSE, SAMPLE_AFTER = range(1, 7)
_LARGEST = 200_000  # doses written out for one patient and regimen


class Mode(enum.IntEnum):
    """How an amount enters: at once, or as an infusion whose rate or duration is given or modelled."""

    BOLUS = 0
    RATE = 1
    DURATION = 2
    MODELLED_RATE = 3
    MODELLED_DURATION = 4


class Schedule(eqx.Module):
    """One patient's events under one regimen. Padding rows have an infinite time and no amount."""

    time: Any  # (dose,)
    amount: Any
    treatment: Any
    mode: Any
    given: Any  # the rate or the duration, by mode
    cut: Any  # when a reset cancels what is left of the dose
    order: Any
    lagged_order: Any  # its order if a lag delays it
    steady_dose: Any  # (steady,) position among the doses
    steady_kind: Any  # 1 replaces the state, 2 adds to it, 0 is padding
    steady_interval: Any  # 0: a constant infusion for ever
    reset: Any  # (reset,)
    signal_time: Any  # (change,)
    signal_value: Any  # (change + 1, signal): covariates, then inputs

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        return (len(self.time), len(self.steady_dose), len(self.reset), len(self.signal_time))


@dataclasses.dataclass(frozen=True)
class _Given:
    time: float
    amount: float
    treatment: int
    mode: Mode
    given: float
    order: int
    lagged_order: int
    record: int
    steady: int = 0
    interval: float = 0.0
    cut: float = math.inf  # by the history


def build_schedule(
    model: DiseaseModel,
    regimen: Regimen,
    *,
    end: float,
    covariates: Mapping[str, float],
    series: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    history: Sequence[Dose] = (),
    uncertain: Collection[str] = (),
    resets: Sequence[float] = (),
) -> Schedule:
    """The event arrays of a patient (covariates, time-varying `series`, dosing `history`) under a regimen.

    A dose by a size that is among the `uncertain` covariates is refused. `resets` are the history's: what of it began
    before one ends there.
    """
    unit = model.time_unit
    given: list[_Given] = []
    for dose in (*history, *regimen.doses):
        if dose.per and SIZES[dose.per] in uncertain:
            raise TwinError(f"a dose is given per {dose.per}, and the patient's {SIZES[dose.per]} has chances; give it")
        gone = min((time for time in resets if time > dose.time.within(unit)), default=math.inf)
        rows = write_out(dose, model, covariates, end, regimen.record_order)
        given += rows if gone == math.inf else [dataclasses.replace(one, cut=gone) for one in rows]
    if len(given) > _LARGEST:
        raise TwinError(f"the regimen has {len(given)} doses; at most {_LARGEST} are simulated")
    given.sort(key=lambda g: (g.time, g.record))
    cuts = [(record, time.within(unit)) for record, time in regimen.resets]
    cuts += [(g.record, g.time) for g in given if g.steady == 1]  # SS=1 replaces what came before
    steady = [i for i, g in enumerate(given) if g.steady]
    times, values = _signals(model, regimen, covariates, series or {})
    return Schedule(
        time=np.array([g.time for g in given], float),
        amount=np.array([g.amount for g in given], float),
        treatment=np.array([g.treatment for g in given], np.int32),
        mode=np.array([g.mode for g in given], np.int32),
        given=np.array([g.given for g in given], float),
        cut=np.array([_cut(g, cuts) for g in given], float),
        order=np.array([g.order for g in given], float),
        lagged_order=np.array([g.lagged_order for g in given], float),
        steady_dose=np.array(steady, np.int32),
        steady_kind=np.array([given[i].steady for i in steady], np.int32),
        steady_interval=np.array([given[i].interval for i in steady], float),
        reset=np.array(sorted([*resets, *(t.within(unit) for _, t in regimen.resets)]), float),
        signal_time=times,
        signal_value=values,
    )


def write_out(
    dose: Dose, model: DiseaseModel, covariates: Mapping[str, float], end: float, record_order: bool = False
) -> list[_Given]:
    """Each dose of a line, scaled to the patient; those that nobody counted until the end."""
    unit = model.time_unit
    index = find_treatment(dose, model)
    declared = list(model.treatments().values())[index]
    if dose.steady_state and declared.restarts:
        raise TwinError(f"a steady state of '{declared.name}' is not known: each of its doses restarts a state")
    amount = dose.amount if dose.unit is None else units.convert(dose.amount, dose.unit, declared.unit)
    if dose.per:
        amount *= covariates[SIZES[dose.per]]
    # In an event table RATE 0 is a bolus; elsewhere a dose that says nothing enters as its treatment does.
    mode, value = _mode(dose, unit, None if record_order else declared.enters)
    first, interval = dose.time.within(unit), dose.every.within(unit) if dose.every else 0.0
    count = dose.count
    if count is None:
        needed = (end - first) / interval - 1e-9 if interval else 1
        if needed > _LARGEST:
            each = f"a dose every {interval:g} {unit} until {end:g} {unit}"
            raise TwinError(f"{each} is {needed:.0f} doses; at most {_LARGEST}")
        count = max(0, math.ceil(needed))
    if count > _LARGEST:
        raise TwinError(f"{count} doses every {interval:g} {unit}; at most {_LARGEST} are simulated")
    later = SCHEDULED if record_order else DOSE
    one = _Given(first, amount, index, mode, value, DOSE, later, dose.record, dose.steady_state, interval)
    rest = [dataclasses.replace(one, time=first + k * interval, order=later, steady=0) for k in range(1, count)]
    return [one, *rest] if count else []


def _mode(dose: Dose, unit: str, otherwise: str | None) -> tuple[Mode, float]:
    if dose.rate is not None and not dose.modelled:
        return Mode.RATE, dose.rate
    if dose.over is not None and not dose.modelled:
        return Mode.DURATION, dose.over.within(unit)
    if modelled := dose.modelled or otherwise:
        return (Mode.MODELLED_RATE if modelled == "rate" else Mode.MODELLED_DURATION), 0.0
    return Mode.BOLUS, 0.0


def _cut(given: _Given, cuts: Sequence[tuple[int, float]]) -> float:
    later = [time for record, time in cuts if record > given.record]
    return min(*later, given.cut, math.inf)


def _signals(
    model: DiseaseModel,
    regimen: Regimen,
    covariates: Mapping[str, float],
    series: Mapping[str, Sequence[tuple[float, float]]],
) -> tuple[np.ndarray, np.ndarray]:
    """When any covariate or input changes, and all their values from the start and from each change on."""
    names = [*model.covariates(), *model.inputs()]
    start = [*(covariates[name] for name in model.covariates()), *(spec.default for spec in model.inputs().values())]
    changes: dict[str, list[tuple[float, float]]] = {n: list(series.get(n, ())) for n in names}
    said = {**regimen.inputs, **({OCCASION: regimen.occasions} if model.occasions and regimen.occasions else {})}
    for name, given in said.items():
        own = [(time.within(model.time_unit), value) for time, value in given]
        begin = min((time for time, _ in own), default=-math.inf)
        before = [change for change in changes[name] if change[0] < begin]  # the patient's history
        changes[name] = [*before, *own]
    times = sorted({time for one in changes.values() for time, _ in one})
    table = [list(start)]
    for time in times:
        row = list(table[-1])
        for column, name in enumerate(names):
            row[column] = next((v for t, v in reversed(changes[name]) if t == time), row[column])
        table.append(row)
    return np.array(times, float), np.array(table, float).reshape(len(times) + 1, len(names))


def stack(schedules: Sequence[Schedule], room: int = 0) -> Schedule:
    """Schedules of many patients and regimens as one batch, padded to common sizes.

    Sizes are rounded up, so that a folder of similar scenarios compiles once. There is `room` for so many doses. One
    that several patients share is padded once.
    """
    some = list({id(s): s for s in schedules}.values())
    number = {id(s): k for k, s in enumerate(some)}
    place = np.array([number[id(s)] for s in schedules])
    least = (room, 0, 0, 0)
    doses, steady, resets, changes = (_round_up(max(least[k], *(s.sizes[k] for s in some))) for k in range(4))
    padded = [_pad(s, doses, steady, resets, changes) for s in some]
    names = [field.name for field in dataclasses.fields(Schedule)]
    return Schedule(*(np.stack([getattr(s, name) for s in padded])[place] for name in names))


def _round_up(size: int) -> int:
    if size <= 2:
        return size
    step = max(2, 2 ** (size.bit_length() - 3))
    return -(-size // step) * step


def _pad(s: Schedule, doses: int, steady: int, resets: int, changes: int) -> Schedule:
    def fill(values: np.ndarray, size: int, value: float) -> np.ndarray:
        return np.concatenate([values, np.full(size - len(values), value, values.dtype)])

    later = np.repeat(s.signal_value[-1:], changes - len(s.signal_time), axis=0)
    return Schedule(
        time=fill(s.time, doses, np.inf),
        amount=fill(s.amount, doses, 0.0),
        treatment=fill(s.treatment, doses, 0),
        mode=fill(s.mode, doses, Mode.BOLUS),
        given=fill(s.given, doses, 1.0),
        cut=fill(s.cut, doses, np.inf),
        order=fill(s.order, doses, DOSE),
        lagged_order=fill(s.lagged_order, doses, DOSE),
        steady_dose=fill(s.steady_dose, steady, 0),
        steady_kind=fill(s.steady_kind, steady, 0),
        steady_interval=fill(s.steady_interval, steady, 1.0),
        reset=fill(s.reset, resets, np.inf),
        signal_time=fill(s.signal_time, changes, np.inf),
        signal_value=np.concatenate([s.signal_value, later]),
    )


def span_of(regimen: Regimen, history: Sequence[Dose], unit: str) -> tuple[float, float]:
    """The first event's time, and when the last known dose has had its interval (or its infusion)."""
    first, last = 0.0, 0.0
    for dose in (*history, *regimen.doses):
        begin = dose.time.within(unit)
        interval = dose.every.within(unit) if dose.every else 0.0
        length = dose.over.within(unit) if dose.over else 0.0
        length = dose.amount / dose.rate if dose.rate else length
        first = min(first, begin)
        last = max(last, begin + max(interval * (dose.count or 1), length))
    for changes in regimen.inputs.values():
        last = max(last, *(time.within(unit) for time, _ in changes), 0.0)
    return first, last


def repeats(regimen: Regimen) -> bool:
    """Whether the regimen repeats a dose so many times, and so has an end of its own."""
    return any(dose.every is not None and dose.count is not None for dose in regimen.doses)
