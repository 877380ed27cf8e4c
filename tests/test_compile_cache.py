"""Compiled programs on disk: a cut entry is removed, the folder is the user's alone, the user's own choice stands."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import jax
import pytest

from twin.run import compile_cache
from twin.run.compile_cache import heal, keep_programs

PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
import jax, jax.numpy as jnp
from pathlib import Path
from twin.run.compile_cache import keep_programs
seen = []
jax.monitoring.register_event_listener(lambda name, **_: seen.append(name))
print(keep_programs(Path(sys.argv[1])))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: jnp.sin(x) * 2)(1.0)
print(sum(name.endswith("cache_hits") for name in seen), sum(name.endswith("cache_misses") for name in seen))
"""


def run(folder: Path, **environment: str) -> list[str]:
    """What a process prints that compiles with programs kept in `folder`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")} | environment
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, env=own, timeout=120
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_a_process_killed_while_it_writes_costs_one_compilation(tmp_path):
    """JAX never replaces an entry, so one that is cut would be met with a warning, and compiled again, for ever."""
    where, counted = run(tmp_path)
    entries = list(Path(where).glob("*-cache"))
    assert entries
    assert counted.split()[0] == "0"
    assert run(tmp_path)[1].split()[1] == "0"  # all are read
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:40])
    assert run(tmp_path)[1].split()[0] == "0"  # and no warning, which would be an error here
    assert run(tmp_path)[1].split()[1] == "0"


@pytest.fixture
def entries(tmp_path):
    """Three entries, of which the second is cut and the third empty."""
    content = zlib.compress(b"1234 and a program" * 50)
    for name, kept in (("a", len(content)), ("b", 20), ("c", 0)):
        (tmp_path / f"{name}-cache").write_bytes(content[:kept])
    return tmp_path


def test_only_broken_entries_go(entries):
    assert heal(entries) == ["b-cache", "c-cache"]
    assert [path.name for path in entries.glob("*-cache")] == ["a-cache"]


def test_what_was_found_whole_is_not_read_again(entries, monkeypatch):
    heal(entries)
    monkeypatch.setattr(compile_cache, "_is_whole", lambda entry: pytest.fail("read again"))
    assert heal(entries) == []


def test_the_oldest_go_when_there_are_too_many(tmp_path, monkeypatch):
    content = zlib.compress(os.urandom(10_000))
    for age, name in enumerate("abcd"):
        entry = tmp_path / f"{name}-cache"
        entry.write_bytes(content)
        os.utime(entry, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(compile_cache, "_MOST", 2 * len(content))
    assert heal(tmp_path) == ["c-cache", "d-cache"]


@pytest.fixture
def unset():
    """JAX without a folder for its programs, which the suite has given it."""
    names = ("jax_compilation_cache_dir", *compile_cache._SETTINGS)
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.usefixtures("unset")
def test_the_folder_is_the_users_alone(tmp_path):
    base = tmp_path / "open"
    base.mkdir(mode=0o755)
    where = keep_programs(base)
    assert where is not None
    assert where.parent == base
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (base, where)} == {0o700}
    assert jax.config.jax_compilation_cache_dir == str(where)


@pytest.mark.usefixtures("unset")
def test_a_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    """Whoever can write there can run what they like here."""
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    assert keep_programs(tmp_path / "theirs") is None
    assert jax.config.jax_compilation_cache_dir is None


@pytest.mark.usefixtures("unset")
def test_without_a_folder_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert keep_programs(tmp_path / "file" / "programs") is None
    assert jax.config.jax_compilation_cache_dir is None


def test_the_users_own_folder_stays(tmp_path):
    own = tmp_path / "own"
    where, _ = run(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(own))
    assert where == str(own)
    assert list(own.glob("*-cache"))
    assert not (tmp_path / "ours").exists()


def test_the_users_own_switch_stays(tmp_path):
    where, _ = run(tmp_path / "ours", JAX_ENABLE_COMPILATION_CACHE="false")
    assert where == "None"
    assert not (tmp_path / "ours").exists()
