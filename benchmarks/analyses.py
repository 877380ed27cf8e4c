"""How long do analyses of 1,000 trials of 200 people take? One JSON line each: the fastest of five calls.

taskset -c 0 python benchmarks/analyses.py
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import click
import jax
import numpy as np

from twin.statistics import analysis
from twin.statistics.analysis import Times, Values

REPLICATES, PEOPLE, VISITS = 1000, 200, 4


def calls() -> dict[str, Callable[[], Any]]:
    """Each analysis of the same people; four visits, a fifth of people leaving; two covariates; ties in times."""
    generator = np.random.default_rng(1)
    shape = REPLICATES, PEOPLE
    arm, x = generator.integers(0, 2, shape), generator.standard_normal((*shape, 2))
    inside, strata = generator.random(shape) < 0.9, generator.integers(0, 3, shape)
    value = x[..., 0] + generator.standard_normal(shape)
    visits = generator.standard_normal((*shape, 1)) + generator.standard_normal((*shape, VISITS))
    visits[..., 1:][np.cumsum(generator.random((*shape, VISITS - 1)) < 0.07, axis=2) > 0] = np.nan
    answer, event = value > 0.3, generator.random(shape) < 0.7
    lasting = np.round(generator.exponential(size=shape), 2)
    who, timed = (arm, inside), (lasting, event, arm, inside)
    several = [Times(lasting, event), Values(value, margin=0.2)]
    return {
        "t_test": lambda: analysis.t_test(value, *who),
        "ancova": lambda: analysis.ancova(value, *who, covariates=x),
        "ancova, robust": lambda: analysis.ancova(value, *who, covariates=x, robust=True),
        "mmrm": lambda: analysis.mmrm(visits, *who, covariates=x[..., :1]),
        "mmrm, adjusted": lambda: analysis.mmrm(visits, *who, covariates=x[..., :1], adjust=True),
        "mmrm, ar1": lambda: analysis.mmrm(visits, *who, covariates=x[..., :1], structure="ar1"),
        "proportions": lambda: analysis.proportions(answer, *who),
        "cochran_mantel_haenszel": lambda: analysis.cochran_mantel_haenszel(answer, *who, strata=strata, levels=3),
        "logistic": lambda: analysis.logistic(answer, *who, covariates=x),
        "logistic_standardised": lambda: analysis.logistic_standardised(answer, *who, covariates=x),
        "log_rank": lambda: analysis.log_rank(*timed),
        "log_rank, stratified": lambda: analysis.log_rank(*timed, strata=strata),
        "cox": lambda: analysis.cox(*timed),
        "cox, covariates and strata": lambda: analysis.cox(*timed, covariates=x, strata=strata),
        "rmst": lambda: analysis.rmst(*timed, until=1.0),
        "milestone": lambda: analysis.milestone(*timed, at=1.0),
        "wilcoxon": lambda: analysis.wilcoxon(value, *who),
        "win_ratio": lambda: analysis.win_ratio(several, *who),
        "finkelstein_schoenfeld": lambda: analysis.finkelstein_schoenfeld(several, *who),
        "crossover_many": lambda: analysis.crossover_many(visits, (arm[..., None] + np.arange(VISITS)) % 2, inside),
    }


def seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - began


@click.command()
@click.option("--only", multiple=True, help="an analysis; all of them without")
def main(only: tuple[str, ...]) -> None:
    for name, call in calls().items():
        if only and name not in only:
            continue
        first = seconds(call)
        best = min(seconds(call) for _ in range(5))
        line = {"benchmark": "analyses", "analysis": name, "replicates": REPLICATES, "people": PEOPLE}
        line |= {"run_ms": round(1000 * best, 2), "compile_s": round(first - best, 2), "device": "CPU"}
        click.echo(json.dumps(line | {"jax": jax.__version__}))


if __name__ == "__main__":
    main()
