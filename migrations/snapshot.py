"""What the tables of a tree are, as plain data: what was released is kept so, and the next migration is the difference.

``released.json`` of a tree holds the tables as the last release left them, and the checksums of its scripts: a released
script is never edited, since databases stand at what it did.
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
from core.features import load_tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, Constraint, Index, MetaData, Table

HERE = Path(__file__).parent
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
    """A column: its type and default as PostgreSQL writes them."""

    type: str
    nullable: bool
    default: str | None
    generated: bool


class TableFacts(TypedDict):
    """A table: what its columns, constraints and indexes are by name, and what it grants."""

    columns: dict[str, ColumnFacts]
    constraints: dict[str, str]
    indexes: dict[str, str]
    grants: dict[str, str]


class Released(TypedDict):
    """What a release left: script -> SHA-256, tables, and what was done once for the whole tree."""

    scripts: dict[str, str]
    prelude: list[str]
    tables: dict[str, TableFacts]


def tables_of(tree: str) -> list[Table]:
    """The tables of a tree in an order in which they can be made, whatever order their modules were imported in.

    Raises:
        ValueError: a column is of a kind that the house does not keep.
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
    """What a tenant's role may do on its own table."""
    if table.info.get("read_only"):
        return READ
    if table.info.get("append_only"):
        given = table.info.get("given")
        return f"SELECT, INSERT ({', '.join(given)})" if given else APPEND
    return EMPTY if table.info.get("emptied") else ALL


def privileges_of(tables: Iterable[Table]) -> list[str]:
    """What tenants' roles may do on their tables, each once: what all code knows first."""
    found = {tenant_privileges(table) for table in tables}
    common = [one for one in (ALL, APPEND, EMPTY) if one in found]
    return [*common, *sorted(found - set(common))]


def prelude_of(tree: str) -> list[str]:
    """What is done once for a whole tree, in the words of ``migrations.operations``."""
    if tree == "tenant":
        return []
    if tree == "platform":
        return ["open_schema('platform', tenants=False)"]
    return [
        "make_tenants_role()",
        "open_schema('node', tenants=True)",
        "make_own_tenant_function()",
        "make_own_lock_functions()",
        "make_audit_seal_function()",
    ]


def facts_of(tree: str) -> dict[str, TableFacts]:
    """The tables of a tree as the models say them."""
    return {table.name: _facts(tree, table) for table in tables_of(tree)}


def _facts(tree: str, table: Table) -> TableFacts:
    if tree == "tenant":
        grants = {"own": tenant_privileges(table)}
    else:
        grants = {"app": str(table.info.get("app", ALL))}
        if "tenant" in table.info:
            grants["tenant"] = str(table.info["tenant"])
            grants |= {"bound": "tenant_id"} if "tenant_id" in table.columns else {}
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
    """The constraints that make a line of their own in CREATE TABLE, by name: primary keys last, as they never change."""
    kept = [one for one in table.constraints if not isinstance(one, PrimaryKeyConstraint)]
    order = {CheckConstraint: 0, ForeignKeyConstraint: 1}
    kept.sort(key=lambda one: (order.get(type(one), 0), str(one.name)))
    return [*kept, table.primary_key]


def constraint_text(constraint: Constraint) -> str:
    """A constraint as CREATE TABLE writes it."""
    return str(_DDL.process(constraint))


def index_text(index: Index) -> str:
    """An index as PostgreSQL is told of it."""
    return str(CreateIndex(index).compile(dialect=_DIALECT)).strip()


def released(tree: str) -> Released:
    """What the last release left of a tree."""
    found: Released = json.loads((HERE / tree / "released.json").read_text(encoding="utf-8"))
    return found


def write_released(tree: str, facts: Released) -> None:
    """Keep what is released from now on."""
    (HERE / tree / "released.json").write_text(json.dumps(facts, indent=1, sort_keys=False) + "\n", encoding="utf-8")


def checksum(script: Path) -> str:
    """The SHA-256 of a script, in hexadecimal."""
    return hashlib.sha256(script.read_bytes()).hexdigest()


def scripts_of(tree: str) -> list[Path]:
    """The scripts of a tree, released or not, oldest first: their names begin with their revisions."""
    return sorted((HERE / tree / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def edited(tree: str) -> list[str]:
    """Released scripts that are not as they were released, or gone: there must never be one."""
    folder = HERE / tree / "versions"
    return [
        name
        for name, expected in released(tree)["scripts"].items()
        if not (folder / name).is_file() or checksum(folder / name) != expected
    ]
