"""Creation of a tenant's role and schema: one script in one transaction, so that a failure leaves nothing."""

from __future__ import annotations

import secrets
from functools import cache
from typing import TYPE_CHECKING

from psycopg import sql

from core.database.engines import application_role
from core.database.scope import OPAQUE_NAME, path_of_schema
from core.database.upgrade import MIGRATIONS, head

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

TENANTS = "iit_tenant"
"""The role that all tenants' roles are members of; ``node`` grants to it."""


def new_schema_name() -> str:
    """A new opaque name for a schema and its role: 80 random bits."""
    return f"t_{secrets.token_hex(10)}"


@cache
def script() -> str:
    """The tenants' schema at head, as ``python -m migrations.render`` wrote it."""
    return (MIGRATIONS / "tenant" / "schema.sql").read_text(encoding="utf-8")


def provision(connection: psycopg.Connection[tuple[object, ...]], tenant_id: UUID, schema: str) -> None:
    """Create a tenant's role, schema, tables and privileges in the owner's transaction, in one round trip.

    The role is LOGIN without a password: nobody can log in as it, yet a sharded PostgreSQL can act as it on other
    nodes. A password that the role gave itself would be useless too, because its passwords are never valid.

    Raises:
        ValueError: ``schema`` is not an opaque name.
    """
    tables = script().replace(':"tenant"', f'"{schema}"')
    connection.execute(place_of(connection, tenant_id, schema, head("tenant")) + tables.encode())


def make_role(connection: psycopg.Connection[tuple[object, ...]], schema: str) -> None:
    """Create only a tenant's role, in the owner's transaction, for a schema that a backup contains.

    Raises:
        ValueError: ``schema`` is not an opaque name.
    """
    connection.execute(_role(schema).as_string(connection).encode())


def _role(schema: str) -> sql.Composed:
    if not OPAQUE_NAME.fullmatch(schema):
        message = f"{schema!r} is not a tenant's schema"
        raise ValueError(message)
    return sql.SQL(
        "CREATE ROLE {tenant} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        " VALID UNTIL '-infinity';"
        " GRANT {tenants} TO {tenant};"
        " GRANT {tenant} TO {app} WITH INHERIT FALSE, SET TRUE;"
    ).format(tenant=sql.Identifier(schema), tenants=sql.Identifier(TENANTS), app=sql.Identifier(application_role()))


def place_of(connection: psycopg.Connection[tuple[object, ...]], tenant_id: UUID, schema: str, revision: str) -> bytes:
    """The statements that create a tenant's role and its empty schema, recorded as being at ``revision``.

    Raises:
        ValueError: ``schema`` is not an opaque name.
    """
    role = _role(schema)
    names = {
        "tenant": sql.Identifier(schema),
        "path": sql.Literal(path_of_schema(schema)),
        "schema": sql.Literal(schema),
        "id": sql.Literal(str(tenant_id)),
        "revision": sql.Literal(revision),
    }
    before = sql.SQL(
        " CREATE SCHEMA {tenant};"
        " GRANT USAGE ON SCHEMA {tenant} TO {tenant};"
        " SELECT set_config('search_path', {path}, true);"
        " INSERT INTO node.tenant_schemas (schema_name, tenant_id, revision) VALUES ({schema}, {id}, {revision});\n"
    )
    return (role + before.format(**names)).as_string(connection).encode()
