"""What does treatment that reacts cost, and how much does choosing doses by a posterior gain? One JSON line each.

python benchmarks/feedback.py cost                   # beside the same doses fixed in advance, in one run
python benchmarks/feedback.py replay --n 200000      # a ledger repeated: equal to the last bit?
python benchmarks/feedback.py chosen --n 1000        # vancomycin by troughs, by area, and fixed
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import click

RULES = [{"above": 3, "dose": "x 0.925"}, {"below": 2, "dose": "x 1.075"}, {"dose": "same"}]
WEEKLY = {"measure": "inr", "at": ["day 7", "then every 7 day"], "rules": RULES}
FIXED, FOLLOWED = "5 mg q24h x84", {"start": "5 mg q24h x84", "feedback": WEEKLY}
VISITS = {"dose": [3, 6, 9], "before": "0.5 h"}
PRODUCTS = {"multiple_of": "125 mg", "most": "3 g"}


@click.group()
def main() -> None:
    from cli.runtime import prepare_jax

    prepare_jax()


def warfarin(arm: Any, n: int, **more: Any) -> Any:
    """Twelve weeks, eleven decisions; no course is stored."""
    import twin

    how = {"draws": n, "until": "84 day", "times": (), "outcomes": ["time_in_range"], "solver": "ensemble"} | more
    return twin.simulate("warfarin", twin.Patient("ana"), regimens={"a": arm}, **how)


def show(**line: Any) -> None:
    import jax

    told = {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}
    print(json.dumps({"benchmark": "feedback"} | told | {"jax": jax.__version__}), flush=True)


@main.command()
@click.option("--n", default=20_000)
@click.option("--repeats", default=3)
def cost(n: int, repeats: int) -> None:
    """Seconds of the clock and of the processor, the median of the repeats."""
    found = {}
    for name, arm in (("fixed", FIXED), ("feedback", FOLLOWED)):
        warfarin(arm, 64)  # compiles
        runs = [timed(arm, n) for _ in range(repeats)]
        clock, cpu = (sorted(one)[repeats // 2] for one in zip(*runs, strict=True))
        found[name] = (clock, cpu)
        show(question="cost", arm=name, n=n, seconds=clock, cpu_seconds=cpu)
    ratios = [b / a for a, b in zip(found["fixed"], found["feedback"], strict=True)]
    show(question="cost", arm="feedback / fixed", n=n, seconds=ratios[0], cpu_seconds=ratios[1])


def timed(arm: Any, n: int) -> tuple[float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    warfarin(arm, n)
    return time.perf_counter() - clock, time.process_time() - cpu


@main.command()
@click.option("--n", default=200_000)
def replay(n: int) -> None:
    """Courses that react, and the same from their ledger."""
    import numpy as np

    warfarin(FOLLOWED, 64)
    began = time.perf_counter()
    first = warfarin(FOLLOWED, n)
    middle = time.perf_counter()
    second = warfarin(FOLLOWED, n, ledger=first)
    ended = time.perf_counter()
    names = ("outcomes/time_in_range", "sample_stats/status")
    equal = all(np.array_equal(first[name].values, second[name].values) for name in names)
    show(question="replay", n=n, seconds=middle - began, replay_seconds=ended - middle, equal=equal)


@main.command()
@click.option("--n", default=1000, help="Patients: draws of one description.")
@click.option("--method", default="importance")
def chosen(n: int, method: str) -> None:
    """Share with an area of 400 to 600 on the seventh day; three decisions of each."""
    import numpy as np

    import calibration
    import twin
    from twin.model import Area

    aim = {"area": "vancomycin", "from": 400, "to": 600, "after": "24 h", "over": "24 h"}
    choose = {"aim": aim, "by": "probability", "estimate": {"method": method}}
    shared: Mapping[str, Any] = {"measure": "vancomycin", "at": VISITS, "doses": PRODUCTS}
    steps = [{"below": 10, "dose": "+25 %"}, {"above": 15, "dose": "-25 %"}, {"dose": "same"}]
    start = "1 g over 1 h q12h"
    arms = {
        "by area": {"start": start, "feedback": {**shared, "rules": [{"dose": "chosen"}], "choose": choose}},
        "by trough": {"start": start, "feedback": {**shared, "rules": steps}},
        "fixed": start,
    }
    ana = twin.Patient("ana", covariates={"age": 60, "weight": 75, "creatinine": 1.0})
    how = {"until": "7 day", "times": [], "outcomes": {"auc": Area(of="vancomycin", since="6 day", until="7 day")}}
    for draws in (8, n):  # compiles, then counts
        began = time.perf_counter()
        result = twin.simulate("vancomycin", ana, regimens=arms, draws=draws, choose=calibration.choose_dose, **how)
        seconds = time.perf_counter() - began
    area = result["outcomes/auc"].isel(patient=0)
    for arm in arms:
        values = area.sel(regimen=arm).values
        share = float(np.mean((values >= 400) & (values <= 600)))
        show(question="chosen", arm=arm, n=n, method=method, share=share, error=float(np.sqrt(share * (1 - share) / n)),
             median=float(np.median(values)))  # fmt: skip
    decisions = result["decisions"].to_dataset().sel(regimen="by area")
    doubtful, made = float(np.nansum(decisions["doubtful"])), int(np.isfinite(decisions["doubtful"]).sum())
    show(question="chosen", n=n, method=method, seconds=seconds, decisions=made, doubtful=doubtful)


if __name__ == "__main__":
    main()
