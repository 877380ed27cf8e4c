"""Simulation-based calibration of full Bayes: does the truth rank evenly among posterior draws, over 300 replicates?

python benchmarks/fit_sbc.py --replicates 300            # one JSON line: p-values of chi-square by number

Population, patients and measurements are drawn from the prior and the model, NumPy alone; the fit gets the same
prior. Ten patients, four values each of 1 + level: the level is log-normal, the error proportional.
"""

from __future__ import annotations

import argparse
import json
import math
import time

import equinox as eqx
import jax
import numpy as np
from scipy import stats

jax.config.update("jax_enable_x64", True)

from calibration.parallel import each  # noqa: E402
from calibration.population.fit import fit_population  # noqa: E402
from twin.model import DiseaseModel, Proportional, log_normal, observable, parameter, state  # noqa: E402
from twin.patient import Observation, Patient  # noqa: E402
from twin.types import Scalar  # noqa: E402

PEOPLE, LOOKS, BINS = 10, 4, 10
KEPT = 99  # draws among which the truth ranks, thinned until they are as good as independent
PRIORS = {
    "values": {"level": {"normal": {"median": 2.0, "cv": 0.5}}, "error": {"normal": {"median": 0.2, "cv": 0.3}}},
    "spread": {"half_normal": 0.5},
}  # fmt: skip


class Level(DiseaseModel):
    name, title, time_unit, linear = "level_of_benchmark", "a level and an error", "day", ("nothing",)

    class State(eqx.Module):
        nothing: Scalar = state("1", "nothing")

    class Parameters(eqx.Module):
        level: Scalar = parameter(2.0, "1", "level", spread=log_normal(variance=0.16))
        error: Scalar = parameter(0.2, "1", "proportional error")

    def derivatives(self, t, y, p):
        return self.State(0.0 * y.nothing)

    @observable(unit="1", noise=Proportional("error"))
    def result(self, t, y, p):
        return 1.0 + p.level + 0.0 * t


def draw(seed: int) -> tuple[dict[str, float], list[Patient]]:
    """A population from the prior, and its patients."""
    rng = np.random.default_rng([seed, 1])
    level = 2.0 * math.exp(math.sqrt(math.log1p(0.5**2)) * rng.standard_normal())
    error = 0.2 * math.exp(math.sqrt(math.log1p(0.3**2)) * rng.standard_normal())
    sd = abs(0.5 * rng.standard_normal())
    own = 1 + level * np.exp(sd * rng.standard_normal((PEOPLE, 1)))
    y = own * (1 + error * rng.standard_normal((PEOPLE, LOOKS)))
    people = [
        Patient(f"{i:02d}", observations=[Observation("result", 1.0 + k, float(v)) for k, v in enumerate(row)])
        for i, row in enumerate(y)
    ]
    return {"level": level, "error": error, "variance of level": sd**2}, people


def rank(seed: int) -> tuple[dict[str, int], tuple[str, ...]]:
    """How many of the posterior's draws lie below the truth, and what speaks against that posterior."""
    truth, people = draw(seed)
    found = fit_population(Level(), people, method="bayes", priors=PRIORS, seed=seed)
    told = found.vectors()
    places = np.random.default_rng([seed, 2]).permutation(len(told.x))[:KEPT]
    return {n: int(np.sum(told.by_name[n][places] < v)) for n, v in truth.items()}, told.doubts


def p_values(ranks: dict[str, np.ndarray], bins: int = BINS) -> dict[str, float]:
    """Of chi-square for evenness, by number."""
    found = {}
    for name, values in ranks.items():
        counts = np.histogram(values, bins=bins, range=(-0.5, KEPT + 0.5))[0]
        found[name] = float(stats.chisquare(counts).pvalue)
    return found


def calibrate(replicates: int, seed: int = 0, bins: int = BINS) -> dict[str, object]:
    """Ranks of all replicates: none is left out, but doubted ones are counted."""
    began = time.perf_counter()
    results = [rank(seed * 100_000), *each(rank, [seed * 100_000 + i for i in range(1, replicates)])]
    ranks = {name: np.array([one[name] for one, _ in results]) for name in results[0][0]}
    doubted = [doubts for _, doubts in results if doubts]
    return {
        "replicates": replicates, "doubted": len(doubted), "p": p_values(ranks, bins),
        "mean rank": {n: float(v.mean() / KEPT) for n, v in ranks.items()},
        "doubts": sorted({d.split(":")[0][:60] for one in doubted for d in one}),
        "seconds": time.perf_counter() - began,
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    print(json.dumps(calibrate(told.replicates, told.seed)))
