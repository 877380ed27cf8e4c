"""How long does a user wait for each model of the library? One JSON line a model; docs/models/index.md shows them.

python benchmarks/library.py [NAME ...] [--docs]

The model's course (tests/reference) with a few outcomes for 1,000 drawn individuals: seconds of compiling in a fresh
process with no compiled program kept, of solving, and again with programs kept from an earlier run.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
DRAWS = 1000


def measured(name: str) -> dict[str, float]:
    """What one process sees: run it with `--one`."""
    from cli.runtime import prepare_jax

    prepare_jax()
    import twin
    from tests.reference import modules

    module = modules()[name]
    regimen, times = module.COURSE
    found = twin.simulate(
        twin.load_model(name), twin.Patient("ana"), regimens={"course": regimen}, draws=DRAWS, seed=1,
        times=[float(t) for t in times], outcomes=list(module.OUTCOMES),
    )  # fmt: skip
    failed = int((found["sample_stats/status"].values != 0).sum())
    seconds = {word: found.attrs[f"{word}_seconds"] for word in ("compile", "run")}
    return seconds | {"failed": failed, "solver": found.attrs["solver"]}


def process(name: str, cache: str) -> dict[str, float]:
    """The same from a fresh process that keeps compiled programs in `cache`."""
    environment = {"XDG_CACHE_HOME": cache, "PATH": "/usr/bin:/bin", "HOME": cache}
    ran = subprocess.run(
        [sys.executable, __file__, "--one", name], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(ran.stdout.splitlines()[-1])


@click.command()
@click.argument("names", nargs=-1)
@click.option("--one", is_flag=True, hidden=True)
@click.option("--docs", is_flag=True, help="Write the table of docs/models/index.md.")
def main(names: tuple[str, ...], one: bool, docs: bool) -> None:
    if one:
        print(json.dumps(measured(names[0])))
        return
    from generate import PAGES, fill, table

    import twin
    from tests.reference import courses

    rows = []
    for name in names or sorted(courses()):
        with tempfile.TemporaryDirectory() as cache:
            first, second = (process(name, cache) for _ in range(2))
        line = {
            "benchmark": "library", "model": name, "draws": DRAWS, "solver": first["solver"], "failed": first["failed"],
            "compile_seconds": first["compile"], "compile_seconds_kept": second["compile"],
            "run_seconds": second["run"], "machine": platform.processor() or platform.machine(),
        }  # fmt: skip
        print(json.dumps(line), flush=True)
        states = len(twin.load_model(name).states())
        shown = (f"{first['compile']:.1f}", f"{second['compile']:.1f}", f"{second['run']:.2f}")
        rows.append([f"[`{name}`]({name}.md)", str(states), str(first["solver"]), *shown])
    if docs:
        head = ("model", "states", "solver", "compiling, s", "compiling again, s", f"{DRAWS:,} individuals, s")
        index = PAGES / "index.md"
        index.write_text(fill(index.read_text("utf-8"), "waiting", table(head, rows)), "utf-8")


if __name__ == "__main__":
    main()
