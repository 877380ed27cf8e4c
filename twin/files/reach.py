"""Which files a scenario may name: those in its own folder, and in folders that the user allows.

A scenario may come from somebody else. What it names is looked at by its real path, whatever links lie on the way, so
that nothing outside is opened, and no error can tell what stands in it.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import TwinError, show

_REMEDY = "move it there, or allow its folder: --allow FOLDER"


@dataclasses.dataclass(frozen=True)
class Reach:
    """A scenario's folder, and what else it may read: folders, files, and addresses of database servers."""

    folder: Path
    allowed: tuple[str, ...] = ()

    def check(self, name: str) -> None:
        """Raises TwinError where a file or folder (a path from the scenario's folder) may not be opened."""
        if "://" in name:
            if name not in self.allowed:
                raise TwinError("a scenario connects to no database by itself; allow its address: --allow ADDRESS")
            return
        path = self.folder / name
        self._check_place(path, name)
        check_kind(path, show(name))
        for link in _links(path):
            self._check_place(link, name)

    def _check_place(self, path: Path, name: str) -> None:
        real = _real_path(path, name)
        if not any(real.is_relative_to(_real_path(Path(root), str(root))) for root in (self.folder, *self.allowed)):
            raise TwinError(f"{show(name)} lies outside this scenario's folder; {_REMEDY}")


def check_kind(path: str | os.PathLike[str], name: str) -> None:
    """Raises TwinError for what would never end (a pipe, a device) and for a name that no file has.

    A file that is not there is left to whoever opens it.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError:
        raise TwinError(f"{name}: cannot be read (a zero byte in its name); check the path") from None
    except OSError as problem:
        if isinstance(problem, FileNotFoundError | NotADirectoryError):
            return
        raise TwinError(f"{name}: cannot be read ({problem.strerror}); check the path") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise TwinError(f"{name}: is a pipe or a device, not a file; copy what it holds into one")


def _real_path(path: Path, name: str) -> Path:
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        raise TwinError(f"{show(name)}: cannot be read (a zero byte in its name); check the path") from None


def _links(folder: Path) -> Iterator[Path]:
    """Every link in a folder: a reader of folders would follow it."""
    for here, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(here, name)).is_symlink())
