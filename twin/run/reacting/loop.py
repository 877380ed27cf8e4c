"""Courses under regimens that react: solved until a decision, decided on, and gone on with, until all have ended.

Everything of one call (`twin.run.runner`) runs through its epochs before the next begins, so memory is bounded as ever.
All arms of such a run go this way, those that nothing changes too: they differ in what is given, and in no bit besides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ...population.keys import fold
from ...regimen.schedule import Mode
from ...solver.ensemble.backend import in_turn
from ...solver.status import Status
from ..batch import Batch
from ..program import argument_shapes, compile_rows, own_of_each, shared_by_all
from ..task import Task
from .choosing import Charts
from .controller import Controller
from .epochs import Doses, Epoch, begin, call, finish, go_on, regroup
from .lanes import Lanes, Table
from .ledger import DECISION, DOSE, STOP
from .reaction import Fixed, Replayed

Ledgers = tuple[dict[str, np.ndarray], ...]  # decisions, doses and stops, name -> (trajectory, row)
LedgerPart = tuple[np.ndarray, Ledgers]  # of these trajectories

SLOTS = 16  # doses of a lane in an epoch; a lane with more stops in between, at a dose
_LUCK = 0x7EAC7  # folded into a draw's key: what happens to whoever is treated, not what they are


class Arms:
    """The lanes of a call, each in the hands of its arm's controller."""

    def __init__(self, batch: Batch, patient: np.ndarray, arm: np.ndarray, draw: np.ndarray):
        self.batch, self.where = batch, (patient, arm, draw)
        self.rows: list[np.ndarray] = []
        self.controllers: list[Controller] = []

    def begin(self, lag: np.ndarray) -> None:
        """With each lane's own lags (lane, treatment)."""
        batch, (patient, arm, draw) = self.batch, self.where
        reaction = batch.reaction
        assert reaction is not None
        keys = fold(batch.arrays["keys"][patient], draw + int(batch.arrays["first"]))
        keys = fold(keys, _LUCK)
        for k in np.unique(arm):
            rows = np.nonzero(arm == k)[0]
            of = patient[rows]
            if reaction.replayed is not None:
                self._add_replay(reaction.replayed, rows, (of, np.full(len(of), k), draw[rows]), lag[rows])
                continue
            own = {name: values[of] for name, values in reaction.covariates.items()}
            for name, values in batch.arrays["covariates"].items():  # those that draws have of their own
                drawn = values[of, draw[rows]].astype(float)
                own[name] = np.where(np.isnan(drawn), own[name], drawn)
            sizes = {size: values[of] for size, values in reaction.sizes.items()}
            sizes |= {size: values[of, draw[rows]].astype(float) for size, values in batch.arrays["sizes"].items()}
            lanes = Lanes(of, sizes, own, keys[rows], lag[rows])
            given = (reaction.rules[k], reaction.supplied[k], reaction.fixed[k], lanes)
            charts = Charts(reaction.chooser, batch.model, batch.patients) if reaction.chooser else None
            self._add(rows, *given, habits=reaction.habits[k], charts=charts)

    def _add(self, rows: np.ndarray, *given: Any, **more: Any) -> None:
        start, end = (float(x) for x in self.batch.arrays["span"][:2])
        assert self.batch.reaction is not None
        named = {"forms": self.batch.reaction.forms, "start": start, "end": end}
        self.rows.append(rows)
        self.controllers.append(Controller(*given, **named, **more))

    def _add_replay(self, ledger: Replayed, rows: np.ndarray, where: tuple[np.ndarray, ...], lag: np.ndarray) -> None:
        """Lanes that are given what a ledger says, and stop where it decided."""
        fixed = [
            Fixed(*(column[given] for column in columns))
            for *columns, given in zip(*(column[where] for column in ledger.doses), ledger.given[where], strict=True)
        ]
        lanes = Lanes(np.arange(len(rows)), {}, {}, np.zeros((len(rows), 2), np.uint32), lag)
        self._add(rows, (), (), fixed, lanes, halts=ledger.halts[where])

    def plan(self, slots: int, carried: Table) -> tuple[Table, np.ndarray, np.ndarray]:
        """Every lane's doses of an epoch, where it stops, and when it is read (lane, feedback)."""
        assert self.batch.reaction is not None
        count = len(carried.time)
        reading = np.full((count, self.batch.reaction.most_feedback), np.nan)
        table, halt = Table.empty(count, slots), np.empty(count)
        for rows, controller in zip(self.rows, self.controllers, strict=True):
            mine = Table(*(column[rows] for column in carried.columns))
            stretch = controller.plan(slots, mine)
            for into, column in zip(table.columns, stretch.table.columns, strict=True):
                into[rows] = column
            halt[rows], reading[rows, : stretch.reading.shape[1]] = stretch.halt, stretch.reading
        return table, halt, reading

    def decide(
        self, time: np.ndarray, alive: np.ndarray, latent: Mapping[str, np.ndarray], measured: Mapping[str, np.ndarray]
    ) -> None:
        for rows, controller in zip(self.rows, self.controllers, strict=True):
            names = [watch.rules.measure for watch in controller.watches]
            seen = [[found[name][rows, k] for k, name in enumerate(names)] for found in (latent, measured)]
            controller.decide(time[rows], alive[rows], *seen)

    def leave_times(self) -> np.ndarray:
        """When each lane gave treatment up; infinite where it did not."""
        found = np.full(len(self.where[0]), np.inf)
        for rows, controller in zip(self.rows, self.controllers, strict=True):
            found[rows] = controller.leaves
        return found

    def ledgers(self) -> list[tuple[np.ndarray, Ledgers]]:
        """Positions of lanes, and their tables of decisions and of doses."""
        return [(rows, c.ledger.tables()) for rows, c in zip(self.rows, self.controllers, strict=True)]


@dataclasses.dataclass(frozen=True)
class Reacting:
    """The programs of a run that reacts, for calls of one size; as `twin.run.program.Program`."""

    task: Task
    rows: Any
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, task: Task, arrays: dict[str, Any], shape: tuple[int, int, int]) -> Reacting:
        return cls(task, compile_rows(argument_shapes(arrays, shape)[0]), shape)

    def place(self, arrays: dict[str, Any]) -> tuple[Any, Any]:
        return jax.device_put(own_of_each(arrays)), jax.device_put(shared_by_all(arrays))

    def __call__(self, placed: tuple[Any, Any], indices: Any, count: np.ndarray, arms: Arms, places: Any) -> Any:
        """Results (device, block, lane, ...) of the trajectories with these indices; `places` are those that count."""
        rest, shared = placed
        return _by_epochs(self.task, shared, self.rows(rest, indices), count, self.shape, arms, places)


def _by_epochs(
    task: Task, shared: Any, own: Any, count: np.ndarray, shape: tuple[int, int, int], arms: Arms, places: Any
) -> dict[str, Any]:  # fmt: skip
    held = call(task, begin, shared, own, count)
    number = np.dtype(task.dtype)
    longest, shortest = (_flat(held[name], shape)[places] for name in ("longest_lag", "shortest_lag"))
    arms.begin(np.where(longest == shortest, longest, 0.0))
    carried, slots, first = Table.empty(len(longest), 0), SLOTS, True
    end = float(shared["span"][1])
    time, alive = np.full(len(longest), float(shared["span"][0])), np.ones(len(longest), bool)
    slot, side_by_side = np.arange(int(np.prod(shape)))[places], shape[0] == 1 and in_turn() and len(longest) > shape[2]
    while True:
        if carried.time.shape[1] > slots - 4:
            slots *= 2
        table, halt, reading = arms.plan(slots, carried)
        if side_by_side:  # a block takes as long as its longest lane
            length = np.where(alive, np.minimum(halt, end) - time, np.inf)
            held, slot = _sort(held, slot, np.argsort(length, kind="stable"))
        doses = Doses(
            *(_spread(column, fill, shape, slot) for column, fill in zip(
                (table.time.astype(number), table.amount.astype(number), table.treatment, table.mode,
                 table.given.astype(number)), (np.inf, 0, 0, 0, 0), strict=True,
            ))
        )  # fmt: skip
        halts, readings = halt.astype(number), reading.astype(number)
        epoch = Epoch(
            doses, _spread(halts, end, shape, slot), _spread(readings, np.nan, shape, slot), np.full(shape, first)
        )  # fmt: skip
        found = call(task, go_on, shared, (held, epoch), count)
        held, first = found["held"], False
        time, status = (_flat(found[name], shape)[slot] for name in ("time", "status"))
        latent, measured = (
            {n: _flat(v, shape)[slot] for n, v in found[name].items()} for name in ("latent", "measured")
        )
        alive = (status == Status.OK) & (time < end)
        arms.decide(np.asarray(time, float), alive, latent, measured)
        if not alive.any():
            break
        carried = _still_entering(table, longest, np.asarray(time, float))
    if side_by_side:
        held, _ = _sort(held, slot, np.arange(len(slot)))
    return call(task, finish, shared, held, count)


def _sort(held: dict[str, Any], slot: np.ndarray, order: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """Lanes put into the slots of a call in an order, and the slot that each of them has then."""
    if (np.diff(slot[order]) > 0).all():
        return held, slot
    size = held["found"].size
    comes_from = np.arange(size)
    comes_from[: len(order)] = slot[order]
    found = np.empty_like(slot)
    found[order] = np.arange(len(order))
    return regroup(held, comes_from), found


def _still_entering(table: Table, lag: np.ndarray, time: np.ndarray) -> Table:
    """Doses that something of is still to come: late ones, delayed ones, infusions that run."""
    with np.errstate(invalid="ignore"):
        length = np.where(table.mode == Mode.BOLUS, 0.0, np.where(table.mode == Mode.DURATION, table.given, np.inf))
        until = table.time + np.take_along_axis(lag, table.treatment, axis=1) + length
    left = np.isfinite(table.time) & (until >= time[:, None])
    width = int(left.sum(axis=1).max(initial=0))
    order = np.argsort(~left, axis=1, kind="stable")[:, :width]
    columns = [np.take_along_axis(column, order, axis=1) for column in table.columns]
    columns[0] = np.where(np.take_along_axis(left, order, axis=1), columns[0], np.inf)
    return Table(*columns)


def _flat(values: Any, shape: tuple[int, int, int]) -> np.ndarray:
    found = np.asarray(values)
    return found.reshape(int(np.prod(shape)), *found.shape[3:])


def _spread(values: np.ndarray, fill: float, shape: tuple[int, int, int], places: Any) -> np.ndarray:
    """Lanes' values at their places of a call, the rest filled."""
    found = np.full((int(np.prod(shape)), *values.shape[1:]), fill, values.dtype)
    found[places] = values
    return found.reshape(*shape, *values.shape[1:])


def join_ledgers(parts: Sequence[LedgerPart], count: int) -> Ledgers:
    """Ledgers of all trajectories as tables (trajectory, row); of a trajectory that was solved twice, the last."""

    def join(which: int, names: Sequence[str]) -> dict[str, np.ndarray]:
        tables = [(lanes, part[which]) for lanes, part in parts]
        width = max(table[names[0]].shape[1] for _, table in tables)
        found = {}
        for name in names:
            kind = np.result_type(*(table[name].dtype for _, table in tables))
            found[name] = np.full((count, width), -9 if kind.kind == "i" else np.nan, kind)
            for lanes, table in tables:
                found[name][lanes] = found[name].dtype.type(-9 if kind.kind == "i" else np.nan)
                found[name][lanes, : table[name].shape[1]] = table[name]
        return found

    return join(0, DECISION), join(1, DOSE), join(2, STOP)


def outcomes_of_readings(
    batch: Batch, lanes: np.ndarray, decisions: Mapping[str, np.ndarray], status: np.ndarray
) -> dict[str, np.ndarray]:  # fmt: skip
    """Outcomes (lane,) of what was read; not a number where a regimen reads something else, or nothing."""
    assert batch.reaction is not None
    found = {}
    _, arm, _ = np.unravel_index(lanes, batch.shape)
    for name, outcome in batch.of_readings:
        reads = [[rules.measure == outcome.of for rules in feedback] for feedback in batch.reaction.rules]
        some = np.array([any(one) for one in reads])
        whose = np.zeros((len(reads), batch.reaction.most_feedback), bool)
        for k, one in enumerate(reads):
            whose[k, : len(one)] = one
        ours = whose[arm[:, None], np.maximum(decisions["feedback"], 0)] & (decisions["feedback"] >= 0)
        times = np.where(ours, decisions["read_at"], np.nan)
        order = np.argsort(times, axis=1, kind="stable")
        times, values = (np.take_along_axis(x, order, axis=1) for x in (times, decisions["reported"]))
        result = outcome.result_of_readings(times, values)
        found[name] = np.where(some[arm] & (status == Status.OK), result, np.nan)
    return found
