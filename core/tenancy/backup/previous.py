"""The files with tenants' previous data, which restores write. A purge removes those of its tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.clock import now
from core.errors import Invalid
from core.services.backups import backup_folder
from core.tenancy.backup import container

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

ENDING = "-before-restore.iitbackup"


def folder() -> Path:
    """The folder of these files, created private where it does not exist.

    Raises:
        Unavailable: it cannot be created.
    """
    path = backup_folder() / "tenants"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def new_file(slug: str) -> Path:
    """An unused name for the tenant's next file."""
    stem = f"{slug}-{now():%Y%m%dT%H%M%S.%fZ}"
    return folder() / f"{stem}{ENDING}"


def files_of(tenant_id: UUID) -> list[Path]:
    """Return the tenant's files, under every slug it has had, and the half-written files of killed restores."""
    return sorted(path for path in _all() if _owner(path) == str(tenant_id))


def remove(tenant_id: UUID) -> int:
    """Remove the tenant's files; return how many there were."""
    files = files_of(tenant_id)
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _all() -> Iterator[Path]:
    where = folder()
    yield from where.glob(f"*{ENDING}")
    yield from where.glob(f".*{ENDING}{container.DRAFT}")


def _owner(path: Path) -> str | None:
    """Return the id of the tenant that a file belongs to; None if the file states none."""
    try:
        return container.header_of(path).tenant_id
    except Invalid:
        return None
