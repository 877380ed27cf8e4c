"""One trajectory's ledger as people read it: readings and decisions, then doses."""

from __future__ import annotations

from typing import Any

import numpy as np

from .text import align, readable_time, shown_unit


def to_text(tree: Any, patient: str, regimen: str, draw: int) -> str:
    """Both tables of a trajectory."""
    where = {"patient": patient, "regimen": regimen, "draw": draw}
    decisions, doses = (tree[name].to_dataset().sel(where) for name in ("decisions", "doses"))
    unit, scale = readable_time(str(tree.attrs["time_unit"]), float(tree.attrs["end"]) - float(tree.attrs["start"]))
    lines = [f"{patient}, {regimen}, draw {draw}"]
    rows = _decisions(decisions, regimen, unit, scale)
    lines += ["", *align(rows)] if len(rows) > 1 else ["", "no reading"]
    rows = _doses(doses, unit, scale)
    lines += ["", *align(rows)] if len(rows) > 1 else ["", "no dose"]
    return "\n".join(lines)


def feedback_of(decisions: Any, regimen: str) -> list[dict[str, Any]]:
    """What decides in an arm: each feedback's name, measure, treatment, units and rules."""
    return decisions["feedback"].attrs["feedback"][regimen]


def rule_name(decisions: Any, regimen: str, feedback: int, code: int) -> str:
    """What the ledger calls a decision."""
    told = decisions["rule"].attrs["no_rule"].get(str(code))
    return told or feedback_of(decisions, regimen)[feedback]["rules"][code]


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}"


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.0f} %"


def doubtful_choices(tree: Any) -> list[str]:
    """What is to be said of doses that rest on an estimate which is not to be trusted."""
    if "decisions" not in tree.children:
        return []
    doubtful = tree["decisions/doubtful"].values
    count, made = int(np.nansum(doubtful)), int(np.isfinite(doubtful).sum())
    told = f"{count:,} of {made:,} chosen doses rest on an estimate of the patient that is not to be trusted"
    return [told] if count else []


def _decisions(decisions: Any, regimen: str, unit: str, scale: float) -> list[list[str]]:
    """Readings and what was decided on them; which feedback, and of what, where there are several."""
    feedback = feedback_of(decisions, regimen)
    reading, dose = (_unit_of_all(feedback, key) for key in ("unit", "dose_unit"))
    head = [f"read ({unit})", f"true {reading}".strip(), "measured", "told", "rule"]
    several, chosen = len(feedback) > 1, bool(np.isfinite(decisions["probability"].values).any())
    head += [f"dose {dose}".strip(), "asked", "becomes", *(("expected", "chance") if chosen else ())]
    rows = [[*head, *(("by", "of") if several else ())]]
    treatments = decisions["treatment"].attrs["treatments"]
    for k in np.argsort(decisions["read_at"].values, kind="stable"):
        one = {name: values.values[k] for name, values in decisions.data_vars.items()}
        if np.isnan(one["read_at"]):
            continue
        place = int(one["feedback"])
        numbers = [_number(one[name]) for name in ("latent", "measured", "reported")]
        doses = [_number(one[name]) for name in ("dose_before", "dose_asked", "dose")]
        rule = rule_name(decisions, regimen, place, int(one["rule"]))
        more = [_number(one["expected"]), _percent(one["probability"])] if chosen else []
        more += [feedback[place]["name"], treatments[int(one["treatment"])]] if several else []
        rows.append([_number(one["read_at"] / scale), *numbers, rule, *doses, *more])
    return rows


def _unit_of_all(feedback: list[dict[str, Any]], key: str) -> str:
    """The unit that all share, if they do."""
    units = {one[key] for one in feedback}
    return shown_unit(units.pop()) if len(units) == 1 else ""


def _doses(doses: Any, unit: str, scale: float) -> list[list[str]]:
    """Doses, those in a row that are the same and equally far apart in one line."""
    meanings, about = list(doses["why"].attrs["meanings"]), doses["treatment"].attrs
    one = shown_unit(str(doses["amount"].attrs["unit"]))  # of all treatments, if they have the same
    units = ["" if one else f" {shown_unit(str(unit))}".rstrip() for unit in about["units"]]
    rows = [[f"due ({unit})", "to", "doses", f"given {one}".strip(), "why", "treatment"]]
    open_: dict[int, tuple[tuple[float, int], float, float, list[str]]] = {}  # the last line of each treatment
    for k in np.argsort(doses["time"].values, kind="stable"):
        time, amount = float(doses["time"].values[k]), float(doses["amount"].values[k])
        if np.isnan(time):
            continue
        treatment, same = int(doses["treatment"].values[k]), (amount, int(doses["why"].values[k]))
        before, last, step, row = open_.get(treatment, (None, 0.0, np.nan, []))
        if same == before and (np.isnan(step) or np.isclose(time - last, step, rtol=1e-6)):
            row[1:3] = [_number(time / scale), str(int(row[2]) + 1)]
            open_[treatment] = (same, time, time - last, row)
            continue
        given = _number(amount) + units[treatment]
        row = [_number(time / scale), "", "1", given, meanings[same[1]], str(about["treatments"][treatment])]
        rows.append(row)
        open_[treatment] = (same, time, np.nan, row)
    return rows
