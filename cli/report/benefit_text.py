"""Who benefits, as people read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from twin.benefit.result import NO_STRATUM

from .text import align
from .trial_text import spell

TABLES = {
    "summary": "benefit.csv", "known": "known.csv", "rule": "rule.csv", "strata": "strata.csv", "scales": "scales.csv",
    "enrichment": "enrichment.csv", "subgroups": "subgroups.csv", "persons": "persons.csv",
}  # fmt: skip
_SHARES = ("harmed", "harmed_once", "known_share")


def to_text(tree: Any) -> str:
    """All of it, with standard errors over persons."""
    parts = (_head, _spread, _knowledge, _rule, _strata, _scales, _enrichment)
    return "\n\n".join("\n".join(part(tree)) for part in parts)


def _number(tree: Any, name: str) -> str:
    one = tree["summary"].to_dataset().sel(quantity=name)
    value, error = one["value"].item(), one["se"].item()
    if name in _SHARES:
        return "-" if not np.isfinite(value) else f"{100 * value:.2f} ± {100 * error:.2f} %"
    return spell("", value, error)


def _value(tree: Any, name: str) -> float:
    return tree["summary"]["value"].sel(quantity=name).item()


def _head(tree: Any) -> Iterator[str]:
    told = tree.attrs
    unit = "" if told["unit"] == "1" else f" ({told['unit']})"
    what = f"the risk of {told['outcome']}" if told["event"] == "true" else f"{told['outcome']}{unit}"
    often = f", each treated {told['within']} times" if told["within"] > 1 else ""
    yield f"{told['treated']} against {told['control']}, by {what}; {told['good']} is better, and gains count that way"
    yield f"{told['persons']:,} persons{often}, everybody under both by the same chance; seed {told['seed']}"
    if told["failed"] or told["undefined"]:
        yield f"left out: {told['failed']:,} with a course that failed, {told['undefined']:,} without a finite value"


def _spread(tree: Any) -> Iterator[str]:
    told = tree.attrs
    beyond = f" by more than {told['margin']:g}" if told["margin"] else ""
    lines = [
        ["what persons gain", ""],
        ["mean", _number(tree, "mean")],
        ["SD between persons", _number(tree, "spread")],
    ]
    if told["within"] > 1:
        lines.append(["SD by luck, the same person again", _number(tree, "luck")])
    ends = [f"{_value(tree, f'quantile {q:g}'):.4g}" for q in (0.05, 0.5, 0.95)]
    lines += [
        ["median [5 %, 95 %]", f"{ends[1]} [{ends[0]}, {ends[2]}]"],
        [f"expected to be harmed{beyond}", _number(tree, "harmed")],
    ]
    if told["within"] > 1:
        lines.append([f"harmed{beyond} in a single course", _number(tree, "harmed_once")])
    yield from align(lines)


def _knowledge(tree: Any) -> Iterator[str]:
    told, data = tree.attrs, tree["known"].to_dataset()
    yield f"known before treatment: {_number(tree, 'known_share')} of the variance between persons"
    lines = [["covariate", "importance", f"seen in {told['patients']:,} patients", "patients for 80 %"]]
    for name in data["covariate"].values[np.argsort(-data["importance"].values, kind="stable")]:
        one = data.sel(covariate=name)
        lines.append([
            str(name), spell("rejected", one["importance"].item(), one["importance_se"].item()),
            f"{100 * one['power'].item():.1f} %", _count(one["patients"].item()),
        ])  # fmt: skip
    if "subgroups" in tree.children:
        for _, one in tree["subgroups"].to_dataset().groupby("test"):
            power, patients = (float(np.ravel(one[n].values)[0]) for n in ("power", "patients"))
            lines.append([str(np.ravel(one["subgroup"].values)[0]), "", f"{100 * power:.1f} %", _count(patients)])
    yield from align(lines)


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "never"


def _rule(tree: Any) -> Iterator[str]:
    told = tree.attrs
    cost = f", its cost of {told['cost']:g} taken off" if told["cost"] else ""
    lines = [
        [f"what treating is worth a person{cost}", ""],
        ["everybody", _number(tree, "everybody")], ["by the rule", _number(tree, "rule")],
        ["the rule over the better of all and none", _number(tree, "rule_over_constant")],
        ["by the regression", _number(tree, "by_prediction")],
        ["who gains, if it were known", _number(tree, "by_oracle")],
    ]  # fmt: skip
    yield from align(lines)
    if told["rule"] == NO_STRATUM:
        better = "treat everybody" if _value(tree, "everybody") > 0 else "treat nobody"
        yield f"whom to treat: no stratum; no rule is shown to be worth more than to {better}"
        return
    yield "whom to treat: those with " + "; or ".join(json.loads(told["rule"]))
    yield from _leaves(tree, "rule")


def _strata(tree: Any) -> Iterator[str]:
    told = tree.attrs
    if told["strata"] == NO_STRATUM:
        yield "who gains most: no stratum; the half that judges does not show a difference"
        return
    yield f"who gains most: the ends differ by {_number(tree, 'strata_contrast')}"
    yield from _leaves(tree, "strata")


def _leaves(tree: Any, group: str) -> Iterator[str]:
    data = tree[group].to_dataset()
    lines = [["persons", "share", "gain, on the half that judges"]]
    for i, text in enumerate(data["leaf"].values):
        gain = spell("", data["gain"].values[i], data["gain_se"].values[i])
        lines.append([str(text), f"{100 * data['share'].values[i]:.1f} %", gain])
    yield from align(lines)


def _scales(tree: Any) -> Iterator[str]:
    data = tree["scales"].to_dataset()
    lines = [["scale", "mean effect", "SD that covariates know", ""]]
    for i, name in enumerate(data["scale"].values):
        mean = spell("", data["mean"].values[i], data["mean_se"].values[i])
        spread = spell("", data["spread"].values[i], data["spread_se"].values[i])
        lines.append([str(name), mean, spread, "alike for all" if data["homogeneous"].values[i] else "differs"])
    yield from align(lines)


def _enrichment(tree: Any) -> Iterator[str]:
    data = tree["enrichment"].to_dataset()
    lines = [["top by prediction", "gain", "patients for 90 %", "screened"]]
    for i, share in enumerate(data["share"].values):
        gain = spell("", data["gain"].values[i], data["error"].values[i])
        patients = data["patients"].values[i]
        lines.append([
            f"{100 * share:.0f} %", gain, _count(patients), _count(patients * data["screened"].values[i])
        ])  # fmt: skip
    yield from align(lines)
