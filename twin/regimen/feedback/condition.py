"""Conditions of rules: 'change > 0.5 and (age >= 65 or vkorc1 == "AA")'. Parsed, checked, and never run as code.

condition = parse("inr > 4 and age >= 65")
condition.names                    # {'inr', 'age'}
condition.holds({"inr": np.array([4.5, 3]), "age": np.array([70, 50])})    # [True, False]
parse_formula("response - 5 * (highest > 40)").value(...)                  # a number, by the same grammar
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

_LONGEST = 300
_COMPARISONS = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_WORDS = "write names, numbers, + - * /, comparisons, 'and', 'or', 'not', such as"
_GRAMMAR = {"condition": f"{_WORDS} 'change > 0.5 and age >= 65'", "formula": f"{_WORDS} 'response - 5 * (level > 40)'"}

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
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.ask(values), bool)


@dataclasses.dataclass(frozen=True)
class Formula:
    """A number made of others, and the names it uses; a comparison in it counts 1 where it holds."""

    text: str
    names: frozenset[str]
    smooth: bool  # whether nothing is compared, so that it can be differentiated
    ask: Callable[[Values], Any] = dataclasses.field(compare=False, repr=False)

    def value(self, values: Values) -> Any:
        """Its value, element by element; not a number where one of the values is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.ask(values)


def parse(text: str) -> Condition:
    """A condition; an error says which part of it cannot be read."""
    reader = _Reader(text, "condition")
    ask = reader.truth(_tree(text, "condition"))
    return Condition(text, frozenset(reader.names), frozenset(reader.words), ask)


def parse_formula(text: str) -> Formula:
    """A formula; an error says which part of it cannot be read."""
    reader = _Reader(text, "formula")
    ask = reader.number(_tree(text, "formula"))
    return Formula(text, frozenset(reader.names), not reader.compares, ask)


def _tree(text: str, what: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise TwinError(f"the {what} '{shorten(text)}' is longer than {_LONGEST} characters; split it")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise TwinError(f"the {what} '{shorten(text)}' cannot be read; {_GRAMMAR[what]}") from None


class _Reader:
    """From a syntax tree to functions of values, node by node; whatever is not listed here is refused."""

    def __init__(self, text: str, what: str):
        self.text, self.what = text, what
        self.compares = False
        self.names: set[str] = set()
        self.words: set[tuple[str, str]] = set()

    def refuse(self, node: ast.AST) -> TwinError:
        return TwinError(
            f"the {self.what} '{shorten(self.text)}': '{shorten(ast.unparse(node))}' is not allowed; "
            f"{_GRAMMAR[self.what]}"
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
                return lambda values: float(value)
            case ast.Name(id=name):
                self.names.add(name)
                return lambda values: values[name]
            case ast.UnaryOp(op=ast.USub(), operand=part):
                ask = self.number(part)
                return lambda values: -ask(values)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                first, second, do = self.number(left), self.number(right), _ARITHMETIC[type(op)]
                return lambda values: do(first(values), second(values))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) if self.what == "formula":
                return self._share(node)
        raise self.refuse(node)

    def _share(self, node: ast.expr) -> Callable[[Values], Any]:
        """1 where it holds, 0 where it does not; not a number where one of its values is none."""
        before, self.names = self.names, set()
        ask, names = self.truth(node), self.names
        self.names, self.compares = before | names, True

        def share(values: Values) -> Any:
            unknown = functools.reduce(np.logical_or, [np.isnan(values[name]) for name in names], np.False_)
            return np.where(unknown, np.nan, np.asarray(ask(values), float))

        return share
