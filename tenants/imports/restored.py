"""A tenant restored from an archive: end its unfinished imports, which have no staged rows there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from core.privacy import vault
from tenants.imports.given_up import stall
from tenants.imports.models import UNFINISHED, Import

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

UNDOING = "it was being undone when the tenant's archive was written"
WHY = "it was under way when the tenant's archive was written: import the same files again"


def end_unfinished(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Mark unfinished imports as failed, and destroy the keys of their staged rows. Stall started undoings."""
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE imports SET state = 'failed', error = %s, finished_at = now(), runner = NULL"
            " WHERE state = ANY(%s) RETURNING uuid",
            (WHY, list(UNFINISHED)),
        )
        ended = cursor.fetchall()
    for row in session.exec(select(Import).where(col(Import.state) == "undoing").with_for_update()):
        stall(row, UNDOING)
        session.add(row)
    for (uuid,) in ended:
        vault(session).erase_patient(uuid)
