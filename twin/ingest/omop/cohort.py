"""Whom to read: person ids, or a query that returns them and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...errors import TwinError
from .database import Database

# Comments, and quoted pieces whose words are no commands.
_COMMENT = r"--[^\n]*|/\*.*?\*/"
_PIECES = re.compile(rf"(?P<comment>{_COMMENT})|(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")", re.DOTALL)
_COMMANDS = {
    "alter", "attach", "call", "copy", "create", "delete", "detach", "drop", "execute", "export", "grant", "import",
    "insert", "install", "into", "load", "lock", "merge", "pragma", "revoke", "set", "truncate", "update", "vacuum",
}  # fmt: skip


def person_ids(database: Database, cohort: str | Sequence[int]) -> list[int]:
    """The cohort's ids: in the order of a list, or from low to high where a query names them."""
    if isinstance(cohort, str):
        said = check_query(cohort)
        database.check_statement(said, "the cohort query")
        sql = f"SELECT DISTINCT person_id FROM ({said}\n) AS cohort ORDER BY person_id"
        found = [row[0] for row in database.rows(sql, "the cohort query")]
        source = "the cohort query"
    else:
        found, source = list(cohort), "the cohort"
    if not found:
        raise TwinError(f"{source} names nobody; check it on its own")
    return list(dict.fromkeys(_whole_number(one, i, source) for i, one in enumerate(found, start=1)))


def check_query(query: str) -> str:
    """The query without comments, if it is a single SELECT (or WITH ... SELECT) that cannot change anything."""
    if "\\" in query:  # in some strings it hides the quotation mark that ends them
        raise TwinError("the cohort query has a backslash; write it without")
    said = _PIECES.sub(lambda piece: " " if piece["comment"] else piece[0], query).strip().rstrip(";").rstrip()
    bare = _PIECES.sub(" ", said)
    if ";" in bare:
        raise TwinError("the cohort query has a second statement; give a single SELECT that returns person_id")
    words = re.findall(r"[a-z_]+", bare.lower())
    if not words or words[0] not in ("select", "with"):
        raise TwinError("the cohort query does not begin with SELECT or WITH; give one that returns person_id")
    command = next((word for word in words if word in _COMMANDS), None)
    if command:
        raise TwinError(f"the cohort query says {command.upper()}, which a query that only reads does not")
    if re.search(r"['\"]|/\*|\$\w*\$", bare):
        raise TwinError("the cohort query leaves a quotation mark or a comment open; close it")
    if bare.count("(") != bare.count(")"):
        raise TwinError("the cohort query has parentheses that do not match; close each that is open")
    return said


def _whole_number(one: Any, number: int, source: str) -> int:
    try:
        if isinstance(one, bool) or int(one) != float(one):
            raise ValueError
        return int(one)
    except (TypeError, ValueError, OverflowError):
        raise TwinError(f"{source}: number {number} is no person_id; ids are whole numbers") from None
