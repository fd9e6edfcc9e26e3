"""The return of a destroyed tenant's audit from ``platform``, when a backup restores the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from core.database import owner_connection

if TYPE_CHECKING:
    from uuid import UUID

EVENTS = "event_id, occurred_at, actor, action, subject_type, subject_uuid, request_id, detail"
SEALS = "number, first_event, last_event, members, events, settled_through, rows_digest, previous, digest, sealed_at"
AUDIT = (("audit_events", "gone_audit_events", EVENTS), ("audit_seals", "gone_audit_seals", SEALS))
"""The tenant's table, its counterpart in ``platform``, and the columns of both."""


def take_back_audit(tenant_id: UUID, database: str, schema: str) -> None:
    """Add the events younger than the backup to a restored schema, because the audit never goes back in time.

    The copy in ``platform`` stays until the tenant is destroyed again.
    """
    with owner_connection() as platform, owner_connection(database) as node:
        for table, stored, columns in AUDIT:
            name, listed = sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, columns.split(", ")))
            node.execute(sql.SQL("CREATE TEMP TABLE taken_back (LIKE {}) ON COMMIT DROP").format(name))
            out = sql.SQL("COPY (SELECT {} FROM {} WHERE tenant_id = {}) TO STDOUT").format(
                listed, sql.Identifier("platform", stored), sql.Literal(tenant_id)
            )
            into = sql.SQL("COPY pg_temp.taken_back ({}) FROM STDIN").format(listed)
            with (
                platform.cursor() as source,
                node.cursor() as sink,
                source.copy(out) as rows,
                sink.copy(into) as writing,
            ):
                for block in rows:
                    writing.write(block)
            node.execute(
                sql.SQL(
                    "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM pg_temp.taken_back"
                    " ON CONFLICT DO NOTHING"
                ).format(name, listed, listed)
            )
            node.execute("DROP TABLE pg_temp.taken_back")
        node.execute(
            sql.SQL(
                "SELECT setval(pg_get_serial_sequence({}, 'event_id'), max(event_id)) FROM {} HAVING count(*) > 0"
            ).format(
                sql.Literal(sql.Identifier(schema, "audit_events").as_string(node)),
                sql.Identifier(schema, "audit_events"),
            )
        )
