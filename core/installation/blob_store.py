"""Is this process's store of files the installation's: a mark in the store is compared with the control database.

Two machines that share a database and no store would each lack the other's files. So the first process that stores a
file writes a mark into its store, and a process whose store lacks it stores and runs nothing that needs files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import text

from core.database import platform_session
from core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_CLAIM = text(
    "INSERT INTO platform.blob_store (single, mark) VALUES (true, :mark)"
    " ON CONFLICT (single) DO UPDATE SET single = true RETURNING mark"
)
_ADOPT = text(
    "INSERT INTO platform.blob_store (single, mark) VALUES (true, :mark)"
    " ON CONFLICT (single) DO UPDATE SET mark = excluded.mark, marked_at = now()"
)


class BlobStoreForeign(Unavailable):
    """This process keeps files in another place than the rest of the installation."""


def compare(read: Callable[[], str | None], write: Callable[[str], None] | None) -> None:
    """Compare a store's mark with the installation's.

    Args:
        read: gives what the store's mark says, None where it has none.
        write: marks the store; called where the installation has no store yet. None: look only.

    Raises:
        BlobStoreForeign: the store is not the installation's, or not mounted.
        Unavailable: the database cannot be reached, or has not been migrated.
    """
    found = read()
    if write is None:
        with platform_session() as session:
            mark = session.scalar(text("SELECT mark FROM platform.blob_store"))
        if mark is not None and found != mark.hex:
            raise foreign()
        return
    new = uuid4()
    # The mark is written while the row is locked: of two processes that come first at once, one waits for the other.
    with platform_session() as session:
        mark = session.execute(_CLAIM, {"mark": new}).scalar_one()
        if mark == new:
            write(mark.hex)
            return
    if found != mark.hex and read() != mark.hex:
        raise foreign()


def adopt_blob_store(write: Callable[[str], None]) -> UUID:
    """Make a store the installation's, after files were moved there; ``write`` marks it."""
    new = uuid4()
    with platform_session() as session:
        session.execute(_ADOPT, {"mark": new})
        write(new.hex)
    return new


def foreign() -> BlobStoreForeign:
    """The error for a process whose files are elsewhere."""
    detail = "this process keeps files in another place than the rest of the installation, or that place is not mounted"
    remedy = "Ask the operator to set IIT_BLOB_URL to one place for all processes, or to mount it."
    command = (
        "set IIT_BLOB_URL to one place for all processes, or mount it;"
        " after moving all files there: iit services blobs --adopt"
    )
    return BlobStoreForeign(detail, remedy=remedy, command=command, retry_after=30)
