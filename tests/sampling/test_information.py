"""The information of a population: published designs, finite differences in NumPy, and a covariate's exponent."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import twin
from twin.errors import TwinError

from .models import Rates, Warfarin

ANA = twin.Patient("ana")
TIMES = [0.5, 1, 2, 6, 24, 36, 72, 120]
# PopED's tests print the determinants, Nyberg 2015 (Br J Clin Pharmacol) the relative standard errors in %.
PUBLISHED = {
    "reduced": (5.996147e22, 1e-4, [4.7, 2.8, 13.9, 25.6, 30.3, 25.8, 11.2], 0.05),
    "full": (1.220371e24, 1e-4, [3.6, 2.6, 4.8, 26.3, 30.9, 26.6, 12.4], 0.15),
}


def inform(kind="reduced", model=None, **words):
    words = {"times": TIMES, "measure": "level", "subjects": 32, "information": kind} | words
    return twin.information(model or Warfarin(), words.pop("patients", ANA), {"once": "70 mg"}, **words)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_determinant_and_errors(kind):
    """Tolerances are those of the folder's table: rounding of what was printed."""
    found = inform(kind)
    determinant, relative, errors, absolute = PUBLISHED[kind]
    assert found["information"].attrs["determinant"] == pytest.approx(determinant, rel=relative)
    assert 100 * found["information/relative_error"].values == pytest.approx(errors, abs=absolute)
    assert list(found["information/unknown"].values)[::3] == ["clearance", "variance of clearance", "variance of error"]


@pytest.mark.slow
def test_another_solver_gives_the_same():
    """One course at a time by diffrax, instead of the closed form: the differences of slopes stand its rounding."""
    found = inform("full", settings=twin.Settings(solver="adaptive", rtol=1e-9))
    assert found["information"].attrs["determinant"] == pytest.approx(PUBLISHED["full"][0], rel=1e-4)


def test_published_shrinkage():
    """PFIM's example as PopED's tests quote it, printed to seven digits."""
    found = twin.information(Rates(), ANA, {"once": "100 mg"}, times=[1, 3, 8], measure="level", subjects=40,
                             estimate={"spread": [], "error": []})  # fmt: skip
    shrinkage = found["shrinkage/shrinkage"].sel(group="ana", parameter=["absorption", "elimination", "volume"])
    assert shrinkage.values == pytest.approx([0.5035130, 0.3673427, 0.4244184], abs=1e-6)


def test_the_folder_of_numbers_says_the_same(shared_data):
    """`ours.csv` beside the published numbers: an independent computation, with both kinds of error."""
    with open(shared_data / "trials" / "optimal_design_warfarin" / "ours.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["error"] == "proportional"]
    assert {row["fim"] for row in rows} == {"reduced", "full"}
    for row in rows:
        found = inform(row["fim"])["information"]
        names = ("CL", "V", "KA", "w2_CL", "w2_V", "w2_KA", "s2_prop")
        errors = [float(row[f"rse_{name}"]) for name in names]
        assert found.attrs["criterion"] == pytest.approx(float(row["det_root"]), rel=1e-6)
        assert 100 * found["relative_error"].values == pytest.approx(errors, abs=0.006)


def by_differences(f, sd, values, omega, errors, times):
    """The full information of one subject by central differences: nothing but the definition."""
    count, spread = len(values), len(omega)

    def moments(x):
        values, omega, errors = x[:count], x[count : count + spread], np.sqrt(x[count + spread :])
        steps = 1e-5 * np.eye(spread)
        slopes = np.stack([(f(values * np.exp(s), times) - f(values * np.exp(-s), times)) / 2e-5 for s in steps], -1)
        mean = f(values, times)
        return mean, slopes @ np.diag(omega) @ slopes.T + np.diag(sd(mean, errors) ** 2)

    x = np.concatenate([values, omega, np.square(errors)])
    up, down = [], []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = 1e-4 * x[i]
        up.append(moments(x + step))
        down.append(moments(x - step))
    mean = np.stack([(a[0] - b[0]) / (2e-4 * v) for a, b, v in zip(up, down, x, strict=True)])
    whole = np.stack([(a[1] - b[1]) / (2e-4 * v) for a, b, v in zip(up, down, x, strict=True)])
    inverse = np.linalg.inv(moments(x)[1])
    weighed = inverse @ whole
    return mean @ inverse @ mean.T + 0.5 * np.einsum("kij,lji->kl", weighed, weighed)


def test_the_matrix_is_that_of_finite_differences():
    """A closed form in NumPy, with an error of two parts; central differences of it are good to some 1e-6."""

    def level(values, times):
        clearance, volume, absorption = values
        rate = clearance / volume
        scale = 70 * absorption / (volume * (absorption - rate))
        return scale * (np.exp(-rate * times) - np.exp(-absorption * times))

    sd = lambda mean, errors: errors[1] + errors[0] * mean  # noqa: E731
    found = inform("full", measure="assay")["information"].to_dataset()
    values, omega = np.array([0.15, 8.0, 1.0]), np.array([0.07, 0.02, 0.6])
    wanted = 32 * by_differences(level, sd, values, omega, [0.1, 0.5], np.array(TIMES))
    labels = ["clearance", "volume", "absorption", *(f"variance of {n}" for n in
              ("clearance", "volume", "absorption", "error", "noise"))]  # fmt: skip
    own = found["matrix"].sel(unknown=labels, other=labels).values
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    assert own / scale == pytest.approx(wanted / scale, abs=1e-5)


def test_groups_and_subjects_add():
    """Of light and heavy subjects together; one kind alone does not tell how weight matters."""
    both = [twin.Patient("light", covariates={"weight": 50}), twin.Patient("heavy", covariates={"weight": 90})]
    typical = {"typical": ["clearance", "volume", "absorption", "weight_exponent"]}

    def matrix(light, heavy):
        groups = {"a": {"patient": "light", "subjects": light}, "b": {"patient": "heavy", "subjects": heavy}}
        return inform(patients=both, groups=groups, estimate=typical, subjects=None)["information/matrix"].values

    whole, fewer_heavy, fewer_light = matrix(5, 7), matrix(5, 1), matrix(1, 7)
    summed = 5 / 4 * (whole - fewer_light) + 7 / 6 * (whole - fewer_heavy)
    assert summed == pytest.approx(whole, rel=1e-9, abs=1e-9 * np.abs(whole).max())
    with pytest.raises(TwinError, match="these measurements cannot tell clearance and weight_exponent"):
        inform(patients=both[0], estimate=typical)


def test_what_measurements_do_not_tell_is_named():
    with pytest.raises(
        TwinError, match=r"cannot tell clearance and volume and absorption and variance of .* and \d more"
    ):
        inform(times=[24.0])
