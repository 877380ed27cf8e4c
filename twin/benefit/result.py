"""Who benefits, as labelled data: every group, dimension and name of it lives here.

Groups:
    /summary      (quantity)                     value and se of everything that is one number
    /known        (covariate)                    importance, and how well a trial sees its interaction
    /subgroups    (subgroup)                     how well a trial sees those that are named
    /rule, /strata (leaf)                        who is in each leaf, its gain on the half that judges
    /scales       (scale)                        where the effect is the same for everybody
    /enrichment   (share)                        the top by predicted gain
    /persons      (person)                       values under control and treatment, gain, prediction, covariates
"""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import xarray as xr

from ..model import DiseaseModel
from ..model.extension import describe_model
from ..result.dataset import version as package_version
from ..result.dataset import words
from ..settings import Settings
from .detect import Detection
from .effects import Effects
from .find import Benefit
from .question import Question
from .share import mean_of
from .stratify import Leaf

FILE = "benefit.zarr"
NO_STRATUM = "no stratum"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def build(question: Question, model: DiseaseModel, effects: Effects, found: Benefit, settings: Settings) -> xr.DataTree:
    values = _summary(found)
    names = list(values)
    groups: dict[str, xr.Dataset] = {
        "summary": xr.Dataset(
            {
                "value": ("quantity", np.array([values[n][0] for n in names])),
                "se": ("quantity", np.array([values[n][1] for n in names])),
            },
            {"quantity": words(names)},
        ),
        "known": _knowledge(found, effects),
        "scales": _scales(found),
        "enrichment": xr.Dataset(
            {
                name: ("share", np.array([getattr(one, name) for one in found.enriched]))
                for name in ("gain", "error", "patients", "screened")
            },
            {"share": np.array([one.share for one in found.enriched])},
        ),
        "rule": _leaves(found.rule.leaves),
        "strata": _leaves(found.strata.leaves),
        "persons": _persons(found, effects),
    }
    subgroups = found.detected[len(effects.baseline.names) :]
    if subgroups:
        groups["subgroups"] = _detections(subgroups).assign_coords(subgroup=("test", words(s.name for s in subgroups)))
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in groups.items()})
    tree.attrs = _provenance(question, model, effects, found, settings)
    return tree


def _summary(found: Benefit) -> dict[str, tuple[float, float]]:
    gains, nan = found.gains, float("nan")
    spread = float(np.sqrt(gains.variance))
    apart = (gains.own - gains.own.mean()) ** 2
    spread_error = mean_of(apart)[1] / (2 * spread) if spread > 0 else 0.0
    rule, strata = found.rule, found.strata
    values = {"mean": mean_of(gains.own), "spread": (spread, spread_error), "luck": (float(np.sqrt(gains.luck)), nan)}
    values |= {f"quantile {q:g}": (float(np.quantile(gains.expectation, q)), nan) for q in _QUANTILES}
    return values | {
        "harmed": found.harmed, "harmed_once": found.harmed_once, "known_variance": found.known,
        "known_share": found.share, "everybody": rule.everybody, "rule": rule.value,
        "rule_over_constant": rule.over_constant, "rule_optimism": (rule.optimism, nan), "rule_z": (rule.z, nan),
        "strata_contrast": strata.contrast, "strata_optimism": (strata.optimism, nan), "strata_z": (strata.z, nan),
        "by_prediction": found.by_prediction, "by_oracle": found.by_oracle,
    }  # fmt: skip


def _knowledge(found: Benefit, effects: Effects) -> xr.Dataset:
    names = effects.baseline.names
    data = _detections(found.detected[: len(names)]).rename(test="covariate")
    data["importance"] = ("covariate", np.array([one[0] for one in found.importance]))
    data["importance_se"] = ("covariate", np.array([one[1] for one in found.importance]))
    return data.assign_coords(covariate=words(names))


def _detections(several: tuple[Detection, ...]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: ("test", np.array([getattr(one, name) for one in several], float))
            for name in ("variance", "degrees", "power", "patients")
        }
    )


def _scales(found: Benefit) -> xr.Dataset:
    several = found.scales
    return xr.Dataset(
        {
            "mean": ("scale", np.array([one.mean[0] for one in several])),
            "mean_se": ("scale", np.array([one.mean[1] for one in several])),
            "spread": ("scale", np.array([one.spread for one in several])),
            "spread_se": ("scale", np.array([one.spread_error for one in several])),
            "homogeneous": ("scale", np.array([one.homogeneous for one in several])),
        },
        {"scale": words(one.name for one in several)},
    )


def _leaves(leaves: tuple[Leaf, ...]) -> xr.Dataset:
    return xr.Dataset(
        {
            "share": ("leaf", np.array([one.share for one in leaves])),
            "gain": ("leaf", np.array([one.gain[0] for one in leaves])),
            "gain_se": ("leaf", np.array([one.gain[1] for one in leaves])),
            "treated": ("leaf", np.array([one.treated for one in leaves])),
        },
        {"leaf": words(one.text for one in leaves)},
    )


def _persons(found: Benefit, effects: Effects) -> xr.Dataset:
    values = effects.values.mean(axis=1)
    variables: dict[str, Any] = {
        "control": values[:, 0], "treated": values[:, 1], "gain": found.gains.own, "predicted": found.learnt.predicted,
        "by_rule": found.rule.member, "in_strata": found.strata.member,
    }  # fmt: skip
    baseline = effects.baseline
    for i, (name, levels) in enumerate(zip(baseline.names, baseline.levels, strict=True)):
        column = baseline.values[:, i]
        variables[f"known {name}"] = np.array(levels, object)[column.astype(np.intp)] if levels else column
    return xr.Dataset(
        {name: ("person", one) for name, one in variables.items()}, {"person": effects.numbers.astype(np.int64)}
    )


def _provenance(
    question: Question, model: DiseaseModel, effects: Effects, found: Benefit, settings: Settings
) -> dict[str, Any]:
    entry, rule, strata = question.entry, found.rule, found.strata
    return {
        **describe_model(model), "seed": settings.seed, "persons": len(effects.values), "failed": effects.failed,
        "undefined": effects.undefined, "treated": entry.treated, "control": entry.control, "outcome": entry.outcome,
        "unit": question.unit, "event": str(question.event).lower(), "good": "higher" if question.higher else "lower",
        "known": json.dumps(question.known), "within": entry.within, "margin": question.margin, "cost": question.cost,
        "worth": question.worth, "error": entry.error, "patients": entry.patients,
        "rule": json.dumps([leaf.text for leaf in rule.leaves if leaf.treated]) if rule.named else NO_STRATUM,
        "strata": json.dumps([leaf.text for leaf in strata.leaves]) if strata.named else NO_STRATUM,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "version": package_version(),
        "synthetic": "true",
    }  # fmt: skip
