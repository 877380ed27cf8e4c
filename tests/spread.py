"""How random figures spread over seeds: the tests that hold them to bounds, run again with other seeds.

    python -m pytest -p tests.spread --seeds 20 tests/calibration/test_walkers.py

Every `calibrate`, `sbc`, `forecast` and `update` of a test takes seed 0, 1, 2, ... instead of its own. Of each line
that compares with `pytest.approx` or `assert_allclose` it prints the share of what is allowed that the seeds used, and
in how many of them a test failed. Another processor's rounding is another seed, so a bound belongs some four standard
deviations away from where its figure usually is; write the spread beside it.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import calibration

_SEEDED = ("calibrate", "sbc", "forecast", "update")
_shares: dict[tuple[str, str], list[float]] = collections.defaultdict(list)  # (test, line) -> one for each seed
_failed: collections.Counter[str] = collections.Counter()
_now: list[str] = [""]


def pytest_addoption(parser):
    parser.addoption("--seeds", type=int, default=20, help="how many seeds to run each test with")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Instead of once, once a seed; a test fails only if nothing random can be the reason."""
    _now[0] = pyfuncitem.name
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    for seed in range(pyfuncitem.config.getoption("seeds")):
        with _seeded(seed), pytest.MonkeyPatch.context() as patch:
            patch.setattr(np.testing, "assert_allclose", functools.partial(_allclose, np.testing.assert_allclose))
            patch.setattr(pytest, "approx", functools.partial(_approx, pytest.approx))
            try:
                pyfuncitem.obj(**given)
            except AssertionError:
                _failed[pyfuncitem.name] += 1
    return True


def pytest_terminal_summary(terminalreporter):
    tests = sorted({test for test, _ in _shares} | set(_failed))
    for test in tests:
        terminalreporter.write_line(f"{test}: failed with {_failed[test]} seeds")
        for (where, line), values in _shares.items():
            if where == test:
                told = f"{np.mean(values):5.2f} +- {np.std(values):4.2f}, at most {np.max(values):5.2f}"
                terminalreporter.write_line(f"    {told}   {line[:90]}")


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    def other(function: Callable[..., Any]) -> Callable[..., Any]:
        if "seed" not in inspect.signature(function).parameters:
            return function
        return lambda *given, **words: function(*given, **words | {"seed": seed})

    with pytest.MonkeyPatch.context() as patch:
        for name in _SEEDED:
            patch.setattr(calibration, name, other(getattr(calibration, name)))
        yield


def _note(share: float) -> None:
    """Of the line of a test that asked, two calls up."""
    asked = sys._getframe(2)
    line = linecache.getline(asked.f_code.co_filename, asked.f_lineno).strip()
    _shares[_now[0], line].append(share)


def _allclose(plain: Any, actual: Any, desired: Any, rtol: float = 1e-7, atol: float = 0.0, **words: Any) -> None:
    one, other = np.asarray(actual, float), np.asarray(desired, float)
    with np.errstate(all="ignore"):
        _note(float(np.nanmax(np.abs(one - other) / (atol + rtol * np.abs(other)), initial=0.0)))
    plain(actual, desired, rtol=rtol, atol=atol, **words)


def _approx(plain: Any, expected: Any, rel: float | None = None, abs: float | None = None, **words: Any) -> Any:
    allowed = max(abs or 0.0, (rel or 0.0) * np.abs(expected)) if np.ndim(expected) == 0 else 0.0

    class Near:
        __hash__ = None

        def __eq__(self, found: object) -> bool:
            if allowed:
                _note(float(np.abs(found - expected) / allowed))
            return bool(found == plain(expected, rel=rel, abs=abs, **words))

    return Near()
