"""An import that waits for another one does not wait in silence for ever: it says which one holds it up."""

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
"""Longer than any step of a healthy import: whoever holds a lock for longer does not go on."""

_HOLDERS = """
WITH open AS (SELECT uuid FROM imports WHERE state IN ('pending', 'reading', 'checking', 'applying')),
free AS (SELECT uuid FROM imports WHERE uuid IN (SELECT uuid FROM open) FOR UPDATE SKIP LOCKED)
SELECT uuid FROM open WHERE uuid NOT IN (SELECT uuid FROM free) ORDER BY uuid
"""


class Held(Conflict):
    """Another process holds what the next step needs, and does not go on."""

    title = "The import is held up"


@contextmanager
def patiently(open_session: SessionOpener, import_uuid: UUID) -> Iterator[TenantSession]:
    """One transaction that waits for locks, but not for ever, and for the disk only if it is made ``lasting``.

    Raises:
        Held: a lock was not to be had; the message names the import that holds it, where that can be told.
    """
    try:
        with open_session() as session:
            # A step is not waited for on the disk: a server that breaks off loses the last of them, cursor and all.
            session.set_local(lock_timeout=f"{PATIENCE_SECONDS}s", synchronous_commit="off")
            yield session
    except (psycopg.Error, DBAPIError) as error:
        if not isinstance(getattr(error, "orig", error), psycopg.errors.LockNotAvailable):
            raise
        raise _held(open_session, import_uuid) from error


def lasting(session: TenantSession) -> None:
    """Have this transaction, and with it all before it, on the disk once it is committed: what is told is kept."""
    session.set_local(synchronous_commit="on")


def _held(open_session: SessionOpener, import_uuid: UUID) -> Held:
    with open_session() as session, session.cursor() as cursor:
        holders = [row[0] for row in cursor.execute(_HOLDERS).fetchall()]
    if import_uuid in holders:
        who, what = f"import {import_uuid}", "a process that has taken a step of it and does not go on"
    elif holders:
        who = f"import {import_uuid} waits for import {holders[0]}"
        what = "the process that runs it has stopped in the middle of a step"
    else:
        who, what = f"import {import_uuid}", "somebody who changes records of this tenant and does not go on"
    message = f"{who}: held for over {PATIENCE_SECONDS} seconds by {what}"
    if holders and import_uuid not in holders:
        message = f"{who}, which has held the tenant's records for over {PATIENCE_SECONDS} seconds: {what}"
    return Held(
        message,
        remedy="let the stopped process go on (kill -CONT) or end it (kill); then run the import again: it goes on"
        " where it stopped",
    )
