"""The tables of a tree as plain data. The next migration is the difference between them and the last release.

``released.json`` of a tree holds the tables of the last release, and the checksums of its scripts. A released script is
never edited, because databases have already run it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from sqlalchemy import CheckConstraint, DateTime, Enum, ForeignKeyConstraint, PrimaryKeyConstraint, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex
from sqlmodel import AutoString

from core.database import NodeBase, PlatformBase, TenantBase
from core.feature_registry import load_tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, Constraint, Index, MetaData, Table

ROOT = Path(__file__).parent
ALL = "SELECT, INSERT, UPDATE, DELETE"
APPEND = "SELECT, INSERT"
READ = "SELECT"
EMPTY = f"{ALL}, TRUNCATE"
TREES: dict[str, MetaData] = {
    "platform": PlatformBase.metadata,
    "node": NodeBase.metadata,
    "tenant": TenantBase.metadata,
}

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_DDL = _DIALECT.ddl_compiler(_DIALECT, None)  # type: ignore[arg-type]  # it compiles parts, and no statement


class ColumnFacts(TypedDict):
    """A column's type and default, as PostgreSQL writes them."""

    type: str
    nullable: bool
    default: str | None
    generated: bool


class TableFacts(TypedDict):
    """A table's columns, constraints and indexes by name, and its grants."""

    columns: dict[str, ColumnFacts]
    constraints: dict[str, str]
    indexes: dict[str, str]
    grants: dict[str, str]


class ReleaseFacts(TypedDict):
    """The facts of a release: script -> SHA-256, tables, and the prelude of the tree."""

    scripts: dict[str, str]
    prelude: list[str]
    tables: dict[str, TableFacts]


def tables_of(tree: str) -> list[Table]:
    """The tables of a tree in an order of creation, however their modules were imported.

    Raises:
        ValueError: a column has a type or default that the project does not use.
    """
    load_tables()
    metadata = TREES[tree]
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, AutoString) and column.type.length is None:
                column.type = Text()
            _check(table, column)
    return list(metadata.sorted_tables)


def _check(table: Table, column: Column[Any]) -> None:
    where = f"{table.fullname}.{column.name}"
    if isinstance(column.type, DateTime) and not column.type.timezone:
        message = f"{where} is a time without a zone: use sa_type=DateTime(timezone=True)"
        raise ValueError(message)
    if isinstance(column.type, Enum):
        message = f"{where} is an enum: use text and a CHECK"
        raise ValueError(message)  # noqa: TRY004 - a fault of the table, not of an argument
    if column is table.autoincrement_column and column.identity is None and not column.foreign_keys:
        message = f"{where} would be a serial: use Identity(always=True)"
        raise ValueError(message)
    if table.schema is None and any(key.column.table.schema for key in column.foreign_keys):
        message = f"{where} points out of the tenant's schema"
        raise ValueError(message)


def tenant_privileges(table: Table) -> str:
    """The rights of a tenant's role on its own table."""
    if table.info.get("read_only"):
        return READ
    if table.info.get("append_only"):
        columns = table.info.get("given")
        return f"SELECT, INSERT ({', '.join(columns)})" if columns else APPEND
    return EMPTY if table.info.get("emptied") else ALL


def privileges_of(tables: Iterable[Table]) -> list[str]:
    """Return the distinct rights of tenants' roles on these tables, the common ones first."""
    privileges = {tenant_privileges(table) for table in tables}
    common = [one for one in (ALL, APPEND, EMPTY) if one in privileges]
    return [*common, *sorted(privileges - set(common))]


def prelude_of(tree: str) -> list[str]:
    """Return the calls of ``migrations.operations`` that prepare a whole tree."""
    if tree == "tenant":
        return []
    if tree == "platform":
        return ["open_schema('platform', tenants=False)", "make_document_guards()"]
    return [
        "make_tenants_role()",
        "open_schema('node', tenants=True)",
        "make_own_tenant_function()",
        "make_own_lock_functions()",
        "make_audit_seal_function()",
        "make_use_guards()",
    ]


def facts_of(tree: str) -> dict[str, TableFacts]:
    """The facts of a tree's tables in the models."""
    return {table.name: _facts(tree, table) for table in tables_of(tree)}


def _facts(tree: str, table: Table) -> TableFacts:
    if tree == "tenant":
        grants = {"own": tenant_privileges(table)}
    else:
        grants = {"app": str(table.info.get("app", ALL))}
        if "tenant" in table.info:
            grants["tenant"] = str(table.info["tenant"])
            grants |= {"bound": "tenant_id"} if "tenant_id" in table.columns else {}
        if "guard" in table.info:
            grants["guard"] = str(table.info["guard"])
    return {
        "columns": {column.name: column_facts(column) for column in table.columns},
        "constraints": {str(one.name): constraint_text(one) for one in constraints_of(table)},
        "indexes": {
            str(index.name): index_text(index) for index in sorted(table.indexes, key=lambda one: str(one.name))
        },
        "grants": grants,
    }


def column_facts(column: Column[Any]) -> ColumnFacts:
    """A column as plain data."""
    return {
        "type": column.type.compile(dialect=_DIALECT),
        "nullable": bool(column.nullable),
        "default": _DDL.get_column_default_string(column),
        "generated": column.identity is not None or column.computed is not None,
    }


def constraints_of(table: Table) -> list[Constraint]:
    """The table constraints of CREATE TABLE by name, the primary key last."""
    constraints = [one for one in table.constraints if not isinstance(one, PrimaryKeyConstraint)]
    order = {CheckConstraint: 0, ForeignKeyConstraint: 1}
    constraints.sort(key=lambda one: (order.get(type(one), 0), str(one.name)))
    return [*constraints, table.primary_key]


def constraint_text(constraint: Constraint) -> str:
    """A constraint as CREATE TABLE writes it."""
    return str(_DDL.process(constraint))


def index_text(index: Index) -> str:
    """The CREATE INDEX statement of an index."""
    return str(CreateIndex(index).compile(dialect=_DIALECT)).strip()


def released(tree: str) -> ReleaseFacts:
    """The facts of a tree's last release."""
    facts: ReleaseFacts = json.loads((ROOT / tree / "released.json").read_text(encoding="utf-8"))
    return facts


def write_released(tree: str, facts: ReleaseFacts) -> None:
    """Write the facts of a release."""
    (ROOT / tree / "released.json").write_text(json.dumps(facts, indent=1, sort_keys=False) + "\n", encoding="utf-8")


def checksum(script: Path) -> str:
    """The SHA-256 of a script, in hexadecimal."""
    return hashlib.sha256(script.read_bytes()).hexdigest()


def scripts_of(tree: str) -> list[Path]:
    """The scripts of a tree, released or not, oldest first: their names begin with their revisions."""
    return sorted((ROOT / tree / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def edited(tree: str) -> list[str]:
    """Return the released scripts that somebody edited or removed, which is never allowed."""
    folder = ROOT / tree / "versions"
    return [
        name
        for name, expected in released(tree)["scripts"].items()
        if not (folder / name).is_file() or checksum(folder / name) != expected
    ]
