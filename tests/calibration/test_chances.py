"""Covariates that are not certain: drawn as often as said, and weighed by what is measured."""

from __future__ import annotations

import dataclasses
import types

import jax
import numpy as np
import pytest

import calibration
import twin
from calibration import branches
from tests.calibration.models import WarfarinBySex
from twin.errors import TwinError, TwinErrors
from twin.patient import Chances, DoseRecord, Observation, Patient

SEXES = Chances({"male": 0.7, "female": 0.3})
SEEN = [(6.0, 14.0), (24.0, 11.5), (72.0, 6.5)]


def person(sex, count=3, **more):
    seen = [Observation("concentration", t, y) for t, y in SEEN[:count]]
    return Patient("kim", covariates={"sex": sex}, doses=[DoseRecord("100 mg")], observations=seen, **more)


def test_draws_have_levels_as_often_as_said():
    """2,000 draws: 0.3 within four standard errors, and each draw's parameters are those of its level."""
    model = WarfarinBySex()
    words = {"regimens": {"none": None}, "draws": 2000, "outcomes": [], "times": [24.0]}
    found = twin.simulate(model, person(SEXES, 0), **words)["prior"]
    women = found["sex"].values[0] == "female"
    assert women.mean() == pytest.approx(0.3, abs=0.041)
    certain = {
        sex: twin.simulate(model, person(sex, 0), **words)["prior"]["volume"].values[0] for sex in ("male", "female")
    }
    np.testing.assert_allclose(found["volume"].values[0], np.where(women, certain["female"], certain["male"]))


def test_parts_of_a_stream_draw_the_same_levels():
    model, words = WarfarinBySex(), {"regimens": {"none": None}, "outcomes": [], "times": [], "until": 24.0}
    whole = twin.simulate(model, person(SEXES, 0), draws=50, **words)["prior"]["sex"].values
    parts = [t["prior"]["sex"].values for t in twin.stream(model, person(SEXES, 0), draws=50, part=20, **words)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.slow
def test_the_posterior_weighs_levels_as_plain_importance_sampling_does():
    """Against 200,000 draws from the prior, weighted by the likelihood: 0.03, three times their standard error."""
    model = WarfarinBySex()
    found = calibration.calibrate(model, person(SEXES), draws=4000)
    target = found.target
    u = np.random.default_rng(0).standard_normal((1, 200_000, target.prior.size))
    with jax.enable_x64(True):
        logs = target.evaluate(u) + 0.5 * np.sum(u * u, -1)
        weights = np.exp(logs[0] - logs.max())
        levels = np.asarray(target.covariates(u, target.data)["sex"])[0]
    share = weights[levels == 1].sum() / weights.sum()
    assert found.chances(0)["sex"]["female"] == pytest.approx(share, abs=0.03)
    assert abs(share - 0.3) > 0.1, "the measurements must tell something, else nothing is tested"
    for i, name in enumerate(target.prior.names):
        mean = np.sum(weights * u[0, :, i]) / weights.sum()
        assert found.u[0, :, i].mean() == pytest.approx(mean, abs=0.06), name
    assert found.verdict == ("trusted",)


def test_who_is_certain_is_calibrated_as_before_beside_one_who_is_not():
    model = WarfarinBySex()
    alone = calibration.calibrate(model, person("male"), draws=200)
    both = calibration.calibrate(model, [person("male"), dataclasses.replace(person(SEXES), id="lee")], draws=200)
    for name in alone.prior.names:
        assert both.parameters[name][0].mean() == pytest.approx(
            alone.parameters[name][0].mean(), abs=0.25 * alone.parameters[name].std()
        )
    assert np.isnan(both.covariates["sex"][0]).all()


def test_what_is_simulated_has_the_posteriors_levels():
    model = WarfarinBySex()
    found = calibration.calibrate(model, person(SEXES), draws=300)
    result = twin.simulate(
        model, person(SEXES), regimens={"none": None}, draws=300, outcomes=[], times=[24.0], **found.individuals
    )
    levels = np.array(["male", "female"], object)[found.covariates["sex"][0].astype(int)]
    np.testing.assert_array_equal(result["posterior"]["sex"].values[0], levels)
    np.testing.assert_allclose(result["posterior"]["volume"].values[0], found.parameters["volume"][0], rtol=1e-12)


@pytest.mark.slow
def test_an_update_keeps_what_is_uncertain():
    model, patient = WarfarinBySex(), person(SEXES)
    before = calibration.calibrate(model, person(SEXES, 2), draws=2000)
    later = calibration.update(before, {"kim": patient.observations[2:]}, draws=2000)
    whole = calibration.calibrate(model, patient, draws=2000)
    assert later.chances(0)["sex"]["female"] == pytest.approx(whole.chances(0)["sex"]["female"], abs=0.05)


@pytest.mark.slow
def test_simulated_patients_ranks_are_even_with_a_covariate_unknown():
    assert calibration.sbc(WarfarinBySex(), person(SEXES), 100).uniform


BAD = {
    "no sum": ({"sex": Chances({"male": 0.2, "female": 0.3})}, "the chances add up to 0.5, not 1"),
    "unknown level": ({"sex": Chances({"mal": 1.0})}, "unknown level 'mal' of 'sex'"),
    "no frequencies": ({"sex": Chances()}, "declares no frequencies of 'sex'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_chances_are_one_sentence(case):
    covariates, words = BAD[case]
    with pytest.raises(TwinErrors, match=words):
        Patient("kim", covariates=covariates).bind(WarfarinBySex())


def test_a_dose_by_an_uncertain_size_is_refused():
    from tests.test_patient import MODEL  # it has a weight

    patient = Patient("kim", covariates={"weight": Chances({"60 kg": 0.5, "80 kg": 0.5})})
    with pytest.raises(TwinError, match="per kg, and the patient's weight has chances"):
        twin.simulate(MODEL, patient, regimens={"one": "1 mg/kg tablet"}, draws=2, until=5)


def test_certain_chances_equal_the_covariate():
    """A level with probability 1 is that level."""
    model = WarfarinBySex()
    sure = calibration.calibrate(model, person(Chances({"female": 1.0})), draws=500)
    plain = calibration.calibrate(model, person("female"), draws=500)
    assert sure.stats["log_evidence"][0] == pytest.approx(plain.stats["log_evidence"][0], abs=0.05)


def test_measurements_are_counted_once_whatever_the_chances():
    """The mean of three over branches was 2.9999999999999996, and 2 was told."""
    shares = np.array([0.09613928662326665, 0.6528676206456686, 0.2509930927310646])
    each = types.SimpleNamespace(stats={"observations": np.full(3, 3.0)})
    assert branches._join_stats(each, np.arange(3), np.arange(3), shares)["observations"] == 3.0
