"""The ledger of regimens that react, as labelled data: what was read and decided, and what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..run.reacting.ledger import HELD, MISSED, RELEASED, WHY

if TYPE_CHECKING:
    from ..model import DiseaseModel
    from ..regimen.feedback.rule import Rules
    from ..run.batch import Batch

DECISIONS, DOSES, STOPS = "decisions", "doses", "stops"
_READ, _DOSE, _TIME = "reading", "dose", "time"
_DECISIONS = {  # what a column is, and what kind of unit it has
    "read_at": (_TIME, "when it was read"),
    "decided_at": (_TIME, "when it was decided on"),
    "latent": (_READ, "the true value"),
    "measured": (_READ, "with the error of a measurement"),
    "reported": (_READ, "as it was told: rounded, within limits; not a number if the visit was missed"),
    "rule": ("", "the rule that was followed, by its place in the feedback's list; see feedback"),
    "dose_before": (_DOSE, "the dose that would have been given next"),
    "dose_asked": (_DOSE, "what the rule asks for"),
    "dose": (_DOSE, "what it became, within bounds and of what can be given"),
    "next_dose": (_TIME, "when it is due"),
    "feedback": ("", "which of the arm's feedback decided, by its place; see feedback"),
    "treatment": ("", "which treatment is changed, by its place among the model's; see treatments"),
    "expected": ("", "of a chosen dose: the mean of what is aimed at, by what is believed of the patient"),
    "probability": ("", "of a chosen dose: the believed probability of the range that is aimed at"),
    "doubtful": ("", "of a chosen dose: 1 where the estimate it rests on is not to be trusted"),
}
_DOSES = {
    "time": (_TIME, "when it was due"),
    "given_at": (_TIME, "when it was given"),
    "planned": (_DOSE, "what was due"),
    "amount": (_DOSE, "what was given"),
    "why": ("", "why that much; see meanings"),
    "treatment": ("", "which treatment, by its place among the model's; see treatments"),
    "mode": ("", "how it enters: 0 at once, 1 at a rate, 2 over a time, 3 and 4 as the model says"),
    "length": ("", "the rate or the time, by mode"),
}
_STOPS = {"halt": (_TIME, "where the solver stopped to be told what is given next; a replay stops there, too")}
NO_RULE = {MISSED: "missed", HELD: "still held", RELEASED: "released"}


def groups(batch: Batch, values: Mapping[str, Any], lanes: Any, coordinates: Any) -> dict[str, xr.Dataset]:
    """The groups of a run."""
    model, reaction = batch.model, batch.reaction
    assert reaction is not None
    readings = {model.observables()[name].unit for name in reaction.observables_read}
    given = {t.unit for t in model.treatments().values()}
    units = {
        _TIME: model.time_unit, _READ: readings.pop() if len(readings) == 1 else "", "": "",
        _DOSE: given.pop() if len(given) == 1 else "",
    }  # fmt: skip

    def dataset(columns: Mapping[str, tuple[str, str]], table: Mapping[str, np.ndarray], row: str) -> xr.Dataset:
        variables = {
            name: ((*lanes, row), table[name], {"unit": units[unit], "description": told})
            for name, (unit, told) in columns.items()
        }
        return xr.Dataset(variables, coordinates)

    decisions = dataset(_DECISIONS, values["decisions"], "decision")
    treatments = list(model.treatments())
    decisions["rule"].attrs["no_rule"] = {str(k): text for k, text in NO_RULE.items()}
    decisions["treatment"].attrs["treatments"] = treatments
    decisions["feedback"].attrs["feedback"] = {
        arm: [_description(model, one) for one in feedback]
        for arm, feedback in zip(batch.regimens, reaction.rules, strict=True)
    }
    doses = dataset(_DOSES, values["doses"], "dose_number")
    doses["why"].attrs["meanings"] = list(WHY)
    doses["treatment"].attrs["treatments"] = treatments
    doses["treatment"].attrs["units"] = [treatment.unit for treatment in model.treatments().values()]
    return {DECISIONS: decisions, DOSES: doses, STOPS: dataset(_STOPS, values["stops"], "stop")}


def _description(model: DiseaseModel, rules: Rules) -> dict[str, Any]:
    """What a reader of the ledger needs to know of a feedback."""
    treatment = list(model.treatments().values())[rules.treatment]
    return {
        "name": rules.name, "measure": rules.measure, "unit": model.observables()[rules.measure].unit,
        "treatment": treatment.name, "dose_unit": treatment.unit, "rules": [rule.name for rule in rules.rules],
        "idle": [k for k, rule in enumerate(rules.rules) if rule.idle],
    }  # fmt: skip
