"""Restores from end to end: the source of the backup, and the fate of the previous data."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.database import DEFAULT_DATABASE
from core.identity.operator import ACTOR
from core.tenancy import placing
from core.tenancy.archive.files import missing
from core.tenancy.backup import container, previous
from core.tenancy.backup.restoring import RestoreResult, restore
from core.tenancy.backup.saving import at_moment, save_schema
from core.tenancy.service import describe_tenant
from core.tenancy.tenant_lock import tenant_lock

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from core.telemetry.progress import LineCallback


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A completed restore.

    Attributes:
        restored: what was restored.
        to: the moment that the restore goes back to.
        previous: the backup of the previous data; None where there were none.
        missing: stored files that the restored rows refer to and the store lacks, because backups hold none.
    """

    restored: RestoreResult
    to: str
    previous: Path | None
    missing: list[str]


def from_file(
    slug: str,
    file: Path,
    *,
    new_slug: str | None = None,
    database: str = DEFAULT_DATABASE,
    keep_old: bool = False,
    actor: str = ACTOR,
    progress: LineCallback = lambda _text: None,
) -> RestoreReport:
    """Restore a file that ``backup`` wrote. See ``core.tenancy.backup.restoring.restore``."""
    with ExitStack() as resources:
        for name in sorted({slug, new_slug or slug}):
            resources.enter_context(tenant_lock(name))
        header, manifest, dump = resources.enter_context(container.opened(file))
        progress(f"restoring {slug} to {header.made_at}")
        done = restore(slug, manifest, dump, new_slug=new_slug, database=database, actor=actor, why=header.made_at)
        put_away = _put_away(done, keep_old=keep_old, progress=progress)
        return RestoreReport(done, header.made_at, put_away, missing(done.ref))


def to_moment(
    slug: str,
    moment: datetime,
    *,
    keep_old: bool = False,
    actor: str = ACTOR,
    progress: LineCallback = lambda _text: None,
) -> RestoreReport:
    """Restore a tenant to a moment since a base backup of the embedded server.

    Raises:
        NotFound: no tenant has this slug, or it did not exist then.
        Invalid: no base backup reaches that moment, or it is in the future.
        Unavailable: the servers cannot be recovered to it.
        Conflict: another process moves, restores or deletes the tenant.
    """
    from core.services.recovery import recovered

    with tenant_lock(slug):
        row = describe_tenant(slug)
        with recovered(moment, progress) as logins:
            progress(f"restoring {slug} to {moment.isoformat()}")
            with at_moment(logins[DEFAULT_DATABASE], logins, row.id) as (manifest, dump):
                done = restore(row.slug, manifest, dump, actor=actor, why=moment.isoformat())
        put_away = _put_away(done, keep_old=keep_old, progress=progress)
        return RestoreReport(done, moment.isoformat(), put_away, missing(done.ref))


def _put_away(done: RestoreResult, *, keep_old: bool, progress: LineCallback) -> Path | None:
    """Write the previous data to a file, exact to the last transaction, and drop their schema."""
    if done.left is None:
        return None
    file = previous.new_file(done.ref.slug)
    progress("writing the previous data")
    left = done.left
    save_schema(describe_tenant(done.ref.slug), left.database, left.schema_name, left.role_name, file)
    if not keep_old:
        placing.drop_retired(done.ref.id, only=left.schema_name, early=True)
    return file
