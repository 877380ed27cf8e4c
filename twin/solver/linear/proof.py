"""The proof behind `linear = (...)`: the declared states are affine in themselves and need no other state.

The model's derivatives are traced once and every operation is followed symbolically. This is a proof
about the equations, not a test at a few points: a term that is linear by accident of the numbers fails.
It also yields the sparsity of the rate matrix, from which the closed form is chosen.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from ...errors import TwinError
from ...model import DiseaseModel, Individual, pack, unpack

_LINEAR = {"add", "sub", "neg", "add_any", "copy", "convert_element_type", "broadcast_in_dim", "squeeze", "reshape"}
_CALLS = {"pjit", "jit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint", "core_call"}


@dataclasses.dataclass(frozen=True)
class Use:
    """What a value depends on: `affine` and `bent` (nonlinearly) linear states, and anything else by name."""

    affine: frozenset[int] = frozenset()
    bent: frozenset[int] = frozenset()
    other: frozenset[str] = frozenset()

    def __or__(self, more: Use) -> Use:
        return Use(self.affine | more.affine, self.bent | more.bent, self.other | more.other)


@dataclasses.dataclass(frozen=True)
class Block:
    """The linear block of a model: positions of its states, and which state feeds which (row <- column)."""

    states: tuple[int, ...]
    feeds: tuple[frozenset[int], ...]


@functools.cache
def linear_block(kind: type[DiseaseModel]) -> Block:
    """The proven linear block of a model; an error names the state and the term that breaks the promise."""
    names = list(kind.states())
    chosen = tuple(sorted({i for name in kind.linear for i in kind.positions(name)}))
    place = {i: k for k, i in enumerate(chosen)}
    model = kind()

    def rates(t: Any, flat: list[Any], p: Individual) -> list[Any]:
        return [jnp.asarray(r, jnp.float32) for r in pack(model.derivatives(t, unpack(kind.State, flat), p))]

    one = jnp.float32(0.5)
    person = _float32(Individual(kind.Parameters(), kind.Covariates(), kind.Inputs()))
    try:
        with jax.numpy_dtype_promotion("standard"):
            traced = jax.make_jaxpr(rates)(one, [one] * len(names), person)
    except TwinError as problem:  # of a part; said here, and not from the depth of a solver
        raise TwinError(f"model '{kind.name}': {problem}") from None
    if not chosen:
        return Block((), ())
    inputs = [Use(other=frozenset({"time"}))]
    for i, name in enumerate(names):
        inputs.append(Use(affine=frozenset({place[i]})) if i in place else Use(other=frozenset({f"state '{name}'"})))
    inputs += [Use()] * (len(traced.jaxpr.invars) - len(inputs))
    uses = _follow(traced.jaxpr, inputs)
    for i in chosen:
        use = uses[i]
        if use.bent:
            by = ", ".join(f"'{names[chosen[k]]}'" for k in sorted(use.bent))
            raise TwinError(
                f"model '{kind.name}': state '{names[i]}' is declared linear but depends nonlinearly on {by}"
            )
        if use.other:
            by = ", ".join(sorted(use.other))
            raise TwinError(f"model '{kind.name}': state '{names[i]}' is declared linear but its rate depends on {by}")
    return Block(chosen, tuple(uses[i].affine for i in chosen))


def _follow(jaxpr: Any, inputs: list[Use]) -> list[Use]:
    known: dict[Any, Use] = dict(zip(jaxpr.invars, inputs, strict=True))
    known.update(dict.fromkeys(jaxpr.constvars, Use()))

    def use_of(atom: Any) -> Use:
        return Use() if isinstance(atom, core.Literal) else known[atom]

    for equation in jaxpr.eqns:
        uses = [use_of(v) for v in equation.invars]
        for variable, use in zip(equation.outvars, _through(equation, uses), strict=True):
            known[variable] = use
    return [use_of(v) for v in jaxpr.outvars]


def _through(equation: Any, uses: list[Use]) -> list[Use]:
    name = equation.primitive.name
    together = functools.reduce(Use.__or__, uses, Use())
    if not together.affine and not together.bent:
        return [together] * len(equation.outvars)
    if name in _CALLS:
        inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
        return _follow(getattr(inner, "jaxpr", inner), uses)
    carriers = [use for use in uses if use.affine or use.bent]
    if name in _LINEAR or (name == "mul" and len(carriers) == 1):
        keeps = True
    elif name == "div":
        keeps = not (uses[1].affine or uses[1].bent)
    elif name == "select_n":
        keeps = not (uses[0].affine or uses[0].bent)
    else:
        keeps = False
    result = together if keeps else Use(together.affine, together.bent | together.affine, together.other)
    return [result] * len(equation.outvars)


@functools.cache
def use_of(kind: type[DiseaseModel], observable: str) -> Use:
    """How an observable depends on the states (by position), on time, and on nothing else that changes."""
    names = list(kind.states())
    seen = kind.observables()[observable]
    model = kind()
    person = _float32(Individual(kind.Parameters(), kind.Covariates(), kind.Inputs()))

    def value(t: Any, flat: list[Any], p: Individual) -> Any:
        return jnp.asarray(seen.value(model, t, unpack(kind.State, flat), p), jnp.float32)

    half = jnp.float32(0.5)
    with jax.numpy_dtype_promotion("standard"):
        traced = jax.make_jaxpr(value)(half, [half] * len(names), person)
    inputs = [Use(other=frozenset({"time"}))] + [Use(affine=frozenset({i})) for i in range(len(names))]
    inputs += [Use()] * (len(traced.jaxpr.invars) - len(inputs))
    (use,) = _follow(traced.jaxpr, inputs)
    return use


def states_used(kind: type[DiseaseModel], observable: str) -> frozenset[int]:
    """Positions of the states an observable is computed from."""
    use = use_of(kind, observable)
    return use.affine | use.bent


def has_exact_area(kind: type[DiseaseModel], observable: str) -> bool:
    """Whether an observable is affine in states of the linear block alone, so that its area is exact."""
    use = use_of(kind, observable)
    return not use.bent and not use.other and use.affine <= frozenset(linear_block(kind).states)


def _float32(person: Individual) -> Individual:
    # strong float32 leaves: what the model does with dtypes is not the question here
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), person)
