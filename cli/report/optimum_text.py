"""What an optimisation found, as people read it and as tables: the chosen, and every candidate."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twin.optimisation.judge import Standing
from twin.optimisation.optimum import Judged, Optimisation, Optimum
from twin.result.objective import Estimate, Statistic

from .text import align, shown_unit

MOST_SHOWN = 8  # candidates of a patient, and chosen of a Pareto set, in the terminal
MOST_OPTIMA = 12
_MOST_DOUBTS = 4
SURE = 3.0


def to_text(found: Optimisation, title: str) -> str:
    """The summary as it stands on the terminal."""
    parts = [title, *_how(found)]
    for optimum in found.optima[:MOST_OPTIMA]:
        parts += ["", *(_front(found, optimum) if len(found.aim.objectives) > 1 else _winner(found, optimum))]
    if len(found.optima) > MOST_OPTIMA:
        parts += ["", f"and {len(found.optima) - MOST_OPTIMA} more patients; chosen.csv has all"]
    return "\n".join(parts)


def _how(found: Optimisation) -> Iterator[str]:
    told, optimum = found.told, found.optima[0]
    yield (
        f"{len(optimum.race.candidates):,} candidates by {found.method}, {told['trajectories']:,} trajectories in "
        f"{told['seconds']:.1f} s ({told['compile_seconds']:.1f} s compiling); up to {told['draws']:,} draws to choose "
        f"by, {told['fresh']:,} fresh ones to judge by; seed {told['seed']}"
    )
    yield from (f"warning: {doubt}" for doubt in found.doubts[:_MOST_DOUBTS])
    if len(found.doubts) > _MOST_DOUBTS:
        yield f"and {len(found.doubts) - _MOST_DOUBTS} more such warnings"
    if found.left_out:
        what = "1 combination" if found.left_out == 1 else f"{found.left_out:,} combinations"
        yield f"{what} left out, which cannot be given; the first: {found.why_left_out}"


def _winner(found: Optimisation, optimum: Optimum) -> Iterator[str]:
    aim, best = found.aim, optimum.best
    who = f"all {len(optimum.patients)} patients" if len(optimum.patients) > 1 else optimum.who
    yield f"{who}: {aim.template.describe(best.candidate)}"
    yield from _doubts(found, best.fresh, best.tuned)
    lines = [["", "fresh draws", "when chosen", "looked better by"]]
    for i, statistic in enumerate(_statistics(found)):
        optimism = best.tuned.value[i] - best.fresh.value[i]
        lines.append([_title(found, i), spell(statistic, best.fresh, i), spell(statistic, best.tuned, i),
                      _number(statistic, optimism if i == 0 else np.nan)])  # fmt: skip
    yield from align(lines)
    for name, other in optimum.others.items():
        first = aim.objectives[0].statistic
        gain = _pair(first, other.gain, other.gain_error)
        yield f"regimen '{name}' on the same draws: {spell(first, other.judged, 0)}; the winner has {gain} more"
    yield ""
    yield from align(_candidates(found, optimum))


def _doubts(found: Optimisation, fresh: Judged, tuned: Judged) -> Iterator[str]:
    """What is wrong with a winner, said plainly."""
    count = len(found.aim.objectives)
    for i, constraint in enumerate(found.aim.constraints, start=count):
        margin, error = float(constraint.margin(np.float64(fresh.value[i]))), fresh.error[i]
        if margin < 0:
            yield (
                f"NOT KEPT on fresh draws: {constraint.name} {constraint.describe()}, it is "
                f"{spell(constraint.statistic, fresh, i)}"
            )
        elif margin < SURE * error:
            yield f"not sure: {constraint.name} {constraint.describe()} is kept by less than three standard errors"
    if not tuned.allowed:
        yield "no candidate keeps all constraints; this one is the nearest"
    if fresh.failed or tuned.failed:
        yield f"{fresh.failed} of its fresh trajectories failed and {tuned.failed} when it was chosen; left out"


def _front(found: Optimisation, optimum: Optimum) -> Iterator[str]:
    aim = found.aim
    who = f"all {len(optimum.patients)} patients" if len(optimum.patients) > 1 else optimum.who
    yield f"{who}: {len(optimum.chosen)} of {len(optimum.race.candidates)} that none is better than in all (Pareto set)"
    if not optimum.best.tuned.allowed:
        yield "no candidate keeps all constraints; this one is the nearest"
    lines = [[*aim.template.slots, *(_title(found, i) for i in range(len(_statistics(found)))), "dominated", ""]]
    order = sorted(optimum.chosen, key=lambda one: one.fresh.value[0])
    step = max(1, len(order) / (2 * MOST_SHOWN))
    for k in range(min(len(order), 2 * MOST_SHOWN)):
        one = order[int(k * step)]
        values = [spell(statistic, one.fresh, i) for i, statistic in enumerate(_statistics(found))]
        doubt = "" if one.fresh.allowed else "constraint not kept"
        lines.append([*map(str, one.candidate), *values, _percent(one.fresh.dominated), doubt])
    yield from align(lines)
    if len(order) > 2 * MOST_SHOWN:
        yield f"{2 * MOST_SHOWN} of {len(order)}; chosen.csv has all"
    for name, other in optimum.others.items():
        values = ", ".join(f"{s.name} {spell(s, other.judged, i)}" for i, s in enumerate(_statistics(found)))
        yield f"regimen '{name}' on the same draws: {values}; dominated {_percent(other.judged.dominated)}"


def _candidates(found: Optimisation, optimum: Optimum) -> list[list[str]]:
    """The best candidates as they looked when they were compared."""
    aim, race = found.aim, optimum.race
    statistics = _statistics(found)
    lines = [[*aim.template.slots, *(_title(found, i) for i in range(len(statistics))), "behind the best", "draws", ""]]
    for k in order_of(found, optimum)[:MOST_SHOWN]:
        values = [_pair(s, race.found.value[i, k], race.found.error[i, k]) for i, s in enumerate(statistics)]
        behind = "" if k in race.chosen else _pair(statistics[0], abs(race.behind.value[k]), race.behind.error[k])
        said = ["chosen"] if k in race.chosen else []
        said += [] if race.allowed[k] else ["constraint not kept"]
        said += [f"{race.failed[k]} failed"] if race.failed[k] else []
        lines.append([*map(str, race.candidates[k]), *values, behind, str(race.draws[k]), ", ".join(said)])
    return lines


def order_of(found: Optimisation, optimum: Optimum) -> list[int]:
    """Candidates from the best to the worst: those judged by more draws first, allowed before others."""
    race = optimum.race
    standing = Standing.of_estimates(found.aim, Estimate(*race.found))
    keys = [
        (k not in race.chosen, -race.draws[k], not race.allowed[k], -standing.goodness[0, k])
        for k in range(len(race.candidates))
    ]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _statistics(found: Optimisation) -> Sequence[Statistic]:
    return [one.statistic for one in (*found.aim.objectives, *found.aim.constraints)]


def _title(found: Optimisation, i: int) -> str:
    aim = found.aim
    if i < len(aim.objectives):
        return aim.objectives[i].name
    constraint = aim.constraints[i - len(aim.objectives)]
    return f"{constraint.name}, {constraint.describe()}"


def spell(statistic: Statistic, judged: Judged, i: int) -> str:
    """A value with its standard error."""
    return _pair(statistic, judged.value[i], judged.error[i])


def _pair(statistic: Statistic, value: float, error: float) -> str:
    if statistic.kind == "probability":
        return f"{100 * value:.1f} ± {100 * error:.1f} %"
    return f"{value:.4g} ± {error:.2g} {shown_unit(statistic.unit)}".strip()


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _number(statistic: Statistic, value: float) -> str:
    if np.isnan(value):
        return ""
    return f"{100 * value:.1f} %" if statistic.kind == "probability" else f"{value:.3g}"


# tables -----------------------------------------------------------------------------------------------


def write_candidates(found: Optimisation, path: Path) -> None:
    """Every candidate of every patient, as it stood when it was last compared."""
    names = [statistic.name for statistic in _statistics(found)]
    head = ["patient", *found.aim.template.slots, "draws", "failed", *_columns(names), "behind", "behind_error",
            "allowed", "dominated", "chosen"]  # fmt: skip

    def rows() -> Iterator[list[Any]]:
        for optimum in found.optima:
            race = optimum.race
            for k in order_of(found, optimum):
                yield [
                    optimum.who, *map(str, race.candidates[k]), race.draws[k], race.failed[k],
                    *_values(race.found.value[:, k], race.found.error[:, k]),
                    *_values([race.behind.value[k]], [race.behind.error[k]]), bool(race.allowed[k]),
                    _plain(race.dominated[k]), k in race.chosen,
                ]  # fmt: skip

    _write(path, head, rows())


def write_chosen(found: Optimisation, path: Path) -> None:
    """The chosen on fresh draws, how they looked before, and the scenario's regimens on the same draws."""
    names = [statistic.name for statistic in _statistics(found)]
    head = ["patient", "regimen", *found.aim.template.slots, "draws", "failed", *_columns(names), "allowed",
            "dominated",
            *(f"{name} when chosen" for name in names)]  # fmt: skip
    slots = len(found.aim.template.slots)

    def rows() -> Iterator[list[Any]]:
        for optimum in found.optima:
            for one in optimum.chosen:
                tuned = [_plain(v) for v in one.tuned.value]
                yield [optimum.who, "chosen", *map(str, one.candidate), *_columns_of(one.fresh), *tuned]
            for name, other in optimum.others.items():
                yield [optimum.who, name, *[""] * slots, *_columns_of(other.judged), *[""] * len(names)]

    _write(path, head, rows())


def _columns_of(one: Judged) -> list[Any]:
    return [
        one.draws,
        one.failed,
        *_values(one.value, one.error),
        one.allowed,
        "" if one.dominated is None else _plain(one.dominated),
    ]


def _columns(names: Sequence[str]) -> list[str]:
    return [column for name in names for column in (name, f"{name} error")]


def _values(values: Any, errors: Any) -> list[str]:
    return [_plain(one) for pair in zip(values, errors, strict=True) for one in pair]


def _plain(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def _write(path: Path, head: Sequence[str], rows: Iterator[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
