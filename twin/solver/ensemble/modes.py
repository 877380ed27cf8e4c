"""The exact linear block as scalars: its states at any time after an event, from its modes.

`exact.py` serves one patient with arrays; this serves a block of lanes (or a kernel) with elementwise
arithmetic only, and as cheaply as it can: between two events a state of the block is

    x_i(t) = sum_k a_ik exp(l_k t) + b_ik (exp(l_k t) - 1) / l_k,

one exponential a mode, whatever the number of states. The amplitudes a_ik are found once an event, from
Newton's interpolation of the exponential on the eigenvalues. They divide by differences of eigenvalues, so
eigenvalues that (nearly) meet are first moved apart symmetrically: an error of second order in the distance,
against rounding of first order in its inverse. Blocks whose eigenvalues meet by their structure (a chain of
equal rates) would lose too much and keep the divided differences of `spectrum.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...model import DiseaseModel, Individual, pack, unpack
from ...types import Array
from ..linear.proof import linear_block
from ..linear.spectrum import divided_exponentials, eigenvalues, sort_ascending
from ..linear.structure import components, has_constant, systems_at_random

# Least relative distances of two eigenvalues, and of three neighbours; see above. Three lose the inverse square.
_APART = {"float64": (1e-5, 1.2e-4), "float32": (1e-3, 1.6e-2)}

Lanes = list[Array]  # one array of lanes for each of several named things


@dataclasses.dataclass(frozen=True)
class _Part:
    """An independent part of the block: its states, its coupled groups, and what is known of its eigenvalues."""

    states: tuple[int, ...]  # positions in the block
    groups: tuple[tuple[int, ...], ...]
    apart: bool  # they differ, so that modes are safe


@functools.cache
def parts(kind: type[DiseaseModel]) -> tuple[_Part, ...]:
    """The parts of a model's block, each with closed-form eigenvalues."""
    found = []
    for c in components(kind):
        found.append(_Part(c.states, c.groups, apart=not _meet(kind, c.groups)))
    return tuple(found)


def _meet(kind: type[DiseaseModel], groups: tuple[tuple[int, ...], ...]) -> bool:
    """Whether eigenvalues are equal whatever the parameters; within a group, they never are."""
    for matrix, _ in systems_at_random(kind):
        each = [np.linalg.eigvals(matrix[np.ix_(g, g)]).real for g in groups]
        nodes = np.sort(np.concatenate(each))
        if not np.any(np.diff(nodes) < 1e-6 * np.abs(nodes).max()):
            return False
    return True


@dataclasses.dataclass(frozen=True)
class _Entries:
    """The rate matrix by (row, column), as scalars; what is structurally zero is absent."""

    values: dict[tuple[int, int], Array]
    zero: Array

    def __getitem__(self, place: tuple[int, int]) -> Array:
        return self.values.get(place, self.zero)

    def multiply_shifted(self, node: Array, x: Lanes, states: Sequence[int]) -> Lanes:
        """(A - node I) x over the states of a part; the shift is formed before it multiplies (see exact.py)."""
        result = []
        for i in states:
            total = self.zero
            for k, j in enumerate(states):
                if i == j:
                    total = total + (self[i, j] - node) * x[k]
                elif (i, j) in self.values:
                    total = total + self.values[i, j] * x[k]
            result.append(total)
        return result


@dataclasses.dataclass(frozen=True)
class Block:
    """The linear block of the individuals of some lanes, ready to be launched at every event."""

    parts: tuple[_Part, ...]
    matrix: _Entries
    constant: Lanes
    nodes: tuple[tuple[Array, ...], ...]  # ascending, by part
    forced: tuple[bool, ...]  # by part: whether a constant input can occur

    @classmethod
    def of(cls, model: DiseaseModel, p: Individual, zero: Array, *, infusions: bool) -> Block | None:
        """The block of a model's individuals, `zero` telling the lanes; None if the model has none."""
        kind = type(model)
        if not linear_block(kind).states:
            return None
        matrix, constant = _entries(model, p, zero)
        nodes = []
        for part in parts(kind):
            found = eigenvalues(matrix, part.groups)
            nodes.append(tuple(_spread(found) if part.apart else found))
        forced = tuple(infusions or has_constant(kind, part.states) for part in parts(kind))
        return cls(parts(kind), matrix, constant, tuple(nodes), forced)

    def launch(self, x: Lanes, rate: Lanes) -> Launched:
        """From the block's states `x` under a constant input `rate` to its states at any later time."""
        inflow = [b + r for b, r in zip(self.constant, rate, strict=True)]
        launched = []
        for part, nodes, fed in zip(self.parts, self.nodes, self.forced, strict=True):
            start, forced = [x[i] for i in part.states], [inflow[i] for i in part.states] if fed else None
            if part.apart:
                launched.append(self._modes(part, nodes, start, forced))
            else:
                launched.append(self._chain(part, nodes, start, forced))
        fastest = functools.reduce(jnp.maximum, [jnp.abs(nodes[0]) for nodes in self.nodes])
        return Launched(tuple(part.states for part in self.parts), tuple(launched), len(x), fastest)

    def _modes(self, part: _Part, nodes: tuple[Array, ...], start: Lanes, forced: Lanes | None) -> _Modes:
        amplitudes = self._amplitudes(part, nodes, start)
        responses = None if forced is None else self._amplitudes(part, nodes, forced)
        return _Modes(nodes, amplitudes, responses)

    def _amplitudes(self, part: _Part, nodes: tuple[Array, ...], start: Lanes) -> list[Lanes]:
        """a[i][k], from Newton's vectors: sum over j >= k of v_j / prod of (l_k - l_i), i <= j, i != k."""
        vectors = self._vectors(part, nodes, start)
        amplitudes = [[self.matrix.zero] * len(nodes) for _ in start]
        for k, node in enumerate(nodes):
            weight = jnp.ones_like(node)
            for j in range(len(nodes)):
                if j != k:
                    weight = weight / (node - nodes[j])
                if j >= k:
                    for i in range(len(start)):
                        amplitudes[i][k] = amplitudes[i][k] + weight * vectors[j][i]
        return amplitudes

    def _vectors(self, part: _Part, nodes: Sequence[Array], start: Lanes) -> list[Lanes]:
        vectors = [start]
        for node in nodes[:-1]:
            vectors.append(self.matrix.multiply_shifted(node, vectors[-1], part.states))
        return vectors

    def _chain(self, part: _Part, nodes: tuple[Array, ...], start: Lanes, forced: Lanes | None) -> _Newton:
        """Newton's form as it is; a constant input is one more state, whose node is zero."""
        terms = [(nodes, tuple(map(tuple, self._vectors(part, nodes, start))))]
        if forced is not None:
            ordered = sort_ascending([*nodes, jnp.zeros_like(nodes[0])])
            state, source, vectors = [self.matrix.zero] * len(start), jnp.ones_like(nodes[0]), []
            for node in ordered:
                vectors.append(tuple(state))
                moved = self.matrix.multiply_shifted(node, state, part.states)
                state = [m + b * source for m, b in zip(moved, forced, strict=True)]
                source = -node * source
            terms.append((tuple(ordered), tuple(vectors)))
        return _Newton(tuple(terms))


@dataclasses.dataclass(frozen=True)
class _Modes:
    """What was there decays in each mode; what flows in gathers as the mode's integral."""

    nodes: tuple[Array, ...]
    amplitudes: list[Lanes]  # [state][mode]
    responses: list[Lanes] | None

    def at(self, t: Array) -> Lanes:
        modes = [jnp.exp(node * t) for node in self.nodes]
        gathered = []
        for node, mode in zip(self.nodes, modes, strict=True):
            x = node * t
            slow, safe = _is_slow(x), _not_zero(node)
            gathered.append(jnp.where(slow, t * (1 + x * (1 / 2 + x / 6)), (mode - 1) / safe))
        return self._sum(modes, gathered)

    def area(self, t: Array, h: Array) -> Lanes:
        """The integral of each state from t to t + h."""
        grown, gathered = [], []
        for node in self.nodes:
            safe, end = _not_zero(node), t + h
            slow = _is_slow(node * end)
            grow = jnp.exp(node * t) * jnp.where(node == 0, h, jnp.expm1(safe * h) / safe)
            square, cube = (end * end - t * t) / 2, (end * end * end - t * t * t) / 6
            grown.append(grow)
            gathered.append(jnp.where(slow, square + node * cube, (grow - h) / safe))
        return self._sum(grown, gathered)

    def _sum(self, modes: Lanes, gathered: Lanes) -> Lanes:
        result = []
        for i, amplitude in enumerate(self.amplitudes):
            terms = [a * m for a, m in zip(amplitude, modes, strict=True)]
            if self.responses is not None:
                terms += [r * g for r, g in zip(self.responses[i], gathered, strict=True)]
            result.append(functools.reduce(operator.add, terms))
        return result


@dataclasses.dataclass(frozen=True)
class _Newton:
    terms: tuple[tuple[tuple[Array, ...], tuple[tuple[Array, ...], ...]], ...]

    def at(self, t: Array) -> Lanes:
        total: Any = None
        for nodes, vectors in self.terms:
            weights = divided_exponentials([node * t for node in nodes])
            power = jnp.ones_like(t)
            for weight, vector in zip(weights, vectors, strict=True):
                add = [weight * power * v for v in vector]
                total = add if total is None else [s + a for s, a in zip(total, add, strict=True)]
                power = power * t
        return total

    def area(self, t: Array, h: Array) -> None:
        return None


@dataclasses.dataclass(frozen=True)
class Launched:
    """The block's course after an event."""

    states: tuple[tuple[int, ...], ...]
    terms: tuple[_Modes | _Newton, ...]
    size: int
    fastest: Array  # rate of any mode

    def at(self, t: Array) -> Lanes:
        """Every state of the block, a time `t` after the event."""
        return self._place([term.at(t) for term in self.terms])

    def area(self, t: Array, h: Array) -> Lanes | None:
        """The integral of every state from `t` to `t + h`, if every part has modes."""
        found = [term.area(t, h) for term in self.terms]
        return None if any(f is None for f in found) else self._place(found)

    def _place(self, values: Sequence[Any]) -> Lanes:
        result: list[Any] = [None] * self.size
        for states, found in zip(self.states, values, strict=True):
            for i, value in zip(states, found, strict=True):
                result[i] = value
        return result


def _entries(model: DiseaseModel, p: Individual, zero: Array) -> tuple[_Entries, Lanes]:
    """A and b of the block, by forward differentiation of the model's own equations."""
    kind = type(model)
    block = linear_block(kind)
    start = [v + zero for v in pack(model.initial(p))]

    def rates(x: Lanes) -> Lanes:
        flat = list(start)
        for value, i in zip(x, block.states, strict=True):
            flat[i] = value
        flow = pack(model.derivatives(zero, unpack(kind.State, flat), p))
        return [flow[i] + zero for i in block.states]

    at, values = [zero] * len(block.states), {}
    for j in range(len(block.states)):
        unit = [zero + 1.0 if i == j else zero for i in range(len(block.states))]
        _, column = jax.jvp(rates, (at,), (unit,))
        values.update({(i, j): column[i] for i in range(len(block.states)) if j in block.feeds[i]})
    return _Entries(values, zero), rates(at)


def _spread(nodes: Lanes) -> Lanes:
    """Ascending nodes moved apart about their middle, three that meet and then each pair, to the least distance."""
    two, three = _APART[nodes[0].dtype.name]
    nodes = list(nodes)
    largest = functools.reduce(jnp.maximum, [jnp.abs(n) for n in nodes])

    def size(low: Array, high: Array) -> Array:
        return jnp.maximum(jnp.maximum(jnp.abs(low), jnp.abs(high)), 1e-6 * largest)

    for i in range(2, len(nodes)):
        low, middle, high = nodes[i - 2 : i + 1]
        least, centre = three * size(low, high), (low + middle + high) / 3
        meet = high - low < least
        moved = (centre - least, centre, centre + least)
        nodes[i - 2 : i + 1] = [jnp.where(meet, new, old) for new, old in zip(moved, (low, middle, high), strict=True)]
    for i in range(1, len(nodes)):
        low, high = nodes[i - 1], nodes[i]
        short = jnp.maximum(two * size(low, high) - (high - low), 0.0) / 2
        nodes[i - 1], nodes[i] = low - short, high + short
    return nodes


def _is_slow(x: Array) -> Array:
    """Whether a mode has moved so little that its integral is better taken from a series."""
    return jnp.abs(x) < (1e-4 if x.dtype == jnp.float64 else 1e-2)


def _not_zero(node: Array) -> Array:
    return jnp.where(node == 0, 1.0, node)
