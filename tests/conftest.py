"""Every test runs in float64, with strict dtype promotion, and keeps what it compiles for the next run of the suite.

At the end the suite says what it cost beside its budget: compiling is most of it, and grows unseen.
"""

import gc
import os
import resource
from pathlib import Path

import jax
import pytest

from twin.run.compile_cache import cache_folder, keep_programs

keep_programs(cache_folder() / "tests")  # not among the user's own
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
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


gc.freeze()  # what is imported stays
gc.set_threshold(20_000, 20, 20)  # looking for circles in what is traced every 700 objects took 4 % of a run

_MOST_MAPS = 15_000  # of the 65,530 memory maps that Linux allows a process


@pytest.fixture(autouse=True)
def few_programs():
    """Forget compiled programs before their memory maps run out: each holds several, and then XLA crashes."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()
        gc.collect()


# --- what the default suite costs -----------------------------------------------------------------------

# With nothing kept; minutes on a quiet machine with AVX-512, of which a slow one takes twice as many. Lowered from
# 7,000 and 40 when tests came to share programs; raised from 3,200 and 33 for optimisation and times of sampling.
BUDGET = {"programs": 3900, "CPU minutes": 44.0}
_spent = {"programs": 0.0, "kept programs": 0.0, "CPU minutes": 0.0}


def _listen(event, seconds, **_):
    _spent["programs"] += event.endswith("/backend_compile_duration")
    _spent["kept programs"] += event.endswith("/cache_retrieval_time_sec")


jax.monitoring.register_event_duration_secs_listener(_listen)


def pytest_sessionfinish(session):
    """A worker tells the process that started it, which reports."""
    starts_workers = session.config.getoption("numprocesses", None)  # they count themselves
    whose = (resource.RUSAGE_SELF,) if starts_workers else (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    _spent["CPU minutes"] += sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose)) / 60
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["spent"] = dict(_spent)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    for name, value in getattr(node, "workeroutput", {}).get("spent", {}).items():
        _spent[name] += value


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("markexpr") != "not slow" or config.args != config.getini("testpaths"):
        return  # the budget is the default suite's
    line = (
        f"{_spent['programs']:,.0f} programs ({_spent['kept programs']:,.0f} of them kept from an earlier run), "
        f"{_spent['CPU minutes']:.1f} CPU minutes; budget {BUDGET['programs']:,} and {BUDGET['CPU minutes']:g}"
    )
    over = any(_spent[name] > most for name, most in BUDGET.items())
    terminalreporter.write_line(line + ("; OVER: make tests cheaper, or mark them slow" if over else ""), yellow=over)
