"""Group-sequential bounds against published tables, other programs' printed numbers, and simulated paths."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from twin.errors import TwinError
from twin.statistics.power import events_by_schoenfeld, hazard_ratio_of
from twin.statistics.sequential.boundaries import Futility, boundaries, revise
from twin.statistics.sequential.crossing import cross, crossings, drift_for_power, expected_inflation, inflation
from twin.statistics.sequential.recursion import panels_for

from .tables import read

THIRDS, DIGITS = (1 / 3, 2 / 3, 1), 5.1e-7  # the tables print six digits, our tolerance is their rounding
CALLED = {  # by the shared tables
    "obrien_fleming": "exact_obrien_fleming",
    "pocock": "exact_pocock",
    "lan_demets_obf": "obrien_fleming",
    "lan_demets_pocock": "pocock",
    "hsd_-4": -4,
    "kim_demets_3": {"kim_demets": 3},
}


def even(looks):
    return np.arange(1, looks + 1) / looks


PRINTED = [  # rule, looks at, alpha, sides, z
    ("exact_obrien_fleming", even(2), 0.05, 2, [2.796510, 1.977431]),  # Jennison & Turnbull; rpact
    ("exact_obrien_fleming", even(3), 0.05, 2, [3.471091, 2.454432, 2.004036]),
    ("exact_obrien_fleming", even(5), 0.05, 2, [4.561742, 3.225639, 2.633723, 2.280871, 2.040073]),
    ("exact_pocock", even(4), 0.05, 2, [2.361298] * 4),
    ("exact_pocock", even(5), 0.05, 2, [2.413176] * 5),
    ("exact_pocock", even(5), 0.025, 1, [2.413180] * 5),  # one-sided differs in the fifth digit
    ("obrien_fleming", even(3), 0.025, 1, [3.710303, 2.511427, 1.993047]),  # gsDesign, East
    ("obrien_fleming", even(5), 0.025, 1, [4.876885, 3.357012, 2.680280, 2.289817, 2.031032]),
    ("pocock", even(5), 0.025, 1, [2.437977, 2.426814, 2.410194, 2.396649, 2.386000]),
    ({"hwang_shih_decani": 0}, [0.2, 0.4, 1], 0.03, 1, [2.5121443, 2.4228747, 2.0280392]),  # rpact
    ({"wang_tsiatis": 0.3}, [0.2, 0.5, 1], 0.025, 1, [2.8688923, 2.3885055, 2.0793148]),  # rpact
    (-4, THIRDS, 0.025, 1, [3.010739, 2.546531, 1.999226]),  # gsDesign()
    ({"kim_demets": 3}, even(2), 0.025, 1, [2.734369, 1.982529]),
]


@pytest.mark.parametrize(("spend", "at", "alpha", "sides", "z"), PRINTED)
def test_bounds_are_those_printed(spend, at, alpha, sides, z):
    found = boundaries(spend, at=at, alpha=alpha, sides=sides)
    assert found.efficacy == pytest.approx(z, abs=DIGITS)
    assert found.spent[-1] == pytest.approx(alpha, abs=1e-11)
    assert sides * cross(found).above.sum() == pytest.approx(alpha, abs=1e-11)


def test_looser_tables_of_others_agree():
    found = boundaries("obrien_fleming", at=even(4), alpha=0.05)  # SeqBounds.jl prints five digits, to 1e-4
    assert found.efficacy == pytest.approx([3.74955, 2.53993, 2.01604, 1.72014], abs=1e-4)
    planned = boundaries("pocock", at=[0.4, 0.7, 1])
    assert revise(planned, [0.4, 0.7], last=False).efficacy == pytest.approx([2.223875, 2.3050796], abs=DIGITS)


@pytest.mark.parametrize(("looks", "error"), [(2, 0.083118), (5, 0.141689), (10, 0.193357), (20, 0.247911)])
def test_tests_repeated_at_one_level_err_as_often_as_is_known(looks, error):
    once = boundaries("exact_pocock", at=[1.0], alpha=0.05, sides=2)
    every = np.full(looks, once.efficacy[0])
    assert 2 * cross(replace(once, information=even(looks), efficacy=every)).power == pytest.approx(error, abs=5.1e-7)


def test_every_file_of_the_shared_tables(shared_data):
    folder = shared_data / "trials" / "group_sequential"
    designs = defaultdict(list)
    for row in read(folder / "boundaries.csv"):
        designs[row["design"], row["alpha"], int(row["looks"])].append(row)
    for (design, alpha, looks), rows in designs.items():
        sides = 2 if "two" in alpha else 1
        found = boundaries(CALLED[design], at=even(looks), alpha=float(alpha.split()[1]), sides=sides)
        assert found.efficacy == pytest.approx([float(r["z"]) for r in rows], abs=1e-6)
        assert found.spent == pytest.approx([float(r["cumulative_alpha"]) for r in rows], abs=1e-6)
        assert found.nominal == pytest.approx([float(r["one_sided_p"]) for r in rows], abs=1e-8)
    for row in read(folder / "inflation.csv"):
        power = float(row["power"])
        found = boundaries(CALLED[row["design"]], at=even(int(row["looks"])), alpha=0.05, sides=2)
        assert inflation(found, power) == pytest.approx(float(row["max_n_over_fixed"]), abs=1e-6)
        means = [float(row[name]) for name in row if name.startswith("en_")]
        assert expected_inflation(found, power, [0, 0.5, 1, 1.5]) == pytest.approx(means, abs=1e-5)
    found = boundaries(-4, at=THIRDS, futility={})
    rows = read(folder / "futility_gsdesign_default_probabilities.csv")
    crossed = cross(found, [float(r["theta_over_design"]) * found.drift for r in rows])
    for crossing, name in ((crossed.above, "efficacy"), (crossed.below, "futility")):
        assert crossing == pytest.approx(
            np.array([[float(r[f"{name}_{k}"]) for k in (1, 2, 3)] for r in rows]), abs=1e-6
        )


def test_a_design_costs_what_is_printed():
    """rpact's to eight digits; Jennison and Turnbull's tables, in percent of a fixed design."""
    found = boundaries({"wang_tsiatis": 0.3}, at=[0.2, 0.5, 1])
    assert inflation(found, 0.9) == pytest.approx(1.0548577, abs=1e-7)
    crossed = cross(found, drift_for_power(found, 0.9))
    assert crossed.above == pytest.approx([0.08379162, 0.40937259, 0.40683579], abs=1e-7)
    even_spending = boundaries(0, at=[0.2, 0.4, 1], alpha=0.03)
    assert inflation(even_spending, 0.86) == pytest.approx(1.0788327, abs=1e-7)
    assert expected_inflation(even_spending, 0.86, 1.0) == pytest.approx(0.83081135, abs=1e-7)
    survival = events_by_schoenfeld(hazard_ratio_of(0.4, 0.2), 0.9, ratio=2) * inflation(found, 0.9)
    assert survival == pytest.approx(72.714085, abs=1e-5)
    five = boundaries(-4, at=even(5))  # gsDesign
    assert inflation(five, 0.9) * even(5) == pytest.approx([0.205, 0.409, 0.614, 0.819, 1.023], abs=5.1e-4)
    assert expected_inflation(five, 0.9, [0, 1]) == pytest.approx([1.0197, 0.7366], abs=5.1e-5)
    assert 100 * inflation(boundaries("exact_pocock", at=even(15), alpha=0.05, sides=2), 0.9) == pytest.approx(
        130.5, abs=0.05
    )
    pocock = boundaries("exact_pocock", at=even(4), alpha=0.05, sides=2)
    means = 100 * expected_inflation(pocock, 0.8, [0, 0.5, 1, 1.5])
    assert means == pytest.approx([117.5, 108.8, 80.5, 52.2], abs=0.05)
    many = boundaries("exact_obrien_fleming", at=even(20), alpha=0.05, sides=2)
    assert 100 * inflation(many, 0.9) == pytest.approx(104.5, abs=0.05)
    assert 100 * expected_inflation(many, 0.9, 0.0) == pytest.approx(103.4, abs=0.05)


def test_futility_that_does_not_bind_is_gsdesigns_default():
    found = boundaries(-4, at=THIRDS, futility=Futility(spend=-2, power=0.9))
    assert found.efficacy == pytest.approx([3.010739, 2.546531, 1.999226], abs=DIGITS)
    assert found.futility == pytest.approx([-0.238724, 0.941067, 1.999226], abs=DIGITS)
    assert (found.drift / 3.2415155) ** 2 == pytest.approx(1.069883, abs=DIGITS)
    crossed = cross(found, found.drift)
    assert crossed.above == pytest.approx([0.141196, 0.440274, 0.318530], abs=DIGITS)
    assert crossed.below == pytest.approx([0.014834, 0.028892, 0.056274], abs=DIGITS)
    assert cross(found).power == pytest.approx(0.023305, abs=DIGITS)  # obeyed, it costs level
    assert cross(found, obey_futility=False).power == pytest.approx(0.025, abs=1e-11)


def test_futility_that_binds_gives_the_level_back():
    """By what defines it: with both bounds obeyed the errors of both kinds are spent as asked, look by look."""
    stop = Futility(spend={"kim_demets": 2}, power=0.85, binding=True)
    at = np.array([0.25, 0.6, 1])
    found = boundaries("pocock", at=at, alpha=0.02, futility=stop)
    assert found.futility is not None
    assert cross(found).above.cumsum() == pytest.approx(0.02 * np.log1p((np.e - 1) * at), abs=1e-10)
    assert cross(found, found.drift).below.cumsum() == pytest.approx(0.15 * at**2, abs=1e-10)
    assert cross(found, found.drift).power == pytest.approx(0.85, abs=1e-10)
    free = boundaries("pocock", at=at, alpha=0.02, futility=Futility(stop.spend, 0.85))
    assert found.efficacy[-1] < free.efficacy[-1]
    given = boundaries("obrien_fleming", at=THIRDS, futility={"z": (0, 0.5), "binding": True})
    assert given.futility == pytest.approx([0.0, 0.5, given.efficacy[-1]], abs=1e-12)
    assert cross(given).power == pytest.approx(0.025, abs=1e-11)
    assert cross(given, obey_futility=False).power > 0.0251
    exact = boundaries("exact_pocock", at=THIRDS, futility={"z": (0, 0.5), "binding": True})
    assert cross(exact).power == pytest.approx(0.025, abs=1e-11)


# --- looks as they come -------------------------------------------------------------------------------


def test_no_error_is_lost_with_a_look():
    """A skipped look's goes to the next, one at other information spends its due, the last spends what is left."""
    planned = boundaries("obrien_fleming", at=even(5))
    skipped = revise(planned, [0.2, np.nan, 0.6, 0.85, 1.1])
    taken = ~np.isnan(skipped.efficacy)
    assert taken.tolist() == [True, False, True, True, True]
    assert skipped.efficacy[0] == pytest.approx(planned.efficacy[0], abs=1e-12)
    at_85 = boundaries("obrien_fleming", at=[0.85]).rule.spend(np.array([0.85]), 0.025)  # type: ignore[union-attr]
    assert skipped.spent[taken] == pytest.approx([planned.spent[0], planned.spent[2], at_85[0], 0.025], abs=1e-11)
    assert cross(skipped).power == pytest.approx(0.025, abs=1e-11)
    under = revise(planned, [0.2, 0.4, 0.7])
    assert cross(under).power == pytest.approx(0.025, abs=1e-11)
    early = cross(under).above[:2]
    assert cross(under).expected_information == pytest.approx(0.7 - early @ [0.5, 0.3], abs=1e-12)
    own = boundaries([0.001, 0.01, 0.025], at=[0.2, np.nan, 1])
    assert own.spent[[0, 2]] == pytest.approx([0.001, 0.025], abs=1e-12)


@pytest.mark.parametrize("spend", ["obrien_fleming", "exact_pocock", [0.002, 0.011, 0.05]])
@pytest.mark.parametrize("sides", [1, 2])
def test_bounds_that_were_used_stay_as_they_were(spend, sides):
    planned = boundaries(spend, at=[0.3, 0.6, 1], alpha=0.05, sides=sides)
    first = revise(planned, [0.25], last=False)
    second = revise(planned, [0.25, 0.7], last=False)
    third = revise(planned, [0.25, 0.7, 1.05])
    assert second.efficacy[0] == pytest.approx(first.efficacy[0], abs=1e-12)
    assert third.efficacy[:2] == pytest.approx(second.efficacy, abs=1e-12)
    assert sides * cross(third).power == pytest.approx(0.05, abs=1e-10)
    if spend != "obrien_fleming":  # a plan by looks spends along straight lines, from nothing
        line = np.interp([0.25, 0.7], [0, 0.3, 0.6, 1], [0, *planned.spent])
        assert second.spent == pytest.approx(line, abs=1e-11)
    as_planned = revise(planned, [0.3, 0.6, 1])
    assert as_planned.efficacy == pytest.approx(planned.efficacy, abs=1e-8)


def test_futility_follows_the_drift_that_was_planned():
    planned = boundaries(-4, at=THIRDS, futility={})
    found = revise(planned, [0.4, 0.8], last=False)
    crossed = cross(found, planned.drift)
    asked = 0.1 * np.expm1(2 * np.array([0.4, 0.8])) / np.expm1(2)
    assert crossed.below.cumsum() == pytest.approx(asked, abs=1e-10)
    assert revise(planned, THIRDS).futility == pytest.approx(planned.futility, abs=1e-9)


def test_many_designs_at_once_are_each_by_itself():
    rng = np.random.default_rng(5)
    at = np.sort(rng.permuted(np.tile(np.arange(2, 20) / 20, (30, 1)), axis=1)[:, :4], axis=1)
    at = np.concatenate([at, np.ones((30, 1))], axis=1)
    at[rng.random(at.shape) < 0.2] = np.nan
    at[np.isnan(at).all(axis=1), -1] = 1.0
    at[3] = at[7]
    for spend, stop in (("obrien_fleming", None), ("exact_pocock", None), (-2, {"binding": True})):
        together = boundaries(spend, at=at.reshape(5, 6, 5), futility=stop)
        level = cross(together, obey_futility=bool(stop)).power
        assert level == pytest.approx(np.full((5, 6), 0.025), abs=1e-10)
        for row in (0, 3, 7, 19):
            alone = boundaries(spend, at=at[row], futility=stop)
            where = np.unravel_index(row, (5, 6))
            assert together.efficacy[where] == pytest.approx(alone.efficacy, abs=1e-9, nan_ok=True)
    with pytest.raises(TwinError, match="one by one"):
        revise(boundaries("exact_pocock", at=at), at)


@pytest.mark.parametrize("at", [even(5), [0.05, 0.1, 0.9, 0.91, 1.0], [0.5, 0.504, 1.0], [0.9, 0.91, 1.3]])
def test_twice_the_nodes_change_nothing(at):
    found = boundaries("pocock", at=at, futility={"spend": -2})
    rows = [one[None] for one in (found.information, found.efficacy, found.lower())]
    drift = np.array([0.0, -2.0, 3.5])
    panels = int(panels_for(rows[0], 21.5)[0])
    few, many = (crossings(*rows, drift, p) for p in (panels, 2 * panels))
    assert np.abs(np.array(few) - np.array(many)).max() < 1e-12
    assert boundaries("pocock", at=at).spent[-1] == pytest.approx(0.025, abs=1e-12)


def test_nodes_suffice_for_looks_close_together():
    """Halfway between two looks a third, hardly apart from the second, takes next to nothing from the last."""
    two = boundaries("pocock", at=[0.5, 1.0])
    close = boundaries("pocock", at=[0.5, 0.5002, 1.0])
    assert close.efficacy[-1] == pytest.approx(two.efficacy[-1], abs=2e-4)
    assert cross(close).power == pytest.approx(0.025, abs=1e-10)
    joint = _by_cubature(close.efficacy, close.information)
    assert cross(close).power == pytest.approx(joint, abs=3e-7)


def _by_cubature(upper, t):
    """The probability of any crossing, by SciPy's multivariate normal."""
    correlation = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    return 1 - multivariate_normal.cdf(upper, cov=correlation, allow_singular=True, abseps=1e-9, releps=1e-9)


# --- against paths simulated step by step -------------------------------------------------------------


@pytest.mark.parametrize("spend", ["obrien_fleming", "pocock", "exact_obrien_fleming", -4])
def test_the_level_holds_from_both_sides(spend):
    """100,000 null paths of five looks: within 3 standard errors, 0.0015. A rule that compares each look's p with the
    error spent so far has 0.0305 or 0.0487, one that compares two-sided ones 0.0137: all would be seen."""
    paths = 100_000
    rng = np.random.default_rng(11)
    z = np.cumsum(rng.normal(size=(paths, 5)), axis=1) / np.sqrt(np.arange(1, 6))
    found = boundaries(spend, at=even(5))
    hit = z >= found.efficacy
    first = np.where(hit.any(axis=1), hit.argmax(axis=1), 5)
    error = 3 * np.sqrt(0.025 * 0.975 / paths)
    assert abs(hit.any(axis=1).mean() - 0.025) < error
    seen = np.bincount(first, minlength=6)[:5] / paths
    exact = cross(found).above
    assert np.all(np.abs(seen - exact) < 4 * np.sqrt(exact / paths) + 2e-5)


def test_the_trap_is_seen_by_this_engine():
    """One-sided p against the cumulative error, by exact recursion: 0.0305 and 0.0487 at five looks, not 0.025."""
    found = boundaries("pocock", at=even(5))
    its_obrien_fleming = norm.sf(norm.isf(0.025) / np.sqrt(even(5)))  # 1 - Phi(z / sqrt(t))
    for spent, wrong in ((its_obrien_fleming, 0.0305), (found.spent, 0.0487)):
        assert cross(replace(found, efficacy=norm.isf(spent))).power == pytest.approx(wrong, abs=5e-5)


def test_stops_and_means_under_an_effect_are_those_of_paths():
    paths, drift, at = 40_000, 2.4, np.array([0.2, 0.55, 0.7, 1.0])
    found = boundaries("pocock", at=at, futility={"spend": -2, "power": 0.8})
    steps = np.diff(at, prepend=0.0)
    walk = np.cumsum(np.random.default_rng(3).normal(size=(paths, 4)) * np.sqrt(steps) + drift * steps, axis=1)
    z = walk / np.sqrt(at)
    assert found.futility is not None
    stop = (z >= found.efficacy) | (z < found.futility)
    first = stop.argmax(axis=1)
    won = (z >= found.efficacy)[np.arange(paths), first]
    crossed = cross(found, drift)
    for exact, seen in ((crossed.above, won), (crossed.below, ~won)):
        for k in range(4):
            share = np.mean((first == k) & seen)
            assert abs(share - exact[k]) < 4 * np.sqrt(exact[k] / paths)
    spread = at[first].std() / np.sqrt(paths)
    assert abs(at[first].mean() - crossed.expected_information) < 4 * spread


# --- what is refused ----------------------------------------------------------------------------------

WRONG = [
    ({"spend": "obrien"}, "is no rule; did you mean"),
    ({"spend": {"kim_demets": -1}}, "rho is -1"),
    ({"spend": {"haybittle": 1}}, "no family"),
    ({"spend": None}, "nothing is no rule"),
    ({"spend": [0.01, 0.02]}, "ends at 0.02, and 0.025 is to be spent"),
    ({"spend": [0.03, 0.025]}, "falls"),
    ({"spend": [0.01, 0.02, 0.025]}, "3 errors for 2 looks"),
    ({"at": [0.5, 0.4]}, "look 2 has 0.4 of the information after 0.5"),
    ({"at": [0.5, 0.50001]}, "each look must add"),
    ({"at": []}, "no look"),
    ({"at": [100, 200]}, "200 times the planned information"),
    ({"at": [np.nan, np.nan]}, "without any look"),
    ({"alpha": 0.6}, "alpha: 0.6"),
    ({"sides": 3}, "sides: 3"),
    ({"sides": 2, "futility": {}}, "two-sided design"),
    ({"futility": {"power": 0.01}}, "a power of 0.01"),
    ({"futility": {"z": (0, 1, 2)}}, "3 bounds for 2 looks"),
    ({"futility": {"spend": "exact_pocock"}}, "futility is spent"),
    ({"spend": "exact_pocock", "futility": {"binding": True}}, "binding: false"),
    ({"futility": {"spent": 3}}, "spent"),
]


@pytest.mark.parametrize(("asked", "says"), WRONG)
def test_what_cannot_be_is_refused_in_a_sentence(asked, says):
    with pytest.raises(TwinError, match=says):
        boundaries(**({"at": [0.5, 1.0]} | asked))
