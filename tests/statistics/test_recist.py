"""RECIST 1.1 by cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from twin.statistics.analysis import best_response, progression_free, response_at_visits

NAN = np.nan
CASES = [  # sums of diameters, baseline first; what visits show; the best; the best if confirmed
    ("shrinks for good", [100, 70, 60, 50, 50], "PPPP", "P", "P"),
    ("just not 30 %", [100, 70.1, 70.1, 80, 84], "SSSS", "S", "S"),
    ("20 % above the lowest", [100, 60, 50, 60, 60], "PPDD", "P", "P"),
    ("20 % above the lowest, but under 5 mm", [20, 10, 10, 12, 14.9], "PPPS", "P", "P"),
    ("and 5 mm above it", [20, 10, 10, 12, 15], "PPPD", "P", "P"),
    ("grows from the start", [50, 60, 70, 80, 90], "DDDD", "D", "D"),
    ("gone, then back", [30, 0, 0, 4, 5], "CCPD", "C", "C"),
    ("gone once", [30, 0, 22, 24, 24], "CDDD", "C", "S"),
    ("partial once", [100, 65, 75, 75, 75], "PSSS", "P", "S"),
    ("confirmed over a gap", [100, 65, NAN, 66, 66], "P?PP", "P", "P"),
    ("a partial at the end is not", [100, 90, 90, 90, 65], "SSSP", "P", "S"),
    ("a response after progression does not count", [100, 120, 60, 60, 60], "DPPP", "D", "D"),
    ("never seen again", [100, NAN, NAN, NAN, NAN], "????", "?", "?"),
    ("seen once", [100, NAN, 95, NAN, NAN], "?S??", "S", "S"),
    ("nothing to measure, and then there is", [0, 0, 4, 5, 5], "SSDD", "S", "S"),
]
LETTERS = "?DSPC"


@pytest.mark.parametrize("confirm", [False, True])
def test_responses(confirm):
    shown = np.asarray(response_at_visits(np.array([case[1] for case in CASES], float)))
    best = np.asarray(best_response(shown, confirm=confirm))
    for row, found, (name, _, visits, plain, confirmed) in zip(shown, best, CASES, strict=True):
        assert "".join(LETTERS[k] for k in row) == visits, name
        assert LETTERS[found] == (confirmed if confirm else plain), name


def test_new_lesions_and_early_stability():
    size = np.array([[100, 60, 60, 60], [100, 95, NAN, NAN]], float)
    new = np.array([[False, False, True, False], [False] * 4])
    shown = response_at_visits(size, new_lesion=new)
    assert "".join(LETTERS[k] for k in shown[0]) == "PDP"
    at = {"times": np.array([4.0, 8.0, 12.0]), "stable_from": 6.0}
    assert [LETTERS[k] for k in best_response(shown, **at)] == ["P", "?"]


def test_progression_or_death_whichever_is_first():
    """The visit that shows it; death before or between visits; else censored at the last visit that was not missed."""
    size = np.array([
        [50, 50, 70, 70], [50, 50, 50, 50], [50, 50, NAN, NAN], [50, 50, NAN, 70],
        [50, NAN, NAN, NAN], [50, 50, 50, 90], [50, 50, 90, 90],
    ], float)  # fmt: skip
    death = np.array([np.inf, 20.0, np.inf, np.inf, np.inf, np.inf, 10.0])
    until = np.array([40.0, 40.0, 40.0, 40.0, 40.0, 20.0, 40.0])
    found = progression_free(response_at_visits(size), np.array([8.0, 16.0, 24.0]), death=death, until=until)
    np.testing.assert_array_equal(found.time, [16, 20, 8, 24, 0, 16, 10])
    np.testing.assert_array_equal(found.event, [True, True, False, True, False, False, True])


def test_replicates_and_people_may_come_first():
    size = np.stack([np.array([case[1] for case in CASES], float)] * 2)
    shown = response_at_visits(size)
    assert shown.shape == (2, len(CASES), 4)
    np.testing.assert_array_equal(best_response(shown)[0], best_response(response_at_visits(size[0])))
