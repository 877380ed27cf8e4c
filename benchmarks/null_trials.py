"""How often does each analysis find an effect where there is none? One JSON line an analysis.

python benchmarks/null_trials.py                            # 100,000 replicates of each, minutes
python benchmarks/null_trials.py --only cox --replicates 10000

Rates are of a two-sided test at 0.05, and of its halves; `se` is theirs by chance, so that a right analysis lies within
3 of them of what is nominal.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.statistics.nulls import NULLS, error, run

NOMINAL = 0.05


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(NULLS)), help="an analysis; all of them without")
@click.option("--replicates", default=100_000, help="of each, in steps of 10,000")
@click.option("--seed", default=1, help="of the first; each analysis has its own")
def main(only: tuple[str, ...], replicates: int, seed: int) -> None:
    for place, (name, null) in enumerate(NULLS.items()):
        if only and name not in only:
            continue
        began = time.perf_counter()
        rates = run(null, replicates, seed=seed + place)
        se = error(NOMINAL, replicates)
        line = {
            "benchmark": "null_trials", "analysis": name, "people": null.people, "exact": null.exact,
            "nominal": NOMINAL, "rate": round(rates.two_sided, 5), "se": round(se, 5),
            "above": round(rates.above, 5), "below": round(rates.below, 5), "lost": rates.lost,
            "standard_errors_off": round((rates.two_sided - NOMINAL) / se, 2),
            "replicates": replicates, "seconds": round(time.perf_counter() - began, 1), "device": "CPU",
        }  # fmt: skip
        click.echo(json.dumps(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
