"""Analyses against numbers printed by SAS, R and others (shared/data/trials), to the rules of each SOURCE.md."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from scipy.special import hyp2f1

from twin.statistics import analysis
from twin.statistics.analysis import interval, p_value


def rows(folder, name):
    with (folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def one(array, kind=float):
    """As of a single replicate."""
    return np.asarray(array, kind)[None]


# --- repeated measures ----------------------------------------------------------------------------------

VISITS = ("VIS1", "VIS2", "VIS3", "VIS4")
TERMS = (
    "(Intercept)", "RACEBlack or African American", "RACEWhite", "SEXFemale", "ARMCDTRT",
    "AVISITVIS2", "AVISITVIS3", "AVISITVIS4", "ARMCDTRT:AVISITVIS2", "ARMCDTRT:AVISITVIS3", "ARMCDTRT:AVISITVIS4",
)  # fmt: skip
MEAN, TREATED = np.eye(len(TERMS))[0], np.eye(len(TERMS))[4]


@pytest.fixture(scope="module")
def fev(shared_data):
    """FEV1 (person, visit), nan where missed, and the columns of TERMS."""
    folder = shared_data / "trials" / "mmrm_fev"
    table = rows(folder, "fev.csv")
    people = list(dict.fromkeys(row["USUBJID"] for row in table))
    value, columns = np.full((len(people), 4), np.nan), np.zeros((len(people), 4, len(TERMS)))
    for row in table:
        treated = row["ARMCD"] == "TRT"
        at = people.index(row["USUBJID"]), VISITS.index(row["AVISIT"])
        value[at] = float(row["FEV1"] or "nan")
        later = [row["AVISIT"] == visit for visit in VISITS[1:]]
        race = [row["RACE"].startswith("Black"), row["RACE"] == "White"]
        columns[at] = [1, *race, row["SEX"] == "Female", treated, *later, *(treated and one for one in later)]
    return value, columns, rows(folder, "expected.csv")


def fit(fev, terms=tuple(range(11)), **options):
    """Of some terms; the other columns are 0 and so left out, which spares a program of another size."""
    value, columns, _ = fev
    kept = np.isin(np.arange(len(TERMS)), terms)
    inside = np.ones((1, len(value)), bool)
    return analysis.fit_columns(value[None], columns * kept, inside, adjust=True, **options)


def least_squares_mean(visit, treated):
    """With equal weights over races and sexes."""
    weights = np.zeros(len(TERMS))
    weights[:4] = 1, 1 / 3, 1 / 3, 1 / 2
    weights[4] = treated
    if visit:
        weights[4 + visit], weights[7 + visit] = 1, treated
    return weights


def test_means_at_visits_are_those_of_sas(fev):
    """To the 1e-4 that SAS prints; degrees of freedom to a whole number."""
    found, printed = fit(fev), {row["term"]: row for row in fev[2]}
    assert found.deviance[0] == pytest.approx(3386.4499, abs=1e-4)
    assert found.people[0] == 197
    assert found.converged[0]
    for visit in range(4):
        for arm, name in enumerate(("PBO", "TRT")):
            row = printed[f"LS mean VIS{visit + 1} {name}"]
            mean = analysis.contrast(found, least_squares_mean(visit, arm))
            assert mean.effect[0] == pytest.approx(float(row["estimate"]), abs=1e-4)
            assert mean.error[0] == pytest.approx(float(row["se"]), abs=1e-4)
            assert mean.degrees[0] == pytest.approx(float(row["df"]), abs=0.6)
            assert mean.degrees[0] == pytest.approx(
                float(re.search(r"ours df ([\d.]+)", row["printed_by"])[1]), abs=0.01
            )


def test_columns_are_those_of_the_package_mmrm(fev):
    """Its README's slopes are 1e-4 off the maximum: its optimiser ended there. They are, to 2e-5, those at the
    covariance that it prints, whose likelihood is below ours."""
    found, printed = fit(fev), {row["term"]: row for row in fev[2]}
    readme = np.array([[float(x) for x in printed[f"covariance row {k}"]["estimate"].split()] for k in (1, 2, 3, 4)])
    value, columns, _ = fev
    deviance, slopes = restricted(readme, value, columns)
    assert 0 < deviance - float(found.deviance[0]) < 1e-5
    np.testing.assert_allclose(found.covariance[0], readme, atol=1e-2)
    for k, term in enumerate(TERMS):
        row, own = printed[term], analysis.contrast(found, np.eye(len(TERMS))[k])
        assert slopes[k] == pytest.approx(float(row["estimate"]), abs=2e-5)
        assert own.effect[0] == pytest.approx(float(row["estimate"]), abs=2e-4)
        assert own.error[0] == pytest.approx(float(row["se"]), abs=2e-4)
        assert own.degrees[0] == pytest.approx(float(row["df"]), abs=0.02)


def restricted(covariance, value, columns):
    """-2 log restricted likelihood and slopes, person by person."""
    left, right, rest, count = 0.0, 0.0, 0.0, 0
    for y, x in zip(value, columns, strict=True):
        seen = ~np.isnan(y)
        if seen.any():
            own = covariance[np.ix_(seen, seen)]
            left = left + x[seen].T @ np.linalg.solve(own, x[seen])
            right = right + x[seen].T @ np.linalg.solve(own, y[seen])
            rest += y[seen] @ np.linalg.solve(own, y[seen]) + np.linalg.slogdet(own)[1]
            count += seen.sum()
    slopes = np.linalg.solve(left, right)
    free = (count - len(slopes)) * np.log(2 * np.pi)
    return free + rest + np.linalg.slogdet(left)[1] - right @ slopes, slopes


def test_sas_stops_early_and_so_can_we(fev):
    """SAS ends where the fall ahead is 1e-8 of the deviance; from its start, that is some digits before the maximum.

    What it prints of these models is reproduced to the last digit so, and only to three or four at the maximum.
    """
    printed = {(row["model"], row["term"]): row for row in fev[2]}
    row = printed["FEV1~ARMCD us REML Kenward-Roger-Linear", "ARMCDTRT"]
    for as_sas, far in ((True, 1e-8), (False, 1e-4)):
        arm = analysis.contrast(fit(fev, [0, 4], as_sas=as_sas), TREATED, adjusted=True)
        assert arm.error[0] == pytest.approx(float(row["se"]), abs=far)
        assert arm.degrees[0] == pytest.approx(float(row["df"]), abs=1e-4 if as_sas else 0.05)

    row = printed["FEV1~1 us REML Satterthwaite", "intercept"]
    mean = analysis.contrast(fit(fev, [0], as_sas=True), MEAN)
    assert mean.effect[0] == pytest.approx(float(row["estimate"]), abs=5e-5)
    assert mean.error[0] == pytest.approx(float(row["se"]), abs=5e-5)
    assert round(float(mean.degrees[0])) == float(row["df"])
    assert analysis.contrast(fit(fev, [0]), MEAN).effect[0] == pytest.approx(float(row["estimate"]), abs=1e-3)

    row = printed["FEV1~RACE+SEX+ARMCD*AVISIT us REML Satterthwaite", "RACE 2-df F"]
    race = analysis.joint_contrast(fit(fev, as_sas=True), np.eye(len(TERMS))[1:3])
    assert round(float(race.statistic[0]), 2) == float(row["estimate"])
    assert round(float(race.denominator[0])) == float(row["df"])


def test_a_structure_that_bends_is_adjusted_as_by_sas(fev):
    """Kenward and Roger's error depends on the numbers that make a covariance; SAS's are variance and correlation."""
    (row,) = [row for row in fev[2] if row["model"] == "FEV1~ARMCD ar1 REML Kenward-Roger"]
    arm = analysis.contrast(fit(fev, [0, 4], structure="ar1"), TREATED, adjusted=True)
    assert arm.error[0] == pytest.approx(float(row["se"]), abs=1e-6)
    assert arm.degrees[0] == pytest.approx(float(row["df"]), abs=1e-3)


# --- covariance and log-rank of a real trial ------------------------------------------------------------


def test_cdisc_pilot(shared_data):
    folder = shared_data / "trials" / "cdisc_pilot_ancova"
    table, expected = rows(folder, "adas_week24.csv"), rows(folder, "expected.csv")
    dose = np.array([float(row["TRTPN"]) for row in table])
    arm = np.searchsorted([0.0, 54.0, 81.0], dose)
    sites = sorted({row["SITEGR1"] for row in table})
    # a column too many, on purpose: sites add up to the intercept
    columns = np.array([[*(row["SITEGR1"] == site for site in sites), float(row["BASE"])] for row in table])
    change, inside = np.array([float(row["CHG"]) for row in table]), np.ones(len(table), bool)
    against = np.array([[-1.0, 1, 0], [-1, 0, 1], [0, -1, 1]])
    how = {"arms": 3, "covariates": one(columns), "contrasts": against}
    made, correlation = analysis.ancova_many(one(change), one(arm, int), one(inside, bool), **how)
    limits = interval(made)
    for k, name in enumerate(("low - placebo", "high - placebo", "high - low")):
        for row in (row for row in expected if row["contrast"] == name):
            printed = row["quantity"].startswith("ANCOVA")
            assert made.error[0, k] == pytest.approx(float(row["se"]), abs=5e-3 if printed else 5e-5)
            assert made.effect[0, k] == pytest.approx(float(row["estimate"]), abs=0.05 if printed else 5e-5)
            assert p_value(made)[0, k] == pytest.approx(float(row["p"]), abs=5e-4 if printed else 5e-5)
            for limit, column in zip(limits, ("ci_low", "ci_high"), strict=True):
                assert not row[column] or limit[0, k] == pytest.approx(float(row[column]), abs=0.05)
    np.testing.assert_allclose(np.diagonal(correlation[0]), 1)
    response = analysis.slope(one(change), one(dose), one(inside, bool), covariates=one(columns))
    assert p_value(response)[0] == pytest.approx(0.2447, abs=5e-5)
    two = analysis.ancova_many(one(change), one(arm, int), one(arm != 1, bool), arms=3, covariates=one(columns))[0]
    pair = analysis.ancova(one(change), one(arm == 2, int), one(arm != 1, bool), covariates=one(columns))
    np.testing.assert_allclose([x[0, 1] for x in two], [x[0] for x in pair])  # an arm that is not there is left out
    assert not two.ok[0, 0]


def test_cdisc_pilot_events(shared_data):
    folder = shared_data / "trials" / "cdisc_pilot_ancova"
    table = rows(folder, "dermatologic_event.csv")
    arm = np.searchsorted([0.0, 54.0, 81.0], [float(row["TRTAN"]) for row in table])
    time, event = (np.array([float(row[name]) for row in table]) for name in ("AVAL", "CNSR"))
    found = analysis.log_rank_many(one(time), one(event == 0, bool), one(arm, int), one(arm >= 0, bool), arms=3)
    assert found.statistic[0] == pytest.approx(60.2696, abs=1e-3)
    assert found.degrees[0] == 2
    assert found.p[0] == pytest.approx(8.18e-14, rel=1e-3)


# --- survival -------------------------------------------------------------------------------------------


PLACES = 312  # people of the largest data set


@pytest.fixture(scope="module")
def by_r(shared_data):
    return json.loads((shared_data / "trials" / "survival" / "r_expected_values.json").read_text(encoding="utf-8"))


def of_two(time, event, arm, places=0):
    """With empty places up to so many, which spares a program of another size; what stands in them must not matter."""
    fill = max(0, places - len(time))
    inside = np.arange(len(time) + fill) < len(time)
    padded = (np.append(np.asarray(each, float), np.full(fill, -7.0)) for each in (time, event, arm))
    time, event, arm = padded
    return one(time), one(event > 0, bool), one(arm, int), one(inside, bool)


def test_tests_of_r(by_r, shared_data):
    """1e-8; the arm is nonmaintained, as in R's own regression."""
    aml, ovarian = by_r["aml"], by_r["ovarian"]
    data = of_two(aml["combined"]["time"], aml["combined"]["status"], 1 - np.array(aml["combined"]["group"]), PLACES)
    plain = analysis.log_rank(*data)
    assert plain.statistic[0] ** 2 == pytest.approx(aml["logrank"]["chisq"], abs=1e-8)
    assert p_value(plain)[0] == pytest.approx(aml["logrank"]["p_value"], abs=1e-8)
    assert plain.statistic[0] > 0  # more events than expected
    for name, chi2 in {"peto_peto": aml["wilcoxon"]["chisq"], "gehan": 2.7233115468}.items():
        assert analysis.log_rank(*data, weights=name).statistic[0] ** 2 == pytest.approx(chi2, abs=1e-8)

    columns = np.stack([data[2], np.zeros_like(data[2])], 2)
    for ties in ("efron", "breslow"):
        found, expected = analysis.regress_hazards(*data[:2], columns, data[3], ties=ties), aml[f"coxph_{ties}"]
        assert found.slopes[0, 0] == pytest.approx(expected["coefficients"][0], abs=1e-8)
        assert np.sqrt(found.spread[0, 0, 0]) == pytest.approx(expected["se"][0], abs=1e-8)
        assert found.likelihood[0] == pytest.approx(expected["loglik"][1], abs=1e-8)

    data = of_two(ovarian["data"]["time"], ovarian["data"]["status"], np.array(ovarian["data"]["rx"]) - 1, PLACES)
    assert analysis.log_rank(*data).statistic[0] ** 2 == pytest.approx(ovarian["logrank"]["chisq"], abs=1e-8)
    age = one(np.resize(ovarian["data"]["age"], PLACES))
    both = analysis.regress_hazards(*data[:2], np.stack([data[2], age], 2), data[3])
    np.testing.assert_allclose(both.slopes[0], ovarian["coxph"]["coefficients"], atol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diagonal(both.spread[0])), ovarian["coxph"]["se"], atol=1e-8)
    made = analysis.cox(*data, covariates=age[..., None])
    assert made.effect[0] == pytest.approx(ovarian["coxph"]["coefficients"][0], abs=1e-8)
    assert made.error[0] == pytest.approx(ovarian["coxph"]["se"][0], abs=1e-8)


def test_curves_of_r(by_r):
    aml = by_r["aml"]
    for arm in ("maintained", "nonmaintained"):
        time, event, _, inside = of_two(aml[arm]["time"], aml[arm]["status"], np.zeros(len(aml[arm]["time"])), PLACES)
        curves = analysis.kaplan_meier(time, event, inside)
        expected = aml[f"km_{arm}"]
        survival, variance = analysis.survival_at(curves, np.resize(expected["time"], 9) * 1.0)
        count = len(expected["time"])
        survival, variance = survival[:, :count], variance[:, :count]
        np.testing.assert_allclose(survival[0], expected["survival"], atol=1e-9)
        known = [i for i, error in enumerate(expected["std_err"]) if error is not None]
        errors = [expected["std_err"][i] for i in known]
        np.testing.assert_allclose(np.sqrt(variance[0])[known], errors, atol=1e-9)
        assert analysis.median_survival(curves)[0][0] == aml["median_survival"][arm]
        for until in (30, 48):
            area, _ = analysis.restricted_mean(curves, until)
            assert area[0] == pytest.approx(by_r["rmst"][f"aml_{arm}_tau{until}"], abs=1e-9)
        if arm == "maintained":
            expected = aml["nelson_aalen_maintained"]
            places = [list(np.asarray(curves.time[0])).index(t) for t in expected["time"]]
            np.testing.assert_allclose(curves.cumulative[0][np.array(places)], expected["cumulative_hazard"], atol=1e-9)


def test_restricted_means_of_liver_patients(shared_data):
    """survRM2's digits; the log-rank test and Cox's regression as lifelines prints them."""
    table = rows(shared_data / "trials" / "survival", "pbc312.csv")
    data = of_two(*([float(row[name]) for row in table] for name in ("years", "event", "arm")), PLACES)
    made = analysis.rmst(*data, until=10.0)
    low, high = interval(made)
    assert [round(float(x[0]), 3) for x in (made.effect, low, high, p_value(made))] == [-0.137, -0.939, 0.665, 0.738]
    inside = [(data[2] == arm) & data[3] for arm in (1, 0)]
    means = [analysis.restricted_mean(analysis.kaplan_meier(*data[:2], who), 10) for who in inside]
    found = [round(float(x), 3) for mean, variance in means for x in (mean[0], np.sqrt(variance[0]))]
    assert found == [7.146, 0.283, 7.283, 0.295]
    one_, two = (float(mean[0]) for mean, _ in means)
    assert [round(one_ / two, 3), round((10 - one_) / (10 - two), 3)] == [0.981, 1.05]
    hazard = analysis.cox(*data, covariates=np.zeros((1, PLACES, 1)))  # a column that says nothing
    assert hazard.effect[0] == pytest.approx(0.057224, abs=1e-6)
    assert hazard.error[0] == pytest.approx(0.179165, abs=1e-6)
    assert analysis.log_rank(*data).statistic[0] ** 2 == pytest.approx(0.101705, abs=1e-6)
    assert not analysis.rmst(*data, until=13.0).ok[0]  # nobody of one arm was followed for so long


# --- a prognostic score, and power ----------------------------------------------------------------------


def test_what_a_score_buys(shared_data):
    """The ratio of variances within 0.02 of the finite-sample law (its error by chance is about 0.005 at 20,000
    trials), and the level within 3 standard errors."""
    generator, replicates = np.random.default_rng(5), 20_000
    for row in rows(shared_data / "trials" / "procova", "variance_ratio.csv"):
        people, share = int(row["patients"]), float(row["R2"])
        predicted = float(row["predicted_(1-R2)(1+1/(N-4))"])
        assert analysis.variance_ratio(share, people) == pytest.approx(predicted, abs=5e-5)
        if people > 40:
            continue  # there the law is hardly to be told from 1 - R2
        arm = np.broadcast_to(np.arange(people) % 2, (replicates, people))
        inside = np.ones_like(arm, bool)
        score = generator.standard_normal((replicates, people))
        value = np.sqrt(share) * score + np.sqrt(1 - share) * generator.standard_normal((replicates, people))
        made, plain = analysis.procova(value, arm, inside, score=score), analysis.t_test(value, arm, inside)
        assert np.var(made.effect) / np.var(plain.effect) == pytest.approx(predicted, abs=0.02)
        assert np.mean(p_value(made) < 0.05) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / replicates))
        found = analysis.prognostic_share(value, arm, inside, score=score)
        expected = 1 - (people - 3) / (people - 2) * (1 - share) * hyp2f1(1, 1, people / 2, share)
        assert np.mean(found) == pytest.approx(expected, abs=0.003)


def test_power_is_that_of_closed_forms(shared_data):
    """3 standard errors by chance."""
    generator, replicates = np.random.default_rng(8), 10_000
    for row in rows(shared_data / "trials" / "closed_form_power", "power.csv"):
        numbers = [float(x) for x in re.findall(r"[\d.]+", row["case"])]
        power, people = float(row["value"]), 2 * int(numbers[0])
        arm = np.broadcast_to(np.arange(people) % 2, (replicates, people))
        inside = np.ones_like(arm, bool)
        if row["quantity"].startswith("two_sample_t"):
            value = np.zeros((replicates, 200))  # one program for all sizes
            value[:, :people] = generator.standard_normal(arm.shape) + numbers[1] * arm
            who = np.broadcast_to(np.arange(200) < people, value.shape)
            made = analysis.t_test(value, np.broadcast_to(np.arange(200) % 2, value.shape), who)
        elif row["quantity"].startswith("two proportions"):
            chance = np.where(arm == 1, numbers[2], numbers[1])
            made = analysis.proportions(generator.random(arm.shape) < chance, arm, inside)
        else:
            continue
        chance = 3 * np.sqrt(power * (1 - power) / replicates)
        lattice = 0.006 if row["quantity"].startswith("two proportions") else 0.0  # of a count, against the normal law
        assert np.mean(p_value(made) < 0.05) == pytest.approx(power, abs=chance + lattice), row["case"]


@pytest.mark.parametrize(("hazard_ratio", "power"), [(0.7, 0.8), (0.7, 0.9), (0.75, 0.9)])
def test_power_of_the_log_rank_test(shared_data, hazard_ratio, power):
    """Schoenfeld's events and nobody censored: 0.02, as his formula is an approximation."""
    case = f"HR {hazard_ratio}, power {power}, allocation 1:1"
    table = rows(shared_data / "trials" / "closed_form_power", "power.csv")
    (events,) = [float(row["value"]) for row in table if row["case"] == case]
    people, replicates = 2 * round(events / 2), 4_000
    arm = np.broadcast_to(np.arange(people) % 2, (replicates, people))
    time = np.random.default_rng(9).exponential(size=arm.shape) / np.where(arm == 1, hazard_ratio, 1.0)
    everyone = np.ones_like(arm, bool)
    made = analysis.log_rank(time, everyone, arm, everyone)
    assert np.mean(p_value(made, 1) > 0.975) == pytest.approx(power, abs=0.02)
    assert np.mean(made.effect) == pytest.approx(np.log(hazard_ratio), abs=0.02)
