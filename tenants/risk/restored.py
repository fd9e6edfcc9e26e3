"""A tenant restored from an archive: end its unfinished scorings, which have no job there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


def end_unfinished(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Mark unfinished scorings as failed. The next scoring of the date starts from the beginning."""
    with session.cursor() as cursor:
        cursor.execute("UPDATE score_runs SET state = 'failed' WHERE state IN ('scoring', 'explaining')")
