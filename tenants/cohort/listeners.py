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


def status_verified(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Record a death or transfer that two people of follow-up agree on, and update the patient's status."""
    from core.events import publish
    from tenants.records import writing
    from tenants.records.models import PatientState
    from tenants.records.service import patient_of_id

    patient = patient_of_id(session, payload["patient_id"])
    content = {
        "patient_uuid": patient.uuid,
        "state": payload["state"],
        "start_date": payload["happened_on"],
        "reason": "verified by follow-up",
    }
    writing.create(session, PatientState, patient.facility_uuid, content)
    publish(session, "records.changed", {"patient_ids": [patient.uuid]})
