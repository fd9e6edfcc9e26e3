"""Routes of alerts: find them, and acknowledge, assign, snooze, resolve and reopen them."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from core.access import TenantDb, require
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.event_loop import on_event_loop
from core.web.paging import Page, PageRequest, long_pages, sorted_pages
from tenants.alerts import acts, people, service
from tenants.alerts.models import Alert
from tenants.alerts.schemas import (
    ActsIn,
    ActsOut,
    AlertDetail,
    AlertFilter,
    AlertOut,
    AlertPersonOut,
    AssignIn,
    SnoozeIn,
)

router = APIRouter(prefix="/alerts", tags=["alerts"])

AlertsRead = Annotated[Principal, Depends(require("alerts.read", confined=True))]
PatientsRead = Annotated[Principal, Depends(require("patients.read", confined=True))]
AlertsAct = Annotated[Principal, Depends(require("alerts.act", confined=True))]
Newest = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, "-created_at"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"came_on": date}))]
Wanted = Annotated[AlertFilter, Depends(on_event_loop(AlertFilter))]
ACTS = responses(NotFound, Conflict)


@router.get("", operation_id="list_alerts", summary="List alerts, newest first unless sorted")
def list_alerts(_: AlertsRead, db: TenantDb, paging: Newest, wanted: Wanted) -> Page[AlertOut]:
    """List alerts of the facilities that you reach; those about the platform if you reach all."""
    part = service.list_alerts(db, wanted, paging)
    return Page.of(list(part.rows), paging, part.total, part.last)


@router.get("/{alert_id}", operation_id="get_alert", summary="Get an alert", responses=responses(NotFound))
def get_alert(_: AlertsRead, db: TenantDb, alert_id: UUID) -> AlertDetail:
    """Return an alert with its history and what channels were notified."""
    return service.get_detail(db, alert_id)


@router.get(
    "/{alert_id}/people",
    operation_id="list_alert_people",
    summary="List the people of an alert",
    responses=responses(NotFound),
)
def list_alert_people(
    _: AlertsRead, __: PatientsRead, db: TenantDb, alert_id: UUID, paging: Ordered
) -> Page[AlertPersonOut]:
    """List those whom the alert counts and whom you reach, as known now. The audit records the read of each."""
    part = people.read_people(db, alert_id, paging)
    return Page.of([AlertPersonOut.model_validate(person) for person in part.rows], paging, part.total)


@router.post("/act", operation_id="act_on_alerts", summary="Change several alerts", responses=responses(NotFound))
def act_on_alerts(_: AlertsAct, db: TenantDb, body: ActsIn) -> ActsOut:
    """Acknowledge, assign or snooze up to 100 alerts. Those that cannot be changed are skipped, and named."""
    values = body.model_dump(include={"act", "person_id", "minutes"})
    return ActsOut.model_validate(service.act_on_several(db, body.alert_ids, **values, source="api"))


@router.post(
    "/{alert_id}/acknowledge", operation_id="acknowledge_alert", summary="Acknowledge an alert", responses=ACTS
)
def acknowledge_alert(_: AlertsAct, db: TenantDb, alert_id: UUID) -> AlertOut:
    """Say that somebody looks after it. Its escalation stops, and its channels are notified."""
    return _shown(db, acts.acknowledge(db, alert_id, source="api"))


@router.post("/{alert_id}/assign", operation_id="assign_alert", summary="Assign an alert", responses=ACTS)
def assign_alert(_: AlertsAct, db: TenantDb, alert_id: UUID, body: AssignIn) -> AlertOut:
    """Give it to a colleague. It counts as acknowledged."""
    return _shown(db, service.assign(db, alert_id, body.person_id, source="api"))


@router.post("/{alert_id}/snooze", operation_id="snooze_alert", summary="Snooze an alert", responses=ACTS)
def snooze_alert(_: AlertsAct, db: TenantDb, alert_id: UUID, body: SnoozeIn) -> AlertOut:
    """Notify nobody of it for some minutes. If it is still open then, its channels are notified again."""
    return _shown(db, acts.snooze(db, alert_id, body.minutes, source="api"))


@router.post("/{alert_id}/resolve", operation_id="resolve_alert", summary="Resolve an alert", responses=ACTS)
def resolve_alert(_: AlertsAct, db: TenantDb, alert_id: UUID) -> AlertOut:
    """End it, and notify its channels. If its cause goes on, the next look of its rule raises another."""
    return _shown(db, acts.resolve(db, alert_id, source="api"))


@router.post("/{alert_id}/reopen", operation_id="reopen_alert", summary="Reopen an alert", responses=ACTS)
def reopen_alert(_: AlertsAct, db: TenantDb, alert_id: UUID) -> AlertOut:
    """Open a resolved alert again, and notify its channels."""
    return _shown(db, acts.reopen(db, alert_id, source="api"))


def _shown(db: TenantDb, row: Alert) -> AlertOut:
    return service.shown(db, [row])[0]
