"""The SQL of the notice of maintenance."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from core.database import platform_session, psycopg_connection
from core.maintenance.models import Notice

if TYPE_CHECKING:
    from sqlmodel import Session

_SET: Final = (
    "INSERT INTO platform.maintenance_notice (id, message, until, actor) VALUES (1, %s, %s, %s) ON CONFLICT (id)"
    " DO UPDATE SET message = excluded.message, until = excluded.until, actor = excluded.actor, changed_at = now()"
)


def stored_notice() -> Notice | None:
    """Return the notice, even if its time is over."""
    with platform_session() as session:
        row = psycopg_connection(session).execute("SELECT message, until FROM platform.maintenance_notice").fetchone()
    return None if row is None else Notice(row[0], row[1].astimezone(UTC))


def store(session: Session, notice: Notice, actor: str) -> None:
    """Store the notice in place of the one before."""
    psycopg_connection(session).execute(_SET, (notice.message, notice.until, actor))


def remove(session: Session) -> bool:
    """Remove the notice; False if there was none."""
    return bool(psycopg_connection(session).execute("DELETE FROM platform.maintenance_notice").rowcount)
