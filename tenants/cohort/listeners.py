"""What the cohort does when an earlier room says that records changed, in that room's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


_NO_STATUS: Final = ("observations", "encounters")


def records_changed(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Bring the status transitions of the touched patients in line; what was measured or noted changes no status."""
    if payload.get("kind") in _NO_STATUS:
        return
    from tenants.cohort.service import refresh
    from tenants.records.identities import connected

    # Facts of a merged patient count for another, whose status they change.
    patients, _ = connected(session, payload["patients"])
    if patients:
        refresh(session, patients)


def settings_changed(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Have the statuses recomputed when it was the cohort's rules that changed."""
    if payload["key"] == "cohort":
        from tenants.cohort.service import request_rebuild

        request_rebuild(session)


def import_finished(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Work out the complete-through dates anew. All facilities: the small ones are judged together."""
    from tenants.cohort.service import refresh_completeness

    if payload["facilities"]:
        refresh_completeness(session)
