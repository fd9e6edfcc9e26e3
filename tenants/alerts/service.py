"""Lists of alerts, and the people to whom one can be assigned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from core.errors import Conflict, FieldError, Invalid
from core.identity.people.colleagues import Colleague, colleagues
from core.identity.people.members import names_of
from core.identity.principal import actor_of_person
from core.web.keyset import Slice, read_slice
from tenants.alerts import acts
from tenants.alerts.acts import find_alert, within_reach
from tenants.alerts.history import deliveries_of, history_of
from tenants.alerts.models import OPEN, Alert
from tenants.alerts.schemas import AlertDeliveryOut, AlertDetail, AlertEventOut, AlertFilter, AlertOut
from tenants.alerts.words import title_of
from tenants.records.models import Facility
from tenants.records.places import facility_named

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from core.database import TenantSession
    from core.web.paging import PageRequest
    from tenants.alerts.schemas import SeveralAct

ACT: Final = "alerts.act"
"""The permission that a person needs to whom an alert is assigned."""


def list_alerts(session: TenantSession, chosen: AlertFilter, paging: PageRequest) -> Slice[AlertOut]:
    """Return one page of alerts within reach.

    Raises:
        Invalid: there is no such facility, person or digest (422).
    """
    if chosen.digest is not None and not _has_digest(session, chosen.digest):
        raise _unknown("digest", "names no digest", "Send the digest_id of an alert.")
    if chosen.assigned_to is not None and not names_of(session.tenant, [chosen.assigned_to]):
        raise _unknown("assigned_to", "names no person of the tenant", "Send the id of a colleague.")
    wanted: list[Any] = [within_reach(session)]
    wanted += [
        column == value
        for column, value in (
            (Alert.status, chosen.status),
            (Alert.stream, chosen.stream),
            (Alert.severity, chosen.severity),
            (Alert.alert_type, chosen.rule),
            (Alert.digest_id, chosen.digest),
        )
        if value is not None
    ]
    if chosen.assigned_to is not None:
        wanted.append(Alert.assigned_to == actor_of_person(chosen.assigned_to))
    if chosen.ended is not None:
        wanted.append(col(Alert.status).in_(OPEN) != chosen.ended)
    place = facility_named(session, chosen.facility)
    if place is not None:
        wanted.append(Alert.facility_uuid == place.uuid)
    columns = {"created_at": col(Alert.created_at)}
    part = read_slice(session, select(Alert).where(*wanted), paging, columns, col(Alert.uuid))
    return Slice(shown(session, part.rows), part.total, part.last)


def _has_digest(session: TenantSession, digest_id: UUID) -> bool:
    query = select(Alert.uuid).where(Alert.digest_id == digest_id, within_reach(session)).limit(1)
    return session.exec(query).first() is not None


def _unknown(name: str, problem: str, remedy: str) -> Invalid:
    detail = f"not valid: query.{name}"
    return Invalid(detail, errors=[FieldError(f"query.{name}", problem, remedy)])


def count_open(session: TenantSession) -> int:
    """Return how many alerts within reach nobody looks after yet."""
    query = select(func.count()).select_from(Alert).where(Alert.status == "open", within_reach(session))
    return session.exec(query).one()


def facilities_with_alerts(session: TenantSession) -> list[Facility]:
    """Return the facilities within reach that have had an alert, by name."""
    having = select(Alert.facility_uuid).where(within_reach(session), col(Alert.facility_uuid).is_not(None))
    rows = session.exec(select(Facility).where(col(Facility.uuid).in_(having)))
    return sorted(rows, key=lambda place: (place.name or place.datim_id, place.datim_id))


def get_detail(session: TenantSession, alert_id: UUID) -> AlertDetail:
    """Return an alert with its history and its messages.

    Raises:
        NotFound: there is no such alert within reach (404).
    """
    row = find_alert(session, alert_id)
    head = shown(session, [row])[0]
    history = [AlertEventOut.model_validate(each) for each in history_of(session, alert_id)]
    deliveries = [AlertDeliveryOut.model_validate(each) for each in deliveries_of(session, row)]
    return AlertDetail(**head.model_dump(), history=history, deliveries=deliveries)


def assignees(session: TenantSession, alert: Alert) -> list[Colleague]:
    """Return the people to whom the alert can be assigned, by name: they act on alerts, and reach its facility."""
    return _reaching(session, alert, colleagues(session.tenant, ACT))


def _reaching(session: TenantSession, alert: Alert, people: Sequence[Colleague]) -> list[Colleague]:
    place = None if alert.facility_uuid is None else session.get(Facility, alert.facility_uuid)
    return [
        one
        for one in people
        if one.reach.everything
        or (
            place is not None
            and one.reach.assigned_to is None
            and (one.reach.facility_ids is None or place.uuid in one.reach.facility_ids)
            and (one.reach.states is None or place.state_province in one.reach.states)
        )
    ]


def assign(session: TenantSession, alert_id: UUID, person_id: UUID, *, source: str) -> Alert:
    """Give the alert to a colleague.

    Raises:
        NotFound: there is no such alert (404).
        Conflict: it is resolved (409).
        Invalid: the person cannot look after it (422).
    """
    return _assign(session, alert_id, person_id, colleagues(session.tenant, ACT), source)


def _assign(session: TenantSession, alert_id: UUID, person_id: UUID, people: Sequence[Colleague], source: str) -> Alert:
    if person_id not in {one.id for one in _reaching(session, find_alert(session, alert_id), people)}:
        detail = "the alert cannot be assigned to this person"
        remedy = "Choose a colleague who acts on alerts and reaches the facility."
        raise Invalid(detail, errors=[FieldError("body.person_id", detail, remedy)])
    return acts.assign(session, alert_id, person_id, source=source)


@dataclass(frozen=True, slots=True)
class ActsResult:
    """What became of several alerts: those that were changed, and those that could not be."""

    changed: list[UUID]
    skipped: list[UUID]


def act_on_several(
    session: TenantSession,
    alert_ids: Collection[UUID],
    act: SeveralAct,
    *,
    person_id: UUID | None = None,
    minutes: int = acts.SNOOZE_MINUTES,
    source: str,
) -> ActsResult:
    """Acknowledge, assign or snooze several alerts.

    It skips those that were resolved meanwhile, and those whose facility the colleague does not reach.

    Raises:
        NotFound: there is no such alert within reach; then none is changed (404).
        Invalid: nobody of this id acts on alerts (422).
    """
    people = colleagues(session.tenant, ACT) if act == "assign" else []
    assignee = person_id if person_id in {one.id for one in people} else None
    if act == "assign" and assignee is None:
        detail = "the alerts cannot be assigned to this person"
        raise Invalid(detail, errors=[FieldError("body.person_id", detail, "Choose a colleague who acts on alerts.")])
    changed: list[UUID] = []
    skipped: list[UUID] = []
    for alert_id in sorted(set(alert_ids)):
        try:
            if assignee is not None:
                _assign(session, alert_id, assignee, people, source)
            elif act == "snooze":
                acts.snooze(session, alert_id, minutes, source=source)
            else:
                acts.acknowledge(session, alert_id, source=source)
        except (Conflict, Invalid):
            skipped.append(alert_id)
        else:
            changed.append(alert_id)
    return ActsResult(changed, skipped)


def shown(session: TenantSession, rows: Sequence[Alert]) -> list[AlertOut]:
    """Return alerts as the API shows them."""
    places = facilities_of(session, {row.facility_uuid for row in rows if row.facility_uuid is not None})
    return [_shown(row, places.get(row.facility_uuid) if row.facility_uuid else None) for row in rows]


def facilities_of(session: TenantSession, ids: Collection[UUID]) -> dict[UUID, Facility]:
    """Return facilities by id."""
    if not ids:
        return {}
    return {row.uuid: row for row in session.exec(select(Facility).where(col(Facility.uuid).in_(ids)))}


def _shown(row: Alert, place: Facility | None) -> AlertOut:
    values = {name: getattr(row, name) for name in AlertOut.model_fields if hasattr(row, name)}
    name = "" if place is None else place.name or place.datim_id
    return AlertOut(
        **values,
        id=row.uuid,
        title=title_of(row, name),
        rule=row.alert_type,  # type: ignore[arg-type]  # a kind
        facility=None if place is None else place.datim_id,
    )
