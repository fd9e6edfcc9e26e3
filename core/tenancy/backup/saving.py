"""Writing of a backup: counts and checksums of every table, open jobs and the dump, all in one snapshot."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from core.clock import now
from core.database.engines import login_url
from core.database.snapshots import owner_snapshot, url_snapshot
from core.errors import AppError, Conflict, NotFound, Unavailable
from core.installation import check_master_key
from core.telemetry.tracebacks import describe
from core.tenancy import shape
from core.tenancy.backup import container
from core.tenancy.backup.container import Manifest
from core.tenancy.backup.dump import dumped
from core.tenancy.service import describe_tenant, list_tenants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO
    from uuid import UUID

    import psycopg

    from core.telemetry.progress import LineCallback
    from core.tenancy.models import Tenant

WITHOUT_BACKUP = ("restoring", "purging")
_TENANT = ("id", "slug", "name", "time_zone", "created_at")
_OPEN_JOBS = (
    "SELECT to_jsonb(jobs) FROM node.jobs WHERE tenant_role = %s AND state IN ('queued', 'sent', 'running') ORDER BY id"
)

_OPEN_EVENTS = (
    "SELECT to_jsonb(outbox) FROM node.outbox WHERE tenant_role = %s AND forwarded_at IS NULL ORDER BY published_at, id"
)


@dataclass(frozen=True, slots=True)
class SavedBackup:
    """A written backup.

    Attributes:
        file: its path.
        tenant_id: the tenant's.
        rows: the rows of all tables.
        bytes: the size before sealing.
        sha256: the SHA-256 before sealing.
        revision: the schema's migration.
    """

    file: Path
    tenant_id: UUID
    rows: int
    bytes: int
    sha256: str
    revision: str


def backup(slug: str, file: Path) -> SavedBackup:
    """Write a tenant's schema, as of one moment, to a sealed file. The tenant stays in use.

    Raises:
        NotFound: no tenant has this slug.
        Conflict: the tenant is being restored from an archive, or destroyed.
        Unavailable: the file cannot be written, or the database fails.
        MasterKeyWrong: no process of the installation could open the file.
    """
    check_master_key()
    row = describe_tenant(slug)
    if row.phase in WITHOUT_BACKUP:
        detail = f"the tenant {slug!r} is {row.phase}: its data are incomplete, so it cannot be backed up"
        raise Conflict(detail, command="see `iit tenant show`")
    return save_schema(row, row.database, row.schema_name, row.role_name, file)


@dataclass(frozen=True, slots=True)
class SavedBackups:
    """The results by tenant.

    Attributes:
        saved: slug -> its backup.
        failed: slug -> why it has none.
        skipped: slugs of tenants that are being restored from an archive, or destroyed; their data are incomplete.
    """

    saved: dict[str, SavedBackup]
    failed: dict[str, str]
    skipped: list[str]


def backup_all(folder: Path, progress: LineCallback = lambda _slug: None) -> SavedBackups:
    """Write a backup of every tenant into a folder, one after the other; a failure does not stop the others.

    Args:
        folder: created where it does not exist.
        progress: receives each slug when it is done.

    Raises:
        Unavailable: the folder cannot be created, or the control database cannot be reached.
        MasterKeyWrong: no process of the installation could open the files.
    """
    check_master_key()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        detail = f"the folder {folder} cannot be created: {error.strerror}"
        raise Unavailable(detail, remedy="choose a folder that you can write to") from error
    stamp = f"{now():%Y%m%dT%H%M%SZ}"
    done = SavedBackups({}, {}, [])
    for tenant in list_tenants():
        if tenant.state in WITHOUT_BACKUP:
            done.skipped.append(tenant.slug)
            continue
        try:
            done.saved[tenant.slug] = backup(tenant.slug, folder / f"{tenant.slug}-{stamp}.iitbackup")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this tenant's, and the others go on
            done.failed[tenant.slug] = error.detail if isinstance(error, AppError) else describe(error)
        progress(tenant.slug)
    return done


def save_schema(row: Tenant, database: str, schema: str, role: str, file: Path) -> SavedBackup:
    """Write a backup of one schema, which may be a schema that the tenant has left.

    Raises:
        Unavailable: the file cannot be written, or the database fails.
    """
    tenant = {name: str(getattr(row, name)) for name in _TENANT}
    with captured(owner_snapshot(database), login_url("owner", database), tenant, schema, role) as (manifest, dump):
        sealed = container.write(file, row.id, now().isoformat(), manifest, dump)
        rows = sum(table["rows"] for table in manifest.tables.values())
        return SavedBackup(file, row.id, rows, sealed["bytes"], sealed["sha256"], manifest.revision)


@contextmanager
def captured(
    snapshot: AbstractContextManager[psycopg.Connection[Any]], url: str, tenant: dict[str, Any], schema: str, role: str
) -> Iterator[tuple[Manifest, BinaryIO]]:
    """Return the content of a schema in one snapshot: the manifest, and the stream of pg_dump.

    Raises:
        Unavailable: pg_dump failed.
    """
    with snapshot as connection:
        exported = connection.execute("SELECT pg_export_snapshot()").fetchone()
        digests = shape.digests(connection, schema)
        manifest = Manifest(
            tenant=tenant,
            schema=schema,
            revision=shape.revision(connection, schema),
            tables={name: asdict(digest) for name, digest in digests.items()},
            jobs=[row[0] for row in connection.execute(_OPEN_JOBS, (role,))],
            events=[row[0] for row in connection.execute(_OPEN_EVENTS, (role,))],
        )
        with dumped(url, schema, str(exported[0]) if exported else None) as stream:
            yield manifest, stream


@contextmanager
def at_moment(control_url: str, url_of: dict[str, str], tenant_id: UUID) -> Iterator[tuple[Manifest, BinaryIO]]:
    """The content of a tenant's schema on a copy of the servers at an earlier moment, wherever the tenant was then.

    Args:
        control_url: the owner's login to the copy of the first database.
        url_of: data database -> the owner's login to its copy.
        tenant_id: the tenant's.

    Raises:
        NotFound: the tenant did not exist at that moment, or its database was not copied.
    """
    with url_snapshot(control_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT * FROM platform.tenants WHERE id = %s", (tenant_id,))
        row = cursor.fetchone()
    if row is None or row["database"] not in url_of:
        detail = "at that moment the tenant was not in a database that base backups hold"
        raise NotFound(detail, command="choose a later moment, or restore a file that `iit tenant backup` wrote")
    tenant = {name: str(row[name]) for name in _TENANT}
    url = url_of[row["database"]]
    with captured(url_snapshot(url), url, tenant, row["schema_name"], row["role_name"]) as capture:
        yield capture
