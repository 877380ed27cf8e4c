"""A fit as labelled data, and on disk: what reports, tables and figures of it are made of.

Groups of `fit.zarr`:
    /estimates      (estimate), se, low and high (kind, estimate): every number with its three kinds of errors
    /correlations   (estimate, with): of the estimates, by the curvature (R) where it can be had
    /vector         (number): the estimates as they were climbed; covariance (kind, number, with_number)
    /individuals    (patient, coordinate): means and standard deviations of the patients' own parameters
    /patients       (patient): k-hat, measurements, site, probabilities of classes
    /rounds         (round): how the fit got there
    /intervals      (by, estimate): low and high, by every kind of uncertainty that was asked for, and by profile
    /search         (effect): covariates that were searched, where any were
    /checks         single numbers: -2 log likelihood, its error, by other draws, AIC, BIC, condition
Attributes describe the fitted model as `twin.load_population` restores it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from twin.errors import TwinError
from twin.model.extension import describe_model
from twin.result import dataset
from twin.result.dataset import PATIENT, words
from twin.result.population import FILE, TEXT, place_of, save_population

from .climb import nodes_of
from .further import Further
from .report import names_of
from .table import Individuals, estimates_of, individuals_of
from .uncertainty import KINDS

ESTIMATE, KIND, NUMBER, COORDINATE, ROUND = "estimate", "kind", "number", "coordinate", "round"
BY, EFFECT = "by", "effect"


def save_fit(fit: Any, folder: str | Path) -> Path:
    """Writes `fit.zarr`, `population.json` and `twin.zarr` into a folder."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    dataset.write(fit.to_tree(), place / FILE)
    save_population(fit.model, place / TEXT)
    fit.twin().save(place)
    return place


def load_fit(folder: str | Path) -> xr.DataTree:
    """What `PopulationFit.to_tree` had, of a stored fit."""
    place = place_of(folder)
    if place.suffix != ".zarr" or not place.exists():
        raise TwinError(f"{place}: there is no stored fit; run 'twin fit', or name the folder of one")
    return xr.open_datatree(place, engine="zarr", chunks=None).load()


def to_tree(fit: Any) -> xr.DataTree:
    """Everything about a fit but its draws."""
    with jax.enable_x64(True):
        return _build(fit)


def _build(fit: Any) -> xr.DataTree:
    people = individuals_of(fit)
    tree = xr.DataTree.from_dict({
        "/estimates": _estimates(fit), "/correlations": _correlations(fit), "/vector": _vector(fit),
        "/individuals": _individuals(fit, people), "/patients": _patients(fit), "/rounds": _rounds(fit),
        "/checks": _checks(fit), **_further(fit.further, list(fit.numbers)),
    })  # fmt: skip
    tree.attrs = {**describe_model(fit.model), **_attributes(fit)}
    return tree


def _estimates(fit: Any) -> xr.Dataset:
    rows = estimates_of(fit)
    both = (KIND, ESTIMATE)
    columns: dict[str, Any] = {
        "kind_of": (ESTIMATE, words(r.kind for r in rows)), "meaning": (ESTIMATE, words(r.meaning for r in rows)),
        "unit": (ESTIMATE, words(r.unit for r in rows)), "value": (ESTIMATE, np.array([r.value for r in rows])),
        "width": (ESTIMATE, np.array([r.width for r in rows])),
        "width_unit": (ESTIMATE, words(r.width_unit for r in rows)),
        "se": (both, np.array([[r.errors[k] for r in rows] for k in KINDS])),
        "low": (both, np.array([[r.low[k] for r in rows] for k in KINDS])),
        "high": (both, np.array([[r.high[k] for r in rows] for k in KINDS])),
    }  # fmt: skip
    return xr.Dataset(columns, {ESTIMATE: words(r.name for r in rows), KIND: words(KINDS)})


def _correlations(fit: Any) -> xr.Dataset:
    names = words(fit.numbers)
    kind = next((k for k in KINDS if k in fit.covariances.matrices), None)
    empty = np.full((len(names), len(names)), np.nan)
    with np.errstate(all="ignore"):
        found = empty if kind is None else fit.covariances.correlations(fit.statement, fit.x, kind)
    data = xr.Dataset({"correlation": ((ESTIMATE, "with"), found)}, {ESTIMATE: names, "with": names})
    return data.assign_attrs({KIND: kind or ""})


def _vector(fit: Any) -> xr.Dataset:
    size = len(fit.x)
    empty = np.full((size, size), np.nan)
    matrices = np.array([fit.covariances.matrices.get(kind, empty) for kind in KINDS])
    columns = {
        "of": (NUMBER, words(names_of(fit.statement))), "value": (NUMBER, fit.x), "noise": (NUMBER, fit.top.noise),
        "covariance": ((KIND, NUMBER, "with_number"), matrices),
    }  # fmt: skip
    places = np.arange(size)  # a typical value and its variance are of the same name
    return xr.Dataset(columns, {NUMBER: places, "with_number": places, KIND: words(KINDS)})


def _individuals(fit: Any, people: Individuals) -> xr.Dataset:
    names = [n if not k else f"{n}, occasion {k}" for n, k in zip(people.parameters, people.occasions, strict=True)]
    shrinkage = np.array([*fit.people.shrinkage.values()])
    columns: dict[str, Any] = {
        name: ((PATIENT, COORDINATE), getattr(people, name)) for name in ("mean", "sd", "deviation", "deviation_sd")
    }
    columns |= {
        "parameter": (COORDINATE, words(people.parameters)), "occasion": (COORDINATE, np.array(people.occasions)),
        "unit": (COORDINATE, words(people.units)), "shrinkage": (COORDINATE, shrinkage),
    }  # fmt: skip
    return xr.Dataset(columns, {PATIENT: _ids(fit), COORDINATE: words(names)})


def _ids(fit: Any) -> np.ndarray:
    return words(one.id for one in fit.sky.target.patients)


def _patients(fit: Any) -> xr.Dataset:
    columns: dict[str, Any] = {
        "k_hat": (PATIENT, fit.checks.k), "k_hat_of_variances": (PATIENT, fit.checks.k_score),
        "observations": (PATIENT, fit.sky.target.counts),
    }  # fmt: skip
    if fit.sky.sites:
        columns["site"] = (PATIENT, np.array(fit.sky.sites))
    if fit.statement.classes > 1:
        columns["class_probability"] = ((PATIENT, "class"), fit.people.classes)
    return xr.Dataset(columns, {PATIENT: _ids(fit)})


def _further(further: Further, names: list[str]) -> dict[str, xr.Dataset]:
    found = {}
    if further.vectors or further.profiles:
        found["/intervals"] = _intervals(further, names)
    if further.search is not None:
        rows = further.search.table()
        columns = {name: (EFFECT, np.array([row[name] for row in rows])) for name in rows[0] if name != EFFECT}
        effects = {"bootstrap": further.search.bootstrap, "effects": json.dumps(further.search.effects())}
        found["/search"] = xr.Dataset(columns, {EFFECT: words(row[EFFECT] for row in rows)}).assign_attrs(effects)
    return found


def _intervals(further: Further, names: list[str]) -> xr.Dataset:
    ends = {one.kind: one.intervals() for one in further.vectors}
    if further.profiles:
        ends["profile"] = {one.name: one.interval for one in further.profiles}
    nothing = (math.nan, math.nan)
    both = np.array([[own.get(name, nothing) for name in names] for own in ends.values()])
    sided = {one.name for one in further.profiles if one.one_sided}
    columns = {
        "low": ((BY, ESTIMATE), both[..., 0]), "high": ((BY, ESTIMATE), both[..., 1]),
        "one_sided": (ESTIMATE, np.array([name in sided for name in names])),
        "profiled": (ESTIMATE, np.array([name in ends.get("profile", ()) for name in names])),
    }  # fmt: skip
    figures = json.dumps({one.kind: dict(one.figures) for one in further.vectors})
    return xr.Dataset(columns, {BY: words(ends), ESTIMATE: words(names)}).assign_attrs(figures=figures)


def _rounds(fit: Any) -> xr.Dataset:
    rounds = fit.top.rounds
    columns = {n: (ROUND, np.array([getattr(r, n) for r in rounds])) for n in ("draws", "value", "moved", "effective")}
    return xr.Dataset(columns, {ROUND: np.arange(1, len(rounds) + 1)})


def _checks(fit: Any) -> xr.Dataset:
    constant = count_normal(fit) * math.log(2 * math.pi)
    checks = fit.checks
    return xr.Dataset({
        "minus_two_ll": fit.minus_two_ll, "minus_two_ll_error": fit.minus_two_ll_error,
        "minus_two_ll_without_constant": fit.minus_two_ll - constant,
        "fresh": checks.fresh, "fresh_error": checks.fresh_error, "aic": fit.aic, "bic": fit.bic,
        "noise": checks.noise, "condition": fit.covariances.condition,
    })  # fmt: skip


def count_normal(fit: Any) -> int:
    """Readings whose density has log(2 pi) in it: neither censored ones nor counts, classes or times."""
    target = fit.sky.target
    normal = {name for name in target.seen if target.noise(name).is_normal}
    return sum(o.bound == 0 and o.observable in normal for one in target.patients for o in one.observations)


def _count_draws(fit: Any) -> int:
    """Nodes without those that fill up a row of a program, or draws."""
    top, own = fit.top, len(fit.statement.coordinates)
    return nodes_of(fit.sky) ** own if top.grid else int(top.cloud.draws)


def _attributes(fit: Any) -> dict[str, Any]:
    statement, target = fit.statement, fit.sky.target
    typical, chosen = statement.model.typical(), set(statement.estimated)
    held = {n: float(getattr(typical, n)) for n in statement.model.parameters() if n not in chosen}
    kappas = {n for several in statement.model.occasions.values() for n in several}
    readings = {
        name: [
            sum(o.observable == name and keep(o.bound) for one in target.patients for o in one.observations)
            for keep in (lambda b: True, lambda b: b < 0, lambda b: b > 0)
        ]
        for name in target.seen
    }
    return {
        "fit": fit.entry.model_dump_json(exclude_unset=True), "verdict": fit.verdict, "reasons": list(fit.reasons),
        "seed": fit.seed, "seconds": fit.seconds, "numbers": statement.size,
        "method": "nodes" if fit.top.grid else "draws", "nodes_or_draws": _count_draws(fit),
        "patients": len(target), "readings": json.dumps(readings),
        "doses": sum(len(one.doses) for one in target.patients),
        "held": json.dumps({n: v for n, v in held.items() if n not in kappas}),
        "held_spread": json.dumps([statement.effects[e] for e, _ in statement.between.held]),
        "title": statement.model.title,
    }  # fmt: skip
