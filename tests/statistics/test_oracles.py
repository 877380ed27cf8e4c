"""Analyses of some replicates against other implementations, which see each replicate alone, and only its people."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from twin.statistics import analysis
from twin.statistics.analysis import Times, Values, interval, p_value

COUNT, PEOPLE = 3, 60
LIFELINES = "lifelines is not installed: it asks for pandas below 3, which the suite's environment is above"


class Trial:
    """Replicates with ties, strata, people outside, and nonsense where these stand."""

    def __init__(self):
        generator = np.random.default_rng(3)
        shape = COUNT, PEOPLE
        self.arm, self.inside = generator.integers(0, 2, shape), generator.random(shape) < 0.85
        self.x = generator.standard_normal((*shape, 2))
        self.strata = generator.integers(0, 3, shape)
        self.value = self.x[..., 0] + 0.4 * self.arm + generator.standard_normal(shape)
        time = generator.exponential(size=shape) * np.exp(-0.5 * self.x[..., 0] - 0.3 * self.arm)
        self.time, self.event = np.round(time + 0.05, 1), generator.random(shape) < 0.7
        self.answer = generator.random(shape) < 1 / (1 + np.exp(-self.x[..., 0] - 0.5 * self.arm))
        self.grade = np.round(self.value)
        for each in (self.value, self.time, self.grade):
            each[~self.inside] = np.nan
        self.x[~self.inside] = np.nan

    def of(self, k, *names):
        """A replicate's arrays, of the people inside."""
        inside = self.inside[k]
        return [getattr(self, name)[k][inside] for name in names]

    def arms(self, k, name):
        """A replicate's values, of the treated and of control."""
        value, arm = self.of(k, name, "arm")
        return value[arm == 1], value[arm == 0]


@pytest.fixture(scope="module")
def trial():
    return Trial()


def agree(found, expected, tolerance=1e-9):
    """(replicate, number), each numbers of one replicate; 1e-9 where an oracle works to rounding."""
    assert np.all(np.isfinite(expected))
    np.testing.assert_allclose(np.stack([np.asarray(x) for x in found], 1), expected, atol=tolerance)


# --- means and ranks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("equal", [True, False])
def test_t(trial, equal):
    made = analysis.t_test(trial.value, trial.arm, trial.inside, equal=equal)
    tests = [scipy.stats.ttest_ind(*trial.arms(k, "value"), equal_var=equal) for k in range(COUNT)]
    limits = [t.confidence_interval(0.9) for t in tests]
    expected = [(t.statistic, t.pvalue, t.df, *limit) for t, limit in zip(tests, limits, strict=True)]
    agree([made.statistic, p_value(made), made.degrees, *interval(made, 0.9)], expected)
    sided = [
        scipy.stats.ttest_ind(*trial.arms(k, "value"), equal_var=equal, alternative="greater") for k in range(COUNT)
    ]
    agree([p_value(made, 1)], [[t.pvalue] for t in sided])


def test_covariance(trial):
    sm = pytest.importorskip("statsmodels.api", reason="the oracle of least squares is not installed")
    made = analysis.ancova(trial.value, trial.arm, trial.inside, covariates=trial.x)
    robust = analysis.ancova(trial.value, trial.arm, trial.inside, covariates=trial.x, robust=True)
    expected, by_arm = [], []
    for k in range(COUNT):
        y, arm, x = trial.of(k, "value", "arm", "x")
        fit = sm.OLS(y, np.column_stack([np.ones_like(y), arm, x])).fit()
        expected.append([fit.params[1], fit.bse[1], fit.pvalues[1]])
        own = [sm.OLS(y[arm == a], sm.add_constant(x[arm == a])).fit() for a in (1, 0)]
        at = [one.predict(np.append(1, x.mean(axis=0)))[0] for one in own]
        tilt = own[0].params[1:] - own[1].params[1:]
        spread = sum(one.scale / one.nobs for one in own) + tilt @ np.cov(x.T) @ tilt / len(y)
        by_arm.append([at[0] - at[1], np.sqrt(spread)])
    agree([made.effect, made.error, p_value(made)], expected)
    agree([robust.effect, robust.error], by_arm)


def test_rank_sums(trial):
    made = analysis.wilcoxon(trial.grade, trial.arm, trial.inside)
    expected = []
    for k in range(COUNT):
        one, two = trial.arms(k, "grade")
        test = scipy.stats.mannwhitneyu(one, two, use_continuity=False, method="asymptotic")
        wins = np.sign(one[:, None] - two)
        spread = wins.mean(axis=1).var(ddof=1) / len(one) + wins.mean(axis=0).var(ddof=1) / len(two)
        expected.append([wins.mean(), np.sqrt(spread), test.pvalue])
    agree([made.effect, made.error, p_value(made)], expected)


def test_rank_sums_in_strata(trial):
    """By definition, stratum by stratum."""
    made = analysis.van_elteren(trial.grade, trial.arm, trial.inside, strata=trial.strata)
    expected = []
    for k in range(COUNT):
        value, arm, strata = trial.of(k, "grade", "arm", "strata")
        score = variance = 0.0
        for s in range(3):
            own, rank = arm[strata == s], scipy.stats.rankdata(value[strata == s])
            n, n1 = len(own), own.sum()
            score += (rank[own == 1].sum() - n1 * (n + 1) / 2) / (n + 1)
            variance += n1 * (n - n1) / n * rank.var(ddof=1) / (n + 1) ** 2
        expected.append([score / np.sqrt(variance)])
    agree([made.statistic], expected)


def test_wins(trial):
    """Pair by pair: death first, then a grade that must be 1.5 higher."""
    several = [Times(trial.time, trial.event), Values(trial.grade, margin=1.5)]
    expected = []
    for k in range(COUNT):
        time, event, grade, arm = trial.of(k, "time", "event", "grade", "arm")
        net = np.array([[duel(time, event, grade, i, j) for j in range(len(arm))] for i in range(len(arm))])
        pairs = net[arm == 1][:, arm == 0]
        won, lost = (pairs == 1).mean(), (pairs == -1).mean()
        n1, n0 = pairs.shape
        influence = (pairs == 1) / won - (pairs == -1) / lost
        spread = influence.mean(axis=1).var(ddof=1) / n1 + influence.mean(axis=0).var(ddof=1) / n0
        up, slope = (1 + won - lost) / 2, 2 / (1 - (won - lost) ** 2)
        net_spread = pairs.mean(axis=1).var(ddof=1) / n1 + pairs.mean(axis=0).var(ddof=1) / n0
        scores, n = net.sum(axis=1), len(arm)
        z = scores[arm == 1].sum() / np.sqrt(n1 * n0 / (n * (n - 1)) * (scores**2).sum())
        expected.append(
            [
                *(np.log(won / lost), np.sqrt(spread), won - lost, np.sqrt(net_spread)),
                *(np.log(up / (1 - up)), slope * np.sqrt(net_spread), z),
            ]
        )
    found = []
    for scale in ("ratio", "difference", "odds"):
        made = analysis.win_ratio(several, trial.arm, trial.inside, scale=scale)
        found += [made.effect, made.error]
        np.testing.assert_allclose(made.statistic, [row[2] / row[3] for row in expected], atol=1e-9)
    agree([*found, analysis.finkelstein_schoenfeld(several, trial.arm, trial.inside).statistic], expected)


def duel(time, event, grade, i, j):
    if event[j] and (time[i] > time[j] or (time[i] == time[j] and not event[i])):
        return 1
    if event[i] and (time[j] > time[i] or (time[j] == time[i] and not event[j])):
        return -1
    return int(grade[i] > grade[j] + 1.5) - int(grade[j] > grade[i] + 1.5)


# --- proportions and odds -------------------------------------------------------------------------------


def test_two_proportions(trial):
    proportion = pytest.importorskip("statsmodels.stats.proportion", reason="no oracle of proportions is installed")
    made = analysis.proportions(trial.answer, trial.arm, trial.inside)
    expected = []
    for k in range(COUNT):
        one, two = trial.arms(k, "answer")
        counts = (one.sum(), two.sum()), (len(one), len(two))
        z, p = proportion.proportions_ztest(*counts)
        limits = proportion.confint_proportions_2indep(
            one.sum(), len(one), two.sum(), len(two), method="newcomb", compare="diff", correction=False
        )
        wald = np.sqrt(one.var() / len(one) + two.var() / len(two))
        expected.append([one.mean() - two.mean(), wald, z, p, *limits])
    limits = analysis.newcombe(trial.answer, trial.arm, trial.inside)
    agree([made.effect, made.error, made.statistic, p_value(made), *limits], expected)


def test_tables_in_strata(trial):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables", reason="no oracle of tables is installed")
    made = analysis.cochran_mantel_haenszel(trial.answer, trial.arm, trial.inside, strata=trial.strata, levels=3)
    expected, difference = [], []
    for k in range(COUNT):
        value, arm, strata = trial.of(k, "answer", "arm", "strata")
        counts = [
            [[np.sum((strata == s) & (arm == a) & (value == v)) for v in (1, 0)] for a in (1, 0)] for s in range(3)
        ]
        fit = tables.StratifiedTable([np.array(one, float) for one in counts])
        test = fit.test_null_odds(correction=False)
        expected.append([fit.logodds_pooled, fit.logodds_pooled_se, test.statistic, test.pvalue])
        sums = [(a, b, c, d, a + b + c + d) for (a, b), (c, d) in counts]
        weight = sum((a + b) * (c + d) / n for a, b, c, d, n in sums)
        difference.append([sum((a * (c + d) - c * (a + b)) / n for a, b, c, d, n in sums) / weight])
    agree([made.effect, made.error, made.statistic**2, p_value(made)], expected)
    how = {"strata": trial.strata, "levels": 3, "scale": "difference"}
    other = analysis.cochran_mantel_haenszel(trial.answer, trial.arm, trial.inside, **how)
    agree([other.effect, other.statistic**2], [[d[0], e[2]] for d, e in zip(difference, expected, strict=True)])


def test_odds(trial):
    """statsmodels; risks standardised by hand from its regression, their error by its covariances and by resampling."""
    sm = pytest.importorskip("statsmodels.api", reason="the oracle of logistic regression is not installed")
    made = analysis.logistic(trial.answer, trial.arm, trial.inside, covariates=trial.x)
    how = {"covariates": trial.x}
    plain = analysis.logistic_standardised(trial.answer, trial.arm, trial.inside, robust=False, **how)
    robust = analysis.logistic_standardised(trial.answer, trial.arm, trial.inside, **how)
    expected, standardised, by_scores = [], [], []
    for k in range(COUNT):
        value, arm, x = trial.of(k, "answer", "arm", "x")
        columns = np.column_stack([np.ones(len(arm)), x, arm])
        fit = sm.Logit(value.astype(float), columns).fit(disp=0, tol=1e-13)
        expected.append([fit.params[-1], fit.bse[-1], fit.pvalues[-1]])
        ways = [np.column_stack([columns[:, :-1], np.full(len(arm), a)]) for a in (1, 0)]
        risks = [fit.predict(one) for one in ways]
        toward = np.subtract(*(one.T @ (r * (1 - r)) / len(arm) for r, one in zip(risks, ways, strict=True)))
        apart = risks[0] - risks[1]
        standardised.append([apart.mean(), np.sqrt(toward @ fit.cov_params() @ toward)])
        pull = columns @ fit.cov_params() @ toward * (value - fit.predict())
        influence = apart - apart.mean() + len(arm) * pull
        by_scores.append([np.sqrt(np.sum(influence**2) / len(arm) / (len(arm) - 4))])
    agree([made.effect, made.error, p_value(made)], expected)
    agree([plain.effect, plain.error], standardised)
    agree([robust.error], by_scores)


# --- times to events ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "theirs"), [("log_rank", None), ("gehan", "gb"), ("tarone_ware", "tw"), ("fleming_harrington", "fh")]
)
def test_log_rank_tests(trial, name, theirs):
    survfunc = pytest.importorskip("statsmodels.duration.survfunc", reason="no oracle of log-rank tests is installed")
    how = {"weights": name, "powers": (0.7, 0.0), "strata": trial.strata}
    made = analysis.log_rank(trial.time, trial.event, trial.arm, trial.inside, **how)
    expected = []
    for k in range(COUNT):
        time, event, arm, strata = trial.of(k, "time", "event", "arm", "strata")
        options = {"fh_p": 0.7} if theirs == "fh" else {}
        with np.errstate(divide="ignore"):  # it takes the logarithm of 0 where nobody is left
            expected.append(survfunc.survdiff(time, event, arm, weight_type=theirs, strata=strata, **options))
    agree([made.statistic**2, p_value(made)], expected)


def test_log_rank_with_prentice_weights(trial):
    statistics = pytest.importorskip("lifelines.statistics", reason=LIFELINES)
    made = analysis.log_rank(trial.time, trial.event, trial.arm, trial.inside, weights="peto_prentice")
    expected = []
    for k in range(COUNT):
        (t1, t0), (e1, e0) = trial.arms(k, "time"), trial.arms(k, "event")
        expected.append([statistics.logrank_test(t1, t0, e1, e0, weightings="peto").test_statistic])
    agree([made.statistic**2], expected)


def test_log_rank_by_definition(trial):
    """Stratum by stratum and time by time, with weights for late effects; a single score step from no effect."""
    how = {"strata": trial.strata, "weights": "fleming_harrington", "powers": (0.5, 1.0)}
    made = analysis.log_rank(trial.time, trial.event, trial.arm, trial.inside, **how)
    plain = analysis.log_rank(trial.time, trial.event, trial.arm, trial.inside, strata=trial.strata)
    expected = []
    for k in range(COUNT):
        time, event, arm, strata = trial.of(k, "time", "event", "arm", "strata")
        sums = {"score": 0.0, "variance": 0.0, "slope": 0.0, "plain": 0.0, "own": 0.0}
        for s in range(3):
            survival = 1.0
            for t in np.unique(time[(strata == s) & event]):
                risk, died = (strata == s) & (time >= t), (strata == s) & (time == t) & event
                y, y1, d, d1 = risk.sum(), (risk & (arm == 1)).sum(), died.sum(), (died & (arm == 1)).sum()
                weight = survival**0.5 * (1 - survival)
                v = d * y1 / y * (1 - y1 / y) * (y - d) / max(y - 1, 1)
                sums["score"] += weight * (d1 - d * y1 / y)
                sums["variance"] += weight**2 * v
                sums["slope"] += weight * v
                sums["plain"] += d1 - d * y1 / y
                sums["own"] += v
                survival *= 1 - d / y
        root = np.sqrt(sums["variance"])
        expected.append([sums["score"] / root, sums["score"] / sums["slope"], root / sums["slope"]])
        expected[-1] += [sums["plain"] / sums["own"], 1 / np.sqrt(sums["own"])]
    agree([made.statistic, made.effect, made.error, plain.effect, plain.error], expected)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_hazards(trial, ties):
    sm = pytest.importorskip("statsmodels.api", reason="the oracle of Cox's regression is not installed")
    how = {"covariates": trial.x, "strata": trial.strata, "ties": ties}
    made = analysis.cox(trial.time, trial.event, trial.arm, trial.inside, **how)
    expected = []
    for k in range(COUNT):
        time, event, arm, x, strata = trial.of(k, "time", "event", "arm", "x", "strata")
        fit = sm.PHReg(time, np.column_stack([x, arm]), event, strata=strata, ties=ties).fit(disp=0, tol=1e-12)
        expected.append([fit.params[-1], fit.bse[-1]])
    agree([made.effect, made.error], expected, 1e-7)  # statsmodels ends its search there


def test_survival(trial):
    lifelines = pytest.importorskip("lifelines", reason=LIFELINES)
    utils = pytest.importorskip("lifelines.utils")
    until = 0.8
    made = analysis.rmst(trial.time, trial.event, trial.arm, trial.inside, until=until)
    at = analysis.milestone(trial.time, trial.event, trial.arm, trial.inside, at=until)
    curves = analysis.kaplan_meier(trial.time, trial.event, trial.inside)
    expected, medians = [], []
    for k in range(COUNT):
        fits = [
            lifelines.KaplanMeierFitter().fit(time, event)
            for time, event in zip(trial.arms(k, "time"), trial.arms(k, "event"), strict=True)
        ]
        means = [utils.restricted_mean_survival_time(fit, until) for fit in fits]
        shares = [float(fit.predict(until)) for fit in fits]
        expected.append([means[0] - means[1], shares[0] - shares[1]])
        time, event = trial.of(k, "time", "event")
        whole = lifelines.KaplanMeierFitter().fit(time, event)
        limits = utils.median_survival_times(whole.confidence_interval_)
        medians.append([whole.median_survival_time_, *limits.to_numpy()[0]])
    agree([made.effect, at.effect], expected)
    agree(analysis.median_survival(curves), medians)


def test_survival_by_another_hand(trial):
    """statsmodels' survival and errors at each event; the area under them step by step, and its jackknife error."""
    survfunc = pytest.importorskip("statsmodels.duration.survfunc", reason="no oracle of survival is installed")
    until = 0.8
    made = analysis.rmst(trial.time, trial.event, trial.arm, trial.inside, until=until)
    at = analysis.milestone(trial.time, trial.event, trial.arm, trial.inside, at=until)
    curves = analysis.kaplan_meier(trial.time, trial.event, trial.inside)
    for k in range(COUNT):
        time, event = trial.of(k, "time", "event")
        fit = survfunc.SurvfuncRight(time, event)
        survival, variance = analysis.survival_at(curves, fit.surv_times)
        np.testing.assert_allclose(survival[k], fit.surv_prob, atol=1e-12)
        known = fit.surv_prob > 0
        np.testing.assert_allclose(np.sqrt(variance[k])[known], fit.surv_prob_se[known], atol=1e-12)
        fits = [
            survfunc.SurvfuncRight(*pair) for pair in zip(trial.arms(k, "time"), trial.arms(k, "event"), strict=True)
        ]
        shares, errors = zip(*(last(fit, until) for fit in fits), strict=True)
        assert at.effect[k] == pytest.approx(shares[0] - shares[1], abs=1e-12)
        assert at.error[k] == pytest.approx(np.hypot(*errors), abs=1e-12)
        areas = [area(fit, until) for fit in fits]
        assert made.effect[k] == pytest.approx(areas[0] - areas[1], abs=1e-12)
        assert made.error[k] == pytest.approx(jackknife(trial, k, survfunc, until), rel=0.1)  # another estimator of it


def last(fit, time):
    before = np.flatnonzero(fit.surv_times <= time)[-1]
    return fit.surv_prob[before], fit.surv_prob_se[before]


def area(fit, until):
    edges = np.concatenate([[0.0], fit.surv_times[fit.surv_times < until], [until]])
    return np.append(1.0, fit.surv_prob)[: len(edges) - 1] @ np.diff(edges)


def jackknife(trial, k, survfunc, until):
    variance = 0.0
    for time, event in zip(trial.arms(k, "time"), trial.arms(k, "event"), strict=True):
        n = len(time)
        left = [np.arange(n) != i for i in range(n)]
        areas = [area(survfunc.SurvfuncRight(time[who], event[who]), until) for who in left]
        variance += (n - 1) ** 2 / n * np.var(areas, ddof=1)
    return np.sqrt(variance)


# --- periods --------------------------------------------------------------------------------------------


def test_periods():
    sm = pytest.importorskip("statsmodels.api", reason="the oracle of least squares is not installed")
    generator = np.random.default_rng(4)
    sequence = generator.integers(0, 2, (COUNT, 14))
    treated = (sequence[..., None] + np.arange(4)) % 2
    value = generator.standard_normal((COUNT, 14, 1)) + treated + 0.3 * np.arange(4)
    value = value + generator.standard_normal(value.shape)
    value[generator.random(value.shape) < 0.2] = np.nan
    inside = np.ones_like(sequence, bool)
    inside[:, -2:] = False
    made = analysis.crossover_many(value, treated, inside)
    expected = []
    for k in range(COUNT):
        seen = ~np.isnan(value[k]) & inside[k][:, None]
        person, period = np.nonzero(seen)
        columns = [treated[k][seen], *(period == p for p in (1, 2, 3)), *(person == i for i in np.unique(person))]
        fit = sm.OLS(value[k][seen], np.column_stack(columns).astype(float)).fit()
        expected.append([fit.params[0], fit.bse[0], fit.df_resid])
    agree([made.effect, made.error, made.degrees], expected)


def test_two_periods_are_the_same_either_way():
    """A t test of differences, and least squares with people and periods."""
    generator = np.random.default_rng(5)
    sequence = generator.integers(0, 2, (COUNT, 12))
    treated = np.stack([sequence, 1 - sequence], 2)
    value = generator.standard_normal((COUNT, 12, 2)) + treated + [0.0, 0.7]
    inside = generator.random(sequence.shape) < 0.9
    one, many = analysis.crossover(value, sequence, inside), analysis.crossover_many(value, treated, inside)
    np.testing.assert_allclose(np.stack(one), np.stack(many), atol=1e-12)
