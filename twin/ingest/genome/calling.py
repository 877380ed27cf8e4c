"""From bases at sites to diplotypes: one where the bases leave one, else all that fit, with their probabilities."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from . import functions
from .sites import ALLELES, frequencies, sites

UNCERTAIN = 1e-9  # a diplotype less probable than this is not told apart from impossible


@dataclasses.dataclass(frozen=True)
class Called:
    """What was read at a site: for each of the two chromosomes, whether it has the variant base."""

    variants: tuple[bool, bool]
    phase: str | None = None  # sites with the same phase know which chromosome is which


def diplotypes(
    gene: str, seen: Mapping[str, Called], population: str, among: tuple[str, ...] | None = None
) -> dict[str, float]:
    """Diplotypes that fit what was seen, each with its probability (Hardy-Weinberg); empty where none fits.

    `seen` is by rsid; a site that is not in it is unknown.
    """
    common = frequencies(gene, population, among)
    weights: dict[str, float] = {}
    for one, of_one in common.items():
        for other, of_other in common.items():
            if _fits(gene, one, other, seen):
                name = _name(gene, one, other)
                weights[name] = weights.get(name, 0.0) + of_one * of_other
    total = sum(weights.values())
    kept = {name: weight / total for name, weight in weights.items() if weight / total > UNCERTAIN}
    return dict(sorted(kept.items(), key=lambda pair: -pair[1]))


def levels(distribution: Mapping[str, float]) -> str | dict[str, float]:
    """The level where there is one, else levels with probabilities."""
    if len(distribution) == 1:
        return next(iter(distribution))
    return dict(distribution)


def sum_by_name(distribution: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Probabilities of what diplotypes are called: two of one name count together."""
    found: dict[str, float] = {}
    for probability, name in zip(distribution.values(), names, strict=True):
        found[name] = found.get(name, 0.0) + probability
    return found


def _fits(gene: str, one: str, other: str, seen: Mapping[str, Called]) -> bool:
    """Whether two alleles, in this order, give what was seen; each phase may be the other way round."""
    of_one, of_other = ALLELES[gene].get(one, frozenset()), ALLELES[gene].get(other, frozenset())
    groups: dict[str, list[tuple[tuple[bool, bool], tuple[bool, bool]]]] = {}
    for site in sites(gene):
        called = seen.get(site.rsid)
        if called is not None:
            expected = (site.rsid in of_one, site.rsid in of_other)
            groups.setdefault(called.phase or site.rsid, []).append((expected, called.variants))
    return all(
        all(expected == read for expected, read in pairs) or all(expected[::-1] == read for expected, read in pairs)
        for pairs in groups.values()
    )


def _name(gene: str, one: str, other: str) -> str:
    return functions.diplotype(gene, one + other if gene == "VKORC1" else f"{one}/{other}")
