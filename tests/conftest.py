"""Every test runs in float64, with strict dtype promotion, and without touching the user's cache."""

import gc
import os
from pathlib import Path

import jax
import pytest

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
