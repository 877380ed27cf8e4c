"""Circulating tumour DNA: what a tumour sheds into plasma, how much of it a sample holds, and when a test sees it.

Cells that die shed fragments which plasma clears within the hour, so that their number follows the tumour at once
(Avanzini 2020); any model with a burden can make an observable of it:

    shed = shed_into_plasma(cells, death=p.death, shedding=p.shedding, clearance=p.clearance)
    count = sampled_mutants(shed, wild_type_fragments(p.cell_free_dna), sampled=p.sampled, misread=p.misread)

`sensitivity` is of a test for one mutation whose threshold is fixed by its false positives (with SciPy, as JAX has it).
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from ..types import Scalar

CELLS_PER_VOLUME = 1e9  # cells in 1 cm3 of tumour
PLASMA = 2750.0  # mL: 5 L of blood, 55 % plasma
GENOME_MASS = 0.0066  # ng of a diploid genome
CELL_FREE_DNA = (1.86, 3.38)  # ng/mL in plasma: shape and scale of a gamma distribution
PLASMA_CLEARANCE = 48 * math.log(2)  # 1/day: a half-life of 30 minutes
SAMPLED = 0.0015  # 15 mL of 5 L of blood, of which sequencing reads half
MISREAD = 1e-5  # of a base

Amount = TypeVar("Amount", Scalar, np.ndarray)  # a person's, or those of many at once


def sphere_cells(diameter: Scalar) -> Scalar:
    """Cells of a sphere of this diameter in mm."""
    return CELLS_PER_VOLUME * math.pi / 6 * (diameter / 10) ** 3


def shed_into_plasma(
    cells: Scalar, *, death: Scalar, shedding: Scalar, clearance: Scalar = PLASMA_CLEARANCE, growth: Scalar = 0.0
) -> Scalar:
    """Mean number of haploid genomes in all plasma; `shedding` is what a dying cell leaves there, rates per day."""
    return death * shedding * cells / (growth + clearance)


def wild_type_fragments(cell_free_dna: Amount) -> Amount:
    """Copies of a locus in all plasma that are not of the tumour, at this much cell-free DNA (ng/mL)."""
    return 2 * cell_free_dna / GENOME_MASS * PLASMA


def allele_fraction(shed: Amount, wild_type: Amount) -> Amount:
    """Share of mutated copies of a locus where every tumour cell has one mutated of two."""
    return shed / (wild_type + 2 * shed)


def sampled_mutants(shed: Scalar, wild_type: Scalar, *, sampled: Scalar = SAMPLED, misread: Scalar = MISREAD) -> Scalar:
    """Mutated copies that one sample is expected to hold, misread ones among them."""
    copies = wild_type + 2 * shed
    share = allele_fraction(shed, wild_type)
    return copies * sampled * (share * (1 - misread) + (1 - share) * misread)


# --- a test for one mutation --------------------------------------------------------------------------


def detection_threshold(false_positives: float = 0.01, *, sampled: float = SAMPLED, misread: float = MISREAD) -> float:
    """The p-value at which a sample counts as positive, over people without a tumour.

    Of all (cell-free DNA, count) that such people can have, the least likely are called positive until calling one
    more would make the share of false positives exceed the one asked for.
    """
    from scipy.stats import binom

    copies = _copies(999)[:, None]
    counts = np.arange(1, 9)[None, :]
    chance = sampled * misread
    p_value = binom.sf(counts - 1, copies, chance).ravel()
    mass = binom.pmf(counts, copies, chance).ravel() / copies.size
    order = np.argsort(p_value)
    allowed = np.cumsum(mass[order]) <= false_positives
    return float(p_value[order][allowed][-1])


def required_count(
    copies: np.ndarray, threshold: float, *, sampled: float = SAMPLED, misread: float = MISREAD
) -> np.ndarray:
    """The fewest mutated copies whose p-value is at most the threshold, by how many copies there are."""
    from scipy.stats import binom

    needed = np.ones_like(copies)
    for k in range(1, 100):
        late = binom.sf(k - 1, copies, sampled * misread) > threshold
        if not late.any():
            break
        needed = np.where(late, k + 1, needed)
    return needed


def sensitivity(
    shed: float, threshold: float | None = None, *, sampled: float = SAMPLED, misread: float = MISREAD
) -> float:
    """The share of people with this mean number of shed genomes in plasma whose one sample is positive."""
    from scipy.stats import binom, poisson

    threshold = detection_threshold(sampled=sampled, misread=misread) if threshold is None else threshold
    in_plasma = poisson.ppf(np.arange(1, 100) / 100, shed)[None, :]
    wild_type = _copies(99)[:, None]
    copies = np.rint(wild_type + 2 * in_plasma)
    share = allele_fraction(in_plasma, wild_type)
    seen = sampled * (share * (1 - misread) + (1 - share) * misread)
    needed = required_count(copies, threshold, sampled=sampled, misread=misread)
    return float(binom.sf(needed - 1, copies, seen).mean())


def _copies(percentiles: int) -> np.ndarray:
    """Copies of a locus in plasma without a tumour, at equally spaced percentiles of cell-free DNA."""
    from scipy.stats import gamma

    shape, scale = CELL_FREE_DNA
    at = np.arange(1, percentiles + 1) / (percentiles + 1)
    return np.rint(wild_type_fragments(gamma.ppf(at, shape, scale=scale)))
