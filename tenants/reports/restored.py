"""A tenant restored from an archive: its reports have neither jobs nor files there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

WHY: Final = "it was not made yet when the tenant's archive was written: request it again"


def end_unfinished(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Mark reports that no job will make as failed, and reports whose file the archive does not hold as expired."""
    with session.cursor() as cursor:
        cursor.execute("UPDATE report_files SET state = 'failed', problem = %s WHERE state = 'waiting'", (WHY,))
        cursor.execute("UPDATE report_files SET expires_at = now() WHERE state = 'made' AND expires_at > now()")
