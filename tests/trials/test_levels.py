"""What each arm comes to by itself, by hand."""

from __future__ import annotations

import numpy as np

from twin.trials.design import NUMBER, SHARE, TIME, VISITS, WINS, Analysis, Crossover, Design, Endpoint
from twin.trials.endpoint import Data
from twin.trials.levels import level_names, levels_of

ARM = np.array([[0, 1, 0, 1, 0, 1, 0, 1]])
INSIDE = np.array([[True, True, True, True, True, True, False, False]])


def endpoint(name, data, visit=-1):
    return Endpoint(name, "outcome", "x", data, 1.0, Analysis("t_test"), visit)


def design(*endpoints, **more):
    return Design(("a", "b"), (1.0, 1.0), 8, endpoints, 10.0, 10.0, "day", {}, **more)


def test_means_shares_and_medians_of_those_inside():
    of = (
        endpoint("n", NUMBER),
        endpoint("s", SHARE),
        endpoint("t", TIME),
        endpoint("v", VISITS, 2),
        endpoint("w", WINS),
    )
    value = np.array([[1.0, 2.0, 3.0, 4.0, np.nan, 9.0, 50.0, 50.0]])
    observed = {
        "n": Data(value, INSIDE),
        "s": Data(np.array([[1.0, 0, 1, 1, 0, 0, 1, 1]]), INSIDE),
        # a: events at 1, 3 and 5: half are left until 3; b: one event of three, never down to a half
        "t": Data(
            np.array([[1.0, 2, 3, 4, 5, 6, 0, 0]]),
            INSIDE,
            event=np.array([[True, True, True, False, True, False, True, True]]),
        ),
        "v": Data(np.stack([0 * value, value], axis=-1), INSIDE),
    }
    assert level_names(design(*of)) == ["mean of n", "share of s", "median of t", "mean of v"]
    found = levels_of(design(*of), observed, ARM)
    assert found.shape == (1, 4, 2)
    np.testing.assert_allclose(found[0], [[2, 5], [2 / 3, 1 / 3], [3, np.nan], [2, 5]], rtol=1e-12)


def test_an_arm_of_a_crossover_is_the_mean_over_both_orders():
    """Who is of the first order has a in the first period, who is of the second in the second."""
    two = design(endpoint("n", NUMBER), crossover=Crossover(5.0, 0.0))
    periods = np.array([[[1.0, 10.0], [20.0, 3.0], [1.0, 10.0], [20.0, 3.0]]])
    found = levels_of(two, {"n": Data(periods, np.ones((1, 4), bool))}, ARM[:, :4])
    np.testing.assert_allclose(found[0, 0], [2.0, 15.0])
