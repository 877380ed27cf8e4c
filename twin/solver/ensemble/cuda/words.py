"""What each operation of a trace is in C++: by text where it computes, by numpy where it only moves entries about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ....errors import TwinError

TYPES = {
    "float64": "double", "float32": "float", "int32": "int", "int64": "long long", "uint32": "unsigned", "bool": "bool"
}  # fmt: skip

# {0}, {1}, ... are names or literals, so that no brackets are needed around them.
COMPUTED = {
    "add": "{0} + {1}", "add_any": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}",
    "neg": "-{0}", "abs": "abs({0})", "sign": "sign({0})", "square": "{0} * {0}",
    "one_minus_square": "(1 + {0}) * (1 - {0})", "max": "larger({0}, {1})", "min": "smaller({0}, {1})",
    "clamp": "clamp({0}, {1}, {2})", "exp": "exp({0})", "exp2": "exp2({0})", "expm1": "expm1({0})",
    "log": "log({0})", "log1p": "log1p({0})", "pow": "pow({0}, {1})", "sqrt": "sqrt({0})", "rsqrt": "1 / sqrt({0})",
    "cbrt": "cbrt({0})", "logistic": "1 / (1 + exp(-{0}))", "sin": "sin({0})", "cos": "cos({0})", "tan": "tan({0})",
    "asin": "asin({0})", "acos": "acos({0})", "atan": "atan({0})", "atan2": "atan2({0}, {1})",
    "sinh": "sinh({0})", "cosh": "cosh({0})", "tanh": "tanh({0})", "erf": "erf({0})", "erfc": "erfc({0})",
    "floor": "floor({0})", "ceil": "ceil({0})", "is_finite": "isfinite({0})",
    "eq": "{0} == {1}", "ne": "{0} != {1}", "lt": "{0} < {1}", "le": "{0} <= {1}", "gt": "{0} > {1}",
    "ge": "{0} >= {1}", "and": "{0} & {1}", "or": "{0} | {1}", "xor": "{0} ^ {1}", "select_n": "{0} ? {2} : {1}",
}  # fmt: skip

FOLDED = {"reduce_max": "max", "reduce_min": "min", "reduce_sum": "add", "reduce_or": "or", "reduce_and": "and"}

# Where an operation that calls a function keeps it.
CALLED = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
}  # fmt: skip


def _broadcast(x: np.ndarray, shape: Any, broadcast_dimensions: Any, **_: Any) -> np.ndarray:
    kept = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        kept[axis] = size
    return np.broadcast_to(x.reshape(kept), shape)


def _iota(*, dtype: Any, shape: Any, dimension: int, **_: Any) -> np.ndarray:
    return _broadcast(constants(np.arange(shape[dimension], dtype=dtype)), shape, (dimension,))


MOVED: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda *x, dimension: np.concatenate(x, dimension),
    "copy": lambda x: x,
    "copy_p": lambda x: x,
    "expand_dims": lambda x, dimensions: np.expand_dims(x, tuple(dimensions)),
    "iota": _iota,
    "reshape": lambda x, new_sizes, **_: x.reshape(new_sizes),
    "reshard": lambda x, **_: x,
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "slice": lambda x, start_indices, limit_indices, strides: x[
        tuple(map(slice, start_indices, limit_indices, strides or [1] * x.ndim))
    ],
    "split": lambda x, sizes, axis: tuple(np.split(x, np.cumsum(sizes)[:-1], axis)),
    "squeeze": lambda x, dimensions: x.squeeze(tuple(dimensions)),
    "stack": lambda *x, axis: np.stack(x, axis),
    "stop_gradient": lambda x: x,
    "transpose": lambda x, permutation: x.transpose(permutation),
    "unstack": lambda x, axis: tuple(np.moveaxis(x, axis, 0)[i, ...] for i in range(x.shape[axis])),
}


def template(equation: Any) -> str:
    """What an elementwise equation computes; "{0}" alone if that is what it is given."""
    name, parameters, kind = equation.primitive.name, equation.params, equation.outvars[0].aval.dtype
    if name == "convert_element_type":
        if equation.invars[0].aval.dtype == kind:
            return "{0}"
        return "{0} != 0" if kind == np.dtype(bool) else f"({TYPES[kind.name]}){{0}}"
    if name == "integer_pow":
        return f"power<{parameters['y']}>({{0}})"
    if name == "not":
        return "!{0}" if kind == np.dtype(bool) else "~{0}"
    if name == "rem":
        return "{0} % {1}" if np.issubdtype(kind, np.integer) else "fmod({0}, {1})"
    if name == "round":
        to_even = parameters["rounding_method"] == jax.lax.RoundingMethod.TO_NEAREST_EVEN
        return "rint({0})" if to_even else "round({0})"
    if name not in COMPUTED or (name == "select_n" and len(equation.invars) != 3):
        raise TwinError(f"no C++ is known for the operation '{equation.primitive.name}'; use another TWIN_BACKEND")
    return COMPUTED[name]


def literal(x: Any) -> str:
    """A number as C++ reads it, to the last bit."""
    kind = np.asarray(x).dtype
    if kind == jax.dtypes.float0:
        return "false"
    if kind == np.dtype(bool):
        return "true" if x else "false"
    if np.issubdtype(kind, np.integer):
        text = str(int(x)) + ("LL" if kind == np.int64 else "")
    elif np.isfinite(x):
        text = str(kind.type(x))
        text = (text if set(text) & set(".e") else text + ".0") + ("f" if kind == np.float32 else "")
    else:
        text = f"({TYPES[kind.name]})" + ("NOT_A_NUMBER" if np.isnan(x) else "INFINITE" if x > 0 else "-INFINITE")
    return f"({text})" if text.startswith(("-", "(")) else text


def constants(x: Any) -> np.ndarray:
    """An array of literals."""
    x = np.asarray(x)
    found = np.empty(x.shape, object)
    for place in np.ndindex(x.shape):
        found[place] = literal(x[place])
    return found
