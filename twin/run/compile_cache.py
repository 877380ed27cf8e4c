"""Compiled programs kept on disk between runs, so that a second run starts in seconds.

from twin.run.compile_cache import keep_programs
keep_programs()    # before anything compiles; the command line does

JAX writes an entry in place and never again, so a process that is killed while it writes leaves one that can never
be read or replaced. And reading an entry runs it. Hence a folder that belongs to the user alone, looked through for
broken entries before JAX uses it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import platform
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

_OURS = stat.S_IRWXU  # 0700
_MOST = 4 * 2**30  # bytes kept; what was not read for longest goes first
_CHECKED = "whole"  # the file that lists entries found whole before
_ZSTD = b"\x28\xb5\x2f\xfd"  # how a frame of zstandard begins
_SETTINGS = {  # small programs are most of a first run's wait, so all but the smallest are kept
    "jax_persistent_cache_min_compile_time_secs": 0.1,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


def keep_programs(folder: Path | None = None) -> Path | None:
    """Keep what JAX compiles in `folder`, the user's cache folder if None; returns where, None if nowhere.

    A folder that the user has chosen for JAX (JAX_COMPILATION_CACHE_DIR, or jax.config) stays chosen and is left as it
    is. A folder that cannot be made, or that others may write to and that is not ours to close to them, is not used.
    """
    import jax

    chosen = jax.config.values["jax_compilation_cache_dir"]
    if chosen or not jax.config.values["jax_enable_compilation_cache"]:
        return Path(chosen) if chosen else None
    base = folder or cache_folder()
    own = base / _machine()
    if not (_made_ours(base) and _made_ours(own)):
        return None
    heal(own)
    jax.config.update("jax_compilation_cache_dir", str(own))
    for name, value in _SETTINGS.items():
        if name.upper() not in os.environ:
            jax.config.update(name, value)
    return own


def cache_folder() -> Path:
    """Where compiled programs are kept; deleting it costs time only."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "patient-twin"


def heal(folder: Path) -> list[str]:
    """Remove entries that were not written to their end, and the oldest if all together are too large; their names."""
    before, entries = _read_list(folder), dict(_entries(folder))
    broken = [entry for entry, held in entries.items() if _line(entry, held) not in before and not _is_whole(entry)]
    for entry in broken:
        del entries[entry]
    removed = broken + _too_many(entries)
    for entry in removed:
        entry.unlink(missing_ok=True)
        entries.pop(entry, None)
    after = {_line(entry, held) for entry, held in entries.items()}
    if after != before:
        _list(folder, after)
    return sorted(entry.name for entry in removed)


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for entry in folder.glob("*-cache"):
        with contextlib.suppress(OSError):  # another process may have removed it
            yield entry, entry.stat()


def _line(entry: Path, held: os.stat_result) -> str:
    return f"{held.st_size} {entry.name}"


def _read_list(folder: Path) -> set[str]:
    """Entries found whole before, with their sizes."""
    try:
        return set((folder / _CHECKED).read_text("ascii").splitlines())
    except (OSError, UnicodeDecodeError):
        return set()


def _list(folder: Path, lines: set[str]) -> None:
    part = folder / f"{_CHECKED}.{os.getpid()}"
    part.write_text("\n".join(sorted(lines)), "ascii")
    part.replace(folder / _CHECKED)


def _is_whole(entry: Path) -> bool:
    """Whether an entry can be unpacked, as far as this interpreter can tell."""
    try:
        content = entry.read_bytes()
        unpack = _unpacker() if content.startswith(_ZSTD) else zlib.decompress
        return unpack is None or len(unpack(content)) > 4  # a number of four bytes stands before the program
    except OSError:
        return True  # somebody else's matter, or gone already
    except Exception:  # each library has errors of its own for what it cannot unpack
        return False


def _unpacker() -> Callable[[bytes], bytes] | None:
    """zstandard's, from whichever module JAX would take; None without one."""
    for name in ("compression.zstd", "zstandard"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return module.decompress if hasattr(module, "decompress") else module.ZstdDecompressor().decompress
    return None


def _too_many(entries: dict[Path, os.stat_result]) -> list[Path]:
    """Those to remove so that the rest is not too large."""
    excess, removed = sum(held.st_size for held in entries.values()) - _MOST, []
    for entry, held in sorted(entries.items(), key=lambda one: max(one[1].st_atime, one[1].st_mtime)):
        if excess <= 0:
            break
        removed.append(entry)
        excess -= held.st_size
    return removed


def _made_ours(folder: Path) -> bool:
    """Whether the folder is there, belongs to this user, and is closed to everybody else."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=_OURS, exist_ok=True)
        if not hasattr(os, "getuid"):
            return True
        if folder.stat().st_uid != os.getuid():
            return False
        folder.chmod(_OURS)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _machine() -> str:
    """A name for this kind of processor: homes are shared by machines that cannot run each other's code."""
    return f"{platform.machine()}-{hashlib.sha256(_features().encode()).hexdigest()[:12]}"


def _features() -> str:
    """The instructions that the first processor knows, as Linux lists them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
