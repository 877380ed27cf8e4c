"""Adjusted p values against published examples and tables, the closed test by brute force, and simulated errors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import multivariate_t, norm, t

from twin.errors import TwinError
from twin.statistics.dunnett import dunnett, dunnett_bound
from twin.statistics.multiplicity import (
    Graph,
    adjust_by_graph,
    bonferroni,
    fixed_sequence,
    gatekeeping,
    hochberg,
    holm,
)  # fmt: skip

# Two doses, a primary and a secondary hypothesis each: Bretz et al. 2011, Maurer and Bretz 2013.
SUCCESSIVE = Graph(
    weights=(0.5, 0.5, 0.0, 0.0),
    transitions=((0.0, 0.5, 0.5, 0.0), (0.5, 0.0, 0.0, 0.5), (0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)),
)


def test_simple_ones_are_what_statsmodels_says():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(2).uniform(size=(50, 6)) ** 3
    for ours, name in ((bonferroni, "bonferroni"), (holm, "holm"), (hochberg, "simes-hochberg")):
        theirs = np.array([multitest.multipletests(row, method=name)[1] for row in p])
        assert ours(p) == pytest.approx(theirs, abs=1e-14)
        assert ours(p.reshape(5, 10, 6)).shape == (5, 10, 6)
    assert fixed_sequence([0.01, 0.2, 0.003]).tolist() == [0.01, 0.2, 0.2]


def test_a_published_graph():
    """The example that graphicalMCP prints for this graph; and by it Maurer and Bretz's diabetes trial."""
    assert adjust_by_graph([0.018, 0.01, 0.105, 0.006], SUCCESSIVE) == pytest.approx([0.024, 0.020, 0.105, 0.024])
    repeated = adjust_by_graph([0.0024, 0.0172, 0.0116, 0.1285], SUCCESSIVE)  # p values to 4 digits
    assert repeated == pytest.approx([0.004787, 0.022881, 0.023297, 0.128460], abs=2e-4)


def test_the_graphs_of_simple_ones_are_they():
    p = np.random.default_rng(3).uniform(size=(200, 4)) ** 3
    alike = np.full((4, 4), 1 / 3) - np.eye(4) / 3
    assert adjust_by_graph(p, Graph((0.25,) * 4, tuple(map(tuple, alike)))) == pytest.approx(holm(p))
    assert adjust_by_graph(p, gatekeeping([[0, 1, 2, 3]])) == pytest.approx(holm(p))
    assert adjust_by_graph(p, gatekeeping([[0], [1], [2], [3]])) == pytest.approx(fixed_sequence(p))


def closed(p, graph):
    """The closed test, slowly: every intersection by weighted Bonferroni, with the weights that the graph leaves it."""
    several, found = len(p), np.zeros(len(p))
    for size in range(1, several + 1):
        for inside in combinations(range(several), size):
            w, g = np.array(graph.weights), np.array(graph.transitions)
            for gone in set(range(several)) - set(inside):
                w, g = w + w[gone] * g[gone], g + np.outer(g[:, gone], g[gone])
                w[gone], g[gone], g[:, gone] = 0.0, 0.0, 0.0
                back = np.diag(g).copy()
                np.fill_diagonal(g, 0.0)
                g = np.where(back[:, None] < 1, g / np.where(back < 1, 1 - back, 1)[:, None], 0.0)
            least = min((p[i] / w[i] for i in inside if w[i] > 0), default=1.0)
            for i in inside:
                found[i] = max(found[i], min(least, 1.0))
    return found


GRAPHS = {
    "successive": SUCCESSIVE,
    "serial": gatekeeping([[0, 1], [2, 3]]),
    "parallel": gatekeeping([[0, 1], [2, 3]], parallel=True),
    "fallback": Graph((0.5, 0.3, 0.2, 0.0), ((0, 1, 0, 0), (0, 0, 1, 0), (0.5, 0.25, 0, 0.25), (0, 0, 0, 0))),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_the_closed_test_that_it_stands_for(name):
    p = np.random.default_rng(4).uniform(size=(40, 4)) ** 4
    assert adjust_by_graph(p, GRAPHS[name]) == pytest.approx(np.array([closed(row, GRAPHS[name]) for row in p]))


def test_a_gate_is_passed_as_it_says():
    """Serial: by all of the family; parallel: by one."""
    p = np.array([[0.001, 0.5, 0.001, 0.001], [0.001, 0.012, 0.02, 0.5]])
    serial = adjust_by_graph(p, gatekeeping([[0, 1], [2, 3]])) <= 0.025
    assert serial.tolist() == [[True, False, False, False], [True, True, False, False]]
    parallel = adjust_by_graph(p, gatekeeping([[0, 1], [2, 3]], parallel=True)) <= 0.025
    assert parallel.tolist() == [[True, False, True, True], [True, True, False, False]]


def test_wrong_graphs_are_refused():
    with pytest.raises(TwinError, match="2 weights"):
        Graph((0.5, 0.5), ((0.0,),))
    with pytest.raises(TwinError, match="sum to 1 at most"):
        Graph((0.7, 0.7), ((0, 1), (1, 0)))
    with pytest.raises(TwinError, match="row 2"):
        Graph((0.5, 0.5), ((0, 1), (1, 0.1)))
    with pytest.raises(TwinError, match="3 p values for 4"):
        adjust_by_graph([0.1, 0.2, 0.3], SUCCESSIVE)


# --- Dunnett ------------------------------------------------------------------------------------------

TABLES = [  # Dunnett 1955 (one-sided) and 1964 (two-sided), 5 %, 1 to 5 arms, printed to two digits
    (1, 5, [2.02, 2.44, 2.68, 2.85, 2.98]),
    (1, 10, [1.81, 2.15, 2.34, 2.47, 2.56]),
    (1, 20, [1.72, 2.03, 2.19, 2.30, 2.39]),
    (1, np.inf, [1.64, 1.92, 2.06, 2.16, 2.23]),
    (2, 5, [2.57, 3.03, 3.29, 3.48, 3.62]),
    (2, 10, [2.23, 2.57, 2.76, 2.89, 2.99]),
    (2, 20, [2.09, 2.38, 2.54, 2.65, 2.73]),
    (2, np.inf, [1.96, 2.21, 2.35, 2.44, 2.51]),
]


@pytest.mark.parametrize(("sides", "df", "printed"), TABLES)
def test_bounds_of_many_arms_are_those_of_the_tables(sides, df, printed):
    found = [dunnett_bound(0.05, [10] * (arms + 1), df, sides) for arms in range(1, 6)]
    assert found == pytest.approx(printed, abs=0.0051)


def test_the_probability_is_that_of_a_multivariate_t():
    sizes = [12, 6, 20, 9]
    l = np.sqrt(np.array(sizes[1:]) / (12 + np.array(sizes[1:])))  # noqa: E741
    correlation = np.outer(l, l) + np.diag(1 - l**2)
    for c in (1.1, 2.4):
        ours = dunnett([c] * 3, sizes, df=8, step_down=False)
        theirs = 1 - multivariate_t.cdf([c] * 3, shape=correlation, df=8, random_state=1, maxpts=300_000)
        assert ours == pytest.approx([theirs] * 3, abs=2e-5)  # the error of SciPy's draws
    one = dunnett([1.7], [5, 9], df=12, sides=2)
    assert one == pytest.approx([2 * t.sf(1.7, 12)], abs=1e-10)
    far = dunnett([2.0, 2.0], [3, 1000, 1000])  # both arms tell of the same control: nearly one test
    assert norm.sf(2.0) < far[0] < 1.2 * norm.sf(2.0)


def test_several_arms_err_as_often_as_they_may():
    """20,000 null trials of three arms: the step-down test errs in 5 % within 3 SE; Bonferroni's p are never less."""
    trials = 20_000
    rng = np.random.default_rng(7)
    control, arms = rng.normal(size=(trials, 1)), rng.normal(size=(trials, 3))
    z = (arms - control) / np.sqrt(2)
    p = dunnett(z, [10] * 4)
    assert abs(np.mean(p.min(axis=1) <= 0.05) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / trials)
    alone = norm.sf(z)
    assert np.all(p <= holm(alone) + 1e-9)
    assert np.all(p <= dunnett(z, [10] * 4, step_down=False) + 1e-9)
    with pytest.raises(TwinError, match="give the control's"):
        dunnett(z, [10] * 3)
