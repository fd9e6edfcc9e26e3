"""The place of a tenant: pausing its writers, switching to a new schema, and dropping the old one.

One row in ``platform.tenants`` states where a tenant is. A switch first revokes the old role from the application, so
that a process that still knows the old place is rejected there. Then it changes that row. The tenant's rows in ``node``
follow; until then ``platform.retired_schemas.rows_left`` is true, and any process can bring them.
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
from core.feature_registry import load_tables
from core.tenancy import moved_uses
from core.tenancy.models import Tenant
from core.tenancy.shape import revision
from core.tenancy.tenant_lock import tenant_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

GRACE = timedelta(days=7)
"""Time for which a schema that a tenant has left is retained by default."""

UNFINISHED = timedelta(days=1)
"""Time for which the schema of an interrupted restore is retained: longer than any restore takes."""

_OF_ONE_DATABASE = ("transaction_id",)
"""Columns that get a new value in a moved row, because a transaction's number means nothing in another database."""

_IN_FLIGHT = ("sent", "running")


@dataclass(slots=True)
class Fence:
    """The seconds for which the tenant's writes waited; final when the fence is lifted."""

    seconds: float = 0.0


@contextmanager
def fence(ref: TenantRef, *, patience: float) -> Iterator[Fence]:
    """Pause the tenant's writers during the block, after the running ones have finished.

    New writes fail with ``TenantMoving``, which asks the caller to retry; reads continue. The fence also falls when
    this process ends.

    Args:
        ref: the tenant.
        patience: seconds to wait for running transactions.

    Raises:
        Unavailable: a transaction takes longer.
    """
    closed = Fence()
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
            yield closed
    finally:
        closed.seconds = time.perf_counter() - began


def expel(ref: TenantRef, successor: str | None = None) -> None:
    """Revoke the tenant's role from the application: no process can act as the tenant any more.

    Args:
        ref: the tenant's present place.
        successor: the tenant's new schema in the same database; ``node`` records it in place of the old one.
    """
    with owner_connection(ref.database) as connection:
        if successor is not None:
            _known_as(connection, ref.id, successor)
        connection.execute(
            sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(ref.role_name), sql.Identifier(application_role()))
        )


def admit(ref: TenantRef) -> None:
    """Grant the tenant's role to the application again, which undoes ``expel``."""
    with owner_connection(ref.database) as connection:
        _known_as(connection, ref.id, ref.schema_name)
        connection.execute(
            sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(
                sql.Identifier(ref.role_name), sql.Identifier(application_role())
            )
        )


def _known_as(connection: psycopg.Connection[Any], tenant_id: UUID, schema: str) -> None:
    """Record ``schema`` as the tenant's in ``node``, where row policies and migrations look it up."""
    connection.execute(
        "UPDATE node.tenant_schemas SET schema_name = %s, revision = %s, migrated_at = now()"
        " WHERE tenant_id = %s AND schema_name <> %s",
        (schema, revision(connection, schema), tenant_id, schema),
    )


def locate(tenant_id: UUID) -> TenantRef:
    """The tenant's present place.

    Raises:
        Conflict: the tenant is no longer on this installation.
    """
    with owner_session() as session:
        row = session.get(Tenant, tenant_id)
        if row is None:
            detail = "the tenant is no longer on this installation"
            raise Conflict(detail)
        return row.ref()


def switch(ref: TenantRef, database: str, schema: str, *, reason: str, grace: timedelta) -> TenantRef:
    """Record ``schema`` of ``database`` as the tenant's place. The caller holds the fence and has called ``expel``.

    Raises:
        Conflict: the tenant is not at ``ref``.
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
    """Record a schema that a restore is filling, so that it is dropped if the restore is interrupted."""
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
    """Bring the tenant's rows in ``node`` to its present place, from every place where it left some.

    Running jobs are queued again. Their workers find that they have lost the lease.

    Args:
        ref: the tenant's present place.
        between: called when the rows are in the new place and still in the old one (tests).
        also: called in the transaction in which rows that stay in their database pass to the new role.
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
    """Pass the rows to the new role within one database."""
    with owner_connection(ref.database) as connection:
        moved_uses.allow(connection, role)
        for table in _followers():
            connection.execute(
                sql.SQL("UPDATE {} SET tenant_role = %s WHERE tenant_role = %s").format(table), (ref.role_name, role)
            )
        _queue_again(connection, ref.role_name)
        also(connection)


def _carry_rows(ref: TenantRef, database: str, schema: str, role: str, between: Callable[[], None]) -> None:
    """Copy the rows to another database: insert, commit, then delete in the old one.

    After a kill it can run again, because rows that were already copied have the same keys.
    """
    with owner_connection(database) as old, owner_connection(ref.database) as new:
        moved_uses.decide(old, role, ref.id, database, ref.database)
        moved_uses.allow(old, role)
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
    """The tables of ``node`` whose rows belong to tenants.

    The outbox comes first. The relay may still turn events into jobs before its rows are moved; those jobs move later.
    """
    load_tables()
    tables = sorted(NodeBase.metadata.sorted_tables, key=lambda table: table.name != "outbox")
    return [sql.Identifier("node", table.name) for table in tables if "tenant_role" in table.columns]


def drop_schema(database: str, schema: str, *, unfinished: bool = False) -> None:
    """Drop a retired place: schema, role, and its rows in ``node``. Does nothing where they are gone.

    Args:
        database: the schema's.
        schema: the name of the schema and its role.
        unfinished: the schema belongs to a tenant whose restore from an archive never completed.

    Raises:
        ValueError: ``schema`` is not an opaque name.
        Conflict: a tenant uses it.
    """
    if not OPAQUE_NAME.fullmatch(schema):
        message = f"{schema!r} is not a tenant's schema"
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
            # A role's objects outside its schema would block DROP ROLE: large objects, temporary tables of a live
            # connection, default privileges. Only a role with its rights may drop those.
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE").format(name))
            connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))


def retired(tenant_id: UUID | None = None) -> list[dict[str, Any]]:
    """The retired schemas that still exist."""
    with owner_connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT r.schema_name, r.database, r.tenant_id, t.slug, r.reason, r.rows_left, r.retired_at, r.drop_after"
            " FROM platform.retired_schemas r LEFT JOIN platform.tenants t ON t.id = r.tenant_id"
            " WHERE %(id)s::uuid IS NULL OR r.tenant_id = %(id)s ORDER BY r.retired_at",
            {"id": tenant_id},
        )
        return cursor.fetchall()


def drop_retired(tenant_id: UUID | None = None, *, only: str | None = None, early: bool = False) -> list[str]:
    """Drop the retired schemas whose time is over, all with ``early``, or just ``only``; return their names."""
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
    """Record a tenant's own schema in ``node`` again after an interrupted restore recorded the new one."""
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
class TidyResult:
    """The result of ``tidy``: the dropped schemas, and the slugs of tenants that another process works on."""

    dropped: list[str]
    busy: list[str]


def tidy(*, drop: bool = False, early: bool = False) -> TidyResult:
    """Complete interrupted moves and restores of all tenants, and drop retired schemas.

    Args:
        drop: drop the schemas whose time is over.
        early: drop all of them.
    """
    done = TidyResult([], [])
    for tenant_id, slug in dict.fromkeys((row["tenant_id"], row["slug"]) for row in retired()):
        try:
            with tenant_lock(slug) if slug else nullcontext():
                if slug:
                    bring_rows(locate(tenant_id))
                if drop:
                    done.dropped.extend(drop_retired(tenant_id, early=early))
        except Conflict:
            done.busy.append(slug)
    return done
