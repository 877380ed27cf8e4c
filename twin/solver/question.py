"""What is asked of every trajectory of a batch."""

from __future__ import annotations

import dataclasses

from ..model import Outcome


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked of every trajectory of a batch; fixed while it compiles.

    `infused` says whether any dose may run over time, `constant` whether all covariates and inputs stay
    as they are, `graded` whether outcomes look more often after each dose, `areas` the observables whose
    area is wanted and exact, `resets` and `steady` whether any schedule has such records, `fixed` whether
    all times of events are known before an individual is drawn, `early` whether anything may come before a sample
    of its time and alter what it sees. `measured` are the observables that a regimen's rules read.
    """

    observables: tuple[str, ...]
    outcomes: tuple[tuple[str, Outcome], ...]
    infused: bool
    constant: bool
    graded: bool
    areas: tuple[str, ...]
    resets: bool
    steady: bool
    fixed: bool
    early: bool
    measured: tuple[str, ...] = ()
