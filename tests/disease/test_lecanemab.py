"""Lecanemab: both kinetics' covariates by hand, mass through the line, one individual in two papers, limits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.disease.typical import typical
from twin.disease.lecanemab_hayato2022 import LecanemabHayato2022
from twin.model import Individual, pack, replace

MODEL = LecanemabHayato2022()
CLOSE = 1e-5  # single precision where x64 is off
HAYATO = {"weight": 73.7, "albumin": 42.9, "process": "A", "apoe4": "none"}


def value(observable, y, p):
    return float(MODEL.observables()[observable].value(MODEL, 0.0, y, p))


def differing(p, **own):
    """The individual with some parameters of their own, as spreads make them."""
    return Individual(replace(p.parameters, **own), p.covariates, p.inputs)


@pytest.mark.parametrize(
    ("told", "hayato", "majid"),
    [  # clearance, central and tissue volume
        ({}, (0.0181, 3.22, 2.19), (0.0154 * 1.0082719 * 1.000871, 3.24 * 1.0120437, 2.0)),
        (
            {"sex": "female", "antibodies": "positive", "ancestry": "Japanese"},
            (0.0181 * 0.792 * 1.09, 3.22 * 0.893, 2.19 * 0.455),
            (0.0154 * 1.0082719 * 1.000871 * 0.791 * 1.13, 3.24 * 1.0120437 * 0.868 * 0.92, 2.0 * 0.671),
        ),
    ],
)
def test_both_kinetics_by_hand(told, hayato, majid):
    """(73.7/72)^0.353 = 1.00827, (42.9/43)^-0.374 = 1.000871, (73.7/72)^0.513 = 1.01204."""
    p = typical(MODEL, **HAYATO | told)
    assert [p.clearance, p.volume, p.tissue_volume] == pytest.approx(hayato, rel=CLOSE)
    assert [p.safety_clearance, p.safety_volume, p.safety_tissue_volume] == pytest.approx(majid, rel=CLOSE)


@pytest.mark.parametrize(("process", "shares"), [("A", (1.0, 1.0)), ("B", (0.998, 0.904))])
def test_a_dose_reaches_both_kinetics_and_nothing_is_lost(process, shares):
    """Out of the line flows what enters each, times the share of the process; deviations act on process B alone."""
    p = differing(typical(MODEL, **HAYATO | {"process": process}), clearance=0.0, safety_clearance=0.0)
    p = differing(p, typical_clearance=1.0, clearance=1e-30, process_deviation=0.0)
    rates = MODEL.derivatives(0.0, replace(MODEL.initial(p), line=10.0), p)
    entering = [-float(sum(pack(part)) / rates.line) for part in (rates.drug, rates.safety)]
    assert entering == pytest.approx(shares, rel=CLOSE)
    odd = differing(p, process_deviation=1.0)
    more = MODEL.derivatives(0.0, replace(MODEL.initial(p), line=10.0), odd).drug.central / rates.drug.central
    assert float(more) == pytest.approx(np.exp(0.342) if process == "B" else 1.0, rel=CLOSE)


def test_an_individual_deviates_alike_in_both_papers():
    """One SD more clearance is exp(0.389) in one paper and exp(0.349) in the other."""
    p = typical(MODEL, **HAYATO)
    fast = differing(p, clearance=p.clearance * np.exp(0.389))
    state = MODEL.initial(p)
    state = replace(state, safety=replace(state.safety, central=100.0, peripheral=100.0 * 2.0 / float(p.safety_volume)))
    loss = [float(sum(pack(MODEL.derivatives(0.0, state, who).safety))) for who in (fast, p)]
    assert loss[0] / loss[1] == pytest.approx(np.exp(0.349), rel=CLOSE)


@pytest.mark.parametrize("apoe4", ["none", "one", "two"])
def test_only_p_tau_moves_without_drug_and_by_nothing_to_speak_of(apoe4):
    """The published offset of 0.01 ug/mL lets p-tau181 fall by 0.003 %."""
    p = typical(MODEL, apoe4=apoe4)
    rates = MODEL.derivatives(0.0, MODEL.initial(p), p)
    assert float(rates.tau) == pytest.approx(-0.468 / 8760 * 0.00313 * 0.01, rel=1e-3)
    assert np.allclose(pack(replace(rates, tau=0.0)), 0.0, atol=1e-12)


@pytest.mark.parametrize(("alleles", "odds"), [("none", 1.0), ("one", 1.90), ("two", 6.75)])
def test_odds_ratios_of_aria_e_as_printed(alleles, odds):
    """Table 2 prints 1.90, 6.75, and 1.95 for 100 ug/mL more."""

    def of(apoe4, concentration):
        p = typical(MODEL, apoe4=apoe4)
        state = MODEL.initial(p)
        state = replace(state, safety=replace(state.safety, central=concentration * p.safety_volume))
        risk = value("aria_e", state, p)
        return risk / (1 - risk)

    assert of(alleles, 300.0) / of("none", 300.0) == pytest.approx(odds, abs=0.005)
    assert of(alleles, 400.0) / of(alleles, 300.0) == pytest.approx(1.95, abs=0.005)


def test_a_steep_slope_stops_production_of_p_tau_but_never_reverses_it():
    p = differing(typical(MODEL, **HAYATO), tau_slope=0.01)
    state = MODEL.initial(p)
    state = replace(state, drug=replace(state.drug, central=300.0 * p.volume))
    rates = MODEL.derivatives(0.0, state, p)
    assert float(rates.tau) == pytest.approx(-0.468 / 8760, rel=CLOSE)


def test_the_error_of_centiloid_is_that_of_its_suvr():
    p = typical(MODEL)
    noise = MODEL.observables()["centiloid"].noise
    assert float(noise.sd(183 * 1.3 - 177, p)) == pytest.approx(183 * 0.0501 * 1.3, rel=CLOSE)
