"""Every test runs in float64, with strict dtype promotion, and keeps what it compiles for the next run of the suite."""

import gc
import os
from pathlib import Path

import jax
import pytest

from twin.compile_cache import cache_folder, keep_programs

keep_programs(cache_folder() / "tests")  # not among the user's own
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.devices()  # XLA starts here, so that what the command line asks of it holds in no test, whichever comes first

SHARED = Path(os.environ.get("TWIN_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data beside the checkout; tests that need it say so and skip without it."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"no public data at {folder}; set TWIN_SHARED to run this test")
    return folder


_MOST_MAPS = 15_000  # of the 65,530 memory maps that Linux allows a process


@pytest.fixture(autouse=True)
def few_programs():
    """Forget compiled programs before their memory maps run out: each holds several, and then XLA crashes."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()
        gc.collect()
