"""A virtual population of a model: who could be treated, drawn person by person.

    people = population.draw(seed=1, numbers=range(1000))
    people.covariates["age"], people.tried

Person 7 of a seed and a label is the same in a hundred and in a million, and in whatever parts they are drawn.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import TwinError, TwinErrors
from ...model import DiseaseModel
from ...model.extension import OCCASION
from ...patient import BoundPatient
from .build import At, fields_of, fields_of_mapping
from .closeness import Closeness, find_closeness
from .column import Cohort, Column, Rows
from .dependence import Dependence
from .file import PopulationEntry
from .plausible import Limit, find_broken, outside_studied
from .table import Table
from .uniform import MOST_PERSONS, Persons

NAME = "population"  # of the one patient whose draws the persons are
_BLOCK = 65_536  # persons at once: what they need stays in the processor's cache
_PROBED = 20_000  # candidates by whom a population is judged before anyone is drawn
_FEWEST = 0.01  # of candidates that have to be plausible
_PROBE = "\0probe"


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """Persons drawn from a population; every array has one value a person.

    `covariates` are the model's, in its units (a level as its number), `others` the population's further columns.
    `deviations` and `individuals` are given only by the twins of a cohort: the engine does not draw these. `tried` is
    how many candidates were drawn until one was plausible, `source` which row of a table or which real patient it is.
    """

    numbers: range
    covariates: Mapping[str, np.ndarray]
    others: Mapping[str, np.ndarray]
    deviations: Mapping[str, np.ndarray]
    individuals: Mapping[str, np.ndarray]
    tried: np.ndarray
    source: np.ndarray | None
    levels: Mapping[str, tuple[str, ...]]  # of columns that have some
    units: Mapping[str, str]  # of further columns
    broken: Mapping[str, int]  # limits, and how many candidates were drawn again for each
    unstudied: Mapping[str, int]  # covariates, and how many persons are where the model was not studied

    def __len__(self) -> int:
        return len(self.tried)

    def own(self) -> dict[str, dict[str, np.ndarray]]:
        """What `twin.simulate` takes of them, as the draws of one patient; whose occasions are everybody's."""
        groups = ("individuals", "deviations", "covariates")
        return {g: {name: v[None] for name, v in getattr(self, g).items() if name != OCCASION} for g in groups}

    def notes(self) -> list[str]:
        """What a reader of results should know of them, one sentence each."""
        unstudied = [
            f"{name} of {count:,} of {len(self):,} persons is where the model was not studied"
            for name, count in self.unstudied.items()
        ]
        return self.redrawn_notes() + unstudied

    def redrawn_notes(self) -> list[str]:
        """How many were drawn again, and why: what is left has other means than what was written."""
        again, candidates = int(np.sum(self.tried > 1)), int(self.tried.sum())
        if not again:
            return []
        why = ", ".join(f"{text} ({count:,})" for text, count in self.broken.items())
        share = 100 * (candidates - len(self)) / candidates
        return [
            f"{again:,} of {len(self):,} persons were drawn more than once; {share:.3g} % of {candidates:,} "
            f"candidates were not plausible: {why}"
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """Where the columns of a model's patients come from, and which combinations are plausible; see `build`.

    `columns` stand in the order in which they are drawn; `words` are the numbers of levels that formulas name.
    """

    model: DiseaseModel
    columns: tuple[Column, ...]
    dependences: tuple[Dependence, ...] = ()
    tables: tuple[Rows, ...] = ()
    cohort: Cohort | None = None
    limits: tuple[Limit, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # of columns that have some
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of further columns
    words: Mapping[str, float] = dataclasses.field(default_factory=dict)
    size: int = 1000
    notes: tuple[str, ...] = ()
    fitted: tuple[Table, ...] = ()  # that copulas were fitted to

    @classmethod
    def build(
        cls, model: DiseaseModel | str, said: Mapping[str, Any], *, folder: str | os.PathLike[str] = "."
    ) -> Population:
        """The population that a mapping describes, as `population` of a scenario file does.

        Args:
            model: the model whose patients are drawn.
            said: what a file would hold. `cohort` may also be a `twin.Twin`.
            folder: where the files of tables are.
        """
        made = cls(**fields_of_mapping(model, said, folder))
        try:
            made.probe()
        except TwinError as problem:
            raise TwinErrors([f"population: {problem}"]) from None
        return made

    @classmethod
    def build_entry(cls, entry: PopulationEntry, model: DiseaseModel, at: At, **readers: Any) -> Population | None:
        """The population that a file's entry describes; None where `at` has caught an error on the way."""
        fields = fields_of(entry, model, at, **readers)
        if fields is None:
            return None
        with at():
            made = cls(**fields)
            made.probe()
            return made
        return None

    def draw(self, seed: int, numbers: range, *, label: str = "") -> People:
        """These persons: a function of the seed, the label and each one's number, and of nothing else."""
        return self.draw_many(seed, numbers, (label,))

    def draw_many(self, seed: int, numbers: range, labels: Sequence[str]) -> People:
        """What `draw` gives for each label, one after the other: many small groups as quickly as a large one."""
        if numbers.step != 1 or not 0 <= numbers.start <= numbers.stop <= MOST_PERSONS:
            raise TwinError(f"{numbers} is no range of persons; take one such as range(1000)")
        blocks = [self._block(part) for part in _parts(seed, tuple(labels), numbers)]
        values = {name: np.concatenate([block.values[name] for block in blocks]) for name in blocks[0].values}
        rows = np.concatenate([block.rows for block in blocks])
        broken = sum((block.broken for block in blocks), np.zeros(len(self.limits), np.int64))
        covariates = {name: values.pop(name) for name in self.model.covariates()}
        given, source = self._from_cohort(rows)
        return People(
            numbers, covariates, values, given["deviations"], given["individuals"],
            np.concatenate([block.tried for block in blocks]), source, self.levels, self.units,
            {limit.text: int(count) for limit, count in zip(self.limits, broken, strict=True) if count},
            outside_studied(self.model, covariates),
        )  # fmt: skip

    def _from_cohort(self, rows: np.ndarray) -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray | None]:
        if self.cohort is None:
            return {"deviations": {}, "individuals": {}}, rows if self.tables else None
        groups = ("deviations", "individuals")
        taken = {g: {name: v.ravel()[rows] for name, v in getattr(self.cohort, g).items()} for g in groups}
        return taken, rows // self.cohort.draws

    def _block(self, persons: Persons) -> _Block:
        """Persons of one block: candidates, until each is plausible."""
        size = len(persons)
        values, rows = self._candidates(persons, 0)
        first = find_broken(self.limits, self._with_words(values), size)
        broken = np.bincount(first[first >= 0], minlength=len(self.limits))
        tried, open_ = np.ones(size, np.int64), np.flatnonzero(first >= 0)
        attempt = 0
        while len(open_):  # each candidate is plausible with a chance of `_FEWEST` at least
            attempt += 1
            again, picked = self._candidates(persons.take(open_), attempt)
            first = find_broken(self.limits, self._with_words(again), len(open_))
            broken += np.bincount(first[first >= 0], minlength=len(self.limits))
            fits, tried[open_] = first < 0, attempt + 1
            for name in values:
                values[name][open_[fits]] = again[name][fits]
            rows[open_[fits]] = picked[fits]
            open_ = open_[~fits]
        return _Block(values, rows, tried, broken)

    def _with_words(self, values: dict[str, np.ndarray]) -> dict[str, Any]:
        return {**values, **self.words}

    def _candidates(self, persons: Persons, attempt: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """One candidate for each person: every column, and the row of the cohort, or of the first table."""

        def own(column: str) -> np.ndarray:
            return persons.uniforms(column, attempt)

        known: dict[str, np.ndarray] = {}
        picked = []
        for table in (*((self.cohort.rows(),) if self.cohort else ()), *self.tables):
            picked.append(table.pick(own(f"\0{table.name}")))
            known |= {name: values[picked[-1]] for name, values in table.columns.items()}
        shares: dict[str, np.ndarray] = {}
        for dependence in self.dependences:
            shares |= dependence.shares(own)
        for column in self.columns:
            name = column.name
            told = self._with_words(known) if column.needs else known
            known[name] = column.draw(told, _choose(shares, name, own), len(persons))
        return known, picked[0] if picked else np.zeros(len(persons), np.intp)

    def probe(self) -> People:
        """Persons by whom a population is judged; an error if hardly a candidate is plausible."""
        (persons,) = _parts(0, (_PROBE,), range(_PROBED))
        values, _ = self._candidates(persons, 0)
        first = find_broken(self.limits, self._with_words(values), _PROBED)
        share = np.mean(first < 0)
        if share < _FEWEST:
            counts = np.bincount(first[first >= 0], minlength=len(self.limits))
            worst = self.limits[int(np.argmax(counts))].text
            raise TwinError(
                f"of {_PROBED:,} candidates {100 * (1 - share):.3g} % are not plausible, most of them by '{worst}'; "
                "widen the limits, or draw from where people are"
            )
        return self.draw(0, range(1000), label=_PROBE)

    def closeness(self, people: People) -> list[Closeness]:
        """How near persons are to the rows of each table that a copula was fitted to."""
        known = {**people.covariates, **people.others}
        return [find_closeness(table, {name: known[name] for name in table.columns}) for table in self.fitted]

    def patient(self) -> BoundPatient:
        """The patient whose draws the persons are, with the covariates of somebody in their middle."""
        people = self.draw(0, range(1000), label=_PROBE)
        middle = {}
        for name, declared in self.model.covariates().items():
            values, counts = np.unique(people.covariates[name], return_counts=True)
            often = float(values[np.argmax(counts)])
            middle[name] = often if declared.levels else float(np.median(people.covariates[name]))
        return BoundPatient(NAME, middle)


@dataclasses.dataclass(frozen=True, eq=False)
class _Block:
    values: dict[str, np.ndarray]
    rows: np.ndarray
    tried: np.ndarray
    broken: np.ndarray


def _parts(seed: int, labels: tuple[str, ...], numbers: range) -> Iterator[Persons]:
    """Everybody, block by block, label by label."""
    count = len(numbers)
    for start in range(0, max(count * len(labels), 1), _BLOCK):
        places = np.arange(start, min(start + _BLOCK, count * len(labels)))
        yield Persons(seed, labels, places // max(count, 1), numbers.start + places % max(count, 1))


def _choose(shares: Mapping[str, np.ndarray], name: str, own: Callable[[str], np.ndarray]) -> Callable[[], np.ndarray]:
    return lambda: shares[name] if name in shares else own(name)
