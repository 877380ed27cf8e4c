"""How good are tuned rules elsewhere, and how fast is a choice for many patients? One JSON line each.

python benchmarks/optimise.py warfarin                # tuned on one model, tested on fresh people and another
python benchmarks/optimise.py vancomycin --n 1000     # dose and interval for each of so many virtual patients
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

SCENARIOS = Path(__file__).parents[1] / "scenarios"
GENOTYPES = {
    "cyp2c9": {"*1/*1": 0.66, "*1/*2": 0.19, "*1/*3": 0.11, "*2/*2": 0.02, "*2/*3": 0.015, "*3/*3": 0.005},
    "vkorc1": {"GG": 0.37, "GA": 0.46, "AA": 0.17},
}  # of Europeans, about


@click.group()
def main() -> None:
    from cli.runtime import prepare_jax

    prepare_jax()


def people_at_random(count: int, seed: int) -> list[Any]:
    """Warfarin patients whom nothing was tuned on."""
    import numpy as np

    import twin

    rng = np.random.default_rng(seed)
    genes = {
        name: rng.choice(list(shares), count, p=np.array(list(shares.values())) / sum(shares.values()))
        for name, shares in GENOTYPES.items()
    }
    ages = np.clip(rng.normal(67, 12, count), 20, 95).round()
    inr = rng.uniform(1.0, 1.2, count).round(2)
    return [
        twin.Patient(
            f"q{i}",
            covariates={
                "age": float(ages[i]),
                "baseline_inr": float(inr[i]),
                **{n: str(g[i]) for n, g in genes.items()},
            },
        )
        for i in range(count)
    ]


@main.command()
@click.option("--n", default=300, help="How many fresh people.")
@click.option("--draws", default=8, help="Draws of each.")
@click.option("--values", help="Values of the slots as JSON, instead of tuning anew.")
def warfarin(n: int, draws: int, values: str | None) -> None:
    import numpy as np

    import twin
    from twin.regimen.template import fill

    scenario = twin.load_scenario(SCENARIOS / "warfarin" / "tuned.yaml")
    assert scenario.aim is not None
    began = time.perf_counter()
    if values is None:
        found = twin.optimise_scenario(scenario).found
        chosen, best = found.values(), found.optima[0].best
        told = {"tuned": best.tuned.value[0], "fresh": best.fresh.value[0], "error": best.fresh.error[0]}
        print(json.dumps({"values": chosen, **told, "seconds": round(time.perf_counter() - began, 1)}), flush=True)
    else:
        chosen = json.loads(values)
    said = scenario.file.model_dump(include={"regimens"}, exclude_unset=True, by_alias=True)["regimens"]
    arms = {"aurora": said["aurora"], "tuned": fill(scenario.aim.template.spec, chosen)}
    people = people_at_random(n, 20261127)
    outcomes = {"ttr": twin.model.Rosendaal(of="inr", low=2.0, high=3.0, longest=56 * 24.0),
                "above_4": twin.model.Duration(of="inr", low=4.0)}  # fmt: skip
    for model in ("warfarin_hamberg2010", "warfarin_hamberg2007"):
        for habits in ({}, {"adherence": {"taken": "80 %", "spread": 0.5, "late": "2 h"}}):
            result = twin.simulate(
                model, people, regimens={name: arm | habits for name, arm in arms.items()}, outcomes=outcomes,
                until="84 day", draws=draws, seed=99, times=[],
            )  # fmt: skip
            ttr = {name: result["outcomes/ttr"].sel(regimen=name).values for name in arms}
            high = {name: float(result["outcomes/above_4"].sel(regimen=name).mean()) / 24 for name in arms}
            pair = np.nanmean(ttr["tuned"] - ttr["aurora"], axis=1)
            print(json.dumps({
                "model": model, "adherence": bool(habits), "people": n, "draws": draws,
                "aurora_percent": round(100 * float(np.nanmean(ttr["aurora"])), 2),
                "tuned_percent": round(100 * float(np.nanmean(ttr["tuned"])), 2),
                "gain_points": round(100 * float(pair.mean()), 2),
                "gain_error": round(100 * float(pair.std(ddof=1) / np.sqrt(n)), 2),
                "days_above_4": {name: round(value, 2) for name, value in high.items()},
                "failed": int((result["sample_stats/status"].values != 0).sum()),
            }), flush=True)  # fmt: skip


@main.command()
@click.option("--n", default=1000, help="How many virtual patients.")
@click.option("--draws", default="16,64,512", help="Draws of the search.")
@click.option("--fresh", default=512, help="Fresh draws.")
@click.option("--dtype", default="float64")
def vancomycin(n: int, draws: str, fresh: int, dtype: str) -> None:
    import numpy as np

    import twin

    rng = np.random.default_rng(1)
    people = [
        twin.Patient(f"v{i}", covariates={
            "age": float(rng.integers(20, 90)), "sex": str(rng.choice(["male", "female"])),
            "weight": float(rng.integers(45, 120)), "creatinine": float(np.exp(rng.normal(0.0, 0.4)).round(2)),
            "dialysis": "none",
        })
        for i in range(n)
    ]  # fmt: skip
    aim = {
        "regimen": "{dose} over 1 h q{every}",
        "choose": {"dose": {"from": "500 mg", "to": "3000 mg", "step": "250 mg"}, "every": ["8 h", "12 h", "24 h"]},
        "maximise": {"probability": "auc24", "from": 400, "to": 600},
        "search": {"draws": [int(k) for k in draws.split(",")], "fresh": fresh},
    }
    outcomes = {"auc24": twin.model.Area(of="vancomycin", since=48.0, until=72.0)}
    for _ in range(2):  # the second finds its programs compiled
        began = time.perf_counter()
        found = twin.optimise("vancomycin", people, optimise=aim, outcomes=outcomes, until="72 h", dtype=dtype)
        seconds = time.perf_counter() - began
        errors = [one.best.fresh.error[0] for one in found.optima]
        print(json.dumps({
            "patients": n, "candidates": 33, "draws": draws, "fresh": fresh, "dtype": dtype,
            "seconds": round(seconds, 2), "seconds_per_10000": round(seconds / n * 10_000, 1),
            "trajectories": found.told["trajectories"], "solve_seconds": found.told["solve_seconds"],
            "courses_per_second": round(found.told["trajectories"] / found.told["solve_seconds"]),
            "mean_attained": round(float(np.mean([one.best.fresh.value[0] for one in found.optima])), 4),
            "mean_error": round(float(np.mean(errors)), 4),
        }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
