"""Does what `simulate` runs compile for an accelerator, and into what? One JSON line each; no accelerator is needed.

python benchmarks/compile_ahead.py --target h100 --model docetaxel_neutropenia --solver tsit5 --dtype float32
python benchmarks/compile_ahead.py --target v5e --dtype float32 --library --into FILE.jsonl      # resumed by FILE
python benchmarks/compile_ahead.py --table FILE.jsonl --table OTHER.jsonl                        # for the docs page

Needs the environment that `make accelerators` sets up. Each program compiles in a process of its own, so that a
compiler's crash is a line, too. docs/design/accelerators.md explains what the lines mean.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
PAGE = ROOT / "docs" / "design" / "accelerators.md"
LONGEST = 1800  # seconds a program may compile
FIGURES = ("compile_s", "compile_cpu_s", "registers", "stack_bytes", "spill_store_bytes", "spill_load_bytes")

Row = tuple[str, str, str]  # model, solver, dtype


class Asked(NamedTuple):
    """For what to compile, and which of a run's programs."""

    target: str
    epochs: bool = False
    backend: str | None = None

    def told(self) -> dict[str, Any]:
        """What a line says of it; of Triton, whose lines are older than there was a choice, nothing."""
        also = {"program": "epochs"} if self.epochs else {}
        if self.target != "v5e" and self.backend != "triton":
            also["backend"] = self.backend or "cuda"
        return {"benchmark": "compile_ahead", "target": self.target, "jax": version("jax")} | also


@click.command()
@click.option("--target", default="h100", show_default=True, help="v5e, or a file of benchmarks/targets/.")
@click.option("--model", "models", multiple=True, help="All of the library by default.")
@click.option("--solver", "solvers", multiple=True, default=("auto",), show_default=True)
@click.option("--dtype", "dtypes", type=click.Choice(["float32", "float64"]), multiple=True, default=("float32",))
@click.option("--library", is_flag=True, help="Every model: its own method in both precisions, then the other methods.")
@click.option("--epochs", is_flag=True, help="What takes lanes on to where a rule decides, instead of whole courses.")
@click.option("--backend", type=click.Choice(["cuda", "triton", "xla"]), help="How lanes are solved; the target's own.")
@click.option("--into", type=click.Path(path_type=Path), help="Append lines here, and leave out what is there already.")
@click.option("--table", "tables", type=click.Path(exists=True, path_type=Path), multiple=True, help="Fill the page.")
@click.option("--inside", hidden=True, type=click.Path(path_type=Path), help="Compile here, dumping into a folder.")
def main(
    target: str, models: tuple[str, ...], solvers: tuple[str, ...], dtypes: tuple[str, ...], library: bool,
    epochs: bool, backend: str | None, into: Path | None, tables: tuple[Path, ...], inside: Path | None,
) -> None:  # fmt: skip
    """Compile ahead and print what came out."""
    if tables:
        return fill_page(tables)
    asked_for = Asked(target, epochs, backend)
    if inside:
        return print(json.dumps(here(asked_for, (models[0], solvers[0], dtypes[0]), inside)))
    os.environ["JAX_PLATFORMS"] = "cpu"  # of this process, too, which asks models what applies
    from tests.reference import modules

    names = models or [name for name, module in modules().items() if hasattr(module, "COURSE")]
    asked = [(n, s, d) for s in solvers for d in dtypes for n in names]
    for row in list(every(names, dtypes)) if library else asked:
        line = compiled_apart(asked_for, row, known(into))
        if line is None:
            continue
        print(json.dumps(line), flush=True)
        if into:
            with into.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def every(names: Any, dtypes: tuple[str, ...]) -> Iterator[Row]:
    """What a table of the library has, what matters most first."""
    yield from ((name, "auto", dtype) for dtype in dtypes for name in names)
    yield from ((name, solver, dtypes[0]) for solver in ("rosenbrock", "tsit5") for name in names)


def known(file: Path | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file and file.exists() else []


# --- compiling ----------------------------------------------------------------------------------------


def compiled_apart(asked: Asked, row: Row, lines: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The line of one program, from a process of its own; None for what is known or a solver that does not apply."""
    told = asked.told()
    told |= dict(zip(("model", "solver", "dtype"), row, strict=True))
    if any(told.items() <= line.items() for line in lines) or not applies(row):
        return None
    with tempfile.TemporaryDirectory() as dump:
        command = [sys.executable, __file__, "--inside", dump, "--target", asked.target]
        command += ["--epochs"] * asked.epochs + (["--backend", asked.backend] if asked.backend else [])
        command += ["--model", row[0], "--solver", row[1], "--dtype", row[2]]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, env=environment(dump), timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return told | {"error": f"not compiled in {LONGEST} s"}
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or ["nothing"]
        return told | {"error": f"process ended with {ran.returncode}: {said[-1][:300]}"}
    return told | json.loads(ran.stdout.splitlines()[-1])


def environment(dump: str) -> dict[str, str]:
    """JAX on the CPU, which only traces, and XLA told to keep what it gives the assembler."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_dump_to={dump} --xla_dump_emitter_re=ptx"
    alone = {"TPU_SKIP_MDS_QUERY": "1", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1"}  # no TPU to ask about, or to be locked
    return dict(os.environ) | alone | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags.strip()}


def applies(row: Row) -> bool:
    """Whether a solver asked for by name is another one than the model's own, and can solve it."""
    import twin
    from twin.solver.choose import choose

    model, solver, dtype = twin.load_model(row[0]), row[1], row[2]
    try:
        own, choice = (choose(model, s, dtype=dtype, together=True) for s in ("auto", solver))
    except twin.TwinError:
        return False
    return solver == "auto" or choice.method != own.method


def here(asked: Asked, row: Row, dump: Path) -> dict[str, Any]:
    """Compile in this process."""
    import ahead

    try:
        target = ahead.targets()[asked.target]
        target = dataclasses.replace(target, backend=asked.backend or target.backend)
        line = ahead.compiled(target, *row, epochs=asked.epochs)
    except Exception as problem:  # whatever a compiler throws is the answer to the question
        return {"error": f"{type(problem).__name__}: {(str(problem) or 'nothing').splitlines()[0][:300]}"}
    return line | ahead.figures(dump)


# --- the table ----------------------------------------------------------------------------------------


def fill_page(files: tuple[Path, ...]) -> None:
    """Write the tables of the page, one a target: a row a program, three columns a version of JAX."""
    from generate import fill, table

    lines = [line for file in files for line in known(file)]
    page = PAGE.read_text("utf-8")
    for target in dict.fromkeys(line["target"] for line in lines):
        mine = [line for line in lines if line["target"] == target and "program" not in line]
        versions = sorted({line["jax"] for line in mine}, key=lambda v: [int(n) for n in v.split(".")])
        rows: dict[Row, dict[str, str]] = {}
        for line in sorted(mine, key=lambda x: (x["model"], x["solver"], x["dtype"])):
            method = line.get("method", line["solver"])
            rows.setdefault((line["model"], method, line["dtype"]), {})[line["jax"]] = shown(line)
        body = [[f"`{row[0]}`", *row[1:], *(cells.get(v, "") for v in versions)] for row, cells in rows.items()]
        head = ["model", "method", "precision", *(f"JAX {v}" for v in versions)]
        page = fill(page, f"compiled {target}", table(head, body))
    PAGE.write_text(page, "utf-8")


def shown(line: dict[str, Any]) -> str:
    """A line as a cell: seconds of CPU, and what decides a kernel's speed."""
    if "error" in line:
        return line["error"]
    seconds = f"{line['compile_cpu_s']:.0f} s"
    if "registers" not in line:
        return seconds
    spilt = f"{line['spill_store_bytes']} + {line['spill_load_bytes']}"
    return f"{seconds}; {line['registers']} registers; {spilt} spilt; {line['stack_bytes']} stack"


if __name__ == "__main__":
    main()
