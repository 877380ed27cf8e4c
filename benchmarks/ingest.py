"""How fast are patients' own files read, and in how much memory? One JSON line a format.

python benchmarks/ingest.py                                  # a NONMEM table of 1,000,000 rows, 1,000 FHIR bundles
python benchmarks/ingest.py --only nonmem --n 4000000
"""

from __future__ import annotations

import json
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from ensemble import settle

SIZES = {"nonmem": 1_000_000, "fhir": 1_000}
ROWS = 50  # of one person in the table: 5 doses with two repetitions each, 45 readings
MAPPING = {
    "cmt 1": "tablet", "dvid 1": "s_warfarin", "dvid 2": "inr", "column AGE": "age", "column CYP2C9": "cyp2c9",
    "column VKORC1": "vkorc1",
}  # fmt: skip
SHARED = Path(os.environ.get("TWIN_SHARED", Path(__file__).parents[2] / "shared"))


# --- files, made on the fly ---------------------------------------------------------------------------


def write_table(folder: Path, rows: int) -> dict[str, float]:
    """A table of concentrations and INRs of warfarin patients; what was written, for comparison."""
    generator = random.Random(1)
    known = {"doses": 0, "readings": 0, "censored": 0, "sum": 0.0}
    with open(folder / "data.csv", "w") as file:
        file.write("ID,TIME,EVID,AMT,CMT,RATE,II,ADDL,SS,DV,MDV,DVID,CENS,WT,AGE,CYP2C9,VKORC1\n")
        for row in range(rows):
            person, visit = divmod(row, ROWS)
            if visit == 0:
                weight, age = generator.gauss(75, 12), generator.randint(40, 90)
                who = f"{age},{generator.choice(('*1/*1', '*1/*3'))},{generator.choice(('GG', 'GA', 'AA'))}\n"
            weight += generator.gauss(0, 0.2)
            if visit % 10 == 0:
                known["doses"] += 1
                file.write(f"{person + 1},{visit * 7.2:g},1,5,1,0,24,2,0,.,1,.,0,{weight:.1f},{who}")
            else:
                known["readings"] += 1
                value, censored = round(generator.lognormvariate(0.5, 0.4), 4), visit % 37 == 0
                known["sum"] += value
                known["censored"] += censored
                kind = 1 + visit % 2
                file.write(
                    f"{person + 1},{visit * 7.2:.2f},0,.,2,.,.,.,.,{value},0,{kind},{censored:d},{weight:.1f},{who}"
                )
    return known


def write_bundles(folder: Path, count: int) -> dict[str, float]:
    """Synthea's bundles again and again, each time with identifiers of its own; their people and observations."""
    templates = [path.read_text(encoding="utf-8") for path in sorted((SHARED / "data/fhir_synthea_r4").glob("*.json"))]
    if not templates:
        raise click.ClickException(f"no Synthea bundles at {SHARED}/data/fhir_synthea_r4; set TWIN_SHARED")
    parts = [re.split(r"\b([0-9a-f]{8})(?=-[0-9a-f]{4}-[0-9a-f]{4}-)", one) for one in templates]
    observed = [sum(e["resource"]["resourceType"] == "Observation" for e in json.loads(t)["entry"]) for t in templates]
    known = {"people": float(count), "observations": 0.0}
    for i in range(count):
        pieces = list(parts[i % len(parts)])
        pieces[1::2] = [f"{(int(one, 16) + i) % 2**32:08x}" for one in pieces[1::2]]
        (folder / f"{i:05d}.json").write_text("".join(pieces), encoding="utf-8")
        known["observations"] += observed[i % len(observed)]
    return known


# --- reading them, each in a process of its own -------------------------------------------------------


def peak() -> float:
    """The most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(action: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """The last result, and the median of the seconds."""
    seconds, found = [], None
    for _ in range(repeats):
        found = None  # its memory is there for the next one
        clock = time.perf_counter()
        found = action()
        seconds.append(time.perf_counter() - clock)
    return found, statistics.median(seconds)


def read_nonmem(folder: Path, known: dict[str, float], repeats: int) -> dict[str, Any]:
    """File -> columns, then columns -> patients bound to the warfarin model."""
    from twin.ingest import nonmem

    (table, _), read_s = timed(lambda: nonmem.read_table(folder / "data.csv"), repeats)
    read_peak = peak()
    import twin

    model = twin.load_model("warfarin")
    (people, _), bind_s = timed(lambda: table.bind(model, MAPPING), repeats)
    found = {
        "doses": sum(len(p.doses) for p in people),
        "readings": sum(len(p.observations) for p in people),
        "censored": sum(o.bound != 0 for p in people for o in p.observations),
        "sum": sum(o.value for p in people for o in p.observations),
    }
    counts = all(found[name] == known[name] for name in ("doses", "readings", "censored"))
    return {
        "n": len(table), "people": len(people), "file_mib": round((folder / "data.csv").stat().st_size / 2**20, 1),
        "read_s": round(read_s, 2), "bind_s": round(bind_s, 2), "rows_per_s": round(len(table) / read_s),
        "rows_per_s_bound": round(len(table) / (read_s + bind_s)), "read_peak_mib": round(read_peak),
        "peak_mib": round(peak()), "counts_equal": counts, "rel_err_of_sum": abs(found["sum"] / known["sum"] - 1),
    }  # fmt: skip


def read_fhir(folder: Path, known: dict[str, float], repeats: int) -> dict[str, Any]:
    """Bundles -> charts."""
    from twin.ingest import fhir

    (charts, report), read_s = timed(lambda: fhir.read(folder), repeats)
    observed = sum(n for (_, kind, reason), n in report.counts.items() if (kind, reason) == ("read", "Observation"))
    size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
    return {
        "n": len(list(folder.iterdir())), "people": len(charts), "file_mib": round(size, 1),
        "readings": sum(len(c.readings) for c in charts), "given": sum(len(c.given) for c in charts),
        "read_s": round(read_s, 2), "bundles_per_s": round(known["people"] / read_s, 1),
        "mib_per_s": round(size / read_s, 1), "peak_mib": round(peak()),
        "counts_equal": len(charts) == known["people"] and observed == known["observations"],
    }  # fmt: skip


WRITE = {"nonmem": write_table, "fhir": write_bundles}
READ = {"nonmem": read_nonmem, "fhir": read_fhir}


def lines(names: tuple[str, ...], n: int | None, repeats: int, cores: int) -> Iterator[dict[str, Any]]:
    """A measurement each; a process of its own sees to it that the memory is that of the reading alone."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            known = WRITE[name](Path(folder), n or SIZES[name])
            command = [sys.executable, __file__, "--only", name, "--repeats", str(repeats), "--cores", str(cores)]
            words = json.dumps({"folder": folder, "known": known})
            found = subprocess.run([*command, "--measure", words], stdout=subprocess.PIPE, text=True, check=True)
            yield json.loads(found.stdout)


@click.command()
@click.option("--only", "names", type=click.Choice(tuple(SIZES)), multiple=True, help="Which; both by default.")
@click.option("--n", type=int, help="How many rows, or bundles.")
@click.option("--repeats", type=int, default=3)
@click.option("--cores", type=int, default=1, help="Keep to so many cores.")
@click.option("--measure", hidden=True, help="What was written where: this process reads it.")
def main(names: tuple[str, ...], n: int | None, repeats: int, cores: int, measure: str | None) -> None:
    """Read a NONMEM table and FHIR bundles, and compare with what was written."""
    cores = settle(cores)
    if measure is None:
        for line in lines(names or tuple(SIZES), n, repeats, cores):
            click.echo(json.dumps(line))
        return
    words = json.loads(measure)
    line = {"workload": f"ingest {names[0]}", "cores": cores, "python": platform.python_version()}
    click.echo(json.dumps(line | READ[names[0]](Path(words["folder"]), words["known"], repeats)))


if __name__ == "__main__":
    main()
