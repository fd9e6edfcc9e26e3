"""A tenant that comes from an archive: its unfinished scorings have no job there, and have failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


def end_unfinished(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Mark scorings that were under way as failed: the next scoring of the date begins anew."""
    with session.cursor() as cursor:
        cursor.execute("UPDATE score_runs SET state = 'failed' WHERE state IN ('scoring', 'explaining')")
