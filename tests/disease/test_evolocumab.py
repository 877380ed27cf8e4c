"""Evolocumab: rest without drug, the published equations by hand, limits of the effect, and the healthy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import twin
from tests.disease.typical import typical
from twin.disease.evolocumab_gibbs2017 import CHOLESTEROL_MASS, EvolocumabGibbs2017
from twin.model import Average, pack, unpack

MODEL = EvolocumabGibbs2017()
CLOSE = 1e-5  # single precision where x64 is off


def published(y):
    """The paper's four equations as printed, with the usual root."""
    depot, drug, pcsk9, ldl = y
    total, k = drug / 2.66, 0.253
    excess = total - pcsk9 - k
    free = 0.5 * (excess + np.sqrt(excess**2 + 4 * k * total))
    left = pcsk9 - (total - free)
    made = 0.305 * (1 - 5.27 / (1.46 + 5.27)) * 116
    return np.array(
        [
            -0.245 * depot,
            0.245 * depot - 0.256 * free - 0.0529 * pcsk9 * free * 2.66 / (k + free),
            2.12 * 5.27 - 2.12 * pcsk9 - (0.0529 - 2.12) * free * pcsk9 / (k + free),
            made - 0.305 * (1 - left / (1.46 + left)) * ldl,
        ]
    )


@pytest.mark.parametrize("state", [(0.0, 0.0, 5.27, 116.0), (500.0, 40.0, 20.0, 80.0), (10.0, 300.0, 60.0, 30.0)])
def test_the_published_rates(state):
    person = typical(MODEL)
    rates = [float(x) for x in pack(MODEL.derivatives(0.0, unpack(MODEL.State, list(state)), person))]
    np.testing.assert_allclose(rates, published(state), rtol=1e-4, atol=1e-4)


def test_a_course_agrees_with_scipy():
    """420 mg: 2132.6 nmol are absorbed; LSODA at 1e-10."""
    times = np.array([1.0, 7.0, 15.0, 28.0, 56.0])
    start = [420e6 / 141_800 * 0.72, 0.0, 5.27, 116.0]
    known = solve_ivp(lambda t, y: published(y), (0, 56), start, "LSODA", times, rtol=1e-10, atol=1e-12).y
    found = twin.solve(MODEL, "420 mg", times)
    np.testing.assert_allclose(found["ldl"], known[3], rtol=1e-6)
    np.testing.assert_allclose(found["state.pcsk9"], known[2], rtol=1e-6)


def test_nothing_moves_without_drug():
    course = twin.solve(MODEL, None, [0.0, 30.0, 300.0])
    np.testing.assert_allclose(course["ldl"], 116.0, rtol=1e-9)
    np.testing.assert_allclose(course["pcsk9"], 5.27, rtol=1e-9)
    np.testing.assert_allclose(course["evolocumab"], 0.0, atol=1e-12)


@pytest.mark.filterwarnings("ignore::twin.errors.DomainWarning")  # doses beyond what the model is meant for
@pytest.mark.parametrize(("group", "pcsk9"), [("on_statin", 5.27), ("healthy", 5.27 * 0.637)])
def test_the_largest_fall_there_is(group, pcsk9):
    """All PCSK9 bound for ever: LDL falls by B / (IC50 + B), 78.3 % in patients."""
    assert typical(MODEL, group=group).pcsk9_before == pytest.approx(pcsk9, rel=CLOSE)
    course = twin.solve(MODEL, "40000 mg q7d x20", [140.0], covariates={"group": group})
    assert 1 + float(course["ldl_change"][0]) == pytest.approx(1.46 / (1.46 + pcsk9), rel=1e-3)


@pytest.mark.filterwarnings("ignore::twin.errors.DomainWarning")  # doses beyond what the model is meant for
def test_bound_target_accumulates():
    """With nearly all of it bound, total PCSK9 rises towards kdeg B / kint, 40 times the baseline."""
    course = twin.solve(MODEL, "40000 mg q7d x20", [140.0])
    assert float(course["state.pcsk9"][0]) == pytest.approx(2.12 * 5.27 / 0.0529, rel=2e-3)


def test_a_measurement_in_mmol_is_understood():
    """3 mmol/L of cholesterol are 116 mg/dL."""
    in_mg_dl = 3.0 * CHOLESTEROL_MASS / 10
    assert in_mg_dl == pytest.approx(116, rel=1e-3)


def test_the_page_compares_the_papers_population_with_ours():
    """It compared it with a typical patient, who falls by 70.3 and 71.0. A mean of 1,000 is known to 0.5."""
    page = Path(__file__).parents[2] / "docs" / "models" / "evolocumab_gibbs2017.md"
    rows = re.findall(r"^\| 140 mg.* weeks \| .*|^\| 420 mg.* weeks \| .*", page.read_text("utf-8"), re.MULTILINE)
    printed = {row.split("|")[1].strip(): [float(cell) for cell in row.split("|")[2:5]] for row in rows}
    regimens = {"140 mg every 2 weeks": "140 mg q14d x6", "420 mg every 4 weeks": "420 mg q28d x3"}
    assert printed.keys() == regimens.keys()
    asked = {"fall": Average(of="ldl_change", since=56.0, until=84.0)}
    people = twin.Patient("anybody", covariates={"group": "on_statin"})
    result = twin.simulate(MODEL, people, regimens=regimens, outcomes=asked, draws=1000, times=[], until=84.0, seed=1)
    for name, (paper, mean, median) in printed.items():
        falls = -100 * result["outcomes/fall"].sel(regimen=name).values
        assert (paper, mean, median) == (
            68.9,
            pytest.approx(falls.mean(), abs=2),
            pytest.approx(np.median(falls), abs=2),
        )
