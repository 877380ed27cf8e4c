"""How a dose is chosen, as written, read for a model: the aim in the estimator's units, its window, the method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...errors import TwinError, suggest
from ...library import load_model
from ...model.outcome import outcome_kinds
from ...quantity import parse_quantity, parse_time
from .file import AimEntry, ChooseEntry, EstimateEntry, FeedbackEntry
from .rule import Choosing, Products

if TYPE_CHECKING:
    from ...model import DiseaseModel

KINDS = ("area", "average", "highest", "lowest", "final")
DRAWS = 200


def bind_choosing(entry: FeedbackEntry, model: DiseaseModel, treatment: int, products: Products) -> Choosing | None:
    """In the estimator's numbers; None where no dose is chosen."""
    choose = entry.choose
    if choose is None:
        return None
    if not any(rule.dose is not None and rule.dose.split() == ["chosen"] for rule in entry.rules):
        raise TwinError("feedback.choose: no rule asks for it; add one with dose: chosen, or leave it out")
    if math.isinf(products.most):
        raise TwinError("feedback.choose: nothing says how large a dose may be; add doses: with most")
    estimator = _estimator(choose.estimate, model)
    _require_names(entry.measure, list(model.treatments())[treatment], model, estimator)
    kind, of = _kind(choose.aim, estimator)
    after = _time(choose.aim.after, "aim.after", estimator, 0.0)
    over = _time(choose.aim.over, "aim.over", estimator, 0.0)
    if not over > 0:
        raise TwinError("feedback.choose.aim.over: the window has no length; write one such as '24 h'")
    aim = outcome_kinds()[kind](of=of, since=after, until=after + over)
    low, high, target = _levels(choose, aim.unit(estimator.observables()[of].unit, estimator.time_unit))
    every = tuple(_time(text, f"every[{i}]", estimator, 0.0) for i, text in enumerate(choose.every or ()))
    if any(not step > 0 for step in every):
        raise TwinError("feedback.choose.every: an interval is longer than nothing; write [8 h, 12 h]")
    by_probability = choose.by == "probability" or (choose.by is None and choose.aim.target is None)
    return Choosing(
        aim, low, high, target, by_probability, tuple(sorted(set(every))), estimator, choose.estimate.method,
        1 if choose.estimate.method == "map" else choose.estimate.draws or DRAWS, choose.estimate.last,
    )  # fmt: skip


def _estimator(entry: EstimateEntry, model: DiseaseModel) -> DiseaseModel:
    try:
        found = model if entry.model is None else load_model(entry.model)
        values = {}
        for name, value in entry.parameters.items():
            if name not in found.parameters():
                raise TwinError(f"model '{found.name}' has no parameter '{name}'; {suggest(name, found.parameters())}")
            values[name] = parse_quantity(value, found.parameters()[name].unit)
        return found.with_values(**values) if values else found
    except TwinError as problem:
        raise TwinError(f"feedback.choose.estimate: {problem}") from None


def _require_names(measure: str, treatment: str, model: DiseaseModel, estimator: DiseaseModel) -> None:
    """Whoever doses by another model needs what is measured and given in it, too."""
    for name, known in ((measure, estimator.observables()), (treatment, estimator.treatments())):
        if name not in known:
            raise TwinError(f"feedback.choose.estimate.model: '{estimator.name}' has no '{name}'; take one that has")
    units = (model.treatments()[treatment].unit, estimator.treatments()[treatment].unit)
    times = (model.time_unit, estimator.time_unit)
    if units[0] != units[1] or times[0] != times[1]:
        raise TwinError(
            f"feedback.choose.estimate.model: '{estimator.name}' counts in {units[1]} and {times[1]}, "
            f"'{model.name}' in {units[0]} and {times[0]}; take one in the same units"
        )
    noise = estimator.observables()[measure].noise
    if noise is None:
        raise TwinError(
            f"feedback.choose: '{estimator.name}' declares no error of '{measure}', so nothing can be told from a "
            "reading; measure another observable"
        )


def _kind(aim: AimEntry, model: DiseaseModel) -> tuple[str, str]:
    asked = [(kind, getattr(aim, kind)) for kind in KINDS if getattr(aim, kind) is not None]
    if len(asked) != 1:
        raise TwinError(f"feedback.choose.aim: say what is aimed at, with one of {', '.join(KINDS)}")
    ((kind, of),) = asked
    if of not in model.observables():
        raise TwinError(f"feedback.choose.aim.{kind}: unknown observable '{of}'; {suggest(of, model.observables())}")
    return kind, of


def _levels(choose: ChooseEntry, unit: str) -> tuple[float, float, float]:
    aim = choose.aim

    def level(value: Any, key: str, otherwise: float) -> float:
        if value is None:
            return otherwise
        try:
            return parse_quantity(value, unit)
        except TwinError as problem:
            raise TwinError(f"feedback.choose.aim.{key}: {problem}") from None

    low, high = level(aim.at_least, "from", -math.inf), level(aim.at_most, "to", math.inf)
    if low > high:
        raise TwinError("feedback.choose.aim: the range is empty; write the smaller number as from")
    middle = (low + high) / 2
    target = level(aim.target, "target", middle)
    if choose.by == "probability" and math.isinf(low) and math.isinf(high):
        raise TwinError("feedback.choose.aim: a probability is of a range; add from: and to:")
    if not math.isfinite(target):
        raise TwinError("feedback.choose.aim: say what is aimed at, with from: and to:, or with target:")
    return low, high, target


def _time(value: Any, key: str, model: DiseaseModel, otherwise: float) -> float:
    if value is None:
        return otherwise
    try:
        found = parse_time(value, model.time_unit)
    except TwinError as problem:
        raise TwinError(f"feedback.choose.{key}: {problem}") from None
    if found < 0:
        raise TwinError(f"feedback.choose.{key}: '{value}' is less than nothing")
    return found
