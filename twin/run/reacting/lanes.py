"""Arrays of lanes: who they are, what they are given in a stretch, and the plans of all patients side by side."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...population.keys import fold
from .reaction import Fixed, Plan


@dataclasses.dataclass(frozen=True)
class Lanes:
    """What a controller knows of its lanes: whose plan and doses, which sizes and covariates, and whose luck."""

    patient: np.ndarray  # (lane,) row of the plans
    sizes: Mapping[str, np.ndarray]  # 'kg', 'm2' -> (lane,)
    covariates: Mapping[str, np.ndarray]
    keys: np.ndarray  # (lane, 2)
    lag: np.ndarray  # (lane, treatment) how much later doses enter; 0 where that changes over time

    def __len__(self) -> int:
        return len(self.patient)

    def luck(self, what: str, number: np.ndarray) -> np.ndarray:
        """A number between 0 and 1 of each lane's own for this and that."""
        own = fold(fold(self.keys, zlib.crc32(what.encode())), number.astype(np.uint32))
        return own[..., 0] / 2.0**32

    def normal(self, what: str, number: np.ndarray) -> np.ndarray:
        """A standard normal number of each lane's own (by Box and Muller)."""
        first, second = self.luck(what, 2 * number), self.luck(what, 2 * number + 1)
        return np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)


@dataclasses.dataclass
class Table:
    """Doses of a stretch (lane, slot); what is not there has an infinite time."""

    time: np.ndarray
    amount: np.ndarray
    treatment: np.ndarray
    mode: np.ndarray
    given: np.ndarray

    @property
    def columns(self) -> tuple[np.ndarray, ...]:
        return self.time, self.amount, self.treatment, self.mode, self.given

    @classmethod
    def empty(cls, lanes: int, slots: int) -> Table:
        shape = (lanes, slots)
        zero = np.zeros(shape)
        return cls(np.full(shape, np.inf), zero, zero.astype(np.int32), zero.astype(np.int32), zero.copy())


@dataclasses.dataclass(frozen=True)
class Stretch:
    """What is given until each lane stops, where that is, and when it is read (not a number: not at all)."""

    table: Table
    halt: np.ndarray
    reading: np.ndarray  # (lane, feedback)


def put(table: Table, rows: np.ndarray, used: np.ndarray, *columns: np.ndarray) -> None:
    """A dose into the next free slot of these lanes."""
    for into, column in zip(table.columns, columns, strict=True):
        into[rows, used[rows]] = column[rows]


@dataclasses.dataclass(frozen=True)
class Plans:
    """Plans side by side, padded (row, dose): of all patients the first line, then of all the second."""

    time: np.ndarray
    amount: np.ndarray
    every: np.ndarray
    mode: np.ndarray
    given: np.ndarray
    last: np.ndarray  # (row,) the position of the last dose
    open: np.ndarray  # (row,)
    treatment: np.ndarray  # (row,)
    by_size: Mapping[str, np.ndarray]  # 'kg', 'm2' -> (row, dose)

    def amounts(self, row: np.ndarray, place: np.ndarray, sizes: Mapping[str, np.ndarray]) -> np.ndarray:
        """The amounts of these doses for lanes of these sizes."""
        return add_by_size(
            self.amount[row, place], {per: more[row, place] for per, more in self.by_size.items()}, sizes
        )


def add_by_size(
    amount: np.ndarray, more: Mapping[str, np.ndarray], sizes: Mapping[str, np.ndarray]
) -> np.ndarray:  # fmt: skip
    """Amounts, and what they are more for lanes of these sizes."""
    for per, slope in more.items():
        amount = amount + slope * sizes[per].reshape(-1, *(1,) * (slope.ndim - 1))
    return amount


def pad_plans(plans: Sequence[Plan]) -> Plans:
    """Plans side by side; one that several patients share is padded once."""
    some, place = _distinct(plans)
    size = max(len(plan.time) for plan in some)

    def join(columns: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([np.pad(one, (0, size - len(one)), mode="edge") for one in columns])[place]

    columns = ("time", "amount", "every", "mode", "given")
    return Plans(
        **{name: join([getattr(plan, name) for plan in some]) for name in columns},
        last=np.array([len(plan.time) - 1 for plan in some])[place],
        open=np.array([plan.open for plan in some])[place],
        treatment=np.array([plan.treatment for plan in some])[place],
        by_size={per: join([plan.by_size[per] for plan in some]) for per in some[0].by_size},
    )


def pad_fixed(fixed: Sequence[Fixed]) -> Fixed:
    """Doses of all patients (patient, dose), and one that never comes after the last."""
    some, place = _distinct(fixed)
    size = max((len(one.time) for one in some), default=0) + 1

    def join(columns: Sequence[np.ndarray], fill: float = 0.0) -> np.ndarray:
        return np.stack([np.pad(one, (0, size - len(one)), constant_values=fill) for one in columns])[place]

    columns = ("amount", "treatment", "mode", "given")
    return Fixed(
        time=join([one.time for one in some], np.inf),
        **{name: join([getattr(one, name) for one in some]) for name in columns},
        by_size={per: join([one.by_size[per] for one in some]) for per in some[0].by_size},
    )


def _distinct(several: Sequence[Any]) -> tuple[list[Any], np.ndarray]:
    """Each object once, and which of these each is."""
    number = {id(one): k for k, one in enumerate({id(one): one for one in several}.values())}
    return list({id(one): one for one in several}.values()), np.array([number[id(one)] for one in several], np.intp)
