"""The inbox: messages from elsewhere take effect once, however often their sender repeats them.

Call ``first_time`` in the transaction of the effect, with the sender's id of the message. The platform knows the
message for the days of ``IIT_INBOX_KEEP_DAYS``, which must exceed those for which senders repeat one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.database import TenantSession, psycopg_connection
from core.jobs.bounds import PLATFORM_ID, PLATFORM_ROLE

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

    import psycopg
    from sqlmodel import Session

LONGEST: Final = 255
"""Most characters of a source or an id."""

_ADD: Final = """
INSERT INTO node.inbox (tenant_role, tenant_id, source, message_id)
VALUES (coalesce(%s::text, current_user), %s, %s, %s) ON CONFLICT DO NOTHING
"""
_SWEEP: Final = """
DELETE FROM node.inbox WHERE (tenant_role, source, message_id) IN (
    SELECT tenant_role, source, message_id FROM node.inbox WHERE received_at < now() - %s LIMIT %s
)
"""


def first_time(session: Session, source: str, message_id: str) -> bool:
    """Remember a message. Return False if its effect is in the database already: then do nothing more.

    While another transaction handles the same message, this one waits for its end. If that one rolls back, this is the
    first time.

    Args:
        session: the transaction of the effect: a tenant's, or the application's for a message to the platform.
        source: who sends such messages, such as ``stripe``.
        message_id: the sender's id of the message, the same with each repetition. Two tenants may have the same.

    Raises:
        ValueError: the source or the id is empty or too long.
    """
    if not 0 < len(source) <= LONGEST or not 0 < len(message_id) <= LONGEST:
        message = f"a message needs a source and an id of 1 to {LONGEST} characters"
        raise ValueError(message)
    session.flush()
    own = session if isinstance(session, TenantSession) else None
    owner = (PLATFORM_ROLE, PLATFORM_ID) if own is None else (None, own.tenant.id)
    added = psycopg_connection(session).execute(_ADD, (*owner, source, message_id))
    return added.rowcount == 1


def sweep(connection: psycopg.Connection[Any], keep: timedelta, most: int) -> int:
    """Remove messages that came longer ago than ``keep``; returns the number."""
    return connection.execute(_SWEEP, (keep, most)).rowcount
