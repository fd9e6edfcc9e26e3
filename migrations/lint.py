"""The lint of migrations: steps that running code would not survive, or that would block everybody.

``make check`` runs it over every script that is not ``0001``. It treats anything it cannot analyse as unsafe: a
statement whose text is not in the script, or an unknown operation. A step that is safe nevertheless says why in a
comment on the line above it, ``# allow: reason``. docs/how-to/migrate-a-fleet.md explains each rule.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from migrations import lint_sql as sql
from migrations.lint_source import Source, calls, name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from migrations.lint_sql import Place

    Rule = Callable[[Source, ast.Call, Place], Iterator[str]]

_ALLOW = re.compile(r"#\s*allow:\s*(?P<reason>.*)")
_SHORTEST_REASON = 15
_TAKES = re.compile(r"^(drops|renames|changes a type)\b")
"""Problems of steps that take away what older code reads. ``iit release check`` must know which code that is."""
_UNSEEN = "runs SQL that the lint cannot see: its text is not in the script"
_EVERY_RIGHT = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"}
"""All rights that migrations grant on a table. A role that gets all of them cannot have lost one."""


def unsafe(path: str, source: str) -> Iterator[str]:
    """Return the unsafe steps of one script, each as ``path:line: problem``.

    Args:
        path: of the script; its folder says whether its tables are shared by all tenants.
        source: its text.
    """
    script = Source(source)
    place = sql.Place(
        shared="/tenant/" not in path.replace("\\", "/"),
        created=frozenset(_created_tables(script)),
        concurrent=frozenset(
            line for block in script.blocks("concurrently") for line in range(block.lineno, (block.end_lineno or 0) + 1)
        ),
        steps=bool(script.constant("DATA_STEPS")),
    )
    breaches = list(script.unseen(_OPERATIONS | set(_REGRANTS)))
    breaches += [(call.lineno, problem) for call in script.calls for problem in _problems(script, call, place)]
    for line, problem in sorted(breaches, key=lambda one: one[0]):
        reason = _reason(script.lines, line)
        if reason is not None and _TAKES.search(problem) and not script.constant("OLDEST_CODE"):
            yield f"{path}:{line}: {problem}; write which code runs after it: OLDEST_CODE = a revision of this tree"
        elif reason is None:
            yield f"{path}:{line}: {problem}; split it over two releases, or say why not: # allow: reason"
        elif len(reason) < _SHORTEST_REASON:
            yield f"{path}:{line}: the reason after '# allow:' says nothing"


def _created_tables(script: Source) -> Iterator[str]:
    for call in script.calls:
        if name(call) == "create_table":
            yield script.word(call, 0, "table_name")
        elif _RULES.get(name(call)) is _text_judged:
            yield from sql.tables_made(script.text(_statement(script, call)) or "")


def _problems(script: Source, call: ast.Call, place: Place) -> Iterator[str]:
    called = name(call)
    of_alembic = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "op"
    if called in _RULES:
        if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
            yield "is called with arguments that the lint cannot see"
        yield from _RULES[called](script, call, place)
    elif of_alembic and called not in _SAFE:
        yield f"op.{called} is not known to be safe"


def _always(problem: str) -> Rule:
    return lambda _script, _call, _place: iter([problem])


def _is_made(table: str, place: Place) -> bool:
    return bool(table) and table in place.created


def _indexed(script: Source, call: ast.Call, place: Place) -> Iterator[str]:
    concurrent = script.is_(True, script.option(call, "postgresql_concurrently"))
    created = _is_made(script.word(call, 1, "table_name"), place)
    if place.shared and not concurrent and not created:
        yield sql.SHARED
    if concurrent and call.lineno not in place.concurrent:
        yield sql.OUTSIDE
    if not created and _may_be(script, call, "unique"):
        yield sql.MAKES_UNIQUE


def _may_be(script: Source, call: ast.Call, keyword: str) -> bool:
    """Return whether an option is present and not False."""
    value = script.option(call, keyword)
    return value is not None and not script.is_(False, value) and not script.is_(None, value)


def _constrained(script: Source, call: ast.Call, place: Place) -> Iterator[str]:
    unchecked = script.is_(True, script.option(call, "postgresql_not_valid"))
    if not unchecked and not _is_made(script.word(call, 1, "source_table"), place):
        yield sql.READS


def _made_unique(script: Source, call: ast.Call, place: Place) -> Iterator[str]:
    if not _is_made(script.word(call, 1, "table_name"), place):
        yield sql.BUILDS


def _constraint_dropped(script: Source, call: ast.Call, _place: Place) -> Iterator[str]:
    kind = script.word(call, 2, "type_")
    retained = script.word(call, 0, "constraint_name").startswith(("ck_", "fk_")) and kind not in {"unique", "primary"}
    if not retained and kind not in {"check", "foreignkey"}:
        yield sql.UNBOUND


def _index_dropped(script: Source, call: ast.Call, _place: Place) -> Iterator[str]:
    if not script.word(call, 0, "index_name").startswith("ix_"):
        yield sql.UNBOUND


def _on_rows(_script: Source, _call: ast.Call, place: Place) -> Iterator[str]:
    if not place.steps:
        yield sql.STEPS


def _altered(script: Source, call: ast.Call, _place: Place) -> Iterator[str]:
    if script.option(call, "type_") is not None:
        yield sql.RETYPES
    if script.option(call, "new_column_name") is not None:
        yield sql.RENAMES
    nullable = script.option(call, "nullable")
    if nullable is not None and not script.is_(True, nullable):
        yield sql.REJECTS


def _added(script: Source, call: ast.Call, place: Place) -> Iterator[str]:
    if _is_made(script.word(call, 0, "table_name"), place):
        return
    column = script.node(script.argument(call, 1, "column"))
    if not isinstance(column, ast.Call) or name(column) != "Column":
        yield "adds a column that the lint cannot see"
        return
    yield from _default(script, column)
    parts = [script.node(one) for one in column.args[1:]]
    within = [one for part in (column, *parts) if part is not None for one in calls(part)]
    named = {name(one) for one in within}
    if named & {"Identity", "Computed", "Sequence"}:
        yield sql.GENERATED
    if _may_be(script, column, "unique") or _may_be(script, column, "primary_key"):
        yield sql.BUILDS
    if named & {"ForeignKey", "CheckConstraint"} or any(_may_be(script, one, "create_constraint") for one in within):
        yield sql.READS
    if place.shared and _may_be(script, column, "index"):
        yield sql.SHARED
    if any(not isinstance(one, ast.Call) for one in parts[1:]) or any(one.arg is None for one in column.keywords):
        yield "adds a column with options that the lint cannot see"


def _default(script: Source, column: ast.Call) -> Iterator[str]:
    """Return the problem of a column's default, or of a missing one."""
    default, nullable = script.option(column, "server_default"), script.option(column, "nullable")
    if default is None or script.is_(None, default):
        if nullable is not None and not script.is_(True, nullable):
            yield sql.BARE
        return
    plain = script.node(default)
    if isinstance(plain, ast.Constant):
        return  # it is sent as quoted text
    expression = script.text(plain)
    if expression is None and isinstance(plain, ast.Call) and not plain.args:
        expression = f"{name(plain)}()"  # sa.func.now()
    if expression is None or sql.volatile(expression):
        yield sql.VOLATILE


def _text_judged(script: Source, call: ast.Call, place: Place) -> Iterator[str]:
    text = script.text(_statement(script, call))
    if text is None:
        yield _UNSEEN
    else:
        yield from sql.judge(text, place, concurrent=call.lineno in place.concurrent)


def _statement(script: Source, call: ast.Call) -> ast.expr | None:
    """Return the argument with the statement, which Alembic calls ``sqltext`` and SQLAlchemy ``statement``."""
    return script.argument(call, 0, "sqltext") or script.argument(call, 0, "statement")


def _regranted(script: Source, call: ast.Call, _place: Place) -> Iterator[str]:
    """Yield a problem if the call grants fewer than all rights to a role.

    The role could lose a right by it, because the script does not show the rights that the role had before.
    """
    privileges = {one.strip() for one in script.word(call, 0, "privileges").split(",")}
    if not privileges >= _EVERY_RIGHT:
        yield sql.TAKES


_REGRANTS: dict[str, Rule] = dict.fromkeys(("regrant_application", "regrant_tenant", "regrant_tenants"), _regranted)
_OPERATIONS = {
    "application_role", "bind_tenant_id", "concurrently", "grant_application", "grant_tenant", "guard_rows",
    "make_audit_seal_function", "make_document_guards", "make_own_lock_functions", "make_own_tenant_function", "make_tenants_role",
    "make_use_guards", "open_schema", "own_rows_only",
}  # fmt: skip
"""Operations of ``migrations.operations`` that grant rights, or constrain new objects."""
_SAFE = {"create_table", "create_table_comment", "drop_table_comment", "f", "inline_literal"}
"""Safe operations of Alembic."""
_RULES: dict[str, Rule] = {
    **_REGRANTS,
    **dict.fromkeys(("exec_driver_sql", "execute", "executemany", "scalar", "scalars", "stream"), _text_judged),
    "add_column": _added,
    "alter_column": _altered,
    "bulk_insert": _on_rows,
    "copy": _on_rows,
    "create_check_constraint": _constrained,
    "create_exclude_constraint": _made_unique,
    "create_foreign_key": _constrained,
    "create_index": _indexed,
    "create_primary_key": _made_unique,
    "create_unique_constraint": _made_unique,
    "drop_column": _always("drops a column that landed code reads"),
    "drop_constraint": _constraint_dropped,
    "drop_index": _index_dropped,
    "drop_table": _always("drops a table that landed code reads"),
    "get_bind": _on_rows,
    "rename_table": _always("renames a table that landed code reads"),
}


def _reason(lines: list[str], number: int) -> str | None:
    """Return the reason in the comment above a line or at its end; None if there is none."""
    above = lines[number - 2] if number > 1 else ""
    for line in (lines[number - 1], above if above.lstrip().startswith("#") else ""):
        if match := _ALLOW.search(line):
            return match["reason"].strip()
    return None
