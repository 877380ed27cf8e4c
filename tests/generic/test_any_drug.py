"""Models of no drug in particular: closed forms, the exact path, and tables in other units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import lambertw

import twin
from twin import generic
from twin.catalogue import model_modules
from twin.ingest import read_patients
from twin.model import LogNormal
from twin.solver.linear.structure import components

LINEAR = ("one_compartment", "two_compartments", "three_compartments")
ALL = (*LINEAR, "michaelis_menten")
TIMES = np.array([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0])
VALUES = {"absorption": 0.7, "bioavailability": 0.6, "lag": 0.4}


def rates(model):
    """The matrix of the linear equations, from textbooks and not from the model's: depot, central, tissues."""
    p = model.typical()
    tissues = {
        "one_compartment": [],
        "two_compartments": [("exchange", "peripheral_volume")],
        "three_compartments": [("shallow_exchange", "shallow_volume"), ("deep_exchange", "deep_volume")],
    }[model.name]
    size = 2 + len(tissues)
    a = np.zeros((size, size))
    a[0, 0], a[1, 0], a[1, 1] = -VALUES["absorption"], VALUES["absorption"], -p.clearance / p.volume
    for i, (q, v) in enumerate(tissues, start=2):
        out, back = getattr(p, q) / p.volume, getattr(p, q) / getattr(p, v)
        a[1, 1] -= out
        a[i, 1], a[1, i], a[i, i] = out, back, -back
    return a


@pytest.mark.parametrize("name", LINEAR)
def test_oral_and_intravenous_doses_are_matrix_exponentials(name):
    """1e-9, as both are exact: oral after its lag, a bolus, and an infusion as an integral of boluses."""
    model = twin.load_model(name)
    a, v = rates(model), model.typical().volume
    oral = [0.6 * 100 * expm(a * max(t - 0.4, 0.0))[1, 0] * (t > 0.4) / v for t in TIMES]
    bolus = [100 * expm(a * t)[1, 1] / v for t in TIMES]
    whole = np.linalg.inv(a)
    short = [50 * (whole @ (expm(a * t) - expm(a * max(t - 2.0, 0.0))))[1, 1] / v for t in TIMES]
    for dose, known in (("oral", oral), ("intravenous", bolus), ("intravenous over 2 h", short)):
        found = twin.solve(model, f"100 mg {dose}", TIMES, parameters=VALUES, solver="linear")["concentration"]
        np.testing.assert_allclose(found, known, rtol=1e-9, err_msg=dose)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_ones_are_solved_in_closed_form(name):
    assert all(part.closed_form for part in components(type(twin.load_model(name))))


def test_saturable_elimination_is_lamberts_function():
    """C + Km log C falls by Vmax/V an hour; 1e-6 is what is integrated. Far below Km, clearance is Vmax/Km."""
    model = twin.load_model("michaelis_menten")
    p = model.typical()
    for dose in (2.0, 100.0, 5000.0):
        start, km = dose / p.volume, p.half_saturation
        known = km * lambertw(start / km * np.exp((start - p.largest_rate / p.volume * TIMES) / km)).real
        found = twin.solve(model, f"{dose} mg intravenous", TIMES)["concentration"]
        np.testing.assert_allclose(found, known, rtol=1e-6)
    low = twin.solve(model, "0.001 mg oral", TIMES, parameters={"absorption": 0.7})["concentration"]
    like = twin.load_model("one_compartment").with_values(clearance=p.largest_rate / p.half_saturation)
    known = twin.solve(like, "0.001 mg oral", TIMES, parameters={"absorption": 0.7})["concentration"]
    np.testing.assert_allclose(low, known, rtol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_everything_is_an_assumption_that_a_fit_replaces(name):
    """Doses in NONMEM's order; what differs between patients does so log-normally, by 30 %."""
    model = twin.load_model(name)
    assert list(model.treatments()) == ["oral", "intravenous"]
    assert set(map(str, (p.evidence for p in model.parameters().values()))) == {"assumption"}
    varied = {n for n, p in model.parameters().items() if p.spread is not None}
    assert {"volume", "absorption"} <= varied
    assert not varied & {"lag", "bioavailability", "additive_error", "proportional_error"}
    for n in varied:
        spread = model.parameters()[n].spread
        assert isinstance(spread, LogNormal)
        assert np.expm1(spread.sd**2) == pytest.approx(0.3**2)


@pytest.mark.parametrize("error", ["additive_error", "proportional_error"])
def test_either_error_can_be_none(error):
    noise, model = (
        twin.load_model("one_compartment").observables()["concentration"].noise,
        twin.load_model("one_compartment"),
    )
    p = model.with_values(**{error: 0.0}).typical()
    other = 0.05 if error == "proportional_error" else 0.2 * 3.0
    assert float(noise.sd(3.0, p)) == pytest.approx(other)


def test_a_table_in_minutes_and_micrograms_is_converted(tmp_path):
    """What the page says of other units: 60 min are 1 h, 100,000 ug are 100 mg, 2000 ug/L are 2 mg/L."""
    path = tmp_path / "data.csv"
    path.write_text("ID,TIME,AMT,CMT,DV\n1,0,100000,1,.\n1,60,.,2,2000\n")
    mapping = {"cmt 1": {"to": "oral", "unit": "ug"}, "cmt 2": {"to": "concentration", "unit": "ug/L"}}
    model = twin.load_model("one_compartment")
    (one,), _ = read_patients("nonmem", path, model, mapping=mapping, keep_ids=True, time_unit="min")
    (seen,), (dose,) = one.bind(model).observations, one.bind(model).doses
    assert (seen.time, seen.value) == pytest.approx((1.0, 2.0))
    assert dose.amount * {"mg": 1.0, "ug": 1e-3}[dose.unit or "mg"] == pytest.approx(100.0)


def test_a_file_is_a_model_of_its_name():
    own = {name for name, place in model_modules().items() if place.startswith(generic.__name__)}
    assert own == set(ALL)
