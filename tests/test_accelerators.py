"""What `simulate` runs compiles for accelerators that are not here. `make accelerators` has the compilers it takes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "compile_ahead.py"
COMPILERS = {"h100": "jax_plugins.xla_cuda13", "v5e": "libtpu"}
CASES = [
    ("h100", "warfarin_hamberg2010", "tsit5", "float32", ["--backend", "triton"]),
    ("h100", "docetaxel_neutropenia", "rosenbrock", "float64", ["--backend", "triton"]),
    ("h100", "docetaxel_neutropenia", "tsit5", "float64", []),
    ("h100", "warfarin_hamberg2010", "auto", "float64", ["--epochs"]),
    ("h100", "warfarin_hamberg2010", "auto", "float64", ["--epochs", "--backend", "xla"]),
    ("v5e", "docetaxel_neutropenia", "tsit5", "float32", []),
    ("v5e", "warfarin_hamberg2010", "auto", "float32", ["--epochs"]),
]


def is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


@pytest.mark.slow
@pytest.mark.parametrize(("target", "model", "solver", "dtype", "how"), CASES)
def test_a_run_compiles(target, model, solver, dtype, how):
    """Whole, with every observable and outcome: lowering alone has let through what no compiler took."""
    if not is_here(COMPILERS[target]):
        pytest.skip(f"the compiler for {target} is not installed; make accelerators sets it up")
    asked = ["--target", target, "--model", model, "--solver", solver, "--dtype", dtype, *how]
    ran = subprocess.run([sys.executable, PROGRAM, *asked], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    line = json.loads(ran.stdout.splitlines()[-1])
    assert "error" not in line, line["error"]
    assert line["compile_s"] > 0
    if "triton" in how:
        assert line["kernel"] == "course"
        assert 0 < line["registers"] <= 255
