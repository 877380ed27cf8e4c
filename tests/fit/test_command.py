"""`twin fit`: what it prints and writes of a drug whose population is known (it is simulated); what it refuses."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import math
import re
from pathlib import Path

import jax
import numpy as np
import pytest

import calibration
import twin
from cli.main import main
from cli.report.fit_text import to_text
from twin.scenario import check, load_scenario

from .conftest import SCENARIO, Done

TRUE = {  # what the table's patients were drawn from; a CV of 30 % of each parameter
    "clearance": 3.0, "volume": 35.0, "absorption": 0.9, "proportional_error": 0.15, "weight_on_clearance": 0.75,
    **{f"variance of {name}": math.log1p(0.3**2) for name in ("clearance", "volume", "absorption")},
}  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_what_was_simulated_is_found(done):
    """Within 3 standard errors, of 8 numbers: by chance one fit in 40 misses; this one stays the same."""
    errors = done.fit.errors()
    assert done.fit.numbers.keys() == TRUE.keys()
    for name, value in TRUE.items():
        assert abs(done.fit.numbers[name] - value) < 3 * errors[name]
    assert done.fit.verdict == "trusted"


def test_it_prints_what_the_data_were_and_what_was_found(done):
    text = done.text
    assert "24 patients, 24 lines of doses\n144 readings of concentration, 18 below a limit" in text
    both = [float(re.search(rf"{name} +(-?[\d.]+)", text)[1]) for name in ("-2 log likelihood", "without n log 2 pi")]
    assert both[0] - both[1] == pytest.approx(126 * math.log(2 * math.pi), abs=0.002)  # censored ones have no constant
    aic, bic = (float(re.search(rf"{name} +(-?[\d.]+)", text)[1]) for name in ("AIC", "BIC"))
    assert (aic - both[0], bic - both[0]) == pytest.approx((16, 8 * math.log(24)), abs=0.002)
    assert re.search(r"variance of clearance +0\.0\d+ .* 22\.5 %", text)
    assert "not estimated: lag 0, bioavailability 1, additive error 0" in text
    assert "\ntrusted\n" in text
    assert "729 nodes a patient" in text


def test_tables_hold_the_numbers_of_the_fit(done):
    table = {row["estimate"]: row for row in rows(done.folder / "estimates.csv")}
    assert {name: float(row["value"]) for name, row in table.items()} == pytest.approx(done.fit.numbers, rel=1e-8)
    for kind in ("R", "S", "RSR"):
        assert {n: float(r[f"se_{kind}"]) for n, r in table.items()} == pytest.approx(done.fit.errors(kind), rel=1e-6)
    own = rows(done.folder / "individuals.csv")
    assert len(own) == 24 * 3
    found = np.array([float(row["deviation"]) for row in own if row["parameter"] == "clearance"])
    shrinkage = done.fit.people.shrinkage["clearance"]
    assert found.std(ddof=1) == pytest.approx(1 - shrinkage, rel=1e-6)
    matrix = rows(done.folder / "correlations.csv")
    assert [float(row[row["estimate"]]) for row in matrix] == pytest.approx([1.0] * 8)
    assert (done.folder / "fit.png").stat().st_size > 10_000


def test_intervals_are_made_where_numbers_are_estimated(done):
    """In closed form: logarithms of what is positive, a coefficient as it is."""
    table = {row["estimate"]: row for row in rows(done.folder / "estimates.csv")}
    for name, row in table.items():
        value, error, low, high = (float(row[key]) for key in ("value", "se_R", "low_95", "high_95"))
        if name == "weight_on_clearance":
            ends = value - 1.959964 * error, value + 1.959964 * error
        else:
            factor = math.exp(1.959964 * error / value)
            ends = value / factor, value * factor
        assert (low, high) == pytest.approx(ends, rel=1e-5)  # slopes of spreads are differences


def test_other_standard_errors_are_printed_when_asked_for(done):
    tree = done.fit.to_tree()
    for kind in ("R", "S", "RSR"):
        text = to_text(tree, kind)
        assert f"SE ({kind})" in text
        assert f"{done.fit.errors(kind)['volume']:.3g}" in re.search(r"^volume .*$", text, re.MULTILINE)[0]


@pytest.mark.slow
def test_individuals_are_what_a_calibration_with_the_fitted_model_finds(done):
    """The same posterior by other draws, 4000 of each: means within a tenth of a standard deviation."""
    scenario = load_scenario(SCENARIO)
    found = calibration.calibrate(done.fit.model, scenario.patients[:4], draws=4000).summary()
    own = done.fit.to_tree()["individuals"].to_dataset()
    for name in ("clearance", "volume", "absorption"):
        mean, sd = (own[word].sel(coordinate=name, patient=found["patient"]).values for word in ("mean", "sd"))
        assert np.max(np.abs(found["mean"].sel(unknown=name).values - mean) / sd) < 0.1


@pytest.mark.slow
def test_a_published_model_moves_by_a_few_patients(capsys, tmp_path):
    """Between the published clearance (0.314) and the one that the six were drawn from (0.25), nearer the first."""
    with pytest.raises(SystemExit) as end:
        main(["fit", str(SCENARIO.parent / "own_patients.yaml"), "--out", str(tmp_path), "--se", "RSR"])
    assert end.value.code == 0
    table = {row["estimate"]: row for row in rows(tmp_path / "own_patients" / "estimates.csv")}
    assert 0.29 < float(table["clearance"]["value"]) < 0.314
    assert float(table["clearance"]["se_R"]) < 0.04 * 0.314  # that of the paper
    assert "caution" in capsys.readouterr().out


# --- what else a fit is told to find -----------------------------------------------------------------------------

FURTHER = """
  bootstrap: 12
  sir: 25
  uncertainty: sandwich
  profile: [clearance, variance of absorption]
  search: {covariates: [weight], parameters: [volume], bootstrap: 20}
"""


@pytest.fixture(scope="module")
def further(done, tmp_path_factory) -> Done:
    """The shipped fit with further questions, as the command answers them; its climb is not done a second time."""
    from calibration.population import fit as fitting

    folder, said = tmp_path_factory.mktemp("further"), io.StringIO()
    text = SCENARIO.read_text("utf-8").replace("tables/", f"{SCENARIO.parent}/tables/")
    path = write(folder, text.replace("volume, absorption]\n", f"volume, absorption]{FURTHER}"))

    found = []

    def answer(scenario, **_):
        fitting.refuse_further(done.fit.sky, scenario.file.fit)
        found.append(fitting.add_further(dataclasses.replace(done.fit, entry=scenario.file.fit), 0.0))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(calibration, "run_fit", answer)
        with pytest.raises(SystemExit) as end:
            main(["fit", str(path), "--out", str(folder), "--allow", str(SCENARIO.parent)])
    assert end.value.code == 0
    return Done(said.getvalue(), folder / "question", found[-1])


def test_intervals_that_were_asked_for_are_printed_and_written(done, further):
    """One row for each number and kind, of the profile those that were named; ends are those of `fit.intervals`."""
    table = rows(further.folder / "intervals.csv")
    assert len(table) == 3 * 8 + 2
    for row in table:
        ends = float(row["low_95"]), float(row["high_95"])
        if row["by"] != "profile":
            assert ends == pytest.approx(further.fit.intervals(row["by"])[row["estimate"]], rel=1e-6)
        else:
            assert ends[0] < done.fit.numbers[row["estimate"]] < ends[1]
    assert {row["estimate"] for row in table if row["by"] == "profile"} == {"clearance", "variance of absorption"}
    assert re.search(r"95 % intervals +value +bootstrap +sir +sandwich +profile", further.text)
    assert "bootstrap: samples 12, left out 0" in further.text
    assert "intervals.csv, search.csv, fit.png" in further.text
    assert "95 % intervals" not in done.text
    assert not (done.folder / "intervals.csv").exists()


def test_a_profile_that_ends_at_0_is_called_one_sided(further):
    tree = further.fit.to_tree()
    said = [line for line in to_text(tree).splitlines() if line.endswith(", one-sided")]
    assert said == []
    (clearance, absorption) = further.fit.further.profiles
    other = dataclasses.replace(absorption, low=0.0, one_sided=True)
    with_0 = dataclasses.replace(further.fit.further, profiles=(clearance, other))
    tree = dataclasses.replace(further.fit, further=with_0).to_tree()
    (line,) = [line for line in to_text(tree).splitlines() if line.endswith(", one-sided")]
    assert line.startswith("variance of absorption")
    assert f"[0, {absorption.high:.4g}], one-sided" in line


def test_what_speaks_against_an_interval_stands_under_the_verdict(done, monkeypatch):
    """A bootstrap that cannot be had is said, and the rest of the fit is kept."""
    from calibration.population import fit as fitting

    def refuse(*_, **__):
        raise twin.TwinError("bootstrap: no sample of patients settled; estimate fewer numbers")

    monkeypatch.setattr(fitting, "bootstrap", refuse)
    entry = done.fit.entry.model_copy(update={"bootstrap": 5})
    found = fitting.add_further(dataclasses.replace(done.fit, entry=entry), 0.0)
    assert to_text(found.to_tree()).endswith(
        "not trusted:\n- bootstrap: no sample of patients settled; estimate fewer numbers"
    )


def test_covariates_that_were_searched_are_printed_and_written(done, further):
    """The fit has weight on clearance already; nothing else acts, and nothing is to be fitted next."""
    (row,) = rows(further.folder / "search.csv")
    (found,) = done.fit.search(["weight"], ["volume"], bootstrap=20).table()
    assert row["effect"] == found["effect"] == "weight on volume (power)"
    for name in ("gain", "p", "coefficient", "error", "chosen", "frequency", "shrunk", "low", "high"):
        assert float(row[name]) == pytest.approx(found[name], rel=1e-6)
    assert re.search(r"weight on volume \(power\) +0\.94 +0\.33 +0\.554 \+- 0\.57 +- ", further.text)
    assert "none is chosen in half of 20 samples of patients" in further.text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"profile": ["variance of clearence"]}, "fit, profile: the fit estimates no 'variance of clearence'"),
        ({"uncertainty": "bayes"}, "fit, uncertainty: 'bayes' needs method: bayes"),
        ({"search": {"covariates": ["weight"], "parameters": ["clearance"]}}, "without an effect; name others"),
    ],
)
def test_what_cannot_be_found_is_said_before_anything_is_climbed(done, words, sentence):
    from calibration.population.fit import read_entry
    from calibration.population.further import refuse_further

    with pytest.raises(twin.TwinError, match=sentence):
        refuse_further(done.fit.sky, read_entry(done.fit.entry, words))


# --- what is refused ------------------------------------------------------------------------------------

GOOD = """\
model: one_compartment
patients:
  - id: ana
    doses: [{amount: 100 mg, time: 0, treatment: intravenous}]
    observations: [{observable: concentration, time: 2 h, value: 1.5}]
  - id: ben
    doses: [{amount: 100 mg, time: 0, treatment: intravenous}]
    observations: [{observable: concentration, time: 9 h, value: 0.9}]
fit: {effects: [clearance, volume]}
"""
SITES = {"ana": "{hospital: 3}", "ben": "{hospital: 7}"}


def at_sites(text: str, sites: dict[str, str], said: str) -> str:
    """The patients at sites, and what a fit says of these."""
    for name, one in sites.items():
        text = text.replace(f"id: {name}\n", f"id: {name}\n    covariates: {one}\n")
    return text.replace("effects: [clearance, volume]", f"effects: [clearance, volume], sites: {said}")


def write(folder: Path, text: str) -> Path:
    path = folder / "question.yaml"
    path.write_text(text)
    return path


REFUSED = {
    "effects: [clearance, volumes]": "fit.effects[1]': no parameter 'volumes'; did you mean 'volume'?",
    "estimate: [lags]": "fit.estimate[0]': no parameter 'lags'; did you mean 'lag'?",
    "fix: [volum]": "fit.fix[0]': no parameter 'volum'",
    "fix_spread: [volum]": "fit.fix_spread[0]': no parameter 'volum'",
    "correlated: [[clearance, volum]]": "fit.correlated[0][1]': no parameter 'volum'",
    "sites: {by: hospital, of: [volume]}": "fit.sites.by': 'hospital' is not given of patient 'ana'; say the site",
    "mixture: {of: [clearence]}": "fit.mixture.of[0]': no parameter 'clearence'",
    "priors: {values: {clearence: {published: true}}}": "no parameter 'clearence'; did you mean 'clearance'?",
    "bootstrap_by: ward": "fit.bootstrap_by': no covariate 'ward'",
    "search: {covariates: [wieght]}": "fit.search.covariates[0]': no covariate 'wieght'",
    "search: {parameters: [volum]}": "fit.search.parameters[0]': no parameter 'volum'",
    "method: focei": "fit.method': 'focei' is not allowed; write 'auto', 'nodes', 'draws' or 'bayes'",
}


@pytest.mark.parametrize("said", REFUSED)
def test_a_name_that_stands_for_nothing_is_one_sentence_with_its_line(said, tmp_path):
    (problem,) = check(write(tmp_path, GOOD.replace("effects: [clearance, volume]", said))).problems
    assert "question.yaml:9: " in problem
    assert REFUSED[said] in problem


def test_a_patient_without_measurements_is_named(tmp_path):
    head, _, fit = GOOD.rpartition("    observations")
    (problem,) = check(write(tmp_path, head + fit.partition("\n")[2])).problems
    assert "fit': patient 'ben' has no measurements, and so says nothing" in problem


def test_a_population_cannot_be_fitted(tmp_path):
    text = "model: one_compartment\npopulation: {size: 5}\nregimens: {a: 100 mg oral}\nfit: {}\n"
    (problem,) = check(write(tmp_path, text)).problems
    assert "'fit': is of patients with measurements; write some instead of the population" in problem


def test_a_site_may_be_a_covariate_that_the_model_does_not_know(tmp_path):
    """A number, or a word of levels."""
    scenario = load_scenario(write(tmp_path, at_sites(GOOD, SITES, "{by: hospital, of: [volume]}")))
    assert [one.covariates["hospital"] for one in scenario.patients] == [3.0, 7.0]
    words = {"ana": "{hospital: south}", "ben": "{hospital: north}"}
    text = at_sites(GOOD, words, "{by: hospital, of: [volume], levels: [north, south]}")
    assert [one.covariates["hospital"] for one in load_scenario(write(tmp_path, text)).patients] == [1.0, 0.0]


def test_sites_that_the_model_knows_have_their_levels(tmp_path):
    text = GOOD.replace("effects: [clearance, volume]", "sites: {by: vkorc1, of: [clearance], levels: [GG, AA]}")
    text = (
        text.replace("one_compartment", "warfarin")
        .replace(", treatment: intravenous", "")
        .replace("concentration", "s_warfarin")
    )
    problems = check(write(tmp_path, text)).problems
    assert any("the model knows 'vkorc1' already; leave levels out" in one for one in problems)


def test_other_commands_say_that_nothing_is_simulated(tmp_path, capsys):
    path = str(write(tmp_path, GOOD))
    with pytest.raises(twin.TwinError, match=r"has no 'regimens:', so there is nothing to simulate; add some"):
        twin.run_scenario(path)
    with pytest.raises(SystemExit) as end:
        main(["optimise", path, "--out", str(tmp_path)])
    assert end.value.code == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_scenario_without_a_fit_says_so_and_one_without_both_needs_regimens(tmp_path):
    text = GOOD.replace("fit: {effects: [clearance, volume]}", "regimens: {a: 100 mg oral}")
    with pytest.raises(twin.TwinError, match=r"has no 'fit:', so nothing is to be estimated; add 'fit: \{\}'"):
        calibration.run_fit(write(tmp_path, text))
    (problem,) = check(write(tmp_path, GOOD.replace("fit: {effects: [clearance, volume]}\n", ""))).problems
    assert "'regimens': is missing; add it" in problem


def test_occasions_of_patients_who_are_only_fitted_end_with_their_data(tmp_path):
    """Two of 6 h reach the last measurement, at 9 h; the model's own horizon would make four and more."""
    text = GOOD + "occasions: {of: {clearance: {cv: 0.1}}, every: 6 h}\n"
    assert len(load_scenario(write(tmp_path, text)).model.occasions["clearance"]) == 2


def test_reports_are_exact_where_a_program_computes_in_single_precision(done):
    """As JAX does by itself: the same numbers but for the order of sums."""
    wide = done.fit.to_tree()
    with jax.enable_x64(False):
        narrow = calibration.PopulationFit(**{f.name: getattr(done.fit, f.name) for f in dataclasses.fields(done.fit)})
        tree = narrow.to_tree()
    for name in ("value", "se", "low", "high"):
        np.testing.assert_allclose(tree["estimates"][name].values, wide["estimates"][name].values, rtol=1e-9)
    np.testing.assert_allclose(tree["individuals"]["mean"].values, wide["individuals"]["mean"].values, rtol=1e-9)
