"""nca(): non-compartmental analysis of patients, of a table, or of every draw of a simulation.

found = twin.nca("data.csv", route="extravascular", units={"value": "mg/L", "time": "h", "dose": "mg"})
found["auc_inf"], found["half_life"], found["reason"].sel(figure="half_life")
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from .. import units as measures
from ..errors import TwinError, suggest
from ..library import as_model
from ..model import DiseaseModel
from ..quantity import parse_amount, parse_span, parse_time
from ..result import dataset
from ..statistics.noncompartmental import (
    FIGURES,
    LAST,
    Choice,
    Doses,
    Findings,
    Profiles,
    Record,
    Route,
    Rules,
    analyse,
    cut,
    partial_areas,
)  # fmt: skip
from . import nca_sources
from .nca_result import of_result
from .nca_sources import Source

FIGURE, READING, SPAN = "figure", "reading", "span"
FILE = "nca.zarr"
_UNITS = ("value", "time", "dose")


def nca(
    source: Any,
    observable: str | None = None,
    *,
    model: DiseaseModel | str | None = None,
    treatment: str | None = None,
    regimens: Mapping[str, Any] | None = None,
    patients: Any = None,
    dose: float | str | None = None,
    at: float | str = 0.0,
    over: float | str | None = None,
    route: str | None = None,
    after: int | str = LAST,
    tau: float | str | None = None,
    steady: bool | None = None,
    window: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
    partial: Sequence[Sequence[float | str]] = (),
    limit: float | None = None,
    rules: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    **reading: Any,
) -> xr.Dataset:
    """Non-compartmental analysis: areas, half-life, clearance and volumes of readings after a dose, without a model.

    Args:
        source: patients (with `model`); a NONMEM-style table's path; columns `id`, `time`, `value`, and perhaps `limit`
            and `dose`; or a simulation's result, each draw of which is analysed at the stored times.
        observable: what is analysed; of a table its DVID. May be left out where there is one.
        model, treatment: of patients and results; the treatment where doses of several were given.
        regimens, patients: of a result, as `simulate` had them: its doses, but for those that a ledger says.
        dose, at, over: one dose for everybody instead of those told: an amount ('320 mg'), or a column of the table;
            when, and over how long it is infused.
        route: 'bolus' or 'extravascular'; infusions say their duration.
        after: the number of the dose after which readings are analysed, or 'last' that a reading follows.
        tau: the dosing interval, where doses do not say it.
        steady: whether that interval is at steady state; true if doses came before, where left out.
        window: (from, to) after the dose of the terminal slope, for all or by patient; the best fit if left out.
        partial: pairs (from, to) after the dose of further areas.
        limit: of a result, below which values count as not measurable.
        rules: what `twin.statistics.noncompartmental.Rules` takes: area, points, tie, first, middle, last.
        units: of 'value', 'time' and 'dose' of a table or columns.
        reading: further options of the table's reader: names, ignore, decimal, time_unit, single, keep_ids.

    Returns:
        A Dataset (patient), of a result (patient, regimen, draw): each figure with its unit; `reason` (figure) why
        there is none, else empty; `outside`, the readings outside the interval; and what was analysed:
        `reading_time`, `reading_value` and `in_lambda_z` (reading).
    """
    way, spans = _route(route), [tuple(span) for span in partial]
    vein = over is None and way is not Route.OTHER
    column = dose if isinstance(dose, str) and isinstance(source, str | os.PathLike) and not _is_amount(dose) else None
    if isinstance(source, xr.DataTree):
        known = as_model(model if model is not None else str(source.attrs["model"]))
        read = of_result(source, known, observable, treatment, vein, regimens, patients, limit)
    elif isinstance(source, str | os.PathLike):
        read = nca_sources.of_file(source, observable, column, **reading)
    elif isinstance(source, Mapping):
        read = nca_sources.of_columns(source)
    elif model is None:
        raise TwinError("say of which model the patients are (model='vancomycin'); of a data frame give dict(frame)")
    else:
        read = nca_sources.of_patients(source, as_model(model), observable, treatment, vein)
    read = _with_dose(_with_units(read, units or {}), None if column else dose, at, over)
    choice = Choice(after, way, None if tau is None else _time(tau, read), steady)
    profiles, outside = cut(read.records, choice)
    how = _rules(rules or {}, window, read)
    found = _build(read, analyse(profiles, how), outside, how)
    return _with_partial(found, read, profiles, how, spans) if spans else found


# --- what callers write -------------------------------------------------------------------------------


def _route(said: str | None) -> Route | None:
    if said is None:
        return None
    if said not in list(Route):
        raise TwinError(f"unknown route '{said}'; {suggest(str(said), list(Route))}")
    return Route(said)


def _is_amount(text: str) -> bool:
    return text.strip()[:1] in tuple("0123456789.")


def _with_units(read: Source, said: Mapping[str, str]) -> Source:
    for name, unit in said.items():
        if name not in _UNITS:
            raise TwinError(f"unknown unit of '{name}'; {suggest(str(name), _UNITS)}")
        measures.parse(unit)
        if read.units[name] not in ("", unit):
            raise TwinError(f"the {name} is in {read.units[name]}, not in {unit}; leave its unit out")
    return dataclasses.replace(read, units={**read.units, **said})


def _time(text: float | str, read: Source) -> float:
    unit = read.units["time"]
    if not unit and isinstance(text, str) and parse_span(text).unit is not None:
        raise TwinError(f"'{text}' has a unit, and the times have none; say units={{'time': 'h'}}")
    return parse_time(text, unit or "h")


def _with_dose(read: Source, dose: float | str | None, at: float | str, over: float | str | None) -> Source:
    """With one dose for everybody, or with a duration for the doses that are there."""
    length = 0.0 if over is None else _time(over, read)
    if length < 0:
        raise TwinError(f"over {over!r} is no duration; write one such as '1 h'")
    if dose is None:
        return (
            read if over is None else dataclasses.replace(read, records=tuple(_last(r, length) for r in read.records))
        )
    amount, unit, per = parse_amount(dose)
    if per is not None:
        raise TwinError(f"dose '{dose}' is by size; give amounts, in a column")
    told = read.units["dose"]
    amount = measures.convert(amount, unit, told) if unit and told else amount
    doses = Doses.of([(_time(at, read), amount, length, np.nan, False)])
    records = tuple(dataclasses.replace(one, doses=doses) for one in read.records)
    return dataclasses.replace(read, records=records, units={**read.units, "dose": told or unit or ""})


def _last(record: Record, length: float) -> Record:
    """A record whose doses all last so long."""
    return dataclasses.replace(record, doses=dataclasses.replace(
        record.doses, durations=np.full_like(record.doses.durations, length)))  # fmt: skip


def _rules(said: Mapping[str, Any], window: Any, read: Source) -> Rules:
    names = [field.name for field in dataclasses.fields(Rules) if field.name != "window"]
    for name in said:
        if name not in names:
            raise TwinError(f"unknown rule '{name}'; {suggest(str(name), names)}")
    return Rules(**said, window=None if window is None else _window(window, read))


def _window(said: Any, read: Source) -> tuple[np.ndarray, np.ndarray]:
    """From when to when the terminal slope is taken of each course; not a number where nothing is said of a patient."""
    people = [str(one) for one in read.coordinates[dataset.PATIENT]]
    each = said if isinstance(said, Mapping) else dict.fromkeys(people, said)
    table = np.full((len(people), 2), np.nan)
    for name, pair in each.items():
        if name not in people:
            raise TwinError(f"window: unknown patient '{name}'; {suggest(str(name), people)}")
        if len(pair) != 2 or not (low := _time(pair[0], read)) < (high := _time(pair[1], read)):
            raise TwinError(f"window {tuple(pair)} is no pair (from, to) after the dose; write one such as (8, 24)")
        table[people.index(name)] = low, high
    low, high = np.repeat(table, int(np.prod(read.shape[1:])), axis=0).T
    return low, high


# --- what comes back ----------------------------------------------------------------------------------


def _times(unit: str, other: str) -> str:
    return f"({unit}) * {other}" if "/" in unit else f"{unit} * {other}"


def _volume(value: str, dose: str) -> tuple[str, float]:
    """The unit of dose over value, and what a number is multiplied by: litres where it is a volume."""
    plain = f"{dose} / ({value})" if "/" in value else f"{dose} / {value}"
    size = measures.parse(dose) / measures.parse(value)
    if size.dimensionality == measures.parse("L").dimensionality:
        return "L", measures.tidy(float(size.to("L").magnitude))
    return plain, 1.0


def _spell(read: Source) -> dict[str, tuple[str, float]]:
    """Every kind of unit that figures have, and what their numbers are multiplied by; "" where one is not known."""
    value, time, dose = (read.units[name] for name in _UNITS)
    found = {"1": ("1", 1.0), "%": ("%", 1.0), "value": (value, 1.0), "time": (time, 1.0)}
    found["1/time"] = (f"1/{time}" if time else "", 1.0)
    both = bool(value and time)
    found["area"] = (_times(value, time) if both else "", 1.0)
    found["moment"] = (_times(value, f"{time}^2") if both else "", 1.0)
    found["value/dose"] = (f"({value}) / ({dose})" if value and dose else "", 1.0)
    found["area/dose"] = (f"({found['area'][0]}) / ({dose})" if both and dose else "", 1.0)
    volume, factor = _volume(value, dose) if value and dose else ("", 1.0)
    found["volume"] = (volume, factor)
    found["clearance"] = (f"{volume}/{time}" if volume and time else "", factor)
    return found


def _build(read: Source, found: Findings, outside: np.ndarray, how: Rules) -> xr.Dataset:
    dims, spelled, variables = tuple(read.coordinates), _spell(read), {}
    for name, figure in FIGURES.items():
        unit, factor = spelled[figure.unit]
        values = (found.values[name] * factor).reshape(read.shape)
        variables[name] = (dims, values, {"unit": unit, "description": figure.meaning})
    reasons = np.stack([found.reasons[name] for name in FIGURES], axis=-1).reshape(*read.shape, len(FIGURES))
    variables["reason"] = ((*dims, FIGURE), reasons, {"description": "why there is no figure; empty where there is"})
    told = {"description": "readings outside the interval after the dose"}
    variables["outside"] = (dims, outside.reshape(read.shape), told)
    times, values, uses = (x.reshape(*read.shape, -1) for x in (found.times, found.readings, found.uses))
    variables["reading_time"] = ((*dims, READING), times, {"unit": read.units["time"]})
    variables["reading_value"] = ((*dims, READING), values, {"unit": read.units["value"]})
    variables["in_lambda_z"] = ((*dims, READING), uses, {"description": "whether the terminal line is fitted to it"})
    said = {name: value for name, value in dataclasses.asdict(how).items() if name != "window"}
    attributes = {**read.told, "rules": json.dumps(said), "version": dataset.version()}
    return xr.Dataset(variables, {**read.coordinates, FIGURE: dataset.words(FIGURES)}, attributes)


def _with_partial(
    found: xr.Dataset, read: Source, profiles: Profiles, how: Rules, spans: Sequence[tuple[Any, ...]]
) -> xr.Dataset:
    """With areas between times."""
    pairs = []
    for span in spans:
        if len(span) != 2 or not 0 <= (low := _time(span[0], read)) < (high := _time(span[1], read)):
            raise TwinError(f"partial {span} is no pair (from, to) after the dose; write one such as (0, 12)")
        pairs.append((low, high))
    values, whys = (x.reshape(*read.shape, -1) for x in partial_areas(profiles, pairs, how))
    dims, unit = (*read.coordinates, SPAN), _spell(read)["area"][0]
    told = {"unit": unit, "description": "area between two times after the dose"}
    more = {"auc_partial": (dims, values, told), "auc_partial_reason": (dims, whys)}
    names = dataset.words(f"{low:g} to {high:g}" for low, high in pairs)
    return found.assign(more).assign_coords({SPAN: names})
