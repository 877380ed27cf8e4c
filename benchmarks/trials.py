"""How fast are whole trials simulated, in how much memory, and does anything depend on threads or batches?

python benchmarks/trials.py                   # all of it, one command; JSON lines
python benchmarks/trials.py --replicates 100  # the same, smaller

The trials are the shipped ones of warfarin, with 200 patients, and of sunitinib, with its looks; each under its own
effect alone. A line is a process of its own; the first of a trial compiles its programs, the others find them kept.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
TRIALS = {"warfarin": 200, "sunitinib": 300}  # patients
RESULTS = ("effect", "error", "z", "look", "rejected", "randomised", "duration")


def run(
    trial: str, replicates: int, workers: int | None, courses: int | None, prognosis: bool, keep: Path
) -> dict[str, Any]:  # fmt: skip
    """One run, measured; what came of each replicate is kept in a file. A prognosis is one more course a patient."""
    from cli.runtime import prepare_jax

    prepare_jax()
    import jax

    from calibration.answer import run_trial
    from twin.scenario import load_scenario
    from twin.trials import simulate

    if courses is not None:
        simulate._COURSES = courses
    scenario = load_scenario(ROOT / "scenarios" / trial / "trial.yaml")
    assert scenario.design is not None
    design = scenario.design.but(patients=TRIALS[trial], no_effect=False, replicates=replicates)
    if not prognosis:
        design = design.but(endpoints=tuple(map(_without_prognosis, design.endpoints)))
    began, used = time.perf_counter(), time.process_time()
    tree = run_trial(dataclasses.replace(scenario, design=design), example=None, workers=workers)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    each = tree["replicates"].to_dataset().isel(run=0)
    np.savez(keep, **{name: each[name].values for name in RESULTS})
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(each[name].values).tobytes() for name in RESULTS))
    operating = tree["operating"].to_dataset().isel(run=0, hypothesis=0)
    return {
        "benchmark": "trials", "trial": trial, "replicates": replicates, "patients": TRIALS[trial],
        "workers": workers or "as usual", "courses_a_part": courses or simulate._COURSES,
        "prognosis": any("prognosis" in endpoint.analysis.adjust for endpoint in design.endpoints),
        "wall_s": round(seconds, 1), "cpu_s": round(cpu, 1),
        "highest_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "power": [round(float(operating[n]), 4) for n in ("power", "power_se")],
        "failed": float(tree["size"]["failed_courses"].isel(run=0)), "sha256": digest.hexdigest()[:16],
        "jax": jax.__version__, "python": platform.python_version(), "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def _without_prognosis(endpoint: Any) -> Any:
    kept = tuple(name for name in endpoint.analysis.adjust if name != "prognosis")
    return dataclasses.replace(endpoint, analysis=dataclasses.replace(endpoint.analysis, adjust=kept))


def compare(one: Path, other: Path) -> dict[str, Any]:
    """Whether what came of the replicates that both have is the same to the last bit, and if not, by how much not."""
    first, second = np.load(one), np.load(other)
    count = min(len(first["look"]), len(second["look"]))
    pairs = [(first[name][:count], second[name][:count]) for name in RESULTS]
    far = max(float(np.nanmax(np.abs(a.astype(float) - b) / np.maximum(np.abs(a), 1e-300))) for a, b in pairs)
    same = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)
    decided = bool((first["rejected"][:count] == second["rejected"][:count]).all())
    return {"replicates": count, "identical": same, "decisions_equal": decided, "largest_relative_difference": far}


def measure(trial: str, replicates: int, folder: Path) -> None:
    few = max(replicates // 5, 1)
    runs = {
        "first, compiles": (replicates, 0, 0, True), "again": (replicates, 0, 0, True), "fewer": (few, 0, 0, True),
        "1 worker": (few, 1, 0, True), "2 workers": (few, 2, 0, True), "smaller parts": (few, 0, 5000, True),
    }  # fmt: skip
    runs |= {"without prognosis": (replicates, 0, 0, False)} if trial == "warfarin" else {}
    told = {}
    for name, numbers in runs.items():
        keep = folder / f"{trial} {name}.npz"
        asked = [trial, *(str(int(number)) for number in numbers), str(keep)]
        kept = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder / "programs"), "TWIN_TRIALS_CHILD": "1"}
        done = subprocess.run([sys.executable, __file__, *asked], env=kept, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(done.stderr)
        told[name] = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps({"run": name} | told[name]), flush=True)
    for name in ("fewer", "1 worker", "2 workers", "smaller parts"):
        found = compare(folder / f"{trial} again.npz", folder / f"{trial} {name}.npz")
        print(json.dumps({"benchmark": "trials", "trial": trial, "compared": f"again, {name}"} | found), flush=True)
    memory = {str(told[name]["replicates"]): told[name]["highest_mib"] for name in ("again", "fewer")}
    memory = {"benchmark": "trials", "trial": trial, "compared": "memory by replicates", "highest_mib": memory}
    print(json.dumps(memory), flush=True)


@click.command()
@click.option("--replicates", default=1000, help="Trials of the largest runs; the others have a fifth.")
@click.option("--only", type=click.Choice(list(TRIALS)), help="One of the trials.")
def main(replicates: int, only: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for trial in [only] if only else TRIALS:
            measure(trial, replicates, Path(folder))


if __name__ == "__main__":
    if os.environ.get("TWIN_TRIALS_CHILD"):
        trial, *numbers, keep = sys.argv[1:]
        count, workers, courses, prognosis = map(int, numbers)
        print(json.dumps(run(trial, count, workers or None, courses or None, bool(prognosis), Path(keep))))
    else:
        main()
