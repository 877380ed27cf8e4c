"""A trace as lines of C++: one a scalar operation, with its loops and branches.

While writing, an array is a numpy array of C expressions, so that slicing, stacking and reshaping cost nothing when
the kernel runs. Tables stay in memory and are read where the trace indexes them.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from ....errors import TwinError
from .words import CALLED, COMPUTED, FOLDED, MOVED, TYPES, constants, template


@dataclasses.dataclass(frozen=True)
class Table:
    """An array in memory; `<pointer>_step` numbers lie between an entry and the next one of the same lane."""

    pointer: str
    shape: tuple[int, ...]
    begin: tuple[str, ...] = ()  # terms of the first entry's index

    def entry(self, *index: str) -> str:
        terms = [term for term in (*self.begin, *index) if term != "0"]
        if not terms:
            return f"{self.pointer}[0]"
        whole = terms[0] if len(terms) == 1 and " " not in terms[0] else f"({' + '.join(terms)})"
        return f"{self.pointer}[{whole} * {self.pointer}_step]"

    def row(self, index: str) -> Table:
        term = _scale(index, math.prod(self.shape[1:]))
        return Table(self.pointer, self.shape[1:], (*self.begin, term))


def _scale(index: str, by: int) -> str:
    return "0" if index == "0" else index if by == 1 else f"{index} * {by}"


Value = np.ndarray | Table


class Writer:
    """Writes traces one after the other; `lines` is what there is so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stacked: dict[str, tuple[str, int]] = {}  # arrays that scans fill: type and size
        self._names = 0
        self._known: list[dict[str, str]] = [{}]  # by open brace, the names of what has been computed

    # --- lines ----------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        if text.startswith("}"):
            self._known.pop()
        self.lines.append("  " * len(self._known) + text)
        if text.endswith("{"):
            self._known.append({})

    def name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    def let(self, kind: str, expression: str) -> str:
        """The name of a value, one for all who ask for the same."""
        wanted = f"{kind} {expression}"
        for known in self._known:
            if wanted in known:
                return known[wanted]
        name = self._known[-1][wanted] = self.name("v")
        self.line(f"const {kind} {name} = {expression};")
        return name

    def variables(self, avals: Sequence[Any], begin: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """Names that can be assigned to, one an entry."""
        made = [np.empty(aval.shape, object) for aval in avals]
        for i, (names, aval) in enumerate(zip(made, avals, strict=True)):
            for place in np.ndindex(names.shape):
                names[place] = self.name("x")
                value = "" if begin is None else f" = {begin[i][place]}"
                self.line(f"{TYPES[aval.dtype.name]} {names[place]}{value};")
        return made

    def assign(self, names: Sequence[np.ndarray], values: Sequence[np.ndarray], avals: Sequence[Any]) -> None:
        """All at once: what is itself about to change is kept aside first."""
        pairs = [
            (name, value, TYPES[aval.dtype.name])
            for each, new, aval in zip(names, values, avals, strict=True)
            for name, value in zip(each.flat, new.flat, strict=True)
            if name != value
        ]
        changing = {name for name, _, _ in pairs}
        kept = [(name, self.let(kind, value) if value in changing else value) for name, value, kind in pairs]
        for name, value in kept:
            self.line(f"{name} = {value};")

    # --- values ---------------------------------------------------------------------------------------

    def values(self, x: Value, aval: Any) -> np.ndarray:
        """Entries as expressions; those of a table are read here."""
        if not isinstance(x, Table):
            return x
        return self._each(aval, lambda place: x.entry(str(np.ravel_multi_index(place, x.shape) if place else 0)))

    def _read(self, given: Sequence[Value], avals: Sequence[Any]) -> list[np.ndarray]:
        return [self.values(x, aval) for x, aval in zip(given, avals, strict=True)]

    def _each(self, aval: Any, expression: Any) -> np.ndarray:
        """An array of the values that `expression(place)` computes."""
        found = np.empty(aval.shape, object)
        for place in np.ndindex(aval.shape):
            found[place] = self.let(TYPES[aval.dtype.name], expression(place))
        return found

    def _table(self, x: Value, aval: Any) -> Table:
        """An array as one in memory, so that a variable can index it."""
        if isinstance(x, Table):
            return x
        name = self.name("a")
        self.line(f"const {TYPES[aval.dtype.name]} {name}[] = {{{', '.join(x.flat)}}}; const int {name}_step = 1;")
        return Table(name, x.shape)

    # --- traces ---------------------------------------------------------------------------------------

    def write(self, traced: Any, given: Sequence[Value]) -> list[Value]:
        """Its equations; what its results are called. Closed traces bring their constants along."""
        if isinstance(traced, core.ClosedJaxpr):
            given, traced = [*map(constants, traced.consts), *given], traced.jaxpr
        held = dict(zip([*traced.constvars, *traced.invars], given, strict=True))

        def read(v: Any) -> Value:
            return _literal(v) if isinstance(v, core.Literal) else held[v]

        for equation in traced.eqns:
            results = self._equation(equation, [read(v) for v in equation.invars])
            held.update(zip(equation.outvars, results, strict=True))
        return [read(v) for v in traced.outvars]

    def _equation(self, equation: Any, given: list[Value]) -> Sequence[Value]:
        name = equation.primitive.name
        if name in CALLED:
            return self.write(equation.params[CALLED[name]], given)
        special = {
            "while": self._while, "scan": self._scan, "cond": self._cond, "dynamic_slice": self._dynamic_slice,
            "gather": self._gather,
        }  # fmt: skip
        if name in special:
            return special[name](equation, given)
        if name in ("reshape", "squeeze") and isinstance(given[0], Table):
            return [dataclasses.replace(given[0], shape=equation.outvars[0].aval.shape)]
        entries = self._read(given, [v.aval for v in equation.invars])
        if name in MOVED:
            found = MOVED[name](*entries, **equation.params)
            return found if isinstance(found, tuple) else [found]
        if name in FOLDED:
            return [self._fold(equation, entries[0])]
        return [self._compute(equation, template(equation), entries)]

    def _compute(self, equation: Any, text: str, given: Sequence[np.ndarray]) -> np.ndarray:
        aval = equation.outvars[0].aval
        if text == "{0}":
            return given[0]
        each = [np.broadcast_to(x, aval.shape) for x in given]
        return self._each(aval, lambda place: text.format(*(x[place] for x in each)))

    def _fold(self, equation: Any, x: np.ndarray) -> np.ndarray:
        text, axes = COMPUTED[FOLDED[equation.primitive.name]], equation.params["axes"]
        first, *others = np.moveaxis(x, axes, range(len(axes))).reshape(-1, *equation.outvars[0].aval.shape)
        for other in others:
            first = self._compute(equation, text, [first, other])
        return np.asarray(first, object)

    # --- tables ---------------------------------------------------------------------------------------

    def _begin(self, index: str, size: int, length: int) -> str:
        """Where a slice of this size begins, moved inside as XLA does."""
        return "0" if size == length else self.let("int", f"clamp(0, (int){index}, {length - size})")

    @staticmethod
    def _entry(table: Table, shape: Sequence[int], starts: Sequence[str], offsets: Sequence[int]) -> str:
        strides = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
        fixed = sum(o * s for o, s in zip(offsets, strides, strict=True))
        return table.entry(*map(_scale, starts, strides), str(fixed))

    def _dynamic_slice(self, equation: Any, given: list[Value]) -> list[np.ndarray]:
        aval, sizes = equation.invars[0].aval, equation.params["slice_sizes"]
        table = self._table(given[0], aval)
        places = self._read(given[1:], [v.aval for v in equation.invars[1:]])
        starts = [self._begin(s.item(), z, n) for s, z, n in zip(places, sizes, aval.shape, strict=True)]
        return [self._each(equation.outvars[0].aval, lambda place: self._entry(table, aval.shape, starts, place))]

    def _gather(self, equation: Any, given: list[Value]) -> list[np.ndarray]:
        """What slices become when they are mapped: each entry from a place of its own."""
        operand, wanted = (v.aval for v in equation.invars)
        numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
        if equation.params["mode"] not in (jax.lax.GatherScatterMode.CLIP, jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS):
            raise TwinError(f"no C++ is known for a gather of mode {equation.params['mode']}; use another TWIN_BACKEND")
        table, indices = self._table(given[0], operand), self.values(given[1], wanted)
        single = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
        whole = [d for d in range(operand.ndim) if d not in single]

        def entry(place: tuple[int, ...]) -> str:
            batch = tuple(i for d, i in enumerate(place) if d not in numbers.offset_dims)
            starts, offsets = ["0"] * operand.ndim, [0] * operand.ndim
            for k, d in enumerate(numbers.start_index_map):
                starts[d] = self._begin(indices[(*batch, k)], sizes[d], operand.shape[d])
            for d, at in zip(whole, numbers.offset_dims, strict=True):
                offsets[d] = place[at]
            for d, at in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
                offsets[d] = batch[at]
            return self._entry(table, operand.shape, starts, offsets)

        return [self._each(equation.outvars[0].aval, entry)]

    # --- loops and branches ---------------------------------------------------------------------------

    def _while(self, equation: Any, given: list[Value]) -> list[np.ndarray]:
        parameters, avals = equation.params, [v.aval for v in equation.outvars]
        first = parameters["cond_nconsts"]
        second = first + parameters["body_nconsts"]
        carry = self.variables(avals, self._read(given[second:], avals))
        self.line("for (;;) {")
        test = parameters["cond_jaxpr"]
        (going,) = self._read(self.write(test, [*given[:first], *carry]), test.out_avals)
        self.line(f"if (!{going[()]}) break;")
        after = self.write(parameters["body_jaxpr"], [*given[first:second], *carry])
        self.assign(carry, self._read(after, avals), avals)
        self.line("}")
        return carry

    def _scan(self, equation: Any, given: list[Value]) -> list[Value]:
        """A loop with a counter; what it stacks is written row by row."""
        parameters, avals = equation.params, [v.aval for v in equation.outvars]
        consts, carried = _split(equation)
        carry = self.variables(avals[:carried], self._read(given[consts : consts + carried], avals[:carried]))
        over = equation.invars[consts + carried :]
        rows = [self._table(x, v.aval) for x, v in zip(given[consts + carried :], over, strict=True)]
        stacks = [self._stack(aval) for aval in avals[carried:]]
        i, length = self.name("i"), parameters["length"]
        run = f"{length - 1}; {i} >= 0; --{i}" if parameters["reverse"] else f"0; {i} < {length}; ++{i}"
        self.line(f"for (int {i} = {run}) {{")
        after = self.write(parameters["jaxpr"], [*given[:consts], *carry, *(row.row(i) for row in rows)])
        for stack, new in zip(stacks, after[carried:], strict=True):
            for k, value in enumerate(np.asarray(new).flat):
                self.line(f"{stack.row(i).entry(str(k))} = {value};")
        self.assign(carry, self._read(after[:carried], avals[:carried]), avals[:carried])
        self.line("}")
        return [*carry, *stacks]

    def _stack(self, aval: Any) -> Table:
        name = self.name("stack")
        self.stacked[name] = TYPES[aval.dtype.name], math.prod(aval.shape)
        return Table(name, aval.shape)

    def _cond(self, equation: Any, given: list[Value]) -> list[np.ndarray]:
        avals, branches = [v.aval for v in equation.outvars], equation.params["branches"]
        which, results = self.values(given[0], equation.invars[0].aval)[()], self.variables(avals)
        for k, branch in enumerate(branches):
            last = k == len(branches) - 1
            self.line(("else " if k else "") + ("{" if last else f"if ({which} <= {k}) {{"))
            self.assign(results, self._read(self.write(branch, given[1:]), avals), avals)
            self.line("}")
        return results

    def prune(self, text: str) -> list[str]:
        """The lines without values that neither they nor `text` after them read."""
        seen, kept = set(_NAMES.findall(text)), []
        for line in reversed(self.lines):
            names = _NAMES.findall(line)
            if line.lstrip().startswith("const "):
                if names[0] not in seen:
                    continue
                names = names[1:]
            seen.update(names)
            kept.append(line)
        return kept[::-1]


def _literal(v: Any) -> np.ndarray:
    return constants(np.asarray(v.val, v.aval.dtype))


_NAMES = re.compile(r"\b[a-z]+\d+\b")


def _split(scan: Any) -> tuple[int, int]:
    """How many constants and carried values a scan has: what has no axis more outside than inside.

    JAX has named these counts differently from version to version.
    """
    inner = getattr(scan.params["jaxpr"], "jaxpr", scan.params["jaxpr"])
    carried = sum(v.aval.shape == w.aval.shape for v, w in zip(inner.outvars, scan.outvars, strict=True))
    kept = sum(v.aval.shape == w.aval.shape for v, w in zip(inner.invars, scan.invars, strict=True))
    return kept - carried, carried
