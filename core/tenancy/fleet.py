"""How far the fleet is: of each data database, which schemas stand where, and which tenants could not be migrated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from core.database import DEFAULT_DATABASE, databases, node_session
from core.database.scripts import head, revisions


@dataclass(frozen=True, slots=True)
class Failure:
    """A tenant that the last run could not migrate.

    Attributes:
        tenant: its slug; its id where the control database knows none.
        revision: where it stands.
        wanted: where it was to be brought.
        attempts: tries so far, those of all runs.
    """

    tenant: str
    schema: str
    revision: str
    wanted: str
    error: str
    attempts: int
    first_failed_at: datetime
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """One data database.

    Attributes:
        shared: ``platform`` (control database only) and ``node`` -> where each stands.
        at_head: tenants that stand where the code wants them.
        behind: tenants that stand before it.
        ahead: tenants that a newer version of the application migrated.
        revisions: where tenants stand -> how many.
    """

    database: str
    shared: dict[str, str]
    tenants: int
    at_head: int
    behind: int
    ahead: int
    revisions: dict[str, int]
    failed: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """All data databases, and the revisions that this code was written for."""

    heads: dict[str, str]
    databases: tuple[DatabaseStatus, ...]

    @property
    def at_head(self) -> bool:
        """Whether nothing is left to be migrated."""
        shared = all(self.heads[name] == found for one in self.databases for name, found in one.shared.items())
        return shared and not any(one.behind or one.failed for one in self.databases)


def status() -> FleetStatus:
    """Ask each data database: three queries, however many tenants there are.

    Raises:
        Unavailable: a database cannot be reached, or was never set up for this version.
    """
    heads = {name: head(name) for name in ("platform", "node", "tenant")}
    return FleetStatus(heads, tuple(_of(database) for database in databases()))


def _of(database: str) -> DatabaseStatus:
    with node_session(database) as session:
        names = ("platform", "node") if database == DEFAULT_DATABASE else ("node",)
        shared = {
            name: session.scalar(text(f"SELECT version_num FROM {name}.alembic_version")) or ""  # noqa: S608 - two fixed names
            for name in names
        }
        counts = session.execute(
            text("SELECT revision, count(*) AS tenants FROM node.tenant_schemas GROUP BY 1 ORDER BY 1")
        )
        found: dict[str, int] = {row.revision: row.tenants for row in counts}
        failures = session.execute(_FAILURES, {"head": head("tenant")}).mappings().all()
    slugs = _slugs([str(row["tenant_id"]) for row in failures])
    newest, known = head("tenant"), set(revisions("tenant"))
    return DatabaseStatus(
        database=database,
        shared=shared,
        tenants=sum(found.values()),
        at_head=found.get(newest, 0),
        behind=sum(count for revision, count in found.items() if revision in known and revision != newest),
        ahead=sum(count for revision, count in found.items() if revision not in known),
        revisions=found,
        failed=tuple(
            Failure(
                tenant=slugs.get(str(row["tenant_id"]), str(row["tenant_id"])),
                schema=row["schema_name"],
                revision=row["revision"],
                wanted=row["wanted"],
                error=row["error"],
                attempts=row["attempts"],
                first_failed_at=row["first_failed_at"],
                failed_at=row["failed_at"],
            )
            for row in failures
        ),
    )


_FAILURES = text(
    "SELECT s.tenant_id, s.schema_name, s.revision, f.revision AS wanted, f.error, f.attempts, f.first_failed_at,"
    " f.failed_at FROM node.migration_failures AS f JOIN node.tenant_schemas AS s USING (tenant_id)"
    " WHERE s.revision <> :head ORDER BY f.failed_at DESC, s.schema_name"
)


def _slugs(ids: list[str]) -> dict[str, str]:
    """The tenants' ids -> their slugs."""
    if not ids:
        return {}
    with node_session(DEFAULT_DATABASE) as session:
        query = text("SELECT id::text, slug FROM platform.tenants WHERE id = ANY(CAST(:ids AS uuid[]))")
        return {row.id: row.slug for row in session.execute(query, {"ids": ids})}
