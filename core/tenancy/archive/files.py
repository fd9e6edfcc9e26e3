"""Stored files that a tenant's rows and settings refer to, and which of them the store lacks."""

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

_UNEXPIRING = "keep/"
_ENDING = "blob_key"
"""The ending of the names of columns that hold the key of a stored file."""

_NAMED_IN_SETTINGS = (
    "SELECT DISTINCT named #>> '{}' FROM tenant_settings, jsonb_path_query(value, '$.**') AS named"
    " WHERE jsonb_typeof(named) = 'string' AND starts_with(named #>> '{}', 'keep/')"
)
"""The keys of stored files anywhere in a tenant's settings, such as a year of archived observations."""


def referred(session: TenantSession, tables: Iterable[TableInfo]) -> set[str]:
    """The keys of unexpiring stored files that these tables and the settings refer to."""
    keys: set[str] = set()
    for table in tables:
        for column in table.columns:
            if column.name.endswith(_ENDING):
                query = sql.SQL("SELECT DISTINCT {0} FROM {1} WHERE {0} LIKE %s").format(
                    sql.Identifier(column.name), sql.Identifier(table.name)
                )
                keys.update(row[0] for row in session.cursor().execute(query, (f"{_UNEXPIRING}%",)))
    named = session.cursor().execute(_NAMED_IN_SETTINGS).fetchall()
    return keys | {key for (key,) in named if blobs.is_key(key)}


def missing(tenant: TenantRef) -> list[str]:
    """The sorted keys of stored files that the tenant refers to and the store lacks.

    Raises:
        Unavailable: the owner's login is not configured, or a database cannot be reached.
    """
    with snapshot(tenant, actor="system:archive") as session:
        keys = referred(session, tables_of(session.cursor().connection, tenant.schema_name))
    return sorted(key for key in keys if not blobs.exists(tenant, key))
