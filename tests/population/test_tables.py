"""Tables: rows as they are, and copulas whose correlations and quantiles are the table's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from twin.errors import TwinErrors
from twin.population.virtual.closeness import find_closeness
from twin.population.virtual.dependence import nearest_correlation
from twin.population.virtual.fit import fit

from .people import build, cohort, write_table

MANY = 100_000
OTHERS = ("age", "creatinine", "female", "grade")


def entry(take: str, **more):
    columns = {"weight": "weight"} | {name: {"new": name} for name in OTHERS} | more
    return {"path": "people.csv", "take": take, "columns": columns}


def population(tmp_path, table, take, where=(), **more):
    write_table(tmp_path / "people.csv", table)
    from twin.population.virtual import Population

    from ..toys import Scaled

    said = {"covariates": {"sex": "male", "gene": "GG"}, "tables": [entry(take, **more)], "where": list(where)}
    return Population.build(Scaled(), said, folder=tmp_path)


def columns_of(people):
    return {"weight": people.covariates["weight"]} | {name: people.others[name] for name in OTHERS}


def test_rows_are_the_tables_own(tmp_path):
    table = cohort(50)
    people = population(tmp_path, table, "rows").draw(1, range(MANY))
    found = columns_of(people)
    for name in table:
        assert np.array_equal(found[name], np.asarray(table[name])[people.source])
    assert stats.chisquare(np.bincount(people.source, minlength=50)).pvalue > 1e-3


def test_a_copula_has_the_tables_correlations_and_quantiles(tmp_path):
    table = cohort(800)
    found = columns_of(population(tmp_path, table, "copula").draw(1, range(MANY)))
    for one, other in itertools.combinations(table, 2):
        wanted = stats.spearmanr(table[one], table[other])[0]
        assert stats.spearmanr(found[one], found[other])[0] == pytest.approx(wanted, abs=0.02), (one, other)
    for name in ("age", "weight", "creatinine"):
        shares = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
        assert np.quantile(found[name], shares) == pytest.approx(np.quantile(table[name], shares), rel=0.02), name
        assert table[name].min() <= found[name].min()  # nothing beyond the ends
        assert found[name].max() <= table[name].max()
    for name in ("female", "grade"):
        levels = np.unique(table[name])
        assert np.array_equal(np.unique(found[name]), levels)
        for level in levels:  # 4 standard errors
            share = np.mean(table[name] == level)
            assert np.mean(found[name] == level) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / MANY))


def test_correlations_behind_steps_are_found():
    """Yes-or-no and three-level columns cut from normals of a known correlation: polychoric, not attenuated."""
    random = np.random.default_rng(1)
    known = np.array([[1, 0.6, -0.4], [0.6, 1, 0.3], [-0.4, 0.3, 1]])
    normals = random.multivariate_normal(np.zeros(3), known, size=200_000)
    columns = {
        "yes": (normals[:, 0] > 0.8) * 1.0,
        "grade": np.digitize(normals[:, 1], [-1, 0.5]) * 1.0,
        "number": normals[:, 2],
    }
    fitted = fit(columns)
    assert fitted.copula.correlation == pytest.approx(known, abs=0.01)  # 3 standard errors of the rarest pair
    assert fitted.moved == 0
    assert fitted.margins["yes"].steps
    assert not fitted.margins["number"].steps


def test_empty_cells_cost_only_their_pairs():
    """Missing at random in one column: correlations of the other pairs do not move at all."""
    table = cohort(2000)
    holes = dict(table, creatinine=np.where(np.random.default_rng(1).random(2000) < 0.4, np.nan, table["creatinine"]))
    whole, patchy = fit(table).copula, fit(holes).copula
    places = [list(table).index(name) for name in ("age", "weight", "female")]
    assert np.array_equal(whole.correlation[np.ix_(places, places)], patchy.correlation[np.ix_(places, places)])
    assert patchy.correlation == pytest.approx(whole.correlation, abs=0.08)  # 3 standard errors of 1,200 rows


def test_pairs_that_contradict_each_other_become_a_matrix():
    """Higham's own example: the nearest correlation matrix of three tridiagonal ones (2002, section 4)."""
    found = nearest_correlation(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]), least=1e-9)
    assert found == pytest.approx(np.array([[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]), abs=1e-3)


def test_combinations_that_cannot_be_are_excluded_by_conditions(tmp_path):
    """The table has nobody heavy who is old; a copula makes some, and the condition keeps them out."""
    table = cohort(400)
    table["weight"] = np.where(table["age"] > 70, np.minimum(table["weight"], 80.0), table["weight"])
    made = columns_of(population(tmp_path, table, "copula").draw(1, range(20_000)))
    assert np.any((made["age"] > 70) & (made["weight"] > 80)), "else the condition would have nothing to do"
    people = population(tmp_path, table, "copula", where=["age <= 70 or weight <= 80"]).draw(1, range(20_000))
    made = columns_of(people)
    assert not np.any((made["age"] > 70) & (made["weight"] > 80))
    assert people.broken["age <= 70 or weight <= 80"] == (people.tried - 1).sum()


def test_words_and_units_of_a_table(tmp_path):
    write_table(
        tmp_path / "people.csv",
        {"WT": [150.0, 200.0] * 20, "SEX": ["F", "m"] * 20, "SNP": ["AG", "GG"] * 20, "EDU": ["low", "high"] * 20},
    )
    from twin.population.virtual import Population

    from ..toys import Scaled

    columns = {
        "WT": {"to": "weight", "unit": "lb"}, "SEX": {"to": "sex", "levels": {"F": "female", "m": "male"}}, 
        "SNP": "gene", "EDU": {"new": "education", "levels": {"low": "school", "high": "university"}},
    }  # fmt: skip
    made = Population.build(
        Scaled(), {"tables": [{"path": "people.csv", "take": "rows", "columns": columns}]}, folder=tmp_path
    )
    people = made.draw(1, range(400))
    light = people.covariates["weight"] < 80
    assert 0.4 < light.mean() < 0.6
    assert people.covariates["weight"][light] == pytest.approx(150 * 0.45359237)
    assert np.all(people.covariates["sex"][light] == 1)
    assert np.all(people.covariates["gene"][light] == 1)  # AG is GA
    assert np.all(people.others["education"][light] == 0)
    assert made.levels["education"] == ("school", "university")


def test_rows_with_an_empty_cell_are_left_out_and_said(tmp_path):
    table = cohort(30)
    table["weight"][:7] = np.nan
    made = population(tmp_path, table, "rows")
    assert made.notes == ("people.csv: 7 of 30 rows have an empty cell and are left out",)
    assert not np.isnan(made.draw(1, range(500)).covariates["weight"]).any()


def test_a_vine_has_what_no_gaussian_copula_has(tmp_path):
    """Clayton's lower tail: both small together far more often than both large."""
    pytest.importorskip("pyvinecopulib", reason="needs the extra 'population'")
    random = np.random.default_rng(1)
    first = random.random(2000)
    second = ((random.random(2000) ** (-3 / 4) - 1) * first**-3.0 + 1) ** (-1 / 3)  # Clayton, theta = 3
    table = {"weight": 50 + 50 * first, "age": 20 + 60 * second, "creatinine": random.random(2000)}
    table |= {"female": (second + 0.3 * random.normal(size=2000) > 0.5) * 1.0, "grade": np.ones(2000)}
    made = columns_of(population(tmp_path, table, "vine").draw(1, range(20_000)))

    def tails(columns):
        ranks = [stats.rankdata(columns[name]) / len(columns[name]) for name in ("weight", "age")]
        return np.mean((ranks[0] < 0.1) & (ranks[1] < 0.1)), np.mean((ranks[0] > 0.9) & (ranks[1] > 0.9))

    assert tails(made) == pytest.approx(tails(table), abs=0.012)
    for one, other in itertools.combinations(["weight", "age", "female"], 2):
        assert stats.spearmanr(made[one], made[other])[0] == pytest.approx(
            stats.spearmanr(table[one], table[other])[0], abs=0.04
        )


def test_without_the_extra_a_vine_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyvinecopulib", None)
    with pytest.raises(
        TwinErrors, match=r"tables\[0\]: a vine needs pyvinecopulib; install 'patient-twin\[population\]'"
    ):
        population(tmp_path, cohort(100), "vine")


def test_too_few_rows_for_a_copula(tmp_path):
    with pytest.raises(TwinErrors, match="has 12 values, and a copula needs 20 at least; take rows instead"):
        population(tmp_path, cohort(12), "copula")


def test_toy_needs_no_table():
    assert build().draw(1, range(3)).covariates["weight"].tolist() == [70.0] * 3


def test_a_copula_keeps_its_distance_and_a_memory_is_found_out(tmp_path):
    """Persons of a copula are no nearer to rows than rows are to each other; rows with a little noise are."""
    table = cohort(100)
    made = population(tmp_path, table, "copula")
    people = made.draw(1, range(5000))
    (told,) = made.closeness(people)
    assert told.is_safe
    assert told.rows == 100
    rows = np.column_stack(list(table.values()))
    scaled = rows / rows.std(axis=0)
    apart = np.linalg.norm(scaled[:, None] - scaled[None], axis=-1) + np.diag(np.full(100, np.inf))
    assert told.among == pytest.approx(np.sort(apart.min(axis=1))[4], rel=1e-9)  # the fifth smallest of a hundred
    persons = np.column_stack([columns_of(people)[name] for name in table]) / rows.std(axis=0)
    nearest = np.linalg.norm(persons[:, None] - scaled, axis=-1)
    assert told.drawn == pytest.approx(np.quantile(nearest.min(axis=1), 0.05), rel=1e-9)
    assert told.share == np.mean(nearest.min(axis=1) < told.among)
    picked = np.random.default_rng(1).integers(100, size=5000)
    memory = {name: values[picked] * 1.0001 for name, values in table.items()}
    found = find_closeness(made.fitted[0], memory)
    assert not found.is_safe
    assert "NEARER than its rows are to each other" in str(found)
