"""Last activity and size of each tenant for operators, by one query for each data database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.database import DEFAULT_DATABASE, databases, node_session, psycopg_connection
from core.errors import AppError
from core.tenancy.service import list_tenants

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantRef

# Usage stays in the database where it was recorded when a tenant moves, so each database is asked for all tenants. Each
# figure is one step into the index ix_usage_events_latest.
_LATEST = """
SELECT tenants.id, imports.recorded_at, scores.recorded_at, storage.value, storage.recorded_at
FROM unnest(%s::uuid[]) AS tenants (id)
LEFT JOIN LATERAL (
    SELECT recorded_at FROM node.usage_events WHERE tenant_id = tenants.id AND meter = 'imports'
    ORDER BY recorded_at DESC LIMIT 1
) AS imports ON true
LEFT JOIN LATERAL (
    SELECT recorded_at FROM node.usage_events WHERE tenant_id = tenants.id AND meter = 'patients_scored'
    ORDER BY recorded_at DESC LIMIT 1
) AS scores ON true
LEFT JOIN LATERAL (
    SELECT value, recorded_at FROM node.usage_events WHERE tenant_id = tenants.id AND meter = 'storage_bytes'
    ORDER BY recorded_at DESC LIMIT 1
) AS storage ON true
"""


@dataclass(slots=True)
class Activity:
    """The recorded activity of a tenant.

    Attributes:
        last_import: the end of the last import.
        last_score: when a day was last scored that had no scores before; scoring a day again does not count.
        size_bytes: the last measured size of tables, indexes and stored files.
        size_measured_at: the time of that measurement.
    """

    last_import: datetime | None = None
    last_score: datetime | None = None
    size_bytes: int | None = None
    size_measured_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All tenants by slug, each with its activity; and the databases that did not answer, with reasons."""

    tenants: list[tuple[TenantRef, Activity]]
    unasked: dict[str, str]


def overview() -> Overview:
    """Return every tenant and its last activity.

    Raises:
        Unavailable: the control database cannot be reached, or is not migrated.
    """
    tenants = list_tenants()
    known = {tenant.id: Activity() for tenant in tenants}
    unasked: dict[str, str] = {}
    for database in databases():
        try:
            rows = _rows(database, list(known))
        except AppError as error:
            if database == DEFAULT_DATABASE:
                raise
            unasked[database] = error.detail
            continue
        for tenant_id, last_import, last_score, size, measured_at in rows:
            _add(known[tenant_id], last_import, last_score, size, measured_at)
    for tenant in tenants:
        if tenant.database not in databases():
            unasked[tenant.database] = "this process does not know it"
    return Overview([(tenant, known[tenant.id]) for tenant in tenants], unasked)


def _rows(database: str, ids: list[UUID]) -> list[tuple[Any, ...]]:
    with node_session(database) as session:
        return psycopg_connection(session).execute(_LATEST, (ids,)).fetchall()


def _add(
    known: Activity,
    last_import: datetime | None,
    last_score: datetime | None,
    size: object,
    measured_at: datetime | None,
) -> None:
    known.last_import = _later(known.last_import, last_import)
    known.last_score = _later(known.last_score, last_score)
    if measured_at is not None and _later(known.size_measured_at, measured_at) == measured_at:
        known.size_bytes, known.size_measured_at = int(str(size)), measured_at


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)
