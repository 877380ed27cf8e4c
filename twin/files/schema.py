"""Closed, frozen file schemas, and their problems as sentences with file, line, key, value and remedy.

class Settings(Closed):
    draws: int = Field(100, ge=1, description="Draws per patient")

examined = examine(read("x.yaml").value, Settings)
examined.content, examined.problems
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Generic, TypeVar

import pydantic
from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ..errors import show, suggest
from ..quantity import is_finite
from .document import Location


class Closed(pydantic.BaseModel):
    """A mapping in a file: no other keys than the declared ones, no guessing of types, never changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something wrong at a place in a document; `message` says what, and what to do."""

    at: Location
    message: str


def _to_whole(value: Any) -> Any:
    """1e3 is a whole number too, though YAML reads it as a float."""
    return int(value) if isinstance(value, float) and math.isfinite(value) and value.is_integer() else value


def _number_or_text(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        raise complaint(f"{show(value)} is neither a number nor text; write one such as 12 or '12 h'")
    if not isinstance(value, str) and not is_finite(value):
        raise complaint(f"{show(value)} is not a finite number; write one such as 12")
    return value


def complaint(sentence: str) -> PydanticCustomError:
    """What a validator raises when it has a whole sentence to say."""
    return PydanticCustomError("complaint", "{sentence}", {"sentence": sentence})


Number = Annotated[float, Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_to_whole)]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\s/\\].*$")]
Quantity = Annotated[
    Any,  # read by `parse_quantity` or `parse_span`, which know the unit
    PlainValidator(_number_or_text),
    WithJsonSchema({"type": ["number", "string"], "examples": [12, "12 h"]}),
]

Schema = TypeVar("Schema", bound=Closed)


@dataclasses.dataclass(frozen=True)
class Examined(Generic[Schema]):
    """What a schema made of a value: the content without what was wrong (None if nothing is left), and that."""

    content: Schema | None
    problems: tuple[Problem, ...]
    removed: tuple[frozenset[Location], ...]

    def original(self, at: Location) -> Location:
        """Where something in `content` stands in the file: entries removed above it in a list count again."""
        for removed in reversed(self.removed):
            found: Location = ()
            for part in at:
                gone = sorted(int(p[-1]) for p in removed if isinstance(p[-1], int) and p[:-1] == found)
                for index in gone:
                    part = part + 1 if isinstance(part, int) and index <= part else part
                found = (*found, part)
            at = found
        return at


def examine(value: Any, schema: type[Schema]) -> Examined[Schema]:
    """Reads a file's value by a schema, going on past what is wrong so that all of it is found."""
    problems: list[Problem] = []
    removed: list[frozenset[Location]] = []
    gone: set[Location] = set()
    while value is not None and len(removed) < 20:  # taking an entry out can uncover a missing one around it
        try:
            return Examined(schema.model_validate(value), tuple(problems), tuple(removed))
        except pydantic.ValidationError as refused:
            found = refused.errors(include_url=False)
        so_far = Examined(None, (), tuple(removed))
        for problem in _problems(found, value, schema):
            at = so_far.original(problem.at)
            if at not in gone:  # else it is missing because it was taken out
                problems.append(Problem(at, problem.message))
        doomed = _removals(value, [_place(error, value) for error in found])
        gone |= {at[:end] for at in map(so_far.original, doomed) for end in range(len(at) + 1)}
        removed.append(doomed)
        value = _without(value, doomed)
    return Examined(None, tuple(problems or [Problem((), "is empty; fill it in")]), tuple(removed))


def json_schema(schema: type[Closed]) -> dict[str, Any]:
    """The JSON Schema of a kind of file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema.model_json_schema()}


def _place(error: Mapping[str, Any], value: Any) -> Location:
    """Where an error is in a value: pydantic's location without the names of union members and validators."""
    place: Location = ()
    for part in error["loc"]:
        inner = _find(value, (part,))
        if inner is not _ABSENT:
            place, value = (*place, part), inner
    return (*place, error["loc"][-1]) if error["type"] == "missing" else place


def _removals(value: Any, places: Iterable[Location]) -> frozenset[Location]:
    """What has to go for these places to be right: the entry, or the owner of a missing one."""
    return frozenset(place if _find(value, place) is not _ABSENT else place[:-1] for place in places)


def _without(value: Any, doomed: Iterable[Location]) -> Any:
    """A copy without the entries at these places; None if nothing is left."""
    if () in doomed:
        return None
    value = copy.deepcopy(value)
    for place in sorted(doomed, key=lambda p: [(isinstance(x, str), x) for x in p], reverse=True):
        around: Any = _find(value, place[:-1])
        del around[place[-1]]
    return value


_ABSENT = object()


def _find(value: Any, place: Location) -> Any:
    for part in place:
        if isinstance(value, Mapping):
            value = value.get(part, _ABSENT)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return _ABSENT
    return value


def _problems(found: Iterable[Any], value: Any, schema: type[Closed]) -> Iterator[Problem]:
    shape = schema.model_json_schema()
    for error in found:
        place = _place(error, value)
        yield Problem(place, _sentence(error, _known_keys(shape, place[:-1])))


def _sentence(error: Mapping[str, Any], known: list[str]) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    # A file that is no mapping is none of ours: what stands in it is not repeated.
    value = show(error["input"]) if error["loc"] or not isinstance(error["input"], str) else "text"
    match kind:
        case "complaint":
            return error["msg"]
        case "extra_forbidden":
            return f"unknown key; {suggest(str(error['loc'][-1]), known)}"
        case "missing":
            return "is missing; add it"
        case "literal_error":
            return f"{value} is not allowed; write {limits['expected']}"
        case "less_than_equal":
            return f"{value} is more than the {limits['le']} allowed; write a smaller number"
        case "greater_than_equal":
            return f"{value} is less than {limits['ge']}; write a larger number"
        case "greater_than":
            return f"{value} is not above {limits['gt']}; write a larger number"
        case "string_too_short" | "too_short":
            return "is empty; fill it in or leave the key out"
        case "string_too_long" | "too_long":
            return f"is longer than {limits['max_length']}; shorten it"
        case "string_pattern_mismatch":
            return f"{value} is no name; start it with a letter or digit"
        case "finite_number":
            return f"{value} is not a finite number; write one"
    return f"{value} is not {_WANTED.get(kind, 'what belongs here')}; {_remedy(error)}"


_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _remedy(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "list_type":
            return "write '- ' before each entry"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "write 'key: value' lines"
        case "string_type":
            return "put it in quotes"
    return {"bool_type": "write one of them, without quotes"}.get(error["type"], "write one such as 100")


def _known_keys(shape: Mapping[str, Any], place: Location) -> list[str]:
    """The keys that a JSON schema allows in the mapping at `place`."""
    here = list(_alternatives(shape, shape))
    for part in place:
        inner = [s for shape_here in here for s in _inside(shape_here, part)]
        here = [a for s in inner for a in _alternatives(s, shape)]
    return sorted({key for s in here for key in s.get("properties", {})})


def _inside(shape: Mapping[str, Any], part: str | int) -> Iterator[Mapping[str, Any]]:
    named = [shape.get("properties", {}).get(part), shape.get("additionalProperties")]
    for candidate in [*named, *shape.get("patternProperties", {}).values(), shape.get("items")]:
        if isinstance(candidate, Mapping):
            yield candidate


def _alternatives(shape: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in shape:
        yield from _alternatives(root["$defs"][shape["$ref"].rsplit("/", 1)[-1]], root)
    for key in ("anyOf", "oneOf", "allOf"):
        for one in shape.get(key, ()):
            yield from _alternatives(one, root)
    yield shape
