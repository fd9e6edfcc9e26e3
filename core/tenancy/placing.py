"""Where a tenant is: making a new place, holding its writers, switching to the new one, and dropping the old.

Truth about where a tenant is has one row, in ``platform.tenants``. A switch takes the application out of the old role
first, so that a process that still knows the old place is refused there, and then changes that row. The tenant's rows
in ``node`` follow; until they have, ``platform.retired_schemas.rows_left`` says so, and anyone can bring them after.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from core.clock import now
from core.database import NodeBase, TenantRef, owner_connection, owner_session
from core.database.engines import application_role
from core.database.scope import FENCES, OPAQUE_NAME, fence_number
from core.errors import Conflict, Unavailable
from core.features import load_tables
from core.tenancy.models import Tenant
from core.tenancy.shape import revision
from core.tenancy.turns import turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

GRACE = timedelta(days=7)
"""How long a schema that a tenant left is kept, where nobody says otherwise."""

UNFINISHED = timedelta(days=1)
"""How long a schema is kept that a restore was cut off in: longer than any restore takes."""

_OF_ONE_DATABASE = ("transaction_id",)
"""Columns that a moved row is given anew: a number of a transaction means nothing in another database."""

_IN_FLIGHT = ("sent", "running")


@dataclass(slots=True)
class Fence:
    """How long nothing of the tenant could be written, in seconds; complete once the fence is gone."""

    seconds: float = 0.0


@contextmanager
def fence(ref: TenantRef, *, patience: float) -> Iterator[Fence]:
    """Hold the tenant's writers while the block lasts: first those that are under way are waited for.

    Whoever wants to write meanwhile is told to come again (``TenantMoving``); whoever reads goes on. The fence falls
    with this process.

    Args:
        ref: whose.
        patience: seconds to wait for transactions under way.

    Raises:
        Unavailable: one takes longer.
    """
    held = Fence()
    began = time.perf_counter()
    try:
        with owner_connection(ref.database) as connection:
            connection.execute(
                sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{round(patience * 1000)}ms"))
            )
            try:
                connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (FENCES, fence_number(ref.role_name)))
            except psycopg.errors.LockNotAvailable as error:
                detail = f"a transaction of the tenant has been writing for over {patience:g} seconds"
                raise Unavailable(
                    detail, remedy="try again when its import or job has ended", retry_after=30
                ) from error
            yield held
    finally:
        held.seconds = time.perf_counter() - began


def expel(ref: TenantRef, successor: str | None = None) -> None:
    """Take the application out of the tenant's role: from now on nobody acts as it, whatever he remembers.

    Args:
        ref: where the tenant is until now.
        successor: the schema in the same database that it goes to: ``node`` knows it by that from now on.
    """
    with owner_connection(ref.database) as connection:
        if successor is not None:
            _known_as(connection, ref.id, successor)
        connection.execute(
            sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(ref.role_name), sql.Identifier(application_role()))
        )


def admit(ref: TenantRef) -> None:
    """Let the application take the tenant's role again: what ``expel`` did is undone."""
    with owner_connection(ref.database) as connection:
        _known_as(connection, ref.id, ref.schema_name)
        connection.execute(
            sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(
                sql.Identifier(ref.role_name), sql.Identifier(application_role())
            )
        )


def _known_as(connection: psycopg.Connection[Any], tenant_id: UUID, schema: str) -> None:
    """Which schema of this database is the tenant's: row policies of ``node`` and migrations ask."""
    connection.execute(
        "UPDATE node.tenant_schemas SET schema_name = %s, revision = %s, migrated_at = now()"
        " WHERE tenant_id = %s AND schema_name <> %s",
        (schema, revision(connection, schema), tenant_id, schema),
    )


def locate(tenant_id: UUID) -> TenantRef:
    """Where the tenant is now.

    Raises:
        Conflict: it is not on this installation any more.
    """
    with owner_session() as session:
        row = session.get(Tenant, tenant_id)
        if row is None:
            detail = "the tenant is not there any more"
            raise Conflict(detail)
        return row.ref()


def switch(ref: TenantRef, database: str, schema: str, *, reason: str, grace: timedelta) -> TenantRef:
    """Let the tenant be in ``schema`` of ``database`` from now on. The caller holds the fence; ``expel`` was called.

    Raises:
        Conflict: it is not where ``ref`` says.
    """
    with owner_connection() as connection:
        changed = connection.execute(
            "UPDATE platform.tenants SET database = %s, schema_name = %s, role_name = %s, updated_at = %s"
            " WHERE id = %s AND role_name = %s",
            (database, schema, schema, now(), ref.id, ref.role_name),
        )
        if changed.rowcount != 1:
            detail = "the tenant was moved or restored meanwhile"
            raise Conflict(detail)
        connection.execute(
            "INSERT INTO platform.retired_schemas"
            " (schema_name, database, role_name, tenant_id, reason, rows_left, retired_at, drop_after)"
            " VALUES (%s, %s, %s, %s, %s, true, %s, %s)",
            (ref.schema_name, ref.database, ref.role_name, ref.id, reason, now(), now() + grace),
        )
        connection.execute("DELETE FROM platform.tenant_moves WHERE tenant_id = %s", (ref.id,))
        connection.execute("DELETE FROM platform.retired_schemas WHERE schema_name = %s", (schema,))
    return locate(ref.id)


def announce(tenant_id: UUID, database: str, schema: str) -> None:
    """Say that a schema is being made for a restore: where that is cut off, it is dropped like one that was left."""
    with owner_connection() as connection:
        connection.execute(
            "INSERT INTO platform.retired_schemas"
            " (schema_name, database, role_name, tenant_id, reason, rows_left, retired_at, drop_after)"
            " VALUES (%s, %s, %s, %s, 'restored', false, %s, %s)",
            (schema, database, schema, tenant_id, now(), now() + UNFINISHED),
        )


def bring_rows(
    ref: TenantRef,
    between: Callable[[], None] = lambda: None,
    also: Callable[[psycopg.Connection[Any]], None] = lambda _connection: None,
) -> None:
    """Bring the tenant's rows in ``node`` to where it is now, from every place where it has left some.

    Jobs under way are queued again: whoever runs them finds that they are no longer his.

    Args:
        ref: where the tenant is.
        between: called when they are in the new place and not yet gone from the old (tests).
        also: called in the transaction in which rows that stay in their database become the new role's.
    """
    with owner_connection() as connection:
        left = connection.execute(
            "SELECT schema_name, database, role_name FROM platform.retired_schemas"
            " WHERE tenant_id = %s AND rows_left ORDER BY retired_at",
            (ref.id,),
        ).fetchall()
    for schema, database, role in left:
        if database == ref.database:
            _rename_rows(ref, role, also)
        else:
            _carry_rows(ref, database, schema, role, between)
        with owner_connection() as connection:
            connection.execute(
                "UPDATE platform.retired_schemas SET rows_left = false WHERE schema_name = %s", (schema,)
            )


def _rename_rows(ref: TenantRef, role: str, also: Callable[[psycopg.Connection[Any]], None]) -> None:
    """The same database: the rows stay, and are the new role's."""
    with owner_connection(ref.database) as connection:
        for table in _followers():
            connection.execute(
                sql.SQL("UPDATE {} SET tenant_role = %s WHERE tenant_role = %s").format(table), (ref.role_name, role)
            )
        _queue_again(connection, ref.role_name)
        also(connection)


def _carry_rows(ref: TenantRef, database: str, schema: str, role: str, between: Callable[[], None]) -> None:
    """Another database: inserted there, committed, then gone here. Twice does no harm: a row's key is the same."""
    with owner_connection(database) as old, owner_connection(ref.database) as new:
        for table in _followers():
            columns = [
                row[0]
                for row in old.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                    " AND NOT attisdropped AND attgenerated = '' AND attname <> ALL(%s) ORDER BY attnum",
                    (table.as_string(old), list(_OF_ONE_DATABASE)),
                )
            ]
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            new.execute(sql.SQL("CREATE TEMP TABLE followers (LIKE {}) ON COMMIT DROP").format(table))
            with old.cursor() as reading, new.cursor() as writing:
                gone = sql.SQL(
                    "COPY (WITH gone AS (DELETE FROM {} WHERE tenant_role = {} RETURNING *)"
                    " SELECT {} FROM gone) TO STDOUT"
                ).format(table, sql.Literal(role), listed)
                into = sql.SQL("COPY pg_temp.followers ({}) FROM STDIN").format(listed)
                with reading.copy(gone) as rows, writing.copy(into) as sink:
                    for piece in rows:
                        sink.write(piece)
            new.execute("UPDATE pg_temp.followers SET tenant_role = %s", (ref.role_name,))
            new.execute(
                sql.SQL(
                    "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE"
                    " SELECT {} FROM pg_temp.followers ON CONFLICT DO NOTHING"
                ).format(table, listed, listed)
            )
            new.execute("DROP TABLE pg_temp.followers")
        _queue_again(new, ref.role_name)
        old.execute("DELETE FROM node.tenant_schemas WHERE schema_name = %s", (schema,))
        new.commit()
        between()


def _queue_again(connection: psycopg.Connection[Any], role: str) -> None:
    connection.execute(
        "UPDATE node.jobs SET state = 'queued', run_after = now(), lease_token = NULL, lease_until = NULL,"
        " sent_at = NULL, updated_at = now() WHERE tenant_role = %s AND state = ANY(%s)",
        (role, list(_IN_FLIGHT)),
    )


def _followers() -> list[sql.Identifier]:
    """The tables of ``node`` whose rows belong to tenants."""
    load_tables()
    tables = NodeBase.metadata.sorted_tables
    return [sql.Identifier("node", table.name) for table in tables if "tenant_role" in table.columns]


def drop_schema(database: str, schema: str, *, unfinished: bool = False) -> None:
    """Drop a place that no tenant is in: schema, role, and what ``node`` says of it. Nothing happens where it is gone.

    Args:
        database: where it is.
        schema: its name, and its role's.
        unfinished: a tenant is there, but never became one: it was being restored from an archive.

    Raises:
        ValueError: ``schema`` is no opaque name.
        Conflict: a tenant is there.
    """
    if not OPAQUE_NAME.fullmatch(schema):
        message = f"{schema!r} is no tenant's schema"
        raise ValueError(message)
    with owner_connection() as connection:
        used = connection.execute("SELECT FROM platform.tenants WHERE role_name = %s", (schema,)).rowcount
    if used and not unfinished:
        detail = "a tenant is in this schema"
        raise Conflict(detail)
    name = sql.Identifier(schema)
    with owner_connection(database) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        connection.execute("DELETE FROM node.tenant_schemas WHERE schema_name = %s", (schema,))
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (schema,)).rowcount:
            # What the role made for itself outside its schema would keep it: large objects, temporary tables of a
            # connection that still lives, default privileges. Only who has the role's rights may drop those.
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE").format(name))
            connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))


def retired(tenant_id: UUID | None = None) -> list[dict[str, Any]]:
    """The schemas that tenants have left and that are still kept."""
    with owner_connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT r.schema_name, r.database, r.tenant_id, t.slug, r.reason, r.rows_left, r.retired_at, r.drop_after"
            " FROM platform.retired_schemas r LEFT JOIN platform.tenants t ON t.id = r.tenant_id"
            " WHERE %(id)s::uuid IS NULL OR r.tenant_id = %(id)s ORDER BY r.retired_at",
            {"id": tenant_id},
        )
        return cursor.fetchall()


def drop_retired(tenant_id: UUID | None = None, *, only: str | None = None, early: bool = False) -> list[str]:
    """Drop the schemas that were kept long enough, or all with ``early``; ``only`` this one. Returns their names."""
    dropped = []
    for row in retired(tenant_id):
        wanted = only in {None, row["schema_name"]} and (early or row["drop_after"] <= now())
        if row["rows_left"] or not wanted:
            continue
        _call_by_its_own(row)
        drop_schema(row["database"], row["schema_name"])
        with owner_connection() as connection:
            connection.execute("DELETE FROM platform.retired_schemas WHERE schema_name = %s", (row["schema_name"],))
        dropped.append(row["schema_name"])
    return dropped


def _call_by_its_own(row: Mapping[str, Any]) -> None:
    """Where a restore was cut off when ``node`` knew the tenant by the restored schema, let it know its own again."""
    with owner_session() as session:
        tenant = session.get(Tenant, row["tenant_id"])
        ref = tenant.ref() if tenant else None
    if ref is None or ref.database != row["database"] or ref.schema_name == row["schema_name"]:
        return
    with owner_connection(ref.database) as connection:
        known = connection.execute("SELECT FROM node.tenant_schemas WHERE schema_name = %s", (row["schema_name"],))
    if known.rowcount:
        admit(ref)


@dataclass(frozen=True, slots=True)
class Tidied:
    """What ``tidy`` did: the schemas that it dropped, and the slugs of tenants that somebody was at."""

    dropped: list[str]
    busy: list[str]


def tidy(*, drop: bool = False, early: bool = False) -> Tidied:
    """Bring what moves and restores that were cut off have left behind, of all tenants, and drop what they left.

    Args:
        drop: drop the schemas that were kept long enough.
        early: drop all of them.
    """
    done = Tidied([], [])
    for tenant_id, slug in dict.fromkeys((row["tenant_id"], row["slug"]) for row in retired()):
        try:
            with turn(slug) if slug else nullcontext():
                if slug:
                    bring_rows(locate(tenant_id))
                if drop:
                    done.dropped.extend(drop_retired(tenant_id, early=early))
        except Conflict:
            done.busy.append(slug)
    return done
