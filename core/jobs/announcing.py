"""Jobs that announce a dead or cancelled job to its room again, if the room failed to handle the first announcement.

``endings`` adds such a job in the transaction that makes the other one a dead letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import class_row

from core.database import psycopg_connection
from core.jobs import endings
from core.jobs.bounds import Retry
from core.jobs.registry import job, platform_job

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.jobs.context import JobContext, PlatformJobContext

# The row is locked: an operator who retries the job meanwhile waits, so that the room hears of the retry last.
_DEAD = f"SELECT {endings.ENDED} FROM node.jobs WHERE id = %s AND state IN ('dead', 'cancelled') FOR UPDATE"  # noqa: S608 - constants


@job(endings.ANNOUNCE, retry=Retry(endings.ANNOUNCE_ATTEMPTS), cancellable=False)
def announce_again(context: JobContext, payload: dict[str, Any]) -> None:
    """Announce a dead job of a tenant, in a session of that tenant."""
    with context.session() as session:
        _announce(session, payload)


@platform_job(endings.ANNOUNCE_PLATFORM, retry=Retry(endings.ANNOUNCE_ATTEMPTS), cancellable=False)
def announce_again_for_platform(context: PlatformJobContext, payload: dict[str, Any]) -> None:
    """Announce a dead job of the platform, in a session of the application."""
    with context.session() as session:
        _announce(session, payload)


def _announce(session: Session, payload: dict[str, Any]) -> None:
    cursor = psycopg_connection(session).cursor(row_factory=class_row(endings.EndedJob))
    ended = cursor.execute(_DEAD.encode(), (UUID(payload["job_id"]),)).fetchone()
    if ended is not None:  # otherwise an operator retried or discarded it, which was announced then
        endings.announce(session, endings.DECISIONS[ended.state], ended, payload["reason"])
