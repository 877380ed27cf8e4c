"""Reads what is written of a population: every name, unit, level and limit is checked against the model."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import TwinError, TwinErrors, suggest
from ...files.document import spell
from ...files.schema import examine
from ...library import as_model
from ...model import DiseaseModel
from ...model.extension import OCCASION
from ...quantity import parse_quantity
from ...regimen.feedback.condition import Condition, Formula, parse, parse_formula
from .cohort import cohort_of
from .column import Cohort, Column, Computed, Distribution, Rows
from .dependence import TO_NORMAL, Dependence, Gaussian, correlation_of
from .file import ColumnEntry, PairEntry, PopulationEntry, TableEntry
from .fit import fit
from .margin import Chances
from .margins import Target, build_margin, covariate_target, fix, further_target, kind_of
from .plausible import Limit, model_limits
from .table import Table, read_people

At = Callable[..., contextlib.AbstractContextManager[None]]
REFERENCE = "reference"  # the word for a model's own value


def fields_of_mapping(
    model: DiseaseModel | str, said: Mapping[str, Any], folder: str | os.PathLike[str]
) -> dict[str, Any]:  # fmt: skip
    """The fields of a `Population` from what Python writes, held to the schema of files; every problem at once."""
    problems: list[str] = []
    twin = said.get("cohort")
    plain = dict(said)
    if twin is not None and not isinstance(twin, str | Mapping):
        plain["cohort"] = {"path": "(a twin)"}
    elif twin is not None:
        raise TwinError("population, cohort: name the twin itself, as twin.load_twin gives it")
    examined = examine(plain, PopulationEntry)

    @contextlib.contextmanager
    def at(*place: str | int) -> Iterator[None]:
        try:
            yield
        except TwinError as problem:
            for one in getattr(problem, "problems", [str(problem)]):
                problems.append(_sentence(place, one))

    problems += [_sentence(problem.at, problem.message) for problem in examined.problems]
    made = None
    if examined.content is not None and not problems:
        made = fields_of(examined.content, as_model(model), at, lambda name: Path(folder, name), lambda entry: twin)
    if made is None or problems:
        raise TwinErrors(problems)
    return made


def _sentence(place: Sequence[str | int], message: str) -> str:
    return f"population{', ' + spell(tuple(place)) if place else ''}: {message}"


def fields_of(
    entry: PopulationEntry, model: DiseaseModel, at: At, find: Callable[[str], Path],
    load_twin: Callable[[Any], Any], warn: Callable[[str], None] = lambda text: None,
) -> dict[str, Any] | None:  # fmt: skip
    """The fields of a `Population` from an entry; None where `at` has caught an error on the way.

    `find` is the file that a table's name stands for, `load_twin` the twin that a cohort's entry does.
    """
    return _Building(entry, model, at, find, load_twin, warn).fields()


@dataclasses.dataclass
class _Building:
    entry: PopulationEntry
    model: DiseaseModel
    outer: At
    find: Callable[[str], Path]
    load_twin: Callable[[Any], Any]
    warn: Callable[[str], None]
    ok: bool = True
    columns: dict[str, Column] = dataclasses.field(default_factory=dict)
    given: dict[str, str] = dataclasses.field(default_factory=dict)  # columns that rows give, and whose they are
    targets: dict[str, Target] = dataclasses.field(default_factory=dict)
    levels: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    units: dict[str, str] = dataclasses.field(default_factory=dict)
    dependences: list[Dependence] = dataclasses.field(default_factory=list)
    tables: list[Rows] = dataclasses.field(default_factory=list)
    limits: list[Limit] = dataclasses.field(default_factory=list)
    words: dict[str, float] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    fitted: list[Table] = dataclasses.field(default_factory=list)

    @contextlib.contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        with self.outer(*place):
            try:
                yield
            except TwinError:
                self.ok = False
                raise

    def fields(self) -> dict[str, Any] | None:
        self.levels = {name: tuple(one.levels) for name, one in self.model.covariates().items() if one.levels}
        cohort = self.read_cohort()
        self.read_tables()
        self.name_columns()
        if not self.ok:
            return None
        self.read_columns()
        self.correlate()
        self.read_conditions()
        with self.at():
            self.require_all()
        columns: list[Column] = []
        if self.ok:
            with self.at():
                columns = self.in_order()
        if not self.ok:
            return None
        return {
            "model": self.model, "columns": tuple(columns), "dependences": tuple(self.dependences),
            "tables": tuple(self.tables), "cohort": cohort,
            "limits": (*self.finite(), *self.limits, *model_limits(self.model)), "levels": self.levels,
            "units": self.units, "words": self.words, "size": self.entry.size, "notes": tuple(self.notes),
            "fitted": tuple(self.fitted),
        }  # fmt: skip

    # rows ------------------------------------------------------------------------------------------

    def read_cohort(self) -> Cohort | None:
        if self.entry.cohort is None:
            return None
        with self.at("cohort"):
            cohort, told = cohort_of(self.load_twin(self.entry.cohort), self.model, self.entry.cohort.patients)
            self.notes += told
            for name in cohort.covariates:
                self.claim(name, "the cohort's patients")
            return cohort
        return None

    def read_tables(self) -> None:
        for i, entry in enumerate(self.entry.tables):
            with self.at("tables", i):
                self.read_table(i, entry)

    def read_table(self, i: int, entry: TableEntry) -> None:
        table = read_people(self.find(entry.path), entry.columns, self.model)
        for name in table.columns:
            self.claim(name, f"table {entry.path}")
        self.levels |= table.levels
        self.units |= table.units
        if entry.take == "rows":
            self.take_rows(f"table {i}", entry.path, table)
        else:
            self.take_copula(entry, table)

    def take_rows(self, name: str, path: str, table: Table) -> None:
        whole = table.whole
        if not whole.any():
            raise TwinError(f"no row of {path} has a value in every column that is taken; take fewer columns")
        if not whole.all():
            self.notes.append(f"{path}: {int((~whole).sum())} of {len(whole)} rows have an empty cell and are left out")
        self.tables.append(Rows(name, {one: values[whole] for one, values in table.columns.items()}))

    def take_copula(self, entry: TableEntry, table: Table) -> None:
        levels = frozenset(n for n in table.columns if self.levels.get(n))
        if entry.take == "vine":
            from .vine import fit_vine

            dependence, margins = fit_vine(table.columns, levels)
        else:
            fitted = fit(table.columns, levels)
            dependence, margins = fitted.copula, fitted.margins
            if fitted.moved > 0.01:
                self.notes.append(
                    f"{entry.path}: correlations of pairs were moved by up to {fitted.moved:.2g}, for all to hold"
                )
        self.dependences.append(dependence)
        self.fitted.append(table)
        for name, margin in margins.items():
            self.columns[name] = Distribution(name, margin)

    def claim(self, name: str, whose: str) -> None:
        if name in self.given:
            raise TwinError(f"'{name}' comes from {self.given[name]} and from {whose}; leave one out")
        self.given[name] = whose

    # columns one by one ----------------------------------------------------------------------------

    def name_columns(self) -> None:
        for place, name, told in self.entries():
            with self.at(place, name):
                self.claim(name, f"{place} of the population")
                if place == "covariates":
                    self.targets[name] = covariate_target(name, self.model)
                    continue
                taken = {**self.model.covariates(), **self.model.parameters(), **self.model.inputs()}
                if name in taken:
                    raise TwinError(f"'{name}' is a name of the model's own; a covariate stands under covariates")
                self.targets[name] = further_target(name, told)
                self.units[name] = self.targets[name].unit
                if self.targets[name].levels:
                    self.levels[name] = self.targets[name].levels

    def entries(self) -> Iterator[tuple[str, str, Any]]:
        for name, told in self.entry.covariates.items():
            yield "covariates", name, told
        for name, told in self.entry.others.items():
            yield "others", name, told

    def read_columns(self) -> None:
        for place, name, told in self.entries():
            with self.at(place, name):
                if isinstance(told, ColumnEntry) and told.unit is not None and place == "covariates":
                    raise TwinError("the model says the unit of its covariate; leave 'unit' out")
                self.columns[name] = self.column(name, told)
                if isinstance(told, ColumnEntry):
                    self.limit(name, told)
        if OCCASION in self.model.covariates() and OCCASION not in self.given:  # the course says which it is
            self.claim(OCCASION, "the course")
            self.columns[OCCASION] = Distribution(OCCASION, Chances((1.0,), (1.0,)))

    def column(self, name: str, told: Any) -> Column:
        target = self.targets[name]
        if not isinstance(told, ColumnEntry):
            if told == REFERENCE and REFERENCE not in target.levels:
                return Distribution(name, Chances((self.model.covariates()[name].standard,), (1.0,)))
            if isinstance(told, str) and told.lstrip().startswith("="):
                return Computed(name, self.formula(told.lstrip()[1:]))
            return Distribution(name, fix(told, target, self.model, self.warn))
        if kind_of(told) == "formula":
            if target.levels:
                raise TwinError(f"'{name}' has levels ({', '.join(target.levels)}), which no formula gives; use by")
            return Computed(name, self.formula(str(told.formula)))
        numbers = {one: self.numbering(one) for one in self.levels}
        return Distribution(name, build_margin(told, target, self.levels, numbers))

    def numbering(self, name: str) -> Callable[[str], float]:
        declared = self.model.covariates().get(name)
        if declared is not None:
            return lambda word: declared.number(name, word)

        def number(word: str) -> float:
            if word not in self.levels[name]:
                raise TwinError(f"unknown level '{word}' of '{name}'; {suggest(word, self.levels[name])}")
            return float(self.levels[name].index(word))

        return number

    def formula(self, text: str) -> Formula:
        made = parse_formula(text, strict=True)
        self.check_names(made)
        return made

    def check_names(self, made: Formula | Condition) -> None:
        for name in sorted(made.names):
            if name not in self.given:
                raise TwinError(f"'{name}' in '{made.text}' is no column; {suggest(name, self.given)}")
        for name, word in sorted(made.words):
            if not self.levels.get(name):
                raise TwinError(f"'{name}' in '{made.text}' is a number and not '{word}'; compare it with a number")
            self.words[f"{name}={word}"] = self.numbering(name)(word)

    def limit(self, name: str, told: ColumnEntry) -> None:
        if told.low is None and told.high is None:
            return
        target = self.targets[name]
        if target.levels:
            raise TwinError(f"'{name}' has levels; leave low and high out")
        low = -math.inf if told.low is None else parse_quantity(told.low, target.unit)
        high = math.inf if told.high is None else parse_quantity(told.high, target.unit)
        if not low < high:
            raise TwinError(f"low {low:g} is not below high {high:g}; turn them round")
        said = [f"from {low:g}"] * (low > -math.inf) + [f"to {high:g}"] * (high < math.inf)
        self.limits.append(Limit(f"{name} {' '.join(said)}", column=name, low=low, high=high))

    # all of it together ----------------------------------------------------------------------------

    def correlate(self) -> None:
        """Columns that pairs name, group by group."""
        pairs: dict[tuple[str, str], float] = {}
        for i, pair in enumerate(self.entry.correlations):
            with self.at("correlations", i):
                one, other = pair.between
                self.check_pair(one, other)
                if (one, other) in pairs or (other, one) in pairs:
                    raise TwinError(f"'{one}' and '{other}' are correlated twice; keep one")
                pairs[one, other] = _normal_correlation(pair)
        for names in _groups(pairs):
            with self.at("correlations"):
                inside = {key: value for key, value in pairs.items() if key[0] in names}
                self.dependences.append(Gaussian(names, correlation_of(names, inside)))

    def check_pair(self, one: str, other: str) -> None:
        if one == other:
            raise TwinError(f"'{one}' goes with itself anyway; name two columns")
        for name in (one, other):
            made = self.columns.get(name)
            if name not in self.targets or not isinstance(made, Distribution):
                raise TwinError(f"'{name}' is not drawn from a distribution written here, so nothing correlates it")
            if isinstance(made.margin, Chances) and len(made.margin.values) == 1:
                raise TwinError(f"'{name}' is the same for all, and goes with nothing; leave the pair out")

    def read_conditions(self) -> None:
        for i, text in enumerate(self.entry.where):
            with self.at("where", i):
                condition = parse(text)
                self.check_names(condition)
                self.limits.append(Limit(text, condition))

    def finite(self) -> Iterable[Limit]:
        """What is computed has to be a number."""
        for column in self.columns.values():
            if isinstance(column, Computed):
                biggest = float(np.finfo(float).max)
                yield Limit(f"{column.name} that is a number", column=column.name, low=-biggest, high=biggest)

    def require_all(self) -> None:
        missing = [name for name in self.model.covariates() if name not in self.given]
        if missing:
            word = "covariate" if len(missing) == 1 else "covariates"
            raise TwinError(
                f"nothing is said of {word} {', '.join(missing)}; write a distribution, or '{missing[0]}: {REFERENCE}' "
                "for the model's own value"
            )

    def in_order(self) -> list[Column]:
        """Columns so that each comes after what it needs."""
        ready = set(self.given) - set(self.columns)
        left, found = dict(self.columns), []
        while left:
            free = [name for name, column in left.items() if column.needs <= ready]
            if not free:
                raise TwinError(f"{' and '.join(sorted(left))} are computed from each other; take one from elsewhere")
            for name in free:
                found.append(left.pop(name))
                ready.add(name)
        return found


def _normal_correlation(pair: PairEntry) -> float:
    said = [kind for kind in TO_NORMAL if getattr(pair, kind) is not None]
    if len(said) != 1:
        raise TwinError(
            f"exactly one of {', '.join(TO_NORMAL)} is wanted, here {' and '.join(said) or 'none'}; write one"
        )
    return TO_NORMAL[said[0]](float(getattr(pair, said[0])))


def _groups(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Columns that hang together by pairs."""
    groups: list[list[str]] = []
    for pair in pairs:
        joined = [group for group in groups if set(group) & set(pair)]
        groups = [group for group in groups if group not in joined]
        groups.append(list(dict.fromkeys([name for group in joined for name in group] + list(pair))))
    return [tuple(group) for group in groups]
