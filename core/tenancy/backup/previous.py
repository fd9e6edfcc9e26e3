"""The files that restores write by themselves: what a tenant was before. They go when the tenant is destroyed."""

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
    """Where they are, made private where it is not there.

    Raises:
        Unavailable: it cannot be made.
    """
    found = backup_folder() / "tenants"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def new_file(slug: str) -> Path:
    """A name for the next one of this tenant, that no file has."""
    stem = f"{slug}-{now():%Y%m%dT%H%M%S.%fZ}"
    return folder() / f"{stem}{ENDING}"


def files_of(tenant_id: UUID) -> list[Path]:
    """Those of the tenant, whatever it was called then, and what a killed restore left half written."""
    return sorted(path for path in _all() if _owner(path) == str(tenant_id))


def remove(tenant_id: UUID) -> int:
    """Remove those of a tenant that is destroyed; how many there were."""
    found = files_of(tenant_id)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _all() -> Iterator[Path]:
    where = folder()
    yield from where.glob(f"*{ENDING}")
    yield from where.glob(f".*{ENDING}{container.DRAFT}")


def _owner(path: Path) -> str | None:
    """The id of the tenant that a file is of; None where it says none."""
    try:
        return container.header_of(path).tenant_id
    except Invalid:
        return None
