"""The exact linear block as scalars: its states at any time after an event, from its modes.

`exact.py` serves one patient with arrays; this serves a block of lanes (or a kernel) with elementwise
arithmetic only, and as cheaply as it can: between two events a state of the block is

    x_i(t) = c_i + sum_k a_ik exp(l_k t),

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

from ...modelling import DiseaseModel, Individual, pack, unpack
from ...types import Array
from ..affine import linear_block
from ..blocks import components, has_constant, rate_matrix
from ..spectrum import ascending, divided_exponentials, eigenvalues

_APART = {"float64": 1e-5, "float32": 1e-3}  # least relative distance of eigenvalues; see above
_FLOOR = 1e-9  # of the largest eigenvalue: what counts as zero

Lanes = list[Array]  # one array of lanes for each of several named things


@dataclasses.dataclass(frozen=True)
class _Part:
    """An independent part of the block: its states, its coupled groups, and what is known of its eigenvalues."""

    states: tuple[int, ...]  # positions in the block
    groups: tuple[tuple[int, ...], ...]
    apart: bool  # they differ, so that modes are safe
    lasting: bool  # one is zero: something is kept for ever, such as a cumulative hazard


@functools.cache
def parts(kind: type[DiseaseModel]) -> tuple[_Part, ...]:
    """The parts of a model's block, each with closed-form eigenvalues."""
    found = []
    for c in components(kind):
        nodes = _at_random(kind, c.groups)
        apart = len(c.states) == 1 or not all(np.any(np.diff(n) < 1e-6 * np.abs(n).max()) for n in nodes)
        lasting = all(np.any(np.abs(n) <= 1e-12 * np.abs(n).max()) for n in nodes)
        found.append(_Part(c.states, c.groups, apart, lasting))
    return tuple(found)


def _at_random(kind: type[DiseaseModel], groups: Any) -> list[np.ndarray]:
    """Eigenvalues at two random sets of parameters: what holds for both holds by structure."""
    leaves, tree = jax.tree.flatten(Individual(kind.Parameters(), kind.Covariates(), kind.Inputs()))
    generator = np.random.default_rng(1)
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        found = []
        for _ in range(2):
            values = [jnp.asarray(v * generator.uniform(0.8, 1.2) + generator.uniform(1e-3, 1e-2)) for v in leaves]
            matrix, _ = rate_matrix(kind(), jax.tree.unflatten(tree, values), jnp.float64)
            found.append(np.sort([float(v) for v in eigenvalues(matrix, groups)]))
        return found


@dataclasses.dataclass(frozen=True)
class _Entries:
    """The rate matrix by (row, column), as scalars; what is structurally zero is absent."""

    values: dict[tuple[int, int], Array]
    zero: Array

    def __getitem__(self, place: tuple[int, int]) -> Array:
        return self.values.get(place, self.zero)

    def shifted(self, node: Array, x: Lanes, states: Sequence[int]) -> Lanes:
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
    forced: bool  # whether a constant input can occur

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
        return cls(parts(kind), matrix, constant, tuple(nodes), infusions or has_constant(kind))

    def launch(self, x: Lanes, rate: Lanes) -> Launched:
        """From the block's states `x` under a constant input `rate` to its states at any later time."""
        inflow = [b + r for b, r in zip(self.constant, rate, strict=True)]
        launched = []
        for part, nodes in zip(self.parts, self.nodes, strict=True):
            start, forced = [x[i] for i in part.states], [inflow[i] for i in part.states]
            if part.apart:
                launched.append(self._modes(part, nodes, start, forced))
            else:
                launched.append(self._chain(part, nodes, start, forced))
        return Launched(tuple(part.states for part in self.parts), tuple(launched), len(x))

    def _modes(self, part: _Part, nodes: tuple[Array, ...], start: Lanes, forced: Lanes) -> _Modes | _Lasting:
        amplitudes = self._amplitudes(part, nodes, start)
        constant = [self.matrix.zero] * len(start)
        if self.forced and part.lasting:
            response = self._amplitudes(part, nodes, forced)
            return _Lasting(nodes, tuple(map(tuple, amplitudes)), tuple(map(tuple, response)))
        if self.forced:  # what flows in is its own mode's integral: (exp(l t) - 1) / l
            response = self._amplitudes(part, nodes, forced)
            for k, node in enumerate(nodes):
                safe = _away_from_zero(node, nodes)
                for i in range(len(start)):
                    share = response[i][k] / safe
                    amplitudes[i][k] = amplitudes[i][k] + share
                    constant[i] = constant[i] - share
        return _Modes(nodes, tuple(map(tuple, amplitudes)), tuple(constant))

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
            vectors.append(self.matrix.shifted(node, vectors[-1], part.states))
        return vectors

    def _chain(self, part: _Part, nodes: tuple[Array, ...], start: Lanes, forced: Lanes) -> _Newton:
        """Newton's form as it is; a constant input is one more state, whose node is zero."""
        terms = [(nodes, tuple(map(tuple, self._vectors(part, nodes, start))))]
        if self.forced:
            ordered = ascending([*nodes, jnp.zeros_like(nodes[0])])
            state, source, vectors = [self.matrix.zero] * len(start), jnp.ones_like(nodes[0]), []
            for node in ordered:
                vectors.append(tuple(state))
                moved = self.matrix.shifted(node, state, part.states)
                state = [m + b * source for m, b in zip(moved, forced, strict=True)]
                source = -node * source
            terms.append((tuple(ordered), tuple(vectors)))
        return _Newton(tuple(terms))


@dataclasses.dataclass(frozen=True)
class _Modes:
    nodes: tuple[Array, ...]
    amplitudes: tuple[tuple[Array, ...], ...]  # [state][mode]
    constant: tuple[Array, ...]

    def at(self, t: Array) -> Lanes:
        return self._sum([jnp.exp(node * t) for node in self.nodes], 1.0)

    def area(self, t: Array, h: Array) -> Lanes:
        """The integral of each state from t to t + h."""
        grown = []
        for node in self.nodes:
            safe = jnp.where(node == 0, 1.0, node)
            grown.append(jnp.exp(node * t) * jnp.where(node == 0, h, jnp.expm1(safe * h) / safe))
        return self._sum(grown, h)

    def _sum(self, modes: Lanes, one: Any) -> Lanes:
        rows = zip(self.amplitudes, self.constant, strict=True)
        return [functools.reduce(lambda s, am: s + am[0] * am[1], zip(a, modes, strict=True), c * one) for a, c in rows]


@dataclasses.dataclass(frozen=True)
class _Lasting:
    """Modes one of which may be zero, where what flows in grows for ever."""

    nodes: tuple[Array, ...]
    amplitudes: tuple[tuple[Array, ...], ...]
    responses: tuple[tuple[Array, ...], ...]

    def at(self, t: Array) -> Lanes:
        grown = [jnp.expm1(node * t) for node in self.nodes]
        flowed = [
            jnp.where(node == 0, t, g / jnp.where(node == 0, 1.0, node))
            for node, g in zip(self.nodes, grown, strict=True)
        ]
        result = []
        for amplitude, response in zip(self.amplitudes, self.responses, strict=True):
            terms = zip(amplitude, response, grown, flowed, strict=True)
            result.append(functools.reduce(operator.add, (a * (g + 1) + r * f for a, r, g, f in terms)))
        return result

    def area(self, t: Array, h: Array) -> None:
        return None


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
    terms: tuple[_Modes | _Lasting | _Newton, ...]
    size: int

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
    """Ascending nodes moved apart, each pair about its middle, until they differ by the least distance."""
    apart = _APART[nodes[0].dtype.name]
    nodes = list(nodes)
    largest = functools.reduce(jnp.maximum, [jnp.abs(n) for n in nodes])
    for i in range(1, len(nodes)):
        low, high = nodes[i - 1], nodes[i]
        least = apart * jnp.maximum(jnp.maximum(jnp.abs(low), jnp.abs(high)), 1e-6 * largest)
        short = jnp.maximum(least - (high - low), 0.0) / 2
        nodes[i - 1], nodes[i] = low - short, high + short
    return nodes


def _away_from_zero(node: Array, nodes: Sequence[Array]) -> Array:
    least = _FLOOR * functools.reduce(jnp.maximum, [jnp.abs(n) for n in nodes]) + 1e-30
    return jnp.where(jnp.abs(node) < least, -least, node)
