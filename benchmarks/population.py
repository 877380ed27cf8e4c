"""How fast are virtual patients drawn, and how near is what is drawn to its source? One JSON line each.

python benchmarks/population.py                      # a million persons, 12 covariates, a copula and genotypes
python benchmarks/population.py --n 100000 --repeats 1
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

ROWS = 1000  # of the table that the copula is fitted to
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Allele frequencies: 1000 Genomes, PMC6562764, table 1; what the model has no allele for counts as *1.
FREQUENCIES = {"european": (0.124, 0.073, 0.388), "african": (0.008, 0.002, 0.054), "east_asian": (0.001, 0.034, 0.885)}


def table(seed: int = 1) -> dict[str, np.ndarray]:
    """People whom no Gaussian copula made: two sexes, weight by height, creatinine by age, three grades, gaps."""
    random = np.random.default_rng(seed)
    female = random.random(ROWS) < 0.53
    age = np.clip(random.gamma(9, 6, ROWS) + 18, 18, 95)
    height = np.where(female, 163, 177) + 7 * random.normal(size=ROWS) - 0.05 * (age - 60)
    weight = (height / 100) ** 2 * 26 * np.exp(0.18 * random.normal(size=ROWS))
    creatinine = np.exp(0.3 * random.normal(size=ROWS)) * np.where(female, 0.8, 1.0) * (age / 60) ** 0.4
    albumin = 42 - 0.06 * (age - 60) + 4 * random.normal(size=ROWS)
    smoker = (random.random(ROWS) < np.where(age < 60, 0.25, 0.1)) * 1.0
    failing = np.digitize(creatinine + 0.3 * random.normal(size=ROWS), [1.2, 1.8]) * 1.0
    albumin[random.random(ROWS) < 0.1] = np.nan
    columns = (age, height, weight, creatinine, albumin, smoker, failing)
    return dict(zip(("age", "height", "weight", "creatinine", "albumin", "smoker", "failing"), columns, strict=True))


def population_of(columns: dict[str, np.ndarray], folder: Path) -> Any:
    """Seven columns of the copula, one computed, two genotypes by ancestry, the ancestry, and one at its reference."""
    import twin

    with (folder / "people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(
            [["" if v != v else repr(float(v)) for v in row] for row in zip(*columns.values(), strict=True)]
        )
    ancestry = {
        name: ({"*1": "rest", "*2": two, "*3": three}, {"G": "rest", "A": a})
        for name, (two, three, a) in FREQUENCIES.items()
    }
    said = {
        "tables": [
            {
                "path": "people.csv", "take": "copula",
                "columns": {"age": "age"} | {name: {"new": name} for name in columns if name != "age"},
            }
        ],
        "covariates": {
            "cyp2c9": {"by": {"ancestry": {name: {"alleles": one} for name, (one, _) in ancestry.items()}}},
            "vkorc1": {"by": {"ancestry": {name: {"alleles": one} for name, (_, one) in ancestry.items()}}},
            "baseline_inr": "reference",
        },
        "others": {
            "ancestry": {"chances": {"european": 0.6, "african": 0.2, "east_asian": 0.2}},
            "clearance_of_creatinine": {"formula": "(140 - age) * weight / (72 * creatinine)"},
        },
        "where": ["weight < height", "clearance_of_creatinine > 10"],
    }  # fmt: skip
    return twin.Population.build("warfarin", said, folder=folder)


def show(**line: Any) -> None:
    import jax

    told = {k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}
    device = {"device": f"{jax.devices()[0].platform}", "cores": len(os.sched_getaffinity(0))}
    print(json.dumps({"benchmark": "population"} | told | device | {"jax": jax.__version__}), flush=True)


@click.command()
@click.option("--n", default=1_000_000)
@click.option("--repeats", default=3)
def main(n: int, repeats: int) -> None:
    from cli.runtime import prepare_jax

    prepare_jax()
    import twin

    columns = table()
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        population = population_of(columns, Path(folder))
        show(question="build", rows=ROWS, columns=12, seconds=time.perf_counter() - clock)
        seconds = []
        for seed in range(repeats):
            clock = time.perf_counter()
            people = population.draw(seed, range(n))
            seconds.append(time.perf_counter() - clock)
        show(question="covariates and genotypes", n=n, columns=12, seconds=sorted(seconds)[repeats // 2],
             drawn_again=int(np.sum(people.tried > 1)))  # fmt: skip
        seconds = []
        for seed in range(repeats + 1):
            clock = time.perf_counter()
            twin.virtual_population("warfarin", population, n, seed)
            seconds.append(time.perf_counter() - clock)
        show(
            question="with parameters, as a Dataset", n=n, first_s=seconds[0], seconds=sorted(seconds[1:])[repeats // 2]
        )
        nearness(columns, people)


def nearness(columns: dict[str, np.ndarray], people: Any) -> None:
    """How far rank correlations and quantiles of the first 100,000 are from the table's; genotypes from theory."""
    from scipy.stats import chisquare, spearmanr

    known = {n: {**people.covariates, **people.others}[n][:100_000] for n in columns}
    off = []
    for one, other in itertools.combinations(columns, 2):
        both = ~(np.isnan(columns[one]) | np.isnan(columns[other]))
        off.append(abs(spearmanr(columns[one][both], columns[other][both])[0] - spearmanr(known[one], known[other])[0]))
    show(question="rank correlations", n=100_000, pairs=len(off), largest_difference=float(max(off)))
    worst = 0.0
    for name in ("age", "height", "weight", "creatinine", "albumin"):
        wanted = np.nanquantile(columns[name], SHARES)
        worst = max(worst, float(np.max(np.abs(np.quantile(known[name], SHARES) / wanted - 1))))
    show(question="quantiles", n=100_000, shares=list(SHARES), largest_relative_difference=worst)
    ancestry, gene = people.others["ancestry"], people.covariates["vkorc1"]
    for k, (name, (*_, a)) in enumerate(FREQUENCIES.items()):
        counts = np.bincount(gene[ancestry == k].astype(int), minlength=3)
        expected = counts.sum() * np.array([(1 - a) ** 2, 2 * a * (1 - a), a * a])
        show(
            question="Hardy-Weinberg of VKORC1",
            ancestry=name,
            n=int(counts.sum()),
            p=float(chisquare(counts, expected)[1]),
        )


if __name__ == "__main__":
    main()
