"""The steps from the last release to the models, as a migration that only expands.

It never drops, renames or retypes what released code reads. Such a step is rejected, and written by hand in a later
release, when no running code needs the old form.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint

from migrations import snapshot
from migrations.lint import unsafe
from migrations.reasons import REASONS

if TYPE_CHECKING:
    from sqlalchemy import Column, Constraint, Index, Table

_GIVES = "it takes no right: what could be done before is among what is given"
_ADDED_CHECK = "it names only columns that are new here, so every row passes; one look at one tenant's rows"


class UnsafeChangeError(Exception):
    """The models differ from the last release in a way that running code would not survive."""


@dataclass
class Step:
    """Lines of ``upgrade()``, and the reason why the lint accepts them; None if they need no reason."""

    lines: str
    allow: str | None = None


@dataclass
class Steps:
    """The steps of a migration, in order."""

    tree: str
    items: list[Step] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)

    def operation(self, operation: Any, *, name: str = "", allow: str | None = None) -> None:  # noqa: ANN401 - alembic's
        """Add an operation of Alembic.

        Args:
            operation: the operation.
            name: the changed object, by which ``reasons`` lists it; empty if the table is new, which is always safe.
            allow: the reason why the lint may accept it; the one in ``reasons`` when None.
        """
        table = str(getattr(operation, "table_name", ""))
        rendered = _rendered(operation)
        self.items.append(Step(rendered, self._reason(rendered, name, table, allow) if name else None))

    def call(self, line: str, *, table: str = "", allow: str | None = None) -> None:
        """Add a call of ``migrations.operations``; ``table`` names an existing table whose rights it changes."""
        self.imports.add(line.split("(", maxsplit=1)[0])
        self.items.append(Step(line, self._reason(line, f"{table}.grants", table, allow) if table else None))

    def _reason(self, lines: str, name: str, table: str, allow: str | None = None) -> str | None:
        """Return why the lint may accept a step; None if it accepts it anyway, or no reason is recorded."""
        reason = allow or REASONS.get((self.tree, name)) or REASONS.get((self.tree, f"{table}.*"))
        return reason if reason and any(unsafe(f"migrations/{self.tree}/versions/rendered.py", lines)) else None

    def index_concurrently(self, index: Index) -> None:
        """Add an index of a table that all tenants share. It comes first, because earlier steps are committed."""
        create = ops.CreateIndexOp.from_index(index)
        create.kw["postgresql_concurrently"] = True
        create.if_not_exists = True
        self.imports.add("concurrently")
        within, name = f"with concurrently({create.schema!r}, {str(index.name)!r}):\n", str(index.name)
        lines = textwrap.indent(_rendered(create), "    ")
        if reason := self._reason(within + lines, name, create.table_name):
            lines = f"    # allow: {reason}\n{lines}"
        self.items.insert(0, Step(within + lines))


def _rendered(operation: Any) -> str:  # noqa: ANN401 - alembic's
    context = MigrationContext.configure(dialect_name="postgresql")
    body = render_python_code(ops.UpgradeOps([operation]), migration_context=context)
    lines = [line for line in body.splitlines() if line.strip() and not line.strip().startswith("# ###")]
    return textwrap.dedent("\n".join(lines))


def difference(tree: str, before: dict[str, snapshot.TableFacts], prelude: list[str]) -> Steps:
    """Return the steps that lead from the tables of the last release, ``before``, to the models.

    Raises:
        UnsafeChangeError: a step would not be an expansion.
    """
    steps = Steps(tree)
    tables = snapshot.tables_of(tree)
    for line in snapshot.prelude_of(tree):
        if line not in prelude:
            steps.call(line)
    names = {table.name for table in tables}
    if gone := sorted(set(before) - names):
        _reject(tree, ", ".join(gone), "the table is gone from the models")
    for table in tables:
        if table.name in before:
            _change(steps, table, before[table.name])
        else:
            _create(steps, table)
    _grants(steps, tables, before)
    return steps


def _reject(tree: str, what: str, why: str) -> None:
    message = (
        f"{tree}: {what}: {why}. Landed code still reads it: keep it now (expand), and take it away by a migration"
        " written by hand in a later release (contract)"
    )
    raise UnsafeChangeError(message)


def _create(steps: Steps, table: Table) -> None:
    create = ops.CreateTableOp.from_table(table)
    create.info = {}
    steps.operation(create)
    for index in _indexes(table):
        steps.operation(ops.CreateIndexOp.from_index(index))


def _indexes(table: Table) -> list[Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _change(steps: Steps, table: Table, before: snapshot.TableFacts) -> None:
    where = f"{table.name}."
    if gone := sorted(set(before["columns"]) - {column.name for column in table.columns}):
        _reject(steps.tree, where + ", ".join(gone), "the column is gone from the models")
    added: set[str] = set()
    for column in table.columns:
        if (old := before["columns"].get(column.name)) is None:
            added.add(column.name)
            if not column.nullable and column.server_default is None:
                _reject(steps.tree, where + column.name, "a new column must be nullable or have a server default")
            steps.operation(ops.AddColumnOp(table.name, column, schema=table.schema), name=where + column.name)
        else:
            _alter(steps, table, column, old)
    _change_constraints(steps, table, before["constraints"], added)
    _change_indexes(steps, table, before["indexes"], added)


def _alter(steps: Steps, table: Table, column: Column[Any], old: snapshot.ColumnFacts) -> None:
    new, where = snapshot.column_facts(column), f"{table.name}.{column.name}"
    if new["type"] != old["type"] or new["generated"] != old["generated"]:
        _reject(steps.tree, where, f"{old['type']} became {new['type']}")
    if old["nullable"] and not new["nullable"]:
        _reject(steps.tree, where, "NULL was allowed, and rows may hold it")
    changes: dict[str, Any] = {}
    if new["nullable"] and not old["nullable"]:
        changes["modify_nullable"] = True
    if new["default"] != old["default"]:
        changes["modify_server_default"] = column.server_default
    if changes:
        change = ops.AlterColumnOp(table.name, column.name, schema=table.schema, existing_type=column.type, **changes)
        steps.operation(change, name=where)


def _change_constraints(steps: Steps, table: Table, before: dict[str, str], added: set[str]) -> None:
    common: list[Constraint] = [one for one in snapshot.constraints_of(table) if str(one.name) in before]
    names = {str(one.name) for one in common}
    for name, text in before.items():
        if name not in names:
            _drop_constraint(steps, table, name, text)
    for one in snapshot.constraints_of(table):
        name, text = str(one.name), snapshot.constraint_text(one)
        if before.get(name) == text:
            continue
        if name in before:
            _drop_constraint(steps, table, name, before[name])
        only_new = name not in before and isinstance(one, CheckConstraint) and _names_only(one, table, added)
        allow = _ADDED_CHECK if only_new and steps.tree == "tenant" else None
        steps.operation(ops.AddConstraintOp.from_constraint(one), name=name, allow=allow)


def _names_only(check: CheckConstraint, table: Table, added: set[str]) -> bool:
    """Return whether a check names some of the columns ``added``, and no other column."""
    words = set(re.findall(r"[a-z_][a-z0-9_]*", str(check.sqltext)))
    named = words & {column.name for column in table.columns}
    return bool(named) and named <= added


def _drop_constraint(steps: Steps, table: Table, name: str, text: str) -> None:
    kinds = (("CHECK", "check"), ("FOREIGN KEY", "foreignkey"), ("UNIQUE", "unique"), ("PRIMARY KEY", "primary"))
    kind = next(kind for word, kind in kinds if f"{word} " in text)
    drop = ops.DropConstraintOp(name, table.name, type_=kind, schema=table.schema)
    steps.operation(drop, name=name)


def _change_indexes(steps: Steps, table: Table, before: dict[str, str], added: set[str]) -> None:
    names = {str(index.name) for index in table.indexes}
    for name in before:
        if name not in names:
            steps.operation(ops.DropIndexOp(name, table.name, schema=table.schema), name=name)
    for index in _indexes(table):
        name, text = str(index.name), snapshot.index_text(index)
        if before.get(name) == text:
            continue
        if name in before:
            steps.operation(ops.DropIndexOp(name, table.name, schema=table.schema), name=name)
        elif table.schema and not added & {column.name for column in index.columns}:
            steps.index_concurrently(index)
            continue
        steps.operation(ops.CreateIndexOp.from_index(index), name=name)


def _grants(steps: Steps, tables: list[Table], before: dict[str, snapshot.TableFacts]) -> None:
    facts = snapshot.facts_of(steps.tree)
    if steps.tree == "tenant":
        for privileges in snapshot.privileges_of(tables):
            new = [
                table.name
                for table in tables
                if table.name not in before and facts[table.name]["grants"]["own"] == privileges
            ]
            if new:
                steps.call(f"grant_tenant({privileges!r}, {', '.join(repr(name) for name in new)})")
    for table in tables:
        old = before[table.name]["grants"] if table.name in before else {}
        for kind, line in _grant_lines(steps.tree, table.name, facts[table.name]["grants"], old).items():
            before_it, now = old.get(kind), facts[table.name]["grants"][kind]
            if before_it is None:
                steps.call(line)
            elif before_it != now:
                steps.call(line, table=table.name, allow=_GIVES if _keeps(now, before_it) else None)


def _keeps(now: str, before: str) -> bool:
    """Return whether no right is lost. A right on all columns includes a right on some."""
    return all(one in _rights(now) or one.split(" (")[0] in _rights(now) for one in _rights(before))


def _rights(privileges: str) -> set[str]:
    """Return the rights in a list such as ``SELECT, UPDATE (a, b)``, which has two."""
    return set(re.split(r", (?![^(]*\))", privileges))


def _grant_lines(tree: str, table: str, new: dict[str, str], old: dict[str, str]) -> dict[str, str]:
    """Return kind of grant -> the call of ``migrations.operations`` that sets it."""
    if tree == "tenant":
        return {"own": f"regrant_tenant({new['own']!r}, {table!r})"} if old else {}
    lines = {"app": f"{'regrant' if old else 'grant'}_application({new['app']!r}, {tree!r}, {table!r})"}
    if "tenant" in new:
        verb = "regrant_tenants" if "tenant" in old else "own_rows_only"
        lines["tenant"] = f"{verb}({new['tenant']!r}, {tree!r}, {table!r})"
    elif "tenant" in old:
        _reject(tree, table, "tenants may no longer reach it")
    if "bound" in new:
        lines["bound"] = f"bind_tenant_id({tree!r}, {table!r})"
    if "guard" in new:
        lines["guard"] = f"guard_rows({new['guard']!r}, {tree!r}, {table!r})"
    return lines
