"""A trial's operating characteristics as labelled data: every group, dimension and name of it lives here.

Groups:
    /operating     (run, hypothesis)            power, bias, coverage, ...; `<name>_se` is its standard error
    /size          (run)                        how large, how long, how it ends
    /looks         (run, look)                  how often each is reached and what it ends in
    /allocation    (run, arm)                   shares and numbers of persons
    /replicates    (run, replicate[, hypothesis])   what came of each trial
    /example       (person[, visit])            one trial to open
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..model.extension import describe_model
from ..result.dataset import version as package_version
from ..result.dataset import words
from .analyse import scale_of
from .design import Design, Endpoint
from .escalating import Escalations, of_doses, of_escalations
from .operating import Measured, of_arms, of_hypotheses, of_looks, of_trials
from .simulate import ASSURANCE, MEANING, Asked, Run

FILE = "trial.zarr"
RUN, HYPOTHESIS, LOOK, ARM, REPLICATE = "run", "hypothesis", "look", "arm", "replicate"
PERSON, VISIT = "person", "visit"
OPERATING, SIZE, LOOKS, ALLOCATION, REPLICATES, EXAMPLE, DOSES = (
    "operating", "size", "looks", "allocation", "replicates", "example", "doses",
)  # fmt: skip
REASONS = ("all looks taken", "efficacy", "futility")


def build(asked: Asked, runs: Sequence[Run], example: xr.Dataset | None = None) -> xr.DataTree:
    design = asked.design
    names = hypothesis_names(design)
    run = (RUN, words(one.name for one in runs))
    coordinates = {RUN: run, HYPOTHESIS: words(names)}
    tables = {
        OPERATING: (
            (RUN, HYPOTHESIS),
            [of_hypotheses(design, one.trials, one.truth, varies=one.name == ASSURANCE) for one in runs],
        ),
        SIZE: ((RUN,), [of_trials(design, one.trials) for one in runs]),
        LOOKS: ((RUN, LOOK), [of_looks(design, one.trials) for one in runs]),
        ALLOCATION: ((RUN, ARM), [of_arms(design, one.trials) for one in runs]),
    }
    groups = {name: _stack(dims, several) for name, (dims, several) in tables.items()}
    groups[OPERATING] = groups[OPERATING].assign_coords(coordinates | _labels(design))
    groups[SIZE] = groups[SIZE].assign_coords({RUN: run})
    groups[LOOKS] = groups[LOOKS].assign_coords({RUN: run, "share": (LOOK, _shares(design))})
    groups[ALLOCATION] = groups[ALLOCATION].assign_coords({RUN: run, ARM: words(arm_names(design))})
    groups[REPLICATES] = _replicates(runs).assign_coords(coordinates)
    if example is not None:
        groups[EXAMPLE] = example
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in groups.items()})
    tree.attrs = _provenance(asked, {one.name: one.meaning for one in runs})
    return tree


def build_escalation(asked: Asked, found: Mapping[str, Escalations]) -> xr.DataTree:
    """The same of a dose escalation: /doses (run, arm), /size (run) and /replicates (run, replicate[, arm])."""
    design = asked.design
    run, arms = (RUN, words(found)), words(design.arms)
    several = list(found.values())
    groups = {
        DOSES: _stack((RUN, ARM), [of_doses(design, one) for one in several]).assign_coords({RUN: run, ARM: arms}),
        SIZE: _stack((RUN,), [of_escalations(design, one) for one in several]).assign_coords({RUN: run}),
        REPLICATES: xr.Dataset({
            "treated": ((RUN, REPLICATE, ARM), np.stack([one.treated for one in several])),
            "toxic": ((RUN, REPLICATE, ARM), np.stack([one.toxic for one in several])),
            "chosen": ((RUN, REPLICATE), np.stack([one.chosen for one in several])),
        }).assign_coords({RUN: run, ARM: arms}),
    }  # fmt: skip
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in groups.items()})
    tree.attrs = _provenance(asked, {name: MEANING[name] for name in found})
    return tree


def hypothesis_names(design: Design) -> list[str]:
    """An endpoint's name; and which arm it is of, where there are several."""
    several = len(design.treatments) > 1 and not design.crossover
    return [f"{e.name}: {design.arms[arm]}" if several else e.name for e, arm in design.hypotheses]


def _labels(design: Design) -> dict[str, Any]:
    chosen = design.hypotheses
    return {
        "endpoint": (HYPOTHESIS, words(e.name for e, _ in chosen)),
        "arm": (HYPOTHESIS, words(design.arms[arm] for _, arm in chosen)),
        "method": (HYPOTHESIS, words(e.analysis.method for e, _ in chosen)),
        "estimate": (HYPOTHESIS, words(scale_of(e) for e, _ in chosen)),
        "good": (HYPOTHESIS, words("above 0" if e.sign > 0 else "below 0" for e, _ in chosen)),
    }


def _shares(design: Design) -> np.ndarray:
    return np.array(design.looks.at if design.looks else (1.0,))


def _stack(dims: tuple[str, ...], several: Sequence[Measured]) -> xr.Dataset:
    variables: dict[str, Any] = {}
    for name in several[0]:
        variables[name] = (dims, np.stack([np.asarray(one[name][0], float) for one in several]))
        variables[f"{name}_se"] = (dims, np.stack([np.asarray(one[name][1], float) for one in several]))
    return xr.Dataset(variables)


_OF_HYPOTHESES = ("effect", "error", "z", "degrees", "p", "rejected")
_OF_TRIALS = ("look", "randomised", "analysed", "events", "duration", "screened", "lost", "failed")


def _replicates(runs: Sequence[Run]) -> xr.Dataset:
    variables: dict[str, Any] = {
        name: ((RUN, REPLICATE, HYPOTHESIS), np.stack([getattr(one.trials, name) for one in runs]))
        for name in _OF_HYPOTHESES
    }
    variables |= {
        name: ((RUN, REPLICATE), np.stack([getattr(one.trials, name) for one in runs])) for name in _OF_TRIALS
    }
    why = np.stack([np.array(REASONS, object)[one.trials.why] for one in runs])
    return xr.Dataset(variables | {"why": ((RUN, REPLICATE), why)})


def estimand_of(design: Design) -> list[dict[str, str]]:
    """Each endpoint's estimand in words, as ICH E9(R1) asks."""
    strategies = "; ".join(f"{one.name} ({one.at}): {one.strategy}" for one in design.intercurrent)
    found = []
    for endpoint in design.endpoints:
        adjusted = f", adjusted for {', '.join(endpoint.analysis.adjust)}" if endpoint.analysis.adjust else ""
        found.append({
            "endpoint": endpoint.name, "treatment": f"{', '.join(design.treatments)} against {design.arms[0]}",
            "population": "all randomised", "variable": _variable(design, endpoint),
            "intercurrent events": strategies or "none named: values count as they are",
            "summary": f"{scale_of(endpoint)}{adjusted} ({endpoint.analysis.method.replace('_', ' ')})",
        })  # fmt: skip
    return found


def _variable(design: Design, endpoint: Endpoint) -> str:
    """What the endpoint is; of an outcome, with what it means."""
    meaning = design.outcomes[endpoint.of].meaning if endpoint.kind in ("outcome", "event") else ""
    return endpoint.describe() + (f" ({meaning})" if meaning else "")


def arm_names(design: Design) -> list[str]:
    """The arms; of a crossover, its orders."""
    one, *others = design.arms
    return [f"{one}, then {others[0]}", f"{others[0]}, then {one}"] if design.crossover else list(design.arms)


def _provenance(asked: Asked, runs: Mapping[str, str]) -> dict[str, Any]:
    design, model = asked.design, asked.model
    return {
        **describe_model(model), "model_citation": model.citation, "model_domain": model.domain.population,
        "time_unit": design.unit, "seed": asked.settings.seed,
        "replicates": design.replicates, "patients": design.patients, "alpha": design.alpha, "sides": design.sides,
        "arms": json.dumps(design.arms), "runs": json.dumps(dict(runs)),
        "estimands": json.dumps(estimand_of(design)), "patient-twin": package_version(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def rows(tree: xr.DataTree, group: str) -> list[Mapping[str, Any]]:
    """A group of operating characteristics as rows, one a run and hypothesis, look or arm; values with their errors."""
    data = tree[group].to_dataset()
    names = [n for n in data.data_vars if not str(n).endswith("_se")]
    dims = data[names[0]].dims
    found = []
    for index in np.ndindex(*(data.sizes[d] for d in dims)):
        at = dict(zip(dims, index, strict=True))
        row: dict[str, Any] = {str(d): data[d].values[i] if d in data.coords else i + 1 for d, i in at.items()}
        for name, values in data.coords.items():
            if name not in dims:
                row[str(name)] = values.isel({d: i for d, i in at.items() if d in values.dims}).item()
        for name in names:
            row[str(name)] = float(data[name].isel(at))
            row[f"{name}_se"] = float(data[f"{name}_se"].isel(at))
        found.append(row)
    return found
