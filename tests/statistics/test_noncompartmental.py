"""Non-compartmental analysis of arrays: against closed forms, quadrature, every fit tried by itself, and WinNonlin."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.integrate import quad

from twin.errors import TwinError
from twin.statistics.noncompartmental import (
    FIGURES,
    Choice,
    Doses,
    Profiles,
    Record,
    Route,
    Rules,
    analyse,
    cut,
    partial_areas,
)
from twin.statistics.noncompartmental.trapezoid import areas

DOSE, K, V = 100.0, 0.17, 40.0
TIMES = np.array([0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 8.0, 12.0, 16.0])
LOG = Rules(area="log")


def only(profiles, rules=None):
    """Figures of one course, as numbers."""
    found = analyse(profiles, rules)
    assert len(profiles) == 1
    return {name: float(value[0]) for name, value in found.values.items()}


def reasons(times, values, rules=None, **more):
    found = analyse(Profiles.of(times, values, **({"dose": DOSE} | more)), rules)
    return {name: str(why[0]) for name, why in found.reasons.items()}


# --- closed forms: a straight line of logarithms is what the rules take, so that nothing but rounding is left ---


def test_an_exponential_decline_is_exact():
    found = only(Profiles.of(TIMES, DOSE / V * np.exp(-K * TIMES), dose=DOSE, route=Route.BOLUS))
    c0, last = DOSE / V, TIMES[-1]
    left = np.exp(-K * last)
    expected = {
        "c0": c0, "lambda_z": K, "half_life": np.log(2) / K, "lambda_z_points": len(TIMES), "lambda_z_r2": 1.0,
        "auc_last": c0 / K * (1 - left), "auc_inf": c0 / K, "auc_inf_predicted": c0 / K, "auc_extrapolated": 100 * left,
        "aumc_last": c0 / K**2 * (1 - left * (1 + K * last)), "aumc_inf": c0 / K**2, "mrt": 1 / K, "clearance": K * V,
        "volume_z": V, "volume_ss": V, "volume_ss_predicted": V, "tlast": last, "tmax": TIMES[0],
        "lambda_z_span": (last - TIMES[0]) * K / np.log(2), "cmax": c0 * np.exp(-K * TIMES[0]),
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-11), name


def test_two_exponentials():
    """Vss is dose AUMC / AUC^2. Rules of trapezoids err with the square of the spacing, here by 7e-5 and 1.2e-4; the
    best fit takes readings in which the first exponential still is (0.3 %), a window of late ones does not."""
    a, b, alpha, beta = 3.0, 1.0, 1.1, 0.08
    times = np.linspace(0, 60, 401)[1:]
    profile = Profiles.of(times, a * np.exp(-alpha * times) + b * np.exp(-beta * times), dose=DOSE, route="bolus")
    found = only(profile, Rules(window=(20, 60)))
    area, moment = a / alpha + b / beta, a / alpha**2 + b / beta**2
    assert found["lambda_z"] == pytest.approx(beta, rel=1e-7)
    assert only(profile)["lambda_z"] == pytest.approx(beta, rel=4e-3)
    assert found["auc_inf"] == pytest.approx(area, rel=2e-4)
    assert found["aumc_inf"] == pytest.approx(moment, rel=2e-4)
    assert found["volume_ss"] == pytest.approx(DOSE * moment / area**2, rel=3e-4)


def test_half_an_infusion_is_taken_off_the_residence_time():
    """One compartment, infused over 2 h: MRT is 1/k, and Vss the volume, whatever the duration."""
    over = 2.0
    times = np.r_[np.linspace(0, over, 201), np.linspace(over, 40, 400)[1:]]
    rise = DOSE / over / (K * V) * (1 - np.exp(-K * np.minimum(times, over)))
    values = rise * np.exp(-K * np.maximum(times - over, 0))
    found = only(Profiles.of(times, values, dose=DOSE, duration=over, route=Route.INFUSION))
    assert found["mrt"] == pytest.approx(1 / K, rel=1e-4)  # the rising limb is curved: 200 straight lines
    assert found["volume_ss"] == pytest.approx(V, rel=1e-4)
    assert found["clearance"] == pytest.approx(K * V, rel=1e-4)


def test_a_dosing_interval_at_steady_state():
    """Boluses every 6 h for ever: the area of an interval is dose over clearance, and the residence time still 1/k."""
    tau = 6.0
    times = np.array([0.25, 0.5, 1, 2, 4, 6.0])
    top = DOSE / V / -np.expm1(-K * tau)
    profile = Profiles.of(times, top * np.exp(-K * times), dose=DOSE, route="bolus", tau=tau, steady=True)
    found = only(profile)
    mean, least = DOSE / (K * V * tau), top * np.exp(-K * tau)
    expected = {
        "auc_tau": DOSE / (K * V), "c_average": mean, "clearance": K * V, "volume_ss": V, "mrt": 1 / K, "cmin": least,
        "accumulation": 1 / -np.expm1(-K * tau), "fluctuation": 100 * (top - least) / mean,
        "swing": 100 * (top - least) / least,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-11), name


def test_partial_areas_lie_on_the_line_and_behind_it_on_the_slope():
    profile = Profiles.of(TIMES, DOSE / V * np.exp(-K * TIMES), dose=DOSE, route=Route.BOLUS)
    spans = [(0.0, 0.7), (0.7, 9.1), (3.0, 40.0), (20.0, 30.0)]
    values, why = partial_areas(profile, spans, LOG)
    expected = [DOSE / V / K * (np.exp(-K * low) - np.exp(-K * high)) for low, high in spans]
    np.testing.assert_allclose(values[0], expected, rtol=1e-11)
    assert set(why[0]) == {""}


@pytest.mark.parametrize("ratio", [3.0, 1.02, 1.009, 1 + 1e-7, 1.0, 0.2])
def test_a_piece_of_logarithms_is_its_integral(ratio):
    """Also where the two values are nearly one, and the differences in its formula cancel."""
    t1, t2, c1 = 2.0, 5.0, 0.8
    rate = np.log(ratio) / (t2 - t1)
    area, moment = (float(x) for x in areas(*(np.array(x) for x in (t1, c1, t2, c1 / ratio, True))))
    assert area == pytest.approx(quad(lambda t: c1 * np.exp(-rate * (t - t1)), t1, t2)[0], rel=1e-12)
    assert moment == pytest.approx(quad(lambda t: t * c1 * np.exp(-rate * (t - t1)), t1, t2)[0], rel=1e-12)


# --- the terminal slope ---------------------------------------------------------------------------------


def best_fit(times, values):
    """The rule in so many words: of the last 3 and more readings after the highest, the best adjusted R2; of those
    that are within 1e-4 of it, the one of most readings; none that rises."""
    after = np.arange(len(times)) > np.argmax(values)
    tried = []
    for n in range(3, after.sum() + 1):
        x, y = times[-n:], np.log(values[-n:])
        slope, level = np.polyfit(x, y, 1)
        r2 = 1 - np.sum((y - level - slope * x) ** 2) / np.sum((y - y.mean()) ** 2)
        if slope < 0:
            tried.append((1 - (1 - r2) * (n - 1) / (n - 2), n, -slope))
    best = max(tried, default=(0, 0, np.nan))[0]
    return max(((n, rate) for adjusted, n, rate in tried if adjusted > best - 1e-4), default=(np.nan, np.nan))


def test_the_terminal_slope_is_the_best_of_all_fits():
    """Of 300 noisy courses at once, each against fits that are tried one by one."""
    rng = np.random.default_rng(3)
    times = np.array([0.3, 0.6, 1, 2, 3, 4, 6, 9, 12, 18, 24])
    level = np.exp(-0.1 * times) - np.exp(-1.3 * times)
    values = level * np.exp(0.15 * rng.standard_normal((300, len(times))))
    found = analyse(Profiles.of(times, values))
    expected = np.array([best_fit(times, one) for one in values]).T
    np.testing.assert_array_equal(found.values["lambda_z_points"], expected[0])
    np.testing.assert_allclose(found.values["lambda_z"], expected[1], rtol=1e-9)


def test_of_fits_that_are_equally_good_the_longest_counts():
    """All of an exact exponential are; rounding alone would choose among them."""
    times = np.arange(12.0)
    assert only(Profiles.of(times, np.exp(-0.3 * times), route="bolus"))["lambda_z_points"] == 12


def test_a_window_says_which_readings_make_the_slope():
    times = np.array([0, 1, 2, 4, 6, 8, 10.0])
    values = np.array([[8, 4, 2.5, 1.0, 0.9, 0.3, 0.2]] * 2)
    rules = Rules(window=(np.array([1.0, np.nan]), np.array([6.0, np.nan])))
    found = analyse(Profiles.of(times, values, route="bolus"), rules)
    rate = -np.polyfit(times[1:5], np.log(values[0, 1:5]), 1)[0]
    assert found.values["lambda_z"][0] == pytest.approx(rate, rel=1e-12)
    assert found.values["lambda_z_from"].tolist()[0] == 1.0
    assert found.values["lambda_z"][1] != pytest.approx(rate)  # nothing is said of the second
    assert found.times[0][found.uses[0]].tolist() == [1, 2, 4, 6]


# --- published: WinNonlin's analysis of theophylline in twelve people ------------------------------------

COLUMNS = {
    "Rsq": "lambda_z_r2", "Rsq_adjusted": "lambda_z_adjusted_r2", "No_points_lambda_z": "lambda_z_points",
    "Lambda_z": "lambda_z", "Lambda_z_lower": "lambda_z_from", "Lambda_z_upper": "lambda_z_to",
    "HL_Lambda_z": "half_life", "Tlag": "tlag", "Tmax": "tmax", "Cmax": "cmax", "Cmax_D": "cmax_per_dose",
    "Tlast": "tlast", "Clast": "clast", "AUClast": "auc_last", "AUCall": "auc_all", "AUCINF_obs": "auc_inf",
    "AUCINF_D_obs": "auc_inf_per_dose", "AUC_%Extrap_obs": "auc_extrapolated", "Vz_F_obs": "volume_z",
    "Cl_F_obs": "clearance", "AUCINF_pred": "auc_inf_predicted", "AUCINF_D_pred": "auc_inf_per_dose_predicted",
    "AUC_%Extrap_pred": "auc_extrapolated_predicted", "Vz_F_pred": "volume_z_predicted",
    "Cl_F_pred": "clearance_predicted", "AUMClast": "aumc_last", "AUMCINF_obs": "aumc_inf",
    "AUMC_%Extrap_obs": "aumc_extrapolated", "AUMCINF_pred": "aumc_inf_predicted",
    "AUMC_%Extrap_pred": "aumc_extrapolated_predicted", "MRTlast": "mrt_last", "MRTINF_obs": "mrt",
    "MRTINF_pred": "mrt_predicted",
}  # fmt: skip


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("rule", "name"), [("linear", "linear"), ("linear_up_log_down", "log")])
def test_theophylline_in_twelve_people_is_as_winnonlin_has_it(shared_data, rule, name):
    """To 1e-8, as many digits as the tables print; their own rule of passing is 1e-3."""
    folder = shared_data / "theoph_nca"
    expected = {row.pop("Subject"): row for row in rows(folder / f"winnonlin_reference_{name}.csv")}
    readings = {who: [r for r in rows(folder / "theoph.csv") if r["Subject"] == who] for who in expected}
    times, values = (np.array([[float(r[c]) for r in own] for own in readings.values()]) for c in ("Time", "conc"))
    found = analyse(Profiles.of(times, values, dose=320.0), Rules(area=rule))
    told = {c: np.array([float(row[c]) for row in expected.values()]) for c in next(iter(expected.values()))}
    np.testing.assert_allclose(-np.sqrt(found.values["lambda_z_r2"]), told.pop("Corr_XY"), rtol=1e-8)
    assert set(told) == set(COLUMNS)
    for column, figure in COLUMNS.items():
        np.testing.assert_allclose(found.values[figure], told[column], rtol=1e-8, err_msg=column)


# --- readings below their limit: by hand ----------------------------------------------------------------

BELOW_TIMES = [0, 1, 2, 3, 4, 6, 8.0]
BELOW_VALUES, LIMITS = [np.nan, np.nan, 4, np.nan, 2, np.nan, np.nan], [1, 1, np.nan, 1, np.nan, 1, 1.0]
BY_RULE = {  # straight lines: auc_last, auc_all, tlast
    "as PKNCA": ({}, (0 + 2 + 6, 8 + 2, 4)),
    "half before the first": ({"first": "half"}, (0.5 + 2.25 + 6, 8.75 + 2, 4)),
    "none before the first": ({"first": "drop"}, (4 + 6, 10 + 2, 4)),  # a 0 is put at the dose
    "0 between": ({"middle": "zero"}, (0 + 2 + 2 + 1, 5 + 2, 4)),
    "half between": ({"middle": "half"}, (0 + 2 + 2.25 + 1.25, 5.5 + 2, 4)),
    "half after the last": ({"last": "half"}, (8 + 2.5 + 1, 11.5, 8)),
    "none after the last": ({"last": "drop"}, (8, 8, 4)),
}


@pytest.mark.parametrize(("rule", "expected"), BY_RULE.values(), ids=BY_RULE)
def test_what_a_reading_below_its_limit_counts(rule, expected):
    profile = Profiles.of(BELOW_TIMES, BELOW_VALUES, limits=LIMITS, dose=DOSE)
    found = only(profile, Rules(area="linear", **rule))
    assert (found["auc_last"], found["auc_all"], found["tlast"]) == pytest.approx(expected, rel=1e-14)
    assert found["tlag"] == 1.0


def test_a_0_is_below_the_limit_too():
    zeros = np.nan_to_num(BELOW_VALUES)
    assert only(Profiles.of(BELOW_TIMES, zeros, dose=DOSE)) == pytest.approx(
        only(Profiles.of(BELOW_TIMES, BELOW_VALUES, limits=LIMITS, dose=DOSE)), nan_ok=True
    )


def test_a_0_at_a_bolus_was_read_before_it():
    """Back-extrapolation, as if it were not there; a value read at the dose is taken."""
    times, values = np.r_[0, TIMES], np.r_[0, DOSE / V * np.exp(-K * TIMES)]
    assert only(Profiles.of(times, values, dose=DOSE, route="bolus"))["c0"] == pytest.approx(DOSE / V)
    values[0] = 2.4
    assert only(Profiles.of(times, values, dose=DOSE, route="bolus"))["c0"] == 2.4


# --- what cannot be told --------------------------------------------------------------------------------

HOSTILE = {
    "a time twice": ([0, 1, 1, 2], [0, 3, 4, 1], "time 1 stands there twice; keep one of the readings, or their mean"),
    "a negative value": ([0, 1, 2], [0, -3, 1], "the value at time 1 is negative; correct it, or say its limit"),
    "out of order": ([0, 2, 1, 3], [0, 3, 4, 1], "time 1 stands after a later one; sort the readings by time"),
    "an infinite value": ([0, 1, 2], [0, np.inf, 1], "the value at time 1 is infinite; correct it"),
    "before the dose": ([-1, 1, 2], [0, 3, 1], "time -1 is before the dose; leave the reading out"),
    "nothing": ([np.nan], [np.nan], "there is no reading after the dose; give some"),
    "zeros": ([0, 1, 2], [0, 0, 0], "no reading is above its limit"),
}


@pytest.mark.parametrize(("times", "values", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_course_that_cannot_be_analysed_says_why_and_no_other_suffers(times, values, said):
    whole = np.array([[0, 1, 2, 4][: len(times)], times]), np.array([[0, 4, 2, 1.0][: len(times)], values])
    found = analyse(Profiles.of(*whole, dose=DOSE))
    assert {name: found.reasons[name][1] for name in FIGURES if not found.reasons[name][1].startswith(said)} == {}
    assert all(np.isnan(found.values[name][1]) for name in FIGURES)
    alone = analyse(Profiles.of(whole[0][:1], whole[1][:1], dose=DOSE))
    assert all(np.array_equal(found.values[n][:1], alone.values[n], equal_nan=True) for n in FIGURES)


def test_below_all_limits():
    assert set(reasons([1, 2], [np.nan, np.nan], limits=1.0).values()) == {"no reading is above its limit"}


def test_one_reading_has_an_area_and_no_slope():
    why = reasons([2.0], [3.0])
    assert {why[name] for name in ("cmax", "auc_last", "mrt_last")} == {""}
    assert why["half_life"] == why["clearance"] == "fewer than 3 readings are measurable after the highest"
    assert only(Profiles.of([2.0], [3.0]))["auc_last"] == 3.0  # a triangle from 0 at the dose


def test_readings_that_make_no_area_are_not_given_one():
    """A trough alone would be a rectangle as wide as the interval, and a reading at the dose an area of nothing."""
    trough = reasons([0, 12.0], [2.0, 2.1], tau=12.0, steady=True)
    told = {trough[name] for name in ("auc_tau", "c_average", "clearance", "fluctuation", "swing")}
    assert told == {"no reading lies inside the interval"}
    assert trough["cmin"] == ""
    baseline = reasons([0.0], [3.0])
    assert {baseline[n] for n in ("auc_last", "mrt_last")} == {"the last measurable reading is at the dose"}


def test_each_figure_says_what_it_lacks():
    falling = reasons(TIMES, np.exp(-K * TIMES), route="bolus", dose=np.nan)
    assert falling["clearance"] == "no dose is told"
    assert falling["auc_tau"] == "there is no dosing interval"
    assert falling["tlag"] == "a dose into a vein has none"
    mouth = reasons([0, 1, 2, 3, 4], [0, 5, 4, 3, 2])
    assert mouth["volume_ss"] == "a dose that is not given into a vein does not tell it"
    assert mouth["c0"] == "only a bolus has one"
    assert reasons([1, 2, 3, 4], [5, 1, 2, 3])["half_life"] == "the last readings do not fall"
    few = reasons([1, 2, 3, 4], [5, 1, 2, 3], Rules(window=(2.5, 4)))["half_life"]
    assert few == "fewer than 3 readings are measurable in the window"
    rising = Profiles.of([1, 2, 3, 4], [5, 1, 2, 3], dose=DOSE)
    assert partial_areas(rising, [(0.0, 4.0), (0.0, 9.0)])[1][0].tolist() == ["", "the last readings do not fall"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Rules(area="lin"), "unknown area rule 'lin'; "),
        (lambda: Rules(first="keep"), "first 'keep' is no rule for readings below their limit"),
        (lambda: Rules(points=2), "points 2 is too few for a terminal slope"),
        (lambda: Choice(after=0), "after '0' is no dose"),
        (lambda: Choice(tau=-1.0), "tau -1 is no interval"),
        (lambda: Profiles.of([1.0], [1.0], dose=-5.0), "a dose, a duration or an interval is not above 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(made, said):
    with pytest.raises(TwinError, match=said):
        made()


# --- one dose of several --------------------------------------------------------------------------------


def record(rows, times):
    return Record(Doses.of(rows), np.array(times, float), np.ones((1, len(times))), np.full((1, len(times)), np.nan))


def test_the_last_dose_that_a_reading_follows_is_analysed_until_the_next():
    rows = [(k * 12.0, 50.0, 1.0, 12.0, False) for k in range(4)]
    profiles, outside = cut([record(rows, [1, 3, 12, 13, 15, 24])], Choice())
    assert profiles.times[0][:3].tolist() == [0, 1, 3]  # after 12 h; 24 h is its end
    assert (profiles.tau[0], profiles.steady[0], profiles.duration[0], outside[0]) == (12.0, True, 1.0, 2)
    first, outside = cut([record(rows, [1, 3, 12, 13, 15, 24])], Choice(after=1))
    assert first.times[0][:3].tolist() == [1, 3, 12]
    assert (first.steady[0], outside[0]) == (False, 3)


def test_doses_at_one_time_are_one_and_a_missing_dose_is_said():
    two = record([(0, 50.0, 0.0, np.nan, False), (0, 30.0, 0.0, np.nan, False)], [1, 2, 3])
    assert cut([two], Choice(route=Route.OTHER))[0].dose.tolist() == [80.0]
    late = cut([two], Choice(route=Route.OTHER, after=3))[0]
    assert late.problems().tolist() == ["dose 3 is asked for, and the last is dose 1"]
    unlike = record([(0, 50.0, 0.0, np.nan, False), (0, 30.0, 2.0, np.nan, False)], [1, 2, 3])
    assert cut([unlike], Choice())[0].problems()[0].startswith("doses that begin together last unlike long")
    with pytest.raises(TwinError, match="a dose says no duration, so its route is not known"):
        cut([two], Choice())
