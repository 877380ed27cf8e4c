"""Conditions and computed amounts of rules, parsed, checked, and never run as code.

condition = parse('inr > 4 and (age >= 65 or vkorc1 == "AA")')
condition.names                    # {'inr', 'age', 'vkorc1'}
parse("inr > 4").holds({"inr": np.array([4.5, 3])})               # [True, False]
parse_formula("max(0, (glucose - 120) / 45)").value({"glucose": np.array([210, 80])})   # [2, 0]
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import TwinError, shorten
from ...quantity import is_finite

_LONGEST = 4000
_DEEPEST = 50  # parts inside parts
_COMPARISONS = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: np.power,
}  # fmt: skip
FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {  # of how many numbers
    "min": (2, np.minimum), "max": (2, np.maximum), "floor": (1, np.floor), "sqrt": (1, np.sqrt), "exp": (1, np.exp),
    "log": (1, np.log),
}  # fmt: skip
_GRAMMAR = "write names, numbers, + - * / **, comparisons, 'and', 'or', 'not', such as 'change > 0.5 and age >= 65'"
_NUMBERS = "write names, numbers, + - * / **, min, max, floor, sqrt, exp, log, such as '(glucose - 120) / 45'"

Values = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Condition:
    """A question about a lane's reading, history and covariates, and the names it uses."""

    text: str
    names: frozenset[str]
    words: frozenset[tuple[str, str]]  # names compared with text, such as (vkorc1, AA)
    ask: Callable[[Values], Any] = dataclasses.field(compare=False, repr=False)

    def holds(self, values: Values) -> np.ndarray:
        """Whether it holds, lane by lane; what is not a number compares as false."""
        with np.errstate(all="ignore"):
            return np.asarray(self.ask(values), bool)


@dataclasses.dataclass(frozen=True)
class Formula:
    """A number made of others, such as a reading, and the names it uses; a comparison counts 1 where it holds."""

    text: str
    names: frozenset[str]
    words: frozenset[tuple[str, str]]
    smooth: bool  # whether it is arithmetic alone, so that it can be differentiated
    ask: Callable[[Values], Any] = dataclasses.field(compare=False, repr=False)

    def value(self, values: Values) -> Any:
        """Element by element; not a number where there is none, as of the logarithm of a negative one."""
        with np.errstate(all="ignore"):
            return self.ask(values)


def parse(text: str) -> Condition:
    """A condition; an error says which part of it cannot be read."""
    reader, tree = _read(text, "condition", _GRAMMAR)
    ask = reader.truth(tree)
    return Condition(text, frozenset(reader.names), frozenset(reader.words), ask)


def parse_formula(text: str, *, strict: bool = False) -> Formula:
    """A computed amount, without its '='; an error says which part of it cannot be read.

    `strict`: a comparison of what is not a number is not a number, either; else it does not hold.
    """
    reader, tree = _read(text, "formula", _NUMBERS)
    reader.strict = strict
    ask = reader.number(tree)
    return Formula(text, frozenset(reader.names), frozenset(reader.words), reader.smooth, ask)


def _read(text: str, what: str, grammar: str) -> tuple[_Reader, ast.expr]:
    if len(text) > _LONGEST:
        raise TwinError(f"the {what} '{shorten(text)}' is longer than {_LONGEST} characters; split it")
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise TwinError(f"the {what} '{shorten(text)}' cannot be read; {grammar}") from None
    if _depth(tree) > _DEEPEST:
        raise TwinError(f"the {what} '{shorten(text)}' has too many parts inside parts; split it")
    return _Reader(text, what, grammar), tree


def _depth(tree: ast.AST) -> int:
    """How deep the deepest part stands; counted without going into itself, which has its own limit."""
    depth, layer = 0, [tree]
    while layer:
        depth, layer = depth + 1, [part for one in layer for part in ast.iter_child_nodes(one)]
    return depth


class _Reader:
    """From a syntax tree to functions of values, node by node; whatever is not listed here is refused."""

    def __init__(self, text: str, what: str, grammar: str):
        self.text, self.what, self.grammar = text, what, grammar
        self.strict, self.smooth = False, True
        self.names: set[str] = set()
        self.words: set[tuple[str, str]] = set()

    def refuse(self, node: ast.AST) -> TwinError:
        return TwinError(
            f"the {self.what} '{shorten(self.text)}': '{shorten(ast.unparse(node))}' is not allowed; {self.grammar}"
        )

    def truth(self, node: ast.expr) -> Callable[[Values], Any]:
        match node:
            case ast.BoolOp(op=op, values=parts):
                asked = [self.truth(part) for part in parts]
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return lambda values: functools.reduce(join, [ask(values) for ask in asked])
            case ast.UnaryOp(op=ast.Not(), operand=part):
                ask = self.truth(part)
                return lambda values: np.logical_not(ask(values))
            case ast.Compare(left=left, ops=ops, comparators=rest):
                return self._comparison([left, *rest], ops)
        raise self.refuse(node)

    def _comparison(self, parts: list[ast.expr], ops: list[ast.cmpop]) -> Callable[[Values], Any]:
        if len(ops) == 1 and isinstance(parts[1], ast.Constant) and isinstance(parts[1].value, str):
            return self._level(parts[0], ops[0], parts[1].value)
        sides, tests = [self.number(part) for part in parts], []
        for op in ops:
            if type(op) not in _COMPARISONS:
                raise self.refuse(ast.Compare(parts[0], ops, parts[1:]))
            tests.append(_COMPARISONS[type(op)])

        def ask(values: Values) -> Any:
            found = [side(values) for side in sides]
            return functools.reduce(
                np.logical_and, [test(a, b) for test, a, b in zip(tests, found, found[1:], strict=False)]
            )

        return ask

    def _level(self, left: ast.expr, op: ast.cmpop, word: str) -> Callable[[Values], Any]:
        if not isinstance(left, ast.Name) or not isinstance(op, ast.Eq | ast.NotEq):
            raise self.refuse(ast.Compare(left, [op], [ast.Constant(word)]))
        name, same = left.id, isinstance(op, ast.Eq)
        self.names.add(name)
        self.words.add((name, word))
        return lambda values: (values[name] == values[f"{name}={word}"]) == same

    def number(self, node: ast.expr) -> Callable[[Values], Any]:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if not is_finite(value):
                    raise self.refuse(node)
                constant = np.float64(value)
                return lambda values: constant
            case ast.Name(id=name):
                self.names.add(name)
                return lambda values: values[name]
            case ast.UnaryOp(op=ast.USub(), operand=part):
                ask = self.number(part)
                return lambda values: -ask(values)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                first, second, do = self.number(left), self.number(right), _ARITHMETIC[type(op)]
                return lambda values: do(first(values), second(values))
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
                count, function = FUNCTIONS[name]
                if len(parts) != count:
                    raise self.refuse(node)
                asked, self.smooth = [self.number(part) for part in parts], False
                return lambda values: function(*(ask(values) for ask in asked))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return self._share(node)
        raise self.refuse(node)

    def _share(self, node: ast.expr) -> Callable[[Values], Any]:
        """1 where it holds, 0 where it does not."""
        before, self.names = self.names, set()
        ask, names = self.truth(node), self.names
        self.names, self.smooth = before | names, False
        strict = self.strict

        def share(values: Values) -> Any:
            holds = np.asarray(ask(values), float)
            if not strict:
                return holds
            unknown = functools.reduce(np.logical_or, [np.isnan(values[name]) for name in names], np.False_)
            return np.where(unknown, np.nan, holds)

        return share
