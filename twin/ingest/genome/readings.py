"""Readings of a gene: the diplotype, what CPIC calls it, and its activity score where the gene has one."""

from __future__ import annotations

from collections.abc import Mapping

from ..chart import Code, Reading
from .calling import levels, sum_by_name
from .functions import activity, phenotype


def of_gene(gene: str, distribution: Mapping[str, float], where: str) -> tuple[Reading, ...]:
    """The readings that a gene's diplotypes make; `distribution` has one entry where the diplotype is certain."""
    names = [phenotype(gene, text) for text in distribution]
    scores = [activity(gene, text) for text in distribution]
    found = [
        Reading((Code("gene", gene),), levels(distribution), where=where),
        Reading((Code("phenotype", gene),), levels(sum_by_name(distribution, names)), where=where),
    ]
    if None not in scores:
        score = levels(sum_by_name(distribution, [f"{s:g}" for s in scores]))
        found.append(Reading((Code("activity", gene),), float(score) if isinstance(score, str) else score, where=where))
    return tuple(found)
