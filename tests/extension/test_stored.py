"""Extensions as data: twins, posteriors and their models come back; numbers of a fit; what cannot be is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import calibration
import twin
from twin.errors import TwinError
from twin.library import restore_model
from twin.model import LogNormal
from twin.model.extension import describe_model, repeat_steps
from twin.patient import DoseRecord
from twin.population.individual import cholesky

from ..toys import MichaelisMenten, One

EFFECTS = {"clearance": {"weight": {"power": 0.5, "reference": 70}, "race": {"category": {"b": 0.3}, "reference": "a"}}}
OCCASIONS = {"clearance": {"cv": 0.2}, "volume": {"variance": 0.01}}


def _vancomycin():
    longer = twin.extend(
        twin.load_model("vancomycin"), EFFECTS, OCCASIONS, count=2, correlations={("clearance", "volume"): 0.5}
    )
    return twin.renew(longer, {"clearance": 4.0}, {"clearance": 0.25, "clearance_in_occasion_2": 0.3}, source="a fit")


def test_a_model_is_made_again_of_what_describes_it():
    model = _vancomycin().with_values(volume=50.0)
    said = json.loads(json.dumps(describe_model(model)))
    again = restore_model(said)
    assert type(again) is type(model)
    assert again.identity == model.identity
    assert restore_model(describe_model(twin.load_model("vancomycin"))).identity == ("vancomycin_goti2018", {}, ())


def test_a_twin_and_a_posterior_come_back(tmp_path):
    model = _vancomycin()
    ana = twin.Patient(
        "ana", covariates={"weight": 80, "race": "b"}, occasions=["0 h", "24 h"],
        doses=[DoseRecord("1000 mg", 0.0, every="24 h", doses=2, over="1 h")],
        observations=[twin.Observation("vancomycin", t, v) for t, v in ((12.0, 15.0), (24.0, 8.0), (36.0, 18.0))],
    )  # fmt: skip
    found = calibration.calibrate(model, ana, draws=200)
    found.twin.save(tmp_path / "ana")
    held = twin.load_twin(tmp_path / "ana")
    assert type(held.model) is type(model)
    assert held.patients == found.twin.patients
    asked = {"regimens": {"on": "1000 mg over 1 h q24h x2 from 48 h"}, "outcomes": [], "times": [50.0, 60.0, 71.0]}
    one, other = (twin.simulate(whose, **asked)["predictions/vancomycin"].values for whose in (found.twin, held))
    np.testing.assert_array_equal(one, other)
    found.save(tmp_path / "posterior.zarr")
    again = calibration.Posterior.load(tmp_path / "posterior.zarr", found.target)
    np.testing.assert_array_equal(again.u, found.u)
    assert {"clearance_in_occasion_1", "volume_in_occasion_2"} <= set(found.parameters)
    plain = calibration.Target(
        twin.extend(twin.load_model("vancomycin")), [twin.Patient("ana").bind(twin.load_model("vancomycin"))]
    )
    with pytest.raises(TwinError, match="extended otherwise"):
        calibration.Posterior.load(tmp_path / "posterior.zarr", plain)


# --- a population's other numbers -----------------------------------------------------------------------


def test_renewed_numbers_are_the_declared_ones():
    model = twin.renew(One().with_values(clearance=6.0, volume=40.0), {"clearance": 4.0}, {"volume": 0.4})
    assert model.parameters()["clearance"].value == model.typical().clearance == 4.0
    assert model.typical().volume == 40.0  # the caller's own value
    assert model.parameters()["volume"].spread == LogNormal(0.4)
    assert model.parameters()["clearance"].uncertainty is None  # the former population's
    assert list(model.parameters()) == list(One.parameters())


def test_correlations_are_kept_or_replaced():
    kept = twin.renew(_vancomycin(), sds={"volume": 0.9})
    assert kept.normal_correlations() == _vancomycin().normal_correlations()
    assert twin.renew(One(), correlations={("clearance", "volume"): 0.3}).normal_correlations() == {
        ("clearance", "volume"): 0.3
    }


def test_each_draw_is_of_one_population_the_same_for_all():
    """Of two populations: typical values from the row, and the deviations' scatter from its factor (3 SE)."""
    names, _ = cholesky(One())
    factors = np.stack([0.1 * np.eye(len(names)), 2.0 * np.eye(len(names))])
    model = twin.renew(One(), draws={"typical": {"clearance": [4.0, 8.0]}, "factors": factors})
    people = [twin.Patient(f"p{i}") for i in range(400)]
    asked = {"regimens": {"a": "100 mg blood"}, "outcomes": ["final"], "until": 1.0, "draws": 16, "seed": 5}
    found = twin.simulate(model, people, uncertainty=True, **asked)["prior/clearance"].values
    sd = np.sqrt(np.log1p(0.3**2))
    narrow = np.std(np.log(found), axis=0) < 0.5 * sd
    assert 0 < narrow.sum() < 16
    for typical, factor, rows in ((4.0, 0.1, narrow), (8.0, 2.0, ~narrow)):
        logs = np.log(found[:, rows] / typical)
        assert np.mean(logs) == pytest.approx(0, abs=3 * factor * sd / np.sqrt(logs.size))
        assert np.std(logs) == pytest.approx(factor * sd, rel=3 / np.sqrt(2 * logs.size))
    plain = twin.simulate(model, people, **asked)["prior/clearance"].values
    np.testing.assert_array_equal(plain, twin.simulate(One(), people, **asked)["prior/clearance"].values)
    said = twin.simulate(model.with_values(clearance=6.0), people, uncertainty=True, **asked)["prior/clearance"].values
    ratio = said / found
    np.testing.assert_allclose(ratio[:, narrow], 6 / 4, rtol=1e-6)  # whoever states a value means it
    np.testing.assert_allclose(ratio[:, ~narrow], 6 / 8, rtol=1e-6)
    assert type(repeat_steps(One(), json.loads(describe_model(model)["extensions"]))) is type(model)


# --- refusals ---------------------------------------------------------------------------------------

REFUSED = {
    "no scale": ({"occasions": {"burden_before": {"sd": 1}}}, "normal on no scale"),
    "too many": ({"occasions": OCCASIONS, "count": 51}, "1 to 50"),
    "two widths": ({"occasions": {"clearance": {"cv": 0.1, "sd": 0.1}}}, "exactly one of"),
    "no parameter": ({"occasions": {"clearence": {"cv": 0.1}}}, "no such parameter"),
    "no form": ({"covariates": {"clearance": {"weight": {"reference": 70}}}}, "exactly one of power"),
    "no level left": ({"covariates": {"lag": {"sex": {"category": {"a": 1, "b": 1}, "reference": "a"}}}}, "leave out"),
    "no reference": ({"covariates": {"clearance": {"weight": {"power": 1}}}}, "give reference, and its unit"),
    "other": ({"occasions": OCCASIONS, "correlations": {("clearance", "lag"): 0.1}}, "'lag' has no occasions"),
}  # fmt: skip


@pytest.mark.parametrize("asked", REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(asked):
    words, message = REFUSED[asked]
    model = twin.load_model("adaptive_strobl2021") if asked == "no scale" else One()
    with pytest.raises(TwinError, match=message) as found:
        twin.extend(model, **words)
    assert "\n" not in str(found.value)


def test_more_is_refused_that_comes_too_late_or_twice():
    with pytest.raises(TwinError, match="already"):
        twin.extend(_vancomycin(), occasions=OCCASIONS)
    longer = twin.extend(One(), occasions=OCCASIONS, count=2)
    with pytest.raises(TwinError, match="3 occasions and the model 2"):
        twin.solve_many(
            longer, [twin.Patient("a", occasions=[0, 1, 2])], "1 mg blood", [1.0], parameters={"clearance": [[1]]}
        )
    with pytest.raises(TwinError, match="rising order"):
        twin.Patient("a", occasions=[0, 2, 1]).bind(longer)
    with pytest.raises(TwinError, match="no spread with a standard deviation"):
        twin.renew(MichaelisMenten(), sds={"vmax": 0.2})
    with pytest.warns(twin.DomainWarning, match="has none"):
        twin.solve_many(
            One(), [twin.Patient("a", occasions=[0, 1])], "1 mg blood", [1.0], parameters={"clearance": [[1]]}
        )
