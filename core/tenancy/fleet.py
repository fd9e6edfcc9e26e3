"""The fleet's migrations: for each data database, the revisions of its schemas and the tenants that failed."""

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
        tenant: its slug, or its id where the control database lacks it.
        revision: its present migration.
        wanted: the migration that was to be reached.
        attempts: tries so far, in all runs.
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
        shared: ``platform`` (control database only) and ``node`` -> their revisions.
        at_head: the number of tenants at the code's revision.
        behind: the number of tenants at an older one.
        ahead: the number of tenants that a newer version of the application migrated.
        revisions: revision -> the number of tenants at it.
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
        """Return whether no migration remains."""
        shared = all(self.heads[name] == revision for one in self.databases for name, revision in one.shared.items())
        return shared and not any(one.behind or one.failed for one in self.databases)


def status() -> FleetStatus:
    """The status of each data database, by three queries for any number of tenants.

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
        fleet: dict[str, int] = {row.revision: row.tenants for row in counts}
        failures = session.execute(_FAILURES, {"head": head("tenant")}).mappings().all()
    slugs = _slugs([str(row["tenant_id"]) for row in failures])
    newest, known = head("tenant"), set(revisions("tenant"))
    return DatabaseStatus(
        database=database,
        shared=shared,
        tenants=sum(fleet.values()),
        at_head=fleet.get(newest, 0),
        behind=sum(count for revision, count in fleet.items() if revision in known and revision != newest),
        ahead=sum(count for revision, count in fleet.items() if revision not in known),
        revisions=fleet,
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
    """The slugs of the tenants with these ids."""
    if not ids:
        return {}
    with node_session(DEFAULT_DATABASE) as session:
        query = text("SELECT id::text, slug FROM platform.tenants WHERE id = ANY(CAST(:ids AS uuid[]))")
        return {row.id: row.slug for row in session.execute(query, {"ids": ids})}
