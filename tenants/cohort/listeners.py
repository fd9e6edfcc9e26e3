"""The cohort's listeners: they update statuses in the transaction of the earlier room that changed the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


_NO_STATUS: Final = ("observations", "encounters")


def records_changed(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Update the status transitions of the changed patients. Measurements and notes change no status."""
    if payload.get("kind") in _NO_STATUS:
        return
    from tenants.cohort.service import refresh
    from tenants.records.identities import connected

    # Facts of a merged patient count for the canonical one and change that one's status.
    patients, _ = connected(session, payload["patient_ids"])
    if patients:
        refresh(session, patients)


def settings_changed(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Request a rebuild of the statuses when the cohort's rules changed."""
    if payload["key"] == "cohort":
        from tenants.cohort.service import request_rebuild

        request_rebuild(session)


def import_finished(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Recompute the complete-through dates of all facilities: the small ones are judged together."""
    from tenants.cohort.service import refresh_completeness

    if payload["facility_ids"]:
        refresh_completeness(session)


def tenant_restored(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Record that an unfinished rebuild from the archive has no job in this tenant."""
    from tenants.cohort.service import stop_rebuild

    stop_rebuild(session, "it was under way when the tenant's archive was written")
