"""The check that this process uses the installation's store of files, by a mark in the store.

Two machines that share a database but no store would each lack the other's files. So the first process that stores a
file writes a mark into its store. A process whose store lacks the mark stores nothing, and runs nothing that needs
files.
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
    """This process uses another store of files than the rest of the installation."""


def compare(read: Callable[[], str | None], write: Callable[[str], None] | None) -> None:
    """Compare a store's mark with the installation's.

    Args:
        read: returns the text of the store's mark, None where it has none.
        write: marks the store where the installation has none yet; None only compares.

    Raises:
        BlobStoreForeign: the store is not the installation's, or is not mounted.
        Unavailable: the database cannot be reached, or is not migrated.
    """
    stored = read()
    if write is None:
        with platform_session() as session:
            mark = session.scalar(text("SELECT mark FROM platform.blob_store"))
        if mark is not None and stored != mark.hex:
            raise foreign()
        return
    new = uuid4()
    # The mark is written while the row is locked, so that one of two first processes waits for the other.
    with platform_session() as session:
        mark = session.execute(_CLAIM, {"mark": new}).scalar_one()
        if mark == new:
            write(mark.hex)
            return
    if stored != mark.hex and read() != mark.hex:
        raise foreign()


def adopt_blob_store(write: Callable[[str], None]) -> UUID:
    """Make a store the installation's after its files were moved there; ``write`` marks it."""
    new = uuid4()
    with platform_session() as session:
        session.execute(_ADOPT, {"mark": new})
        write(new.hex)
    return new


def foreign() -> BlobStoreForeign:
    """The error for a process with another store."""
    detail = "this process keeps files in another place than the rest of the installation, or that place is not mounted"
    remedy = "Ask the operator to set IIT_BLOB_URL to one place for all processes, or to mount it."
    command = (
        "set IIT_BLOB_URL to one place for all processes, or mount it;"
        " after moving all files there: iit services blobs --adopt"
    )
    return BlobStoreForeign(detail, remedy=remedy, command=command, retry_after=30)
