"""Does the null trial of adaptr's README come out, and in what time? One JSON line a quantity, and one of the time.

python benchmarks/adaptive.py [--replicates 20000] [--shared ../shared/data]

Three arms with an undesirable outcome in 25 % of each, shares that follow the probability of being the best, looks as
300, 400, ... 2,000 persons are known. adaptr prints 33.1 s for 1,000 trials, with 5,000 draws a look.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from twin.statistics.adapt.rule import ALIKE, SUPERIOR, AdaptiveRule  # noqa: E402
from twin.statistics.adapt.simulate import AdaptiveTrials, simulate_adaptive  # noqa: E402

PRINTED_SECONDS = 33.1


def quantities(found: AdaptiveTrials) -> dict[str, tuple[float, float]]:
    """Of trials, by adaptr's names, each with its Monte-Carlo standard error (NaN where we have none)."""
    rows, several = np.arange(len(found.size)), len(found.size)
    arm = found.choice
    a, n = found.events[rows, arm] + 1, found.persons[rows, arm] + 2
    away = (a - 1 / 3) / (n - 2 / 3) - 0.25  # the median of the posterior
    events = found.events.sum(axis=1)
    shares = {
        "prob_superior": found.status == SUPERIOR,
        "prob_equivalence": found.status == ALIKE,
        "prob_conclusive": found.status != 0,
        **{f"prob_select_{name}": arm == k for k, name in enumerate("ABC")},
    }
    told = {name: (float(is_so.mean()), float(is_so.std() / np.sqrt(several))) for name, is_so in shares.items()}
    told |= {"size_mean": (float(found.size.mean()), float(found.size.std() / np.sqrt(several)))}
    told |= {"sum_events_mean": (float(events.mean()), float(events.std() / np.sqrt(several)))}
    told |= {"size_sd": (float(found.size.std()), np.nan), "size_p25": (float(np.percentile(found.size, 25)), np.nan)}
    told |= {"rmse_selected_arm": (float(np.sqrt((away**2).mean())), np.nan)}
    return told | {"mae_selected_arm": (float(np.median(np.abs(away))), np.nan)}


def simulate(replicates: int, seed: int) -> AdaptiveTrials:
    rule = AdaptiveRule(superior=0.9814318, alike=0.9, within=0.05, floor=0.2, higher=False)
    randomised = [*range(400, 2001, 100), 2000]
    return simulate_adaptive(rule, [0.25] * 3, range(300, 2001, 100), randomised, replicates=replicates, seed=seed)


@click.command()
@click.option("--replicates", default=20_000, help="trials")
@click.option("--shared", default=str(ROOT.parent / "shared" / "data"), help="the folder of public data")
def main(replicates: int, shared: str) -> None:
    simulate(1000, seed=0)
    seconds = []
    for seed in range(1, 8):
        began = time.perf_counter(), time.process_time()
        simulate(1000, seed)
        seconds.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, cpu = (float(one) for one in np.median(seconds, axis=0))
    took = {"seconds_per_1000": round(wall, 4), "cpu_seconds": round(cpu, 4), "adaptr_printed": PRINTED_SECONDS}
    print(json.dumps(took | {"times_as_fast": round(PRINTED_SECONDS / wall)}))
    table = Path(shared) / "trials" / "adaptr_readme" / "expected.csv"
    with table.open(encoding="utf-8") as file:
        printed = {row["quantity"]: row for row in csv.DictReader(file)}
    for name, (ours, error) in quantities(simulate(replicates, seed=1)).items():
        theirs, other = float(printed[name]["value"]), float(printed[name]["monte_carlo_se"] or "nan")
        apart = (ours - theirs) / np.hypot(other, 0.0 if np.isnan(error) else error)
        line = {"ours": ours, "se": error, "adaptr": theirs, "its_se": other, "apart_in_se": float(apart)}
        known = {key: round(value, 5) for key, value in line.items() if not np.isnan(value)}
        print(json.dumps({"quantity": name} | known))


if __name__ == "__main__":
    main()
