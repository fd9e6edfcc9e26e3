"""What an operator's list shows of each tenant: one query for each data database, however many tenants there are."""

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

# Usage stays where it was recorded when a tenant is moved, so every database is asked for every tenant. Each figure is
# one step into the index ix_usage_events_latest.
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
    """What was recorded of a tenant's use.

    Attributes:
        last_import: when an import ended last.
        last_score: when a day was last scored for the first time.
        size_bytes: tables, indexes and stored files, as last measured.
        size_measured_at: when that was.
    """

    last_import: datetime | None = None
    last_score: datetime | None = None
    size_bytes: int | None = None
    size_measured_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All tenants by slug, each with its activity; and the databases that could not be asked, with the reason."""

    tenants: list[tuple[TenantRef, Activity]]
    unasked: dict[str, str]


def overview() -> Overview:
    """Every tenant and what it did last.

    Raises:
        Unavailable: the control database cannot be reached, or has not been migrated.
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
