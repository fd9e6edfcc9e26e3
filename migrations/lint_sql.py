"""Finds SQL statements that running code would not survive. Reports everything that it does not know to be safe."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from migrations.lint_tokens import Token, UnreadableError, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DROPS = "drops what landed code reads"
RENAMES = "renames what landed code reads"
RETYPES = "changes a type: rewrites the table, and code reads the old one"
REJECTS = "rejects rows of code that still runs, and reads the whole table under a lock"
BARE = "adds a column that is NOT NULL without a default: fails where there are rows, and for code that still runs"
VOLATILE = "adds a column with a volatile default, or one not known to be stable: rewrites the whole table under a lock"
GENERATED = "adds a generated column: rewrites the whole table under a lock"
READS = "adds a constraint without NOT VALID: every row is read under a lock"
BUILDS = "adds a constraint that builds its index under a lock"
UNBOUND = "drops what keeps rows unique, and what ON CONFLICT of code that still runs names"
MAKES_UNIQUE = "makes unique what rows that are there, or that code which still runs writes, may repeat"
SHARED = "builds an index of a shared table without CONCURRENTLY"
OUTSIDE = "builds an index CONCURRENTLY outside `with concurrently(...)`: PostgreSQL rejects it in a transaction"
ROWS = "changes rows of a whole table in one statement, without batches"
STEPS = "works on rows: say DATA_STEPS = True, so that it is run tenant by tenant"
TAKES = "takes rights from code that still runs"

_STABLE = {
    "NOW", "TRANSACTION_TIMESTAMP", "CURRENT_SETTING", "JSONB_BUILD_OBJECT", "JSONB_BUILD_ARRAY", "MAKE_INTERVAL",
    "DATE_TRUNC", "COALESCE", "LOWER", "UPPER", "MD5", "TO_TIMESTAMP", "MAKE_DATE", "CAST", "CURRENT_TIMESTAMP",
}  # fmt: skip
"""Functions that a default may call without a rewrite of the table."""
_SIZED = {"VARCHAR", "CHAR", "CHARACTER", "VARYING", "NUMERIC", "DECIMAL", "BIT", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL"}  # fmt: skip
_HARMLESS = _STABLE | _SIZED | {
    "COUNT", "SUM", "MIN", "MAX", "EXISTS", "IN", "ANY", "ALL", "NULLIF", "TO_REGCLASS", "AS", "AND", "OR",
    "NOT", "FROM", "WHERE", "SELECT", "VALUES", "OVER", "FILTER", "ON", "USING", "BY", "LENGTH",
}  # fmt: skip
"""Words that may precede a bracket in a query; none of these functions changes anything."""
_SERIALS = {f"{size}SERIAL{n}" for size, n in (("", ""), ("BIG", ""), ("SMALL", ""), ("", "2"), ("", "4"), ("", "8"))}
_WRITES = {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"}
_MADE_ANEW = {"SEQUENCE", "TYPE", "VIEW", "SCHEMA", "STATISTICS", "FUNCTION", "PROCEDURE"}
_MEMORY = {"WORK_MEM", "MAINTENANCE_WORK_MEM", "MAX_PARALLEL_MAINTENANCE_WORKERS"}
_CONSTRAINTS = {"CONSTRAINT", "CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "EXCLUDE", "NOT"}
_AFTER_DEFAULT = {"NOT", "NULL", "CHECK", "REFERENCES", "UNIQUE", "PRIMARY", "CONSTRAINT", "GENERATED", "COLLATE"}


@dataclass(frozen=True, slots=True)
class Place:
    """The script and the tables around a step, as the lint knows them.

    Attributes:
        shared: whether its tables are those of all tenants.
        created: tables that the same script creates, which nobody uses yet.
        concurrent: lines within ``with concurrently(...)``.
        steps: whether the script declares that it works on rows.
    """

    shared: bool
    created: frozenset[str]
    concurrent: frozenset[int]
    steps: bool


class Words:
    """A statement, or a part of it, read word by word."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def take(self, *words: str) -> bool:
        """Skip these words if all of them come next. Return whether they did."""
        following = self.tokens[self.at : self.at + len(words)]
        matches = [one.text for one in following if one.kind in {"word", "sign"}] == list(words)
        self.at += len(words) if matches else 0
        return matches

    def one_of(self, *words: str) -> str | None:
        """Skip the one of these words that comes next, and return it."""
        return next((word for word in words if self.take(word)), None)

    def next(self) -> str:
        """The next word; empty at the end."""
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def named(self) -> tuple[str, str]:
        """Skip a name; return its schema (empty if it has none) and the name without the schema."""
        parts = [self._part()]
        while self.take("."):
            parts.append(self._part())
        return (parts[-2] if len(parts) > 1 else ""), parts[-1]

    def _part(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1].name if self.at <= len(self.tokens) else ""

    def rest(self) -> list[Token]:
        """The unread tokens."""
        return self.tokens[self.at :]


def tables_made(sql: str) -> Iterator[str]:
    """The tables that a text creates."""
    try:
        for tokens in statements(sql):
            words = Words(tokens)
            if words.take("CREATE", "TABLE") and words.next() != "IF":
                yield words.named()[1]
    except UnreadableError:
        return  # ``judge`` reports it


def judge(sql: str, place: Place, *, concurrent: bool) -> Iterator[str]:
    """Return the problems of each statement in a text. ``concurrent``: it runs outside a transaction."""
    try:
        for tokens in statements(sql):
            yield from dict.fromkeys(_statement(Words(tokens), place, concurrent=concurrent))
    except UnreadableError as error:
        yield f"cannot be read as SQL ({error})"


def volatile(expression: str) -> bool:
    """Return whether a default calls a function that is not known to return one value for all rows."""
    try:
        return any(_calls(tokens, _STABLE | _SIZED) for tokens in statements(expression))
    except UnreadableError:
        return True


def _statement(words: Words, place: Place, *, concurrent: bool) -> Iterator[str]:
    tokens = words.tokens
    first = words.one_of("CREATE", "ALTER", "DROP", "INSERT", "SET", *_WHOLE)
    if first == "CREATE":
        yield from _created(words, place, concurrent=concurrent)
    elif first == "ALTER":
        yield from _altered(words, place)
    elif first == "DROP":
        yield from _dropped(words)
    elif first == "INSERT":
        yield from _inserted(tokens, place)
    elif first == "SET":
        words.take("LOCAL")
        if words.next() not in _MEMORY:
            yield _unknown(tokens)
    elif first is not None:
        yield from _WHOLE[first](tokens)
    else:
        yield _unknown(tokens)


def _unknown(tokens: list[Token]) -> str:
    words_shown = " ".join(one.text if one.kind in {"word", "sign"} else "..." for one in tokens[:6])
    return f"is not known to be safe ({words_shown})"


def _queried(tokens: list[Token]) -> Iterator[str]:
    words = {one.text for one in tokens if one.kind == "word"}
    if words & _WRITES:
        yield ROWS
    elif words & {"INTO", "FOR"} or _calls(tokens, _HARMLESS):
        yield _unknown(tokens)


def _calls(tokens: list[Token], known: set[str]) -> bool:
    """Return whether the tokens call a function that is not in ``known``."""
    return any(
        one.kind in {"word", "name"} and after.text == "(" and (one.kind == "name" or one.text not in known)
        for one, after in pairwise(tokens)
    )


def _always(*problems: str) -> Callable[[list[Token]], Iterator[str]]:
    return lambda _tokens: iter(problems)


_WHOLE: dict[str, Callable[[list[Token]], Iterator[str]]] = {
    "ANALYZE": _always(),
    "COMMENT": _always(),
    "COPY": _always(STEPS),
    "DELETE": _always(ROWS),
    "GRANT": _always(),
    "LOCK": _always("locks a table for all who use it"),
    "MERGE": _always(ROWS),
    "REVOKE": _always(TAKES),
    "SELECT": _queried,
    "TRUNCATE": _always("empties a table that landed code reads"),
    "UPDATE": _always(ROWS),
    "VALUES": _queried,
    "WITH": _queried,
}


def _inserted(tokens: list[Token], place: Place) -> Iterator[str]:
    words = Words(tokens)
    words.take("INSERT", "INTO")
    created = words.named()[1] in place.created
    outside = {one.text for one in words.rest() if one.kind == "word"}
    if outside & {"SELECT", "WITH", "TABLE", "UPDATE"}:
        yield ROWS
    elif not created and not place.steps:
        yield STEPS


def _created(words: Words, place: Place, *, concurrent: bool) -> Iterator[str]:
    replaces = words.take("OR", "REPLACE")
    unique = words.take("UNIQUE")
    if words.take("INDEX"):
        yield from _indexed(words, place, unique=unique, concurrent=concurrent)
    elif words.take("TABLE"):
        top = {one.text for one in words.rest() if one.kind == "word" and one.depth == 0}
        if top & {"AS", "OF", "INHERITS", "EXECUTE"}:
            yield _unknown(words.tokens)
    elif words.one_of("POLICY", "TRIGGER"):
        rest = words.rest()
        on = next((at for at, one in enumerate(rest) if one.text == "ON" and one.kind == "word"), len(rest))
        if Words(rest[on + 1 :]).named()[1] not in place.created:
            yield _unknown(words.tokens)
    elif replaces or not words.one_of(*_MADE_ANEW):
        yield _unknown(words.tokens)


def _indexed(words: Words, place: Place, *, unique: bool, concurrent: bool) -> Iterator[str]:
    concurrently = words.take("CONCURRENTLY")
    words.take("IF", "NOT", "EXISTS")
    if words.next() != "ON":
        words.named()
    words.take("ON")
    words.take("ONLY")
    schema, table = words.named()
    if concurrently and not concurrent:
        yield OUTSIDE
    if table not in place.created:
        if (place.shared or schema in {"node", "platform"}) and not concurrently:
            yield SHARED
        if unique:
            yield MAKES_UNIQUE


def _dropped(words: Words) -> Iterator[str]:
    if not words.take("INDEX"):
        yield DROPS
        return
    words.take("CONCURRENTLY")
    words.take("IF", "EXISTS")
    names = [words.named()[1]]
    while words.take(","):
        names.append(words.named()[1])
    if not all(name.startswith("ix_") for name in names):
        yield UNBOUND


def _altered(words: Words, place: Place) -> Iterator[str]:
    if not words.take("TABLE"):
        yield RENAMES if any(one.text == "RENAME" for one in words.rest()) else _unknown(words.tokens)
        return
    words.take("IF", "EXISTS")
    words.take("ONLY")
    table = words.named()[1]
    words.take("*")
    for action in _parts(words.rest()):
        if table not in place.created or Words(action).one_of("ATTACH", "INHERIT", "RENAME"):
            yield from _action(Words(action), words.tokens)


def _parts(tokens: list[Token]) -> list[list[Token]]:
    """The parts between commas, except commas in brackets."""
    parts: list[list[Token]] = [[]]
    for one in tokens:
        if one.text == "," and one.kind == "sign" and one.depth == 0:
            parts.append([])
        else:
            parts[-1].append(one)
    return parts


def _action(words: Words, whole: list[Token]) -> Iterator[str]:
    if words.take("ADD"):
        if words.next() in _CONSTRAINTS:
            yield from _bound(words)
        else:
            yield from _column(words)
    elif words.take("DROP"):
        yield from _let_go(words)
    elif words.take("ALTER"):
        yield from _column_altered(words, whole)
    elif words.take("RENAME"):
        yield RENAMES
    elif not (words.take("VALIDATE", "CONSTRAINT") or words.take("SET", "(") or words.take("RESET", "(")):
        yield _unknown(whole)


def _bound(words: Words) -> Iterator[str]:
    """Yield the problem of an ADD CONSTRAINT in any form, unless it is safe."""
    if words.take("CONSTRAINT"):
        words.named()
    top = [one.text for one in words.rest() if one.depth == 0]
    unchecked = ("NOT", "VALID") in pairwise(top)
    if words.take("UNIQUE", "USING", "INDEX"):
        return  # an existing index, judged where it was created
    if words.one_of("UNIQUE", "PRIMARY", "EXCLUDE"):
        yield BUILDS
    elif words.take("NOT", "NULL") and not unchecked:
        yield REJECTS
    elif not unchecked:
        yield READS


def _column(words: Words) -> Iterator[str]:
    """Yield the problems of an ADD COLUMN."""
    words.take("COLUMN")
    words.take("IF", "NOT", "EXISTS")
    words.named()
    kind = words.next().upper()
    top = [one for one in words.rest() if one.depth == 0]
    names = [one.text for one in top if one.kind == "word"]
    pairs = set(pairwise(names))
    if kind in _SERIALS or "GENERATED" in names:
        yield GENERATED
    elif ("NOT", "NULL") in pairs and "DEFAULT" not in names:
        yield BARE
    if "DEFAULT" in names and _calls(_default(words.rest()), _STABLE | _SIZED):
        yield VOLATILE
    if {"UNIQUE", "PRIMARY"} & set(names):
        yield BUILDS
    if {"CHECK", "REFERENCES"} & set(names):
        yield READS


def _default(tokens: list[Token]) -> list[Token]:
    """The tokens of a column's default."""
    at = next(at for at, one in enumerate(tokens) if one.text == "DEFAULT" and one.kind == "word")
    default: list[Token] = []
    for one in tokens[at + 1 :]:
        if default and one.depth == 0 and one.kind == "word" and one.text in _AFTER_DEFAULT:
            break
        default.append(one)
    return default


def _let_go(words: Words) -> Iterator[str]:
    """Yield the problem of a DROP CONSTRAINT or DROP [COLUMN], unless it is safe."""
    if not words.take("CONSTRAINT"):
        yield DROPS
        return
    words.take("IF", "EXISTS")
    if not words.named()[1].startswith(("ck_", "fk_")):
        yield UNBOUND


def _column_altered(words: Words, whole: list[Token]) -> Iterator[str]:
    words.take("COLUMN")
    words.named()
    if words.take("TYPE") or words.take("SET", "DATA", "TYPE"):
        yield RETYPES
    elif words.take("SET", "NOT", "NULL"):
        yield REJECTS
    elif not (
        words.take("DROP", "NOT", "NULL")
        or words.take("DROP", "DEFAULT")
        or (words.take("SET") and words.next() in {"DEFAULT", "STATISTICS", "STORAGE", "COMPRESSION", "("})
    ):
        yield _unknown(whole)
