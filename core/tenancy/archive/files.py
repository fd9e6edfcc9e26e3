"""Which stored files a tenant's rows and settings refer to, and which of them the store has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from core import blobs
from core.tenancy.archive.snapshot import snapshot
from core.tenancy.archive.tables import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.database import TenantRef, TenantSession
    from core.tenancy.archive.layout import TableInfo

_KEPT = "keep/"
_ENDING = "blob_key"
"""What the name of a column ends with that holds the key of a stored file."""

_NAMED_IN_SETTINGS = (
    "SELECT DISTINCT named #>> '{}' FROM tenant_settings, jsonb_path_query(value, '$.**') AS named"
    " WHERE jsonb_typeof(named) = 'string' AND starts_with(named #>> '{}', 'keep/')"
)
"""Stored files that settings name, wherever in them: a year of archived observations is one."""


def referred(session: TenantSession, tables: Iterable[TableInfo]) -> set[str]:
    """The keys of stored files that these tables and the settings refer to and that do not expire."""
    found: set[str] = set()
    for table in tables:
        for column in table.columns:
            if column.name.endswith(_ENDING):
                query = sql.SQL("SELECT DISTINCT {0} FROM {1} WHERE {0} LIKE %s").format(
                    sql.Identifier(column.name), sql.Identifier(table.name)
                )
                found.update(row[0] for row in session.cursor().execute(query, (f"{_KEPT}%",)))
    named = session.cursor().execute(_NAMED_IN_SETTINGS).fetchall()
    return found | {key for (key,) in named if blobs.is_key(key)}


def missing(tenant: TenantRef) -> list[str]:
    """The keys of stored files that the tenant refers to and that the store has not, sorted.

    Raises:
        Unavailable: the owner's login is not configured, or a database cannot be reached.
    """
    with snapshot(tenant, actor="system:archive") as session:
        keys = referred(session, tables_of(session.cursor().connection, tenant.schema_name))
    return sorted(key for key in keys if not blobs.exists(tenant, key))
