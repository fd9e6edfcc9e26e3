"""Statements of SQL without their values, for spans."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

LONGEST: Final = 1_000
"""Most characters of a statement in a span."""

UNREADABLE: Final = "?"
"""Stands for a statement that cannot be separated from its values."""

_PARTS: Final = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<escaped> \b[eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<text> (?:\b(?:[uU]&|[bBxXnN]))?'(?:[^']|'')*' )
    | (?P<dollar> \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$ )
    | (?P<name> "(?:[^"]|"")*" )
    | (?P<parameter> %\(\w+\)[sbt] | %[sbt] | \$\d+ )
    | (?P<word> [^\W\d]\w* )
    | (?P<number> \d[\w.]* | \.\d[\w.]* )
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_NAME: Final = re.compile(r'"[a-z_][a-z0-9_]{0,62}"')
_LIST: Final = re.compile(r"\?(?:::[a-z]+)?(?:\s*,\s*\?(?:::[a-z]+)?)+")
_ROWS: Final = re.compile(r"(\([^()]*\))(?:\s*,\s*\1)+")
_UNFIT: Final = re.compile(r"'|\\")
_OPERATION: Final = re.compile(r"\s*([A-Za-z]+)")
_TABLE: Final = re.compile(
    r'\b(?:from|into|update|join)\s+(?:only\s+)?((?:"?[a-z_][a-z0-9_]*"?\.)?"?[a-z_]+"?)', re.IGNORECASE
)


@lru_cache(maxsize=2_048)
def normalised(statement: str) -> str:
    """Return a statement with ``?`` in place of every literal and parameter, without comments, at most 1,000 long.

    It returns ``?`` for a statement with quotes that do not match. Normalising the result changes nothing.
    """
    text = " ".join(_PARTS.sub(_plain, statement).split())
    text = _ROWS.sub(r"\1", _LIST.sub("?", text))
    if _UNFIT.search(text) or text.count('"') % 2:
        return UNREADABLE
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rpartition(" ")[0].replace('"', "") + "…"


@lru_cache(maxsize=2_048)
def summary(statement: str) -> str:
    """Return the operation of a normalised statement and its first table, such as ``SELECT patients``."""
    operation = _OPERATION.match(statement)
    if operation is None:
        return "SQL"
    table = _TABLE.search(statement)
    name = "" if table is None else " " + table[1].rpartition(".")[2].strip('"').lower()
    return operation[1].upper()[:12] + name


def _plain(match: re.Match[str]) -> str:
    part = match.lastgroup
    if part == "word":
        return match[0]
    if part == "name" and _PLAIN_NAME.fullmatch(match[0]):
        return match[0]
    return " " if part == "comment" else "?"
