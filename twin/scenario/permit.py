"""What a user lets a scenario do beyond what it may by itself; nothing, unless they say so."""

from __future__ import annotations

import dataclasses
import os


@dataclasses.dataclass(frozen=True, kw_only=True)
class Permit:
    """What may be read and passed over.

    `allow` are folders (files, addresses of databases) outside the scenario's own folder that it may read.
    `skip_refused` goes on without those of a record's patients whom the model refuses. `allow_dropped` goes on where
    doses of the model's own treatments were lost on the way from a record.
    """

    allow: tuple[str | os.PathLike[str], ...] = ()
    skip_refused: bool = False
    allow_dropped: bool = False
