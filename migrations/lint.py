"""Steps that code which still runs would not survive, or that would hold up everybody: found in the scripts' source.

``make check`` runs it over every script that is not ``0001``. A step that is safe all the same says why in a comment on
the line above it, ``# allow: reason``. What each rule is for is in docs/how-to/migrate-a-fleet.md.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ALLOW = re.compile(r"#\s*allow:\s*(?P<reason>.*)")
_SHORTEST_REASON = 15
_TAKES_AWAY = {
    "drop_table": "drops a table that landed code reads",
    "drop_column": "drops a column that landed code reads",
    "rename_table": "renames a table that landed code reads",
}
_VOLATILE = re.compile(
    r"\b(clock_timestamp|gen_random_uuid|nextval|random|statement_timestamp|timeofday|uuid_generate_v\w+|uuidv[47])\b",
    re.IGNORECASE,
)
_SQL: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), problem)
    for pattern, problem in (
        (r"\bDROP\s+(TABLE|COLUMN|SCHEMA|VIEW)\b", "drops what landed code reads"),
        (r"\bALTER\s+TABLE\b.*\bRENAME\b", "renames what landed code reads"),
        (r"\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b", "changes a type: rewrites the table, and code reads the old one"),
        (r"\bSET\s+NOT\s+NULL\b", "refuses rows of code that still runs, and reads the whole table under a lock"),
        (r"\bADD\s+(COLUMN\s+)?(?!CONSTRAINT\b|CHECK\b|FOREIGN\b)\S+\s(?=[^,;]*\bNOT\s+NULL\b)(?![^,;]*\bDEFAULT\b)", "adds a column that is NOT NULL without a default"),
        (r"\bADD\s+(CONSTRAINT\s+\S+\s+)?(CHECK|FOREIGN\s+KEY)\b(?!.*\bNOT\s+VALID\b)", "adds a constraint without NOT VALID"),
        (r"\bCREATE\s+(UNIQUE\s+)?INDEX\s+(?!.*\bCONCURRENTLY\b)(?=.*\bON\s+\"?(node|platform)\"?\.)", "builds an index of a shared table without CONCURRENTLY"),
        (r"^\s*(UPDATE|DELETE)\b", "changes rows of a whole table in one statement, without batches"),
        (r"^\s*TRUNCATE\b", "empties a table that landed code reads"),
        (r"\bLOCK\s+TABLE\b", "locks a table for all who use it"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """Where a step stands.

    Attributes:
        shared: whether its tables are those of all tenants.
        made: tables that the same script makes: nobody uses them yet.
        concurrent: lines within ``with concurrently(...)``.
        steps: whether the script says that it works on rows.
    """

    shared: bool
    made: set[str | None]
    concurrent: set[int]
    steps: bool


def unsafe(path: str, source: str) -> Iterator[str]:
    """The unsafe steps of one script, each as ``path:line: what is wrong``.

    Args:
        path: of the script; its folder says whether its tables are shared by all tenants.
        source: its text.
    """
    lines = source.splitlines()
    tree = ast.parse(source)
    place = _Place(
        shared="/tenant/" not in path.replace("\\", "/"),
        made={_word(call, 0) for call in _calls(tree) if _name(call) == "create_table"},
        concurrent={
            line for block in _concurrent_blocks(tree) for line in range(block.lineno, (block.end_lineno or 0) + 1)
        },
        steps=bool(_constant(tree, "DATA_STEPS")),
    )
    for call in _calls(tree):
        for problem in _problems(call, place):
            reason = _reason(lines, call.lineno)
            if reason is None:
                yield f"{path}:{call.lineno}: {problem}; split it over two releases, or say why not: # allow: reason"
            elif len(reason) < _SHORTEST_REASON:
                yield f"{path}:{call.lineno}: the reason after '# allow:' says nothing"


def _calls(tree: ast.AST) -> list[ast.Call]:
    return sorted(
        (node for node in ast.walk(tree) if isinstance(node, ast.Call)), key=lambda call: (call.lineno, call.col_offset)
    )


def _problems(call: ast.Call, place: _Place) -> Iterator[str]:
    name = _name(call)
    if name in _TAKES_AWAY:
        yield _TAKES_AWAY[name]
    elif name in _RULES:
        yield from _RULES[name](call, place)


def _indexed(call: ast.Call, place: _Place) -> Iterator[str]:
    concurrent = _is_true(_keyword(call, "postgresql_concurrently"))
    if place.shared and not concurrent and _word(call, 1) not in place.made:
        yield "builds an index of a shared table without CONCURRENTLY"
    if concurrent and call.lineno not in place.concurrent:
        yield "builds an index CONCURRENTLY outside `with concurrently(...)`: PostgreSQL refuses it in a transaction"


def _constrained(call: ast.Call, place: _Place) -> Iterator[str]:
    if not _is_true(_keyword(call, "postgresql_not_valid")) and _word(call, 1) not in place.made:
        yield "adds a constraint without NOT VALID: every row is read under a lock"


def _made_unique(call: ast.Call, place: _Place) -> Iterator[str]:
    if _word(call, 1) not in place.made:
        yield "adds a constraint that builds its index under a lock"


def _unbound(call: ast.Call, _place: _Place) -> Iterator[str]:
    kind = _keyword(call, "type_")
    unique = isinstance(kind, ast.Constant) and kind.value in {"unique", "primary"}
    if unique or (_word(call, 0) or "").startswith(("uq_", "pk_")):
        yield "drops what keeps rows unique, and what ON CONFLICT of code that still runs names"


def _on_rows(_call: ast.Call, place: _Place) -> Iterator[str]:
    if not place.steps:
        yield "works on rows: say DATA_STEPS = True, so that it is run tenant by tenant"


def _altered(call: ast.Call, _place: _Place) -> Iterator[str]:
    if _keyword(call, "type_") is not None:
        yield "changes a type: rewrites the table, and code reads the old one"
    if _keyword(call, "new_column_name") is not None:
        yield "renames a column that landed code reads"
    nullable = _keyword(call, "nullable")
    if isinstance(nullable, ast.Constant) and nullable.value is False:
        yield "refuses rows of code that still runs, and reads the whole table under a lock"


def _added(call: ast.Call, _place: _Place) -> Iterator[str]:
    columns = [one for one in _calls(call) if _name(one) == "Column"]
    for column in columns:
        default = _keyword(column, "server_default")
        nullable = _keyword(column, "nullable")
        if isinstance(nullable, ast.Constant) and nullable.value is False and default is None:
            yield "adds a column that is NOT NULL without a default: fails where there are rows, and for code that still runs"
        if default is not None and _VOLATILE.search(ast.unparse(default)):
            yield "adds a column with a volatile default: rewrites the whole table under a lock"
        if any(_name(one) in {"Identity", "Computed"} for one in _calls(column)):
            yield "adds a generated column: rewrites the whole table under a lock"


def _said(call: ast.Call, _place: _Place) -> Iterator[str]:
    text = " ".join(
        str(node.value) for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    for pattern, problem in _SQL:
        if pattern.search(text):
            yield problem
    if re.search(r"\bADD\s+COLUMN\b", text, re.IGNORECASE) and _VOLATILE.search(text):
        yield "adds a column with a volatile default: rewrites the whole table under a lock"


_RULES: dict[str, Callable[[ast.Call, _Place], Iterator[str]]] = {
    "add_column": _added,
    "alter_column": _altered,
    "bulk_insert": _on_rows,
    "create_check_constraint": _constrained,
    "create_exclude_constraint": _made_unique,
    "create_foreign_key": _constrained,
    "create_index": _indexed,
    "create_primary_key": _made_unique,
    "create_unique_constraint": _made_unique,
    "drop_constraint": _unbound,
    "drop_index": _unbound,
    "exec_driver_sql": _said,
    "execute": _said,
    "get_bind": _on_rows,
}


def _concurrent_blocks(tree: ast.AST) -> Iterator[ast.With]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any(
            isinstance(item.context_expr, ast.Call) and _name(item.context_expr) == "concurrently"
            for item in node.items
        ):
            yield node


def _reason(lines: list[str], number: int) -> str | None:
    """What the comment above a line (or at its end) gives as the reason; None where there is none."""
    for line in (lines[number - 1], lines[number - 2] if number > 1 else ""):
        if found := _ALLOW.search(line):
            return found["reason"].strip()
    return None


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _word(call: ast.Call, at: int) -> str | None:
    """The text given as the argument at this place."""
    if len(call.args) > at and isinstance(found := call.args[at], ast.Constant):
        return str(found.value)
    return None


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def _is_true(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _constant(tree: ast.Module, name: str) -> object:
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
            and isinstance(node.value, ast.Constant)
        ):
            return node.value.value
    return None
