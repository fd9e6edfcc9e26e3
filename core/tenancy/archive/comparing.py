"""Comparison of archives with tenants, by counts and checksums over the same canonical lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.tenancy.archive import reading
from core.tenancy.archive.snapshot import snapshot
from core.tenancy.archive.tables import count, tables_of

if TYPE_CHECKING:
    from pathlib import Path

    from core.database import TenantRef
    from core.tenancy.archive.layout import Manifest, TableChecksum


def check_archive(path: Path, identity: Path) -> Manifest:
    """Read a whole archive, verify it, and write nothing.

    Raises:
        NotFound: the file does not exist.
        WrongIdentity: the archive is sealed to another key.
        ArchiveDamaged: the archive was changed after it was written.
        ArchiveTooNew: a newer version of the application wrote the archive.
    """
    with reading.opened(path, identity) as archive:
        for _ in archive.parts():
            pass
    assert archive.manifest is not None  # noqa: S101 - it was compared at the end of the parts
    return archive.manifest


def contents_of(tenant: TenantRef) -> dict[str, TableChecksum]:
    """The row counts and checksums of the tenant's tables now, as an archive would state them.

    Raises:
        Unavailable: the owner's login is not configured, or the database cannot be reached.
    """
    with snapshot(tenant, actor="system:archive") as session:
        tables = tables_of(session.cursor().connection, tenant.schema_name)
        return {table.name: count(session, table) for table in tables}
