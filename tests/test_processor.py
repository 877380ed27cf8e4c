"""fast_cpu(): what it asks XLA for, when, and that results stay the same. Each case is a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import twin

ROOT = Path(__file__).parents[1]
FLAGS = ("xla_cpu_use_multi_output_fusion=true", "xla_cpu_small_while_loop_byte_threshold=100000000")


def process(*arguments: str, **environment: str) -> str:
    """What a fresh Python prints, in which nothing has been asked of XLA unless `environment` says so."""
    kept = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    found = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True,
        env=kept | {"JAX_PLATFORMS": "cpu"} | environment,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_importing_and_using_the_library_leaves_the_environment_alone():
    process(
        "-c",
        "import os\n"
        "before = dict(os.environ)\n"
        "import twin\n"
        "for name in twin.__all__: getattr(twin, name)\n"
        "twin.load_model('warfarin')\n"
        "assert dict(os.environ) == before",
    )


@pytest.mark.parametrize("own", ["", "--xla_cpu_prefer_vector_width=256"], ids=["no flags", "flags of one's own"])
def test_it_adds_to_the_flags_once(own):
    printed = process(
        "-c",
        "import os, twin\n"
        "assert twin.fast_cpu()\n"
        "once = os.environ['XLA_FLAGS']\n"
        "assert twin.fast_cpu()\n"
        "assert os.environ['XLA_FLAGS'] == once\n"
        "import jax; jax.devices()\n"  # XLA ends the process over a flag that it does not know
        "assert twin.fast_cpu(), 'it was in time'\n"
        "assert os.environ['XLA_FLAGS'] == once\n"
        "print(once)",
        **({"XLA_FLAGS": own} if own else {}),
    )
    assert printed.startswith(own)
    assert all(printed.count(flag) == 1 for flag in FLAGS)


def test_it_is_too_late_once_jax_has_started():
    process(
        "-c",
        "import os, jax, twin\n"
        "jax.devices()\n"
        "before = dict(os.environ)\n"
        "assert twin.fast_cpu() is False\n"
        "assert dict(os.environ) == before",
    )


def test_it_is_in_time_where_jax_is_imported_but_has_not_started():
    process("-c", "import jax, jax.numpy, twin; assert twin.fast_cpu()")


# --- results ------------------------------------------------------------------------------------------

SCENARIO = """\
title: Slow and fast
model: warfarin_hamberg2010
patients: [{id: ana, covariates: {age: 71}}]
regimens: {usual: 5 mg q24h x3}
outcomes: [highest_inr]
until: 5 day
times: {to: 5 day, every: 1 day}
draws: 12
seed: 3
"""
RUN = """\
import sys, twin
if sys.argv[1] == "fast": assert twin.fast_cpu()
scenario = twin.load_scenario(sys.argv[2])
model = scenario.model
result = twin.simulate(
    model, scenario.patients, regimens=scenario.regimens,
    outcomes=scenario.outcomes, until=scenario.settings.until, times=[0, 24, 48, 72, 96, 120],
    draws=12, seed=3,
)
twin.save_result(result, sys.argv[3])
"""


@pytest.mark.slow
def test_results_are_the_same_to_rounding(tmp_path):
    """1e-9: XLA orders arithmetic otherwise, which a course of some hundred steps magnifies; here by 1e-12 or so."""
    (tmp_path / "speed.yaml").write_text(SCENARIO)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    for how in ("slow", "fast"):
        process("-c", RUN, how, str(tmp_path / "speed.yaml"), str(tmp_path / f"{how}.zarr"))
    process(
        "-c",
        "from cli.main import main; main()",
        "simulate",
        str(tmp_path / "speed.yaml"),
        "--out",
        str(tmp_path / "out"),
        **cache,
    )
    (dataset,) = (tmp_path / "out").rglob("*.zarr")
    slow = twin.load_result(tmp_path / "slow.zarr")
    for other in (tmp_path / "fast.zarr", dataset):
        found = twin.load_result(other)
        for name in ("outcomes/highest_inr", "predictions/inr", "prior/clearance"):
            np.testing.assert_allclose(found[name], slow[name], rtol=1e-9, err_msg=f"{other.name} {name}")
