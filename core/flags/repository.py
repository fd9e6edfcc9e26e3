"""The SQL of flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core import telemetry
from core.database import platform_session, psycopg_connection
from core.resilience.dependencies import REDIS_EVENTS
from core.services.quick_redis import NoAnswer, quick_call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlmodel import Session

CHANNEL: Final = "iit:flags"
LOCK: Final = 0x11_7E_F1_A6

_DEFINITIONS: Final = "SELECT name, definition FROM platform.feature_flags ORDER BY name"
_STATES: Final = """
SELECT c.name, f.definition, c.actor, c.reason, c.changed_at, c.number AS change
FROM (
    SELECT DISTINCT ON (name) * FROM platform.flag_changes
    WHERE name = %(name)s OR %(name)s::text IS NULL ORDER BY name, number DESC
) AS c
LEFT JOIN platform.feature_flags AS f ON f.name = c.name
"""
_ADD: Final = (
    "INSERT INTO platform.flag_changes (name, definition, reason, actor) VALUES (%s, %s, %s, %s) RETURNING number"
)
_SET: Final = """
INSERT INTO platform.feature_flags (name, definition, change) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, change = excluded.change
"""
_CHANGE: Final = "SELECT max(number) FROM platform.flag_changes WHERE name = %s"
_HISTORY: Final = """
SELECT number, definition, reason, actor, changed_at FROM platform.flag_changes
WHERE name = %s ORDER BY number DESC LIMIT %s
"""

log = telemetry.get_logger(__name__)


def stored_definitions() -> dict[str, dict[str, Any]]:
    """Return the definitions of all flags that are set."""
    with platform_session() as session:
        return dict(psycopg_connection(session).execute(_DEFINITIONS).fetchall())


def states(session: Session, name: str | None = None) -> dict[str, dict[str, Any]]:
    """Return for each flag that was ever set, or only the named one, its definition and its last change.

    The definition is None at the flag's default.
    """
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        return {row["name"]: row for row in cursor.execute(_STATES, {"name": name})}


def last_change(session: Session, name: str) -> int:
    """Return the number of the flag's last change; 0 if it was never set."""
    row = psycopg_connection(session).execute(_CHANGE, (name,)).fetchone()
    return int(row[0] or 0) if row else 0


def store(session: Session, name: str, definition: Mapping[str, Any] | None, reason: str, actor: str) -> int:
    """Set a flag, or give it back to its default; return the number of the change."""
    connection = psycopg_connection(session)
    stored = None if definition is None else Jsonb(definition)
    row = connection.execute(_ADD, (name, stored, reason, actor)).fetchone()
    number = int(row[0]) if row else 0
    if definition is None:
        connection.execute("DELETE FROM platform.feature_flags WHERE name = %s", (name,))
    else:
        connection.execute(_SET, (name, stored, number))
    return number


def history(session: Session, name: str, limit: int) -> list[dict[str, Any]]:
    """Return the changes of a flag, newest first."""
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_HISTORY, (name, limit)).fetchall()


def announce() -> None:
    """Tell all processes that a flag changed. If Redis does not answer, they see it within 15 seconds."""
    try:
        with quick_call(REDIS_EVENTS) as client:
            client.publish(CHANNEL, "")
    except NoAnswer as error:
        if error.called:
            log.info("a change of a flag was not announced", error=error.reason)
