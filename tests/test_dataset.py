"""Results: what was saved is read back equal, and says how it came about."""

from __future__ import annotations

import datetime
import json
import shutil
import warnings

import numpy as np
import pytest
import xarray as xr

import twin
from tests.toys import OralOne, Turnover
from twin.errors import TwinError
from twin.model import Final, Highest
from twin.result.dataset import FILE

ANA = twin.Patient("ana", observations=[twin.Observation("concentration", 3.0, 0.3)])
BEN = twin.Patient("béla 2")
ARMS = {"usual": "20 mg oral q12h x2", "zero": None, "a name with ; and 中": "5 mg oral"}


@pytest.fixture(scope="module")
def result() -> xr.DataTree:
    """A result with every group there is."""
    outcomes = {"z_last": Final(of="concentration"), "a_first": Highest(of="concentration", meaning="highest")}
    return twin.simulate(
        OralOne(), [ANA, BEN], regimens=ARMS, outcomes=outcomes, draws=5, seed=9, times=[0.0, 6.0, 24.0], noise=True
    )


OTHER = {"regimens": {"none": None}, "outcomes": ["final"], "draws": 2, "until": 5.0, "times": []}
GROUPS = ("outcomes", "predictions", "measurements", "prior", "sample_stats", "constant_data", "observed_data")


def equal(one: xr.DataTree, other: xr.DataTree) -> None:
    """Groups, variables in their order, values, coordinates, types and attributes."""
    assert list(one.children) == list(other.children)
    assert one.attrs == other.attrs
    for name in one.children:
        a, b = one[name].to_dataset(), other[name].to_dataset()
        xr.testing.assert_identical(a, b)
        assert list(a.data_vars) == list(b.data_vars), f"the order of /{name}"
        for variable in [*a.data_vars, *a.coords]:
            assert a[variable].dtype == b[variable].dtype, variable
            assert a[variable].dims == b[variable].dims, variable
            assert a[variable].attrs == b[variable].attrs, variable


def test_what_was_saved_is_read_back_equal(result, tmp_path):
    assert set(result.children) == set(GROUPS)
    path = twin.save_result(result, tmp_path / "run")
    assert path == tmp_path / "run" / FILE
    for place in (tmp_path / "run", str(tmp_path / "run"), path):
        equal(result, twin.load_result(place))


def test_the_order_of_variables_is_that_of_the_question(result, tmp_path):
    """A store keeps names in the order of the alphabet; a table must not."""
    twin.save_result(result, tmp_path)
    again = twin.load_result(tmp_path)
    assert list(again["outcomes"].data_vars) == ["z_last", "a_first"]
    assert list(again["prior"].data_vars) == list(OralOne.parameters())


def test_text_stays_text(result, tmp_path):
    twin.save_result(result, tmp_path)
    again = twin.load_result(tmp_path)["outcomes"]
    assert list(again["regimen"].values) == list(ARMS)
    assert list(again["patient"].values) == ["ana", "béla 2"]
    assert float(again["a_first"].sel(patient="béla 2", regimen="zero").max()) == 0.0


def test_what_is_loaded_can_be_saved_again(result, tmp_path):
    twin.save_result(result, tmp_path / "one")
    twin.save_result(twin.load_result(tmp_path / "one"), tmp_path / "two")
    equal(result, twin.load_result(tmp_path / "two"))


def test_what_is_loaded_does_not_need_the_file(result, tmp_path):
    twin.save_result(result, tmp_path / "run")
    again = twin.load_result(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    equal(result, again)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_infinite_and_missing_numbers_survive(dtype, tmp_path):
    found = twin.simulate(OralOne(), BEN, dtype=dtype, **OTHER)
    found["outcomes"]["final"][0, 0, :] = [np.nan, np.inf]
    twin.save_result(found, tmp_path)
    again = twin.load_result(tmp_path)
    equal(found, again)
    assert again["outcomes/final"].dtype == dtype
    assert "predictions" not in again.children, "no times, no courses"


def test_a_result_replaces_the_one_before_it_whole(result, tmp_path):
    twin.save_result(result, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    other = twin.simulate(OralOne(), BEN, **OTHER)
    twin.save_result(other, tmp_path)
    equal(other, twin.load_result(tmp_path))
    assert (tmp_path / "notes.txt").read_text() == "mine", "nothing else in the folder is touched"


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_a_result_is_one_line(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TwinError, match=r"there is no stored result; run 'twin simulate' first") as refusal:
        twin.load_result(tmp_path / name)
    assert str(tmp_path / name) in str(refusal.value)


def test_nothing_is_said_about_formats(result, tmp_path):
    """A user can do nothing about how zarr will store text one day."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin.save_result(result, tmp_path)
        twin.load_result(tmp_path)


def test_a_store_opens_in_xarray_without_a_warning(result, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xr.open_datatree(twin.save_result(result, tmp_path), engine="zarr")
    assert set(opened.children) == set(GROUPS)


def test_what_is_the_same_in_all_draws_is_stored_once(result):
    assert result["prior/clearance"].dims == ("patient", "draw")
    assert result["prior/exchange"].dims == ("patient",)
    np.testing.assert_array_equal(result["prior/exchange"], [10.0, 10.0])


def test_draws_that_were_given_are_no_prior():
    given = {"individuals": {"clearance": np.array([[4.0, 5.0]])}}
    found = twin.simulate(
        OralOne(), BEN, regimens={"none": None}, outcomes=[], times=[], until=1.0, draws=2, **given
    )  # fmt: skip
    assert "prior" not in found.children
    assert list(found["posterior/clearance"].values[0]) == [4.0, 5.0]


# --- provenance ---------------------------------------------------------------------------------------


def test_a_result_says_how_it_came_about(result, tmp_path):
    twin.save_result(result, tmp_path)
    said = twin.load_result(tmp_path).attrs
    assert (said["model"], said["time_unit"], said["seed"]) == ("toy_OralOneCompartment", "h", 9)
    assert (said["solver"], said["dtype"], said["rtol"]) == ("linear", "float64", 0.0)
    assert said["solver_reason"] == "every state is linear, so the course is exact"
    assert (said["spread"], said["uncertainty"]) == (True, False)
    assert (said["start"], said["end"]) == (0.0, 24.0)
    assert said["device"].startswith(("cpu", "gpu", "cuda"))
    assert json.loads(said["parameters_changed"]) == {}
    assert {"patient-twin", "jax", "diffrax", "equinox", "numpy", "xarray"} <= set(json.loads(said["versions"]))
    created = datetime.datetime.fromisoformat(said["created"])
    assert abs(datetime.datetime.now(datetime.UTC) - created) < datetime.timedelta(minutes=10)
    assert min(said["compile_seconds"], said["run_seconds"]) >= 0


def test_what_was_asked_for_is_in_it():
    found = twin.simulate(
        Turnover().with_values(clearance=7.0), BEN, regimens={"none": None}, draws=1, until=5.0, times=[],
        solver="adaptive", rtol=1e-5, atol=1e-8, dtype="float32", spread=False, uncertainty=True,
    ).attrs  # fmt: skip
    assert (found["solver"], found["rtol"], found["atol"], found["dtype"]) == ("adaptive", 1e-5, 1e-8, "float32")
    assert (found["spread"], found["uncertainty"]) == (False, True)
    assert json.loads(found["parameters_changed"]) == {"clearance": 7.0}


def test_variables_say_what_they_are(result):
    for group, wanted in (("outcomes", "kind"), ("predictions", "modality"), ("prior", "source")):
        for variable in result[group].data_vars.values():
            assert {"unit", "description", wanted} <= set(variable.attrs)
    assert result["outcomes/a_first"].attrs["description"] == "highest"
    assert result["predictions/time"].attrs == {"unit": "h"}
    assert result["sample_stats/status"].attrs["flag_meanings"].split()[0] == "ok"
    observed = result["observed_data"].to_dataset()
    assert (observed["observable"].item(), observed["value"].item(), observed["time"].item()) == (
        "concentration", 0.3, 3.0,
    )  # fmt: skip


def test_measurements_differ_from_predictions_by_their_noise(result):
    """10 % proportional error, the same under every regimen where the true values are."""
    true, seen = (result[f"{group}/concentration"].sel(regimen="usual") for group in ("predictions", "measurements"))
    assert np.all(seen.isel(time=0) == 0), "proportional to nothing"
    ratio = (seen / true).isel(time=slice(1, None)).values
    assert 0.03 < ratio.std() < 0.25  # 20 numbers of SD 0.1: a chi-square interval with room
