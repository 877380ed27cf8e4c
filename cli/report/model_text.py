"""A model as text: everything it declares, from the declarations themselves."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .text import align, shown_unit


def describe_all(width: int) -> str:
    """A row for each model, area by area, in lines of at most `width` characters."""
    from twin.library import model_classes

    lines = [["area", "model", "also", "measured by", "evidence", "title"]]
    for name, kind in sorted(model_classes().items(), key=lambda found: (found[1].area, found[0])):
        counts = "/".join(map(str, kind.evidence().values()))
        lines.append([kind.area, name, ", ".join(kind.aliases), ", ".join(kind.modalities()), counts, kind.title])
    told = (
        "Evidence: how many parameters were read in the paper itself / in a second implementation / are assumed. "
        "`twin models NAME` shows one in full."
    )
    return "\n".join([*align(lines, width), "", *textwrap.wrap(told, width)])


def describe_model(name: str, width: int) -> str:
    """One model in full, in lines of at most `width` characters."""
    from twin.library import load_model

    return "\n".join(_chapters(load_model(name), width))


def _chapters(model: Any, width: int) -> Iterator[str]:
    table, chapter = functools.partial(_table, width), functools.partial(_chapter, width)
    yield f"{model.name}: {model.title}"
    yield from textwrap.wrap(" ".join((type(model).__doc__ or "").split()), width)
    yield from textwrap.wrap(f"Source: {model.citation}", width)
    states = f"States: {len(model.states())}, of which solved exactly: {_exact_blocks(model)}."
    yield from textwrap.wrap(f"Time unit: {model.time_unit}. {states}", width)
    yield from chapter("Domain of validity", _domain(model))
    yield from table("Parameters", ("name", "value", "unit", "between patients", "meaning", "source", "evidence"),
                      ([n, f"{p.value:g}", p.unit, p.spread.describe() if p.spread else "", p.meaning, p.source,
                        str(p.evidence)] for n, p in model.parameters().items()))  # fmt: skip
    yield from chapter("Evidence", _evidence(model))
    yield from chapter("Correlations", (f"{a}, {b}: {r:g}" for (a, b), r in model.normal_correlations().items()))
    yield from table("Covariates", ("name", "reference", "range or levels", "meaning", "source"),
                      (_covariate(n, c) for n, c in model.covariates().items()))  # fmt: skip
    yield from table("Inputs over time", ("name", "default", "unit", "range", "meaning"),
                     ([n, f"{i.default:g}", i.unit, _range(i), i.meaning]
                      for n, i in model.inputs().items()))  # fmt: skip
    yield from table("Treatments", ("name", "unit", "into", "meaning"),
                      ([n, t.unit, t.into, t.meaning] for n, t in model.treatments().items()))  # fmt: skip
    yield from table("Observables", ("name", "unit", "modality", "measurement noise", "meaning", "LOINC"),
                      ([n, o.unit, o.modality, o.noise.describe() if o.noise else "", o.meaning,
                        " ".join(o.codes.get("loinc", ()))] for n, o in model.observables().items()))  # fmt: skip
    yield from table("Outcomes", ("name", "kind", "of", "unit", "meaning"),
                      ([n, type(o).__name__, o.of, o.unit(model.observables()[o.of].unit, model.time_unit), o.meaning]
                       for n, o in model.outcomes.items()))  # fmt: skip
    yield from table("States", ("name", "unit", "meaning"),
                      ([n, s.unit, s.meaning] for n, s in model.states().items()))  # fmt: skip


def _exact_blocks(model: Any) -> str:
    return ", ".join(model.linear) or "none"


def _domain(model: Any) -> Iterator[str]:
    yield f"Built on: {model.domain.population}"
    if model.domain.limits:
        yield f"Leaves out: {model.domain.limits}"
    for treatment, largest in model.domain.largest_dose.items():
        yield f"Largest dose of {treatment}: {largest:g} {model.treatments()[treatment].unit}"


def _evidence(model: Any) -> Iterator[str]:
    yield ", ".join(f"{count} {tag}" for tag, count in model.evidence().items() if count)


def _covariate(name: str, declared: Any) -> list[str]:
    if declared.levels:
        return [name, declared.reference, ", ".join(declared.levels), declared.meaning, declared.source]
    reference = f"{declared.reference:g} {shown_unit(declared.unit)}".strip()
    return [name, reference, _range(declared), declared.meaning, declared.source]


def _range(declared: Any) -> str:
    """Where a covariate or an input was studied, and where it is refused."""
    known = not math.isinf(declared.low) or not math.isinf(declared.high)
    span = f"{declared.low:g} to {declared.high:g}" if known else ""
    if not math.isinf(declared.refuse[0]) or not math.isinf(declared.refuse[1]):
        span = f"{span} (refused outside {declared.refuse[0]:g} to {declared.refuse[1]:g})".strip()
    return span


def _table(width: int, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [[shown_unit(c) if h == "unit" else c for h, c in zip(head, row, strict=True)] for row in rows]
    if lines:
        yield from ("", title, *align([list(head), *lines], width))


def _chapter(width: int, title: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield from ("", title)
        for line in lines:
            yield from textwrap.wrap(line, width)
