"""Capture of changed rows: triggers write their keys into a table of the tenant's own schema.

Triggers need no superuser, no replication slot and no setting of the server, and note whole statements at once. Their
notes commit with the change itself, so a snapshot shows both or neither.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from core.database import owner_connection
from core.errors import Unavailable
from core.tenancy.shape import CHANGES, tables

if TYPE_CHECKING:
    from core.tenancy.shape import Table

_TRIES = 40
_LOCK_WAIT = "2s"
_PAUSE_SECONDS = 0.25
_FUNCTION = "move_capture"
_EVENTS = {
    "insert": ("INSERT", "NEW TABLE AS changed", ("changed",)),
    "update": ("UPDATE", "OLD TABLE AS gone NEW TABLE AS changed", ("gone", "changed")),
    "delete": ("DELETE", "OLD TABLE AS gone", ("gone",)),
}


def install(database: str, schema: str) -> None:
    """Begin to note changes. When it returns, every change that is not yet committed is noted.

    Raises:
        Unavailable: a transaction of the tenant locks a table for too long.
    """
    with owner_connection(database) as connection:
        table, function = sql.Identifier(schema, CHANGES), sql.Identifier(schema, _FUNCTION)
        connection.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {} (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                " table_name text NOT NULL, key text[] NOT NULL)"
            ).format(table)
        )
        connection.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                " SET search_path = pg_catalog, pg_temp AS $$ BEGIN EXECUTE TG_ARGV[0]; RETURN NULL; END $$"
            ).format(function)
        )
        connection.execute(sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(function))
        shape = tables(connection, schema)
    for one in shape.values():
        _patiently(database, schema, one)


def remove(database: str, schema: str) -> None:
    """Remove the triggers that record changes, and delete the recorded changes.

    Raises:
        Unavailable: a transaction of the tenant locks a table for too long.
    """
    with owner_connection(database) as connection:
        shape = tables(connection, schema)
    for one in shape.values():
        _patiently(database, schema, one, off=True)
    with owner_connection(database) as connection:
        connection.execute(sql.SQL("DROP FUNCTION IF EXISTS {}()").format(sql.Identifier(schema, _FUNCTION)))
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, CHANGES)))


def _patiently(database: str, schema: str, table: Table, *, off: bool = False) -> None:
    """Set or remove one table's triggers, with short lock timeouts, so that the tenant's own work hardly waits."""
    for _ in range(_TRIES):
        try:
            with owner_connection(database) as connection:
                connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK_WAIT)))
                for event in _EVENTS:
                    (_drop if off else _create)(connection, schema, table, event)
        except psycopg.errors.LockNotAvailable:
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    detail = f"a transaction of the tenant has held its table {table.name} for over a minute"
    raise Unavailable(detail, command="try again when its import or job has ended (iit jobs list)")


def _create(connection: psycopg.Connection[Any], schema: str, table: Table, event: str) -> None:
    verb, transition, seen = _EVENTS[event]
    key = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name, _ in table.key)
    rows = sql.SQL(" UNION ").join(
        sql.SQL("SELECT {}, ARRAY[{}] FROM {}").format(sql.Literal(table.name), key, sql.Identifier(name))
        for name in seen
    )
    note = sql.SQL("INSERT INTO {} (table_name, key) {}").format(sql.Identifier(schema, CHANGES), rows)
    connection.execute(
        sql.SQL(
            "CREATE OR REPLACE TRIGGER {} AFTER {} ON {} REFERENCING {} FOR EACH STATEMENT EXECUTE FUNCTION {}({})"
        ).format(
            sql.Identifier(f"{_FUNCTION}_{event}"),
            sql.SQL(verb),
            sql.Identifier(schema, table.name),
            sql.SQL(transition),
            sql.Identifier(schema, _FUNCTION),
            sql.Literal(note.as_string(connection)),
        )
    )


def _drop(connection: psycopg.Connection[Any], schema: str, table: Table, event: str) -> None:
    name = sql.Identifier(f"{_FUNCTION}_{event}")
    connection.execute(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(name, sql.Identifier(schema, table.name)))
