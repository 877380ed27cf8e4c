"""Genotypes from allele frequencies, under Hardy-Weinberg: each of the two alleles is drawn by itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from ...errors import TwinError

REST = "rest"  # what the other alleles leave
_ROUNDING = 1e-6


def allele_frequencies(said: Mapping[str, float | str]) -> dict[str, float]:
    """Frequencies that add up to 1; one of them may be `rest`."""
    found = {allele: float(share) for allele, share in said.items() if share != REST}
    open_ = [allele for allele, share in said.items() if share == REST]
    for allele, share in found.items():
        if not 0 <= share <= 1:
            raise TwinError(f"the frequency {share:g} of '{allele}' is not between 0 and 1")
    total = sum(found.values())
    if len(open_) > 1 or (open_ and total > 1 + _ROUNDING) or (not open_ and abs(total - 1) > _ROUNDING):
        raise TwinError(
            f"the frequencies of the alleles add up to {total:g}, not 1; write rest for one of them: {{'*1': rest}}"
        )
    return {allele: found.get(allele, max(1 - total, 0.0)) for allele in said}


def hardy_weinberg(
    frequencies: Mapping[str, float], number: Callable[[str, str], float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Genotypes (`number` says which value a pair of alleles is) and their probabilities."""
    found: dict[float, float] = {}
    there = {allele: share for allele, share in frequencies.items() if share > 0}
    for (one, p), (other, q) in itertools.combinations_with_replacement(there.items(), 2):
        value = number(one, other)
        found[value] = found.get(value, 0.0) + (p * p if one == other else 2 * p * q)
    total = sum(found.values())
    values = tuple(sorted(found))
    return values, tuple(found[value] / total for value in values)


def copies(frequency: float) -> tuple[float, float, float]:
    """The probabilities of no, one and two copies of an allele."""
    if not 0 <= frequency <= 1:
        raise TwinError(f"the frequency {frequency:g} of an allele is not between 0 and 1")
    return (1 - frequency) ** 2, 2 * frequency * (1 - frequency), frequency**2
