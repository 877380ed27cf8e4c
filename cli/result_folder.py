"""Result folders: of which scenario each is, and how the files of a run replace those of an older one.

folders = choose(files, Path("results"))
with replacing(folders[file], scenario, owns=("summary.csv",)) as part:
    write_csv(rows, part / "summary.csv")     # results/<name> is as it was until here, and whole afterwards
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.errors import TwinError
from twin.scenario import Scenario

from .runtime import print_lines

MARK = "scenario.json"  # in each folder: of which scenario it is


def choose(files: Sequence[str], out: Path) -> dict[str, Path]:
    """A folder for each scenario file: the one it had before, else a free one.

    It is named after the file; where several share a name, or another scenario has the folder, after the file's folder
    and the file.
    """
    shared = collections.Counter(Path(file).stem for file in files)
    found: dict[str, Path] = {}
    for file in files:
        found[file] = _folder_for(file, out, set(found.values()), alone=shared[Path(file).stem] == 1)
    return found


def _folder_for(file: str, out: Path, taken: Collection[Path], *, alone: bool) -> Path:
    stem = Path(file).stem
    longer = f"{Path(os.path.realpath(file)).parent.name}-{stem}"
    free: list[Path] = []
    for number in itertools.count():
        folder = out / (stem if number == 0 else longer if number == 1 else f"{longer}-{number}")
        mark = _mark_of(folder)
        if folder not in taken and _is_of(mark, file):
            return folder
        if folder not in taken and mark is None and (alone or number):
            free.append(folder)
        if number and free and not folder.exists():
            break
    if alone and free[0].name != stem:
        print_lines("note", [f"{out / stem}: holds results of another scenario; those of {file} go to {free[0]}"])
    return free[0]


def _mark_of(folder: Path) -> Mapping[str, Any] | None:
    """What a folder says of its scenario; None where it says nothing."""
    try:
        found = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_of(mark: Mapping[str, Any] | None, file: str) -> bool:
    """Whether a folder is of this file: by its path, or by its content where the file has been moved here."""
    if mark is None:
        return False
    path = str(mark.get("path"))
    if path == os.path.realpath(file) or os.path.exists(path):
        return path == os.path.realpath(file)
    with contextlib.suppress(OSError):
        return mark.get("sha256") == hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return False


@contextlib.contextmanager
def replacing(folder: Path, scenario: Scenario, *, owns: Collection[str]) -> Iterator[Path]:
    """A new folder beside, which takes the place of `folder` at the end; a failure leaves that as it was.

    `owns` are the names of what such a run writes. Whatever else lies in the folder stays.
    """
    part, old = (folder.with_name(f".{folder.name}.{word}") for word in ("part", "old"))
    with writing(folder):
        for one in (folder, folder.parent):
            if one.is_symlink():
                raise TwinError(f"{one}: is a link; name the folder itself with --out")
        _finish(folder, old, owns)
        shutil.rmtree(part, ignore_errors=True)
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.mkdir(mode=0o700)
    try:
        yield part
        with writing(folder):
            _sign(part, scenario)
            if folder.exists():
                folder.rename(old)
            part.rename(folder)
            _finish(folder, old, owns)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _finish(folder: Path, old: Path, owns: Collection[str]) -> None:
    """What remains of a replacement, perhaps of one that was killed: whatever was not its own moves over."""
    if not old.exists():
        return
    if not folder.exists():
        old.rename(folder)
        return
    for entry in old.iterdir():
        if entry.name not in (*owns, MARK) and not (folder / entry.name).exists():
            entry.rename(folder / entry.name)
    shutil.rmtree(old)


def _sign(part: Path, scenario: Scenario) -> None:
    """Says of which scenario the folder is, and keeps it to its owner: results are of patients."""
    mark = {"path": os.path.realpath(scenario.document.name), "sha256": scenario.document.fingerprint}
    (part / MARK).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")
    for here, folders, files in os.walk(part):
        for names, mode in ((folders, 0o700), (files, 0o600)):
            for name in names:
                os.chmod(os.path.join(here, name), mode)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What the system says of a folder that cannot be written, as one sentence."""
    try:
        yield
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None)
        if why is None and "\0" not in str(folder):  # each Python words it its own way
            raise
        raise TwinError(
            f"results cannot be written to {folder} ({why or 'a zero byte in its name'}); choose another --out"
        ) from problem
