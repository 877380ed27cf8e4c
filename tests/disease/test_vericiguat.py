"""Vericiguat: rates at the start by hand, the drug in closed form, where production ends, placebo without drug."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.vericiguat_ruehs2021 import VericiguatRuehs2021
from twin.model import replace

MODEL = VericiguatRuehs2021()
CLOSE = 1e-4  # single precision where x64 is off, after a difference


def rate(baseline: float, *, drug: float = 0.0, fallen: float = 0.0) -> float:
    """What the model says of NT-proBNP itself, in pg/mL a day."""
    parameters = replace(MODEL.typical(), baseline=baseline)
    person = replace(typical(MODEL), parameters=parameters)
    y = MODEL.initial(person)
    y = replace(y, peptide=fallen, drug=replace(y.drug, central=drug))
    return 24 * float(MODEL.derivatives(0.0, y, person).peptide) * baseline * float(np.exp(fallen))


@pytest.mark.parametrize("baseline", [300.0, 3140.0, 20_000.0])
@pytest.mark.parametrize("concentration", [0.0, 0.2])
def test_rates_are_the_published_ones(baseline, concentration):
    production = 77.4 * (1 + 0.347 * (np.log(baseline) - 8.03)) * (1 - 0.0176 * 24 * concentration)
    now = 0.5 * baseline
    loss = 0.157 * (1 - 0.95 * now / (439 + now)) * now
    found = rate(baseline, drug=38.9 * concentration, fallen=np.log(0.5))
    assert found == pytest.approx(production - loss, rel=CLOSE, abs=1e-3)


def test_nothing_is_produced_below_the_end_of_the_line():
    """1 + 0.347 (ln b - 8.03) is zero at 172 pg/mL; below it only the loss is left."""
    end = np.exp(8.03 - 1 / 0.347)
    assert end == pytest.approx(172.0, abs=0.5)
    loss = 0.157 * (1 - 0.95 * 100 / 539) * 100
    assert rate(100.0) == pytest.approx(-loss, rel=CLOSE)


def test_the_drug_in_closed_form():
    times = np.array([1.0, 6.0, 24.0])
    ka, k = 1.5, 1.3 / 38.9
    known = 1000 * 10 / 38.9 * ka / (ka - k) * (np.exp(-k * times) - np.exp(-ka * times))
    np.testing.assert_allclose(twin.solve(MODEL, "10 mg", times)["vericiguat"], known, rtol=1e-5)


def test_placebo_falls_to_where_production_meets_loss():
    """The course without drug ends where its own rate is zero."""
    course = twin.solve(MODEL, None, [0.0, 2016.0, 60_000.0])
    first, later, last = (float(v) for v in course["ntprobnp"])
    assert first == pytest.approx(3140.0)
    assert first > later > last
    assert rate(3140.0, fallen=float(np.log(last / 3140))) == pytest.approx(0.0, abs=1e-2)
