"""Every group, dimension and variable name of a result lives here: results -> xarray.DataTree, saved as Zarr.

Groups (ArviZ's names where it has one):
    /outcomes        (patient, regimen, draw)          one number a trajectory
    /predictions     (patient, regimen, draw, time)    observables over time, without measurement error
    /measurements    as predictions, with measurement error, if asked for
    /prior           (patient, draw)                   the drawn individuals' parameters, from the population; or
    /posterior       (patient, draw)                   the same, where a calibration (or the caller) has given them
    /sample_stats    status of each trajectory         0 is ok; anything else is counted, never averaged
    /constant_data   (patient)                         covariates at the start
    /observed_data   (observation)                     what was measured, if anything
    /decisions       (patient, regimen, draw, decision)  where a regimen reacts: what was read, the rule, the doses
    /doses           (patient, regimen, draw, dose)    and every dose that was due: planned, given, and why
    /population      (patient, draw)                   of persons drawn from a population: further columns, and how
    /ingest          (note)                            what became of everything in patients' own records
"""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import json
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..errors import TwinError
from ..model import DiseaseModel, Parameter
from ..model.extension import describe_model
from . import ledger

if TYPE_CHECKING:
    from ..ingest.report import Report
    from ..population.virtual import People
    from ..run.batch import Batch

PATIENT, REGIMEN, DRAW, TIME, OBSERVATION = "patient", "regimen", "draw", "time", "observation"
OUTCOMES, PREDICTIONS, MEASUREMENTS = "outcomes", "predictions", "measurements"
PRIOR, POSTERIOR, CHAIN = "prior", "posterior", "chain"
STATS, COVARIATES, OBSERVED = "sample_stats", "constant_data", "observed_data"
INGEST, NOTE, POPULATION = "ingest", "note", "population"
DECISIONS, DOSES, STOPS = ledger.DECISIONS, ledger.DOSES, ledger.STOPS
_GROUPS = (
    OUTCOMES,
    PREDICTIONS,
    MEASUREMENTS,
    PRIOR,
    POSTERIOR,
    STATS,
    COVARIATES,
    OBSERVED,
    DECISIONS,
    DOSES,
    STOPS,
    POPULATION,
    INGEST,
)  # as they are listed
STATUS = "status"
ORDER = "order"  # attribute: a store forgets the order of a group's variables
FILE, CALIBRATED = "result.zarr", "posterior.zarr"
_PACKAGES = ("jax", "diffrax", "equinox", "numpy", "xarray")


def build(batch: Batch, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> xr.DataTree:
    """The result of a run as labelled data."""
    model, lanes = batch.model, (PATIENT, REGIMEN, DRAW)
    coordinates: dict[str, Any] = {
        PATIENT: words(p.id for p in batch.patients),
        REGIMEN: words(batch.regimens),
        DRAW: np.array(batch.draws),
    }
    samples = np.asarray(batch.arrays["samples"], float)
    with_time = coordinates | {TIME: (TIME, samples, {"unit": model.time_unit})}
    groups: dict[str, xr.Dataset] = {
        OUTCOMES: _outcomes(batch, values["outcomes"], lanes, coordinates),
        POSTERIOR if _is_given(batch) else PRIOR: _parameters(batch, values["parameters"], coordinates),
        STATS: _stats(values, lanes, coordinates),
        COVARIATES: _covariates(batch),
    }
    for group, key in ((PREDICTIONS, "samples"), (MEASUREMENTS, "measured")):
        if values[key]:
            groups[group] = _courses(model, values[key], with_time)
    if any(p.observations for p in batch.patients):
        groups[OBSERVED] = _observations(batch)
    if batch.reaction is not None:
        groups |= ledger.groups(batch, values, lanes, coordinates)
    said = {
        name: groups[name].assign_attrs({ORDER: list(map(str, groups[name]))}) for name in sorted(groups, key=_rank)
    }
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in said.items()})
    tree.attrs = provenance(batch) | dict(attributes)
    return tree


def with_posterior(tree: xr.DataTree, found: xr.DataTree) -> xr.DataTree:
    """A result with a calibration beside it; what its posterior does not hold is what is not unknown."""
    drawn, unknown = tree[POSTERIOR].to_dataset(), found[POSTERIOR].to_dataset()
    rest = {name: values for name, values in drawn.items() if name not in unknown}
    each = {name: v.expand_dims({CHAIN: unknown[CHAIN]}) if DRAW in v.dims else v for name, v in rest.items()}
    whole = unknown.assign(each)
    whole = whole.assign_attrs({ORDER: list(map(str, whole))})
    return with_groups(tree, {**found.children, POSTERIOR: xr.DataTree(whole), OBSERVED: tree[OBSERVED]})


def with_groups(tree: xr.DataTree, more: Mapping[str, Any]) -> xr.DataTree:
    """A result with further groups, such as a posterior."""
    groups = {name: node.to_dataset() for name, node in [*tree.children.items(), *more.items()]}
    joined = xr.DataTree.from_dict({f"/{name}": groups[name] for name in sorted(groups, key=_rank)})
    joined.attrs = tree.attrs
    return joined


def with_people(tree: xr.DataTree, people: People) -> xr.DataTree:
    """A result whose draws are persons of a population, with what is known of each beside what the model asks."""
    lanes, units = (PATIENT, DRAW), people.units
    variables: dict[str, Any] = {
        "tried": (lanes, people.tried[None], {"description": "candidates drawn until one was plausible"})
    }
    if people.source is not None:
        variables["source"] = (lanes, people.source[None], {"description": "row of the table, or real patient"})
    for name, values in people.others.items():
        levels = people.levels.get(name)
        shown = words(levels[int(v)] for v in values) if levels else values
        variables[name] = (lanes, shown[None], {} if levels else {"unit": units.get(name, "1")})
    coordinates = {name: tree[OUTCOMES][name] for name in lanes}
    found = with_groups(tree, {POPULATION: xr.DataTree(xr.Dataset(variables, coordinates))})
    found.attrs |= {"population": json.dumps(people.notes())}
    return found


def with_ingest(tree: xr.DataTree, reports: Sequence[Report]) -> xr.DataTree:
    """A result with what became of everything in the records that its patients are from."""
    return with_groups(tree, {INGEST: xr.DataTree(_ingest(reports))}) if reports else tree


def add_ingest(store: str | Path, reports: Sequence[Report]) -> None:
    """The same for a result that is stored already."""
    if reports:
        _ingest(reports).to_zarr(store, group=INGEST, mode="a", consolidated=False)
        _index(store)


def _ingest(reports: Sequence[Report]) -> xr.Dataset:
    rows = [(report.source, report.reader, *row) for report in reports for row in report.rows()]
    *texts, counts = zip(*rows, strict=True) if rows else [()] * 6
    names = ("source", "reader", "of_patient", "kind", "reason")
    columns = {name: (NOTE, words(text)) for name, text in zip(names, texts, strict=True)}
    counted = (NOTE, np.array(counts, np.int64))
    return xr.Dataset({**columns, "count": counted}).assign_attrs({ORDER: [*columns, "count"]})


def _rank(group: str) -> tuple[int, str]:
    """Where a group is listed; those of other programs come last, by name."""
    name = group.strip("/")
    return (_GROUPS.index(name) if name in _GROUPS else len(_GROUPS), name)


def _is_given(batch: Batch) -> bool:
    """Whether individuals were given instead of drawn from the population."""
    return bool(batch.arrays["individuals"] or batch.arrays["deviations"])


def _stats(values: Mapping[str, Any], lanes: Any, coordinates: Any) -> xr.Dataset:
    variables = {STATUS: (lanes, values["status"].astype(np.int8), _status_attributes())}
    if "steps" in values:
        variables["steps"] = (lanes, values["steps"], {"description": "steps tried by the ensemble engine"})
    return xr.Dataset(variables, coordinates)


def _outcomes(batch: Batch, values: Mapping[str, Any], lanes: Any, coordinates: Any) -> xr.Dataset:
    observables = batch.model.observables()
    variables = {}
    for name, outcome in batch.outcomes:
        attributes = {
            "unit": outcome.unit(observables[outcome.of].unit, batch.model.time_unit),
            "description": outcome.meaning or outcome.describe(),
            "kind": type(outcome).__name__,
        }
        variables[name] = (lanes, values[name], attributes)
    return xr.Dataset(variables, coordinates)


def _parameters(batch: Batch, values: Mapping[str, Any], coordinates: Any) -> xr.Dataset:
    declared = batch.model.parameters()
    variables = {
        name: (
            *_once(values[name][:, 0]),  # the same individual meets every regimen
            about(declared[name]),
        )
        for name in declared
    }
    for name, drawn in batch.arrays["covariates"].items():
        variables[name] = ((PATIENT, DRAW), *_drawn_covariate(batch, name, drawn))
    return xr.Dataset(variables, {PATIENT: coordinates[PATIENT], DRAW: coordinates[DRAW]})


def about(declared: Parameter) -> dict[str, str]:
    """What is stored beside a parameter's values."""
    return {
        "unit": declared.unit, "description": declared.meaning, "source": declared.source,
        "evidence": str(declared.evidence),
    }  # fmt: skip


def _once(values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Values (patient, draw); those that are the same in all draws without draws."""
    same = values.shape[1] > 1 and np.array_equal(values, np.broadcast_to(values[:, :1], values.shape), equal_nan=True)
    return ((PATIENT,), values[:, 0]) if same else ((PATIENT, DRAW), values)


def _drawn_covariate(batch: Batch, name: str, drawn: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """A covariate that differs between draws, and what it is."""
    declared = batch.model.covariates()[name]
    own = np.array([p.covariates[name] for p in batch.patients])[:, None]
    values = np.where(np.isnan(drawn), own, drawn)
    if declared.levels:
        return np.array(declared.levels, object)[values.astype(int)], {"description": declared.meaning}
    return values, {"description": declared.meaning, "unit": declared.unit}


def _courses(model: DiseaseModel, values: Mapping[str, Any], coordinates: Any) -> xr.Dataset:
    declared = model.observables()
    variables = {
        name: (
            (PATIENT, REGIMEN, DRAW, TIME),
            course,
            {"unit": declared[name].unit, "description": declared[name].meaning, "modality": declared[name].modality},
        )
        for name, course in values.items()
    }
    return xr.Dataset(variables, coordinates)


def _covariates(batch: Batch) -> xr.Dataset:
    variables = {}
    for name, declared in batch.model.covariates().items():
        column = [p.covariates[name] for p in batch.patients]
        attributes: dict[str, Any] = {"description": declared.meaning}
        if declared.levels:
            variables[name] = (PATIENT, words(declared.levels[int(v)] for v in column), attributes)
        else:
            variables[name] = (PATIENT, np.array(column, float), attributes | {"unit": declared.unit})
    assumed = words(json.dumps(list(p.assumed)) for p in batch.patients)
    variables["assumed"] = (PATIENT, assumed, {"description": "covariates not given: the reference value was used"})
    return xr.Dataset(variables, {PATIENT: words(p.id for p in batch.patients)})


def _observations(batch: Batch) -> xr.Dataset:
    rows = [(p.id, *one) for p in batch.patients for one in p.observations]
    who, what, when, value, bound = zip(*rows, strict=True)
    return xr.Dataset(
        {
            "of_patient": (OBSERVATION, words(who)),
            "observable": (OBSERVATION, words(what)),
            "value": (OBSERVATION, np.array(value, float)),
            "bound": (OBSERVATION, np.array(bound, np.int8), {"description": "-1: below the value, 1: above, 0: read"}),
            TIME: (OBSERVATION, np.array(when, float), {"unit": batch.model.time_unit}),
        }
    )


def _status_attributes() -> dict[str, Any]:
    from ..solver.status import Status

    return {"flag_values": list(range(len(Status.meanings))), "flag_meanings": " ".join(Status.meanings)}


def provenance(batch: Batch) -> dict[str, Any]:
    """What is needed to say how a result came about, and to make it again."""
    import jax

    choice = batch.choice
    return {
        **describe_model(batch.model),
        "model_citation": batch.model.citation,
        "model_evidence": json.dumps({str(tag): count for tag, count in batch.model.evidence().items()}),
        "model_domain": batch.model.domain.population,
        "outside_domain": json.dumps(list(batch.doubts)),
        "time_unit": batch.model.time_unit,
        "start": float(batch.arrays["span"][0]),
        "end": float(batch.arrays["span"][1]),
        **({} if batch.now is None else {"now": batch.now}),
        "solver": choice.name,
        "solver_reason": choice.reason,
        "rtol": choice.relative if choice.name != "linear" else 0.0,
        "atol": choice.absolute if choice.name != "linear" else 0.0,
        "dtype": str(batch.dtype),
        "device": f"{jax.devices()[0].platform} ({jax.devices()[0].device_kind})",
        "versions": _versions(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@functools.cache
def _versions() -> str:
    return json.dumps({"patient-twin": version(), **{p: importlib.metadata.version(p) for p in _PACKAGES}})


def version() -> str:
    """The installed version of this package."""
    try:
        return importlib.metadata.version("patient-twin")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def save(tree: xr.DataTree, folder: str | Path) -> Path:
    """Store a result as Zarr in a folder; one that is there already is replaced."""
    path = Path(folder)
    if path.suffix != ".zarr":
        path = path / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(path.name + ".part")  # the old result stays until the new one is whole
    shutil.rmtree(written, ignore_errors=True)
    write(tree, written)
    if path.exists():
        shutil.rmtree(path)
    written.rename(path)
    return path


def write(tree: xr.DataTree, store: str | Path) -> None:
    """Write a tree of groups as Zarr, with the index of all of them that readers look for first."""
    tree.to_zarr(store, mode="w", consolidated=False)
    _index(store)


def _index(store: str | Path) -> None:
    import zarr.errors

    with warnings.catch_warnings():  # that the index is not part of Zarr 3 yet: readers without it look into each group
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        zarr.consolidate_metadata(store)


def load(folder: str | Path) -> xr.DataTree:
    """A stored result, equal to what was saved; of a folder without one, the posterior that `twin calibrate` left."""
    path = Path(folder)
    if path.suffix != ".zarr":
        path = next((path / name for name in (FILE, CALIBRATED) if (path / name).exists()), path / FILE)
    if not path.exists():
        raise TwinError(f"{path}: there is no stored result; run 'twin simulate' first")
    stored = xr.open_datatree(path, engine="zarr", consolidated=False, chunks=None).load()
    groups = {one.path: _as_built(one.to_dataset()) for one in stored.subtree}
    tree = xr.DataTree.from_dict({path: groups[path] for path in sorted(groups, key=_rank)})
    tree.attrs = dict(stored.attrs)
    return tree


def _as_built(data: xr.Dataset) -> xr.Dataset:
    """A group with its variables in their order, and text as the objects it was built from."""
    if ORDER in data.attrs:
        data = data[list(data.attrs[ORDER])]
    text = {name: v.astype(object) for name, v in data.variables.items() if v.dtype.kind in "TU"}
    return data.assign_coords({n: v for n, v in text.items() if n in data.coords}).assign(
        {n: v for n, v in text.items() if n not in data.coords}
    )


def words(values: Iterable[str]) -> np.ndarray:
    """Text as an array of objects, the form that Zarr stores without reservations."""
    listed = list(values)
    return np.array(listed, object) if listed else np.empty(0, object)
