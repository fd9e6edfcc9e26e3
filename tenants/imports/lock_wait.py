"""An import that waits for another one stops after a while, and names the import that blocks it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy.exc import DBAPIError

from core.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from core.database import SessionOpener, TenantSession

PATIENCE_SECONDS = 120
"""Seconds to wait for a lock: longer than any step of a healthy import, so a process that has it for longer has
stopped.
"""

_HOLDERS = """
WITH open AS (SELECT uuid FROM imports WHERE state IN ('pending', 'reading', 'checking', 'applying')),
free AS (SELECT uuid FROM imports WHERE uuid IN (SELECT uuid FROM open) FOR UPDATE SKIP LOCKED)
SELECT uuid FROM open WHERE uuid NOT IN (SELECT uuid FROM free) ORDER BY uuid
"""


class ImportBlocked(Conflict):
    """Error: the next step needs a lock of another process, which has stopped working."""

    title = "The import is held up"


@contextmanager
def patiently(open_session: SessionOpener, import_uuid: UUID) -> Iterator[TenantSession]:
    """Open a transaction that waits for locks only for a time, and for the disk only after ``lasting``.

    Raises:
        ImportBlocked: a lock was not available; the message names the import that has it, if it is known.
    """
    try:
        with open_session() as session:
            # A step does not wait for the disk: a server that crashes loses the last steps with their cursor.
            session.set_local(lock_timeout=f"{PATIENCE_SECONDS}s", synchronous_commit="off")
            yield session
    except (psycopg.Error, DBAPIError) as error:
        if not isinstance(getattr(error, "orig", error), psycopg.errors.LockNotAvailable):
            raise
        raise _blocked(open_session, import_uuid) from error


def lasting(session: TenantSession) -> None:
    """Wait for the disk when this transaction commits, so that it and all before it survive a crash."""
    session.set_local(synchronous_commit="on")


def _blocked(open_session: SessionOpener, import_uuid: UUID) -> ImportBlocked:
    with open_session() as session, session.cursor() as cursor:
        holders = [row[0] for row in cursor.execute(_HOLDERS).fetchall()]
    if import_uuid in holders:
        subject, blocker = f"import {import_uuid}", "a process that has taken a step of it and does not go on"
    elif holders:
        subject = f"import {import_uuid} waits for import {holders[0]}"
        blocker = "the process that runs it has stopped in the middle of a step"
    else:
        subject, blocker = f"import {import_uuid}", "somebody who changes records of this tenant and does not go on"
    message = f"{subject}: blocked for over {PATIENCE_SECONDS} seconds by {blocker}"
    if holders and import_uuid not in holders:
        message = f"{subject}, which has locked the tenant's records for over {PATIENCE_SECONDS} seconds: {blocker}"
    return ImportBlocked(
        message,
        remedy="let the stopped process continue (kill -CONT) or end it (kill); then run the import again: it resumes"
        " where it stopped",
    )
