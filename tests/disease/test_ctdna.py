"""Circulating tumour DNA: shedding against its equation, fractions by hand, counts, and a test's sensitivity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom, nbinom, poisson

from twin.parts.tumour_dna import (
    MISREAD,
    SAMPLED,
    _copies,
    allele_fraction,
    detection_threshold,
    required_count,
    sampled_mutants,
    sensitivity,
    shed_into_plasma,
    sphere_cells,
    wild_type_fragments,
)

LUNG = {"death": 0.136, "shedding": 1.4e-4}


def test_the_quasi_steady_mean_is_that_of_the_equation():
    """dB/dt = d q M - eps B with a growing tumour, an hour and more after the start."""
    clearance = 48 * math.log(2)

    def rate(t, y):
        return 0.136 * 1.4e-4 * 1e9 * np.exp(0.004 * t) - clearance * y

    known = solve_ivp(rate, (0, 10), [0.0], "LSODA", [10.0], rtol=1e-10, atol=1e-9).y[0, 0]
    assert shed_into_plasma(1e9 * math.exp(0.04), growth=0.004, **LUNG) == pytest.approx(known, rel=1e-8)


def test_numbers_of_the_authors_code():
    """572.2 genomes of 1e9 cells, 0.2081 a mL of plasma; a sphere of 8 mm has 2.681e8 cells, which leave 153.4."""
    found = shed_into_plasma(1e9, growth=0.004, **LUNG)
    assert found == pytest.approx(572.2, abs=0.05)
    assert found / 2750 == pytest.approx(0.2081, abs=5e-5)
    assert sphere_cells(8.0) == pytest.approx(2.681e8, rel=2e-4)
    assert shed_into_plasma(sphere_cells(8.0), growth=0.004, **LUNG) == pytest.approx(153.4, abs=0.05)


def test_fractions():
    """One diploid genome of DNA has two copies; with as much of the tumour alone, half of them are mutated."""
    assert wild_type_fragments(0.0066) == pytest.approx(2 * 2750)
    assert allele_fraction(100.0, 800.0) == pytest.approx(0.1)
    assert allele_fraction(1e12, 1.0) == pytest.approx(0.5)
    assert sampled_mutants(0.0, 1e6) == pytest.approx(1e6 * SAMPLED * MISREAD)
    assert sampled_mutants(1e4, 1e6, misread=0.0) == pytest.approx(15.0)


@pytest.mark.parametrize("copies", [1e5, 4e6])
def test_a_binomial_count_is_a_poisson_one_here(copies):
    """So few of so many are sampled that the longitudinal model may take the one for the other: 0.2 % of a chance."""
    mean = 12.0
    counts = np.arange(60)
    exact = binom.pmf(counts, copies, mean / copies)
    assert np.abs(exact - poisson.pmf(counts, mean)).sum() < 2e-3


def test_gamma_shedding_makes_counts_negative_binomial():
    """A mean that varies by a CV of 50 % has the variance mean + 0.25 mean^2."""
    mean, shape = 12.0, 1 / 0.25
    known = nbinom(shape, shape / (shape + mean))
    assert known.var() == pytest.approx(mean + 0.25 * mean**2)
    rng = np.random.default_rng(0)
    counts = rng.poisson(mean * rng.gamma(shape, 1 / shape, 200_000))
    assert counts.var() == pytest.approx(known.var(), rel=0.02)


def test_the_threshold_keeps_to_its_false_positives():
    """No more than 1 % of people without a tumour are positive; the mean count asked for is 1.737."""
    threshold = detection_threshold(0.01)
    copies = _copies(999)
    needed = required_count(copies, threshold)
    assert needed.mean() == pytest.approx(1.737, abs=0.0005)
    false = binom.sf(needed - 1, copies, SAMPLED * MISREAD).mean()
    assert 0.009 < false <= 0.0101
    assert detection_threshold(0.05) > threshold > detection_threshold(0.001)


@pytest.mark.parametrize(("cells", "known"), [(2.681e8, 0.0909), (3e9, 0.7930)])
def test_sensitivity(cells, known):
    assert sensitivity(shed_into_plasma(cells, growth=0.004, **LUNG)) == pytest.approx(known, abs=0.0005)


def test_sensitivity_rises_from_the_false_positives_to_one():
    threshold = detection_threshold()
    found = [sensitivity(shed, threshold) for shed in (0.0, 100.0, 1000.0, 1e5)]
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.01, abs=0.002)
    assert found[-1] > 0.999
