"""What people do with alerts: acknowledge, assign, snooze, resolve, reopen; each with its history.

``who`` is the person whom a channel names; the history keeps it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError
from sqlmodel import and_, col, select

from core import audit
from core.clock import now
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.identity.principal import actor_of_person
from tenants.alerts.history import announce, note
from tenants.alerts.kinds import DIGEST
from tenants.alerts.models import OPEN, Alert
from tenants.alerts.notifying import notify, notify_of_act
from tenants.records.reach import whole_facility_within_reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

SUBJECT: Final = "alert"
SNOOZE_MINUTES: Final = 240
"""How long a snooze lasts unless somebody sets another."""
LONGEST_SNOOZE: Final = 60 * 24 * 14


def find_alert(session: TenantSession, alert_id: UUID, *, lock: bool = False) -> Alert:
    """Return an alert within reach.

    Raises:
        NotFound: there is none (404).
    """
    query = select(Alert).where(Alert.uuid == alert_id, within_reach(session))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).first()
    if row is None:
        detail = "there is no such alert"
        raise NotFound(detail)
    return row


def within_reach(session: TenantSession) -> Any:  # noqa: ANN401 - a condition
    """The condition of alerts within reach: of reached facilities; those without one for who reaches everything.

    Digests stand for alerts in channels only: nobody reaches them here.
    """
    no_digest = Alert.alert_type != DIGEST
    if session.reach.everything:
        return no_digest
    return and_(no_digest, whole_facility_within_reach(session, col(Alert.facility_uuid)))


def acknowledge(
    session: TenantSession, alert_id: UUID, *, source: str, actor: str | None = None, who: str = ""
) -> Alert:
    """Say that somebody looks after the alert: its escalation stops. Again changes nothing.

    Raises:
        NotFound: there is no such alert (404).
        Conflict: it is resolved (409).
    """
    row = _of_open(session, alert_id)
    if row.status == "acknowledged":
        return row
    row.status, row.acknowledged_by, row.acknowledged_at = "acknowledged", actor or session.actor, now()
    row.step_at, row.notify_at = None, None
    _done(session, row, "acknowledged", source=source, actor=actor, who=who)
    announce(session, row, "acknowledged")
    notify_of_act(session, row, "acknowledge")
    return row


def assign(session: TenantSession, alert_id: UUID, person: UUID, *, source: str, actor: str | None = None) -> Alert:
    """Give the alert to a person, and acknowledge it.

    Raises:
        NotFound: there is no such alert (404).
        Conflict: it is resolved (409).
    """
    row = _of_open(session, alert_id)
    row.assigned_to, row.assigned_at = actor_of_person(person), now()
    _done(session, row, "assigned", {"person": str(person)}, source=source, actor=actor)
    return acknowledge(session, alert_id, source=source, actor=actor)


def snooze(
    session: TenantSession, alert_id: UUID, minutes: int, *, source: str, actor: str | None = None, who: str = ""
) -> Alert:
    """Notify nobody of the alert for some minutes; then, if it is open, notify the channels again.

    Raises:
        NotFound: there is no such alert (404).
        Conflict: it is resolved (409).
        Invalid: the minutes are not between 1 and two weeks (422).
    """
    if not 1 <= minutes <= LONGEST_SNOOZE:
        problem = phrase("is not from 1 to {most} minutes", most=LONGEST_SNOOZE)
        raise Invalid("the alert cannot be snoozed for so long", errors=[FieldError("minutes", problem)])
    row = _of_open(session, alert_id)
    row.status, row.acknowledged_by, row.acknowledged_at = "open", None, None
    row.snoozed_until, row.step_at = now() + timedelta(minutes=minutes), None
    _done(session, row, "snoozed", {"minutes": minutes}, source=source, actor=actor, who=who)
    notify(session, row)
    return row


def resolve(session: TenantSession, alert_id: UUID, *, source: str, actor: str | None = None, who: str = "") -> Alert:
    """End the alert. Again changes nothing.

    Raises:
        NotFound: there is no such alert (404).
    """
    row = find_alert(session, alert_id, lock=True)
    if row.status == "resolved":
        return row
    end(session, row, "channel" if actor else "person", actor=actor or session.actor, who=who)
    audit.record(session, f"{source}:alert:resolve", SUBJECT, row.uuid, {})
    return row


def reopen(session: TenantSession, alert_id: UUID, *, source: str, actor: str | None = None, who: str = "") -> Alert:
    """Open a resolved alert again, and notify its channels.

    Raises:
        NotFound: there is no such alert (404).
        Conflict: the same cause has raised another alert meanwhile (409).
    """
    row = find_alert(session, alert_id, lock=True)
    if row.status != "resolved":
        return row
    detail = "the same cause has raised another alert"
    try:
        with session.begin_nested():
            row.status, row.resolved_at, row.resolved_by, row.resolution = "open", None, None, None
            row.acknowledged_by, row.acknowledged_at, row.snoozed_until = None, None, None
            session.add(row)
            session.flush()
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation):
            raise Conflict(detail, remedy="Look at the alert that is open.") from error
        raise
    _done(session, row, "reopened", source=source, actor=actor, who=who)
    announce(session, row, "opened")
    notify(session, row)
    return row


def end(
    session: TenantSession,
    row: Alert,
    resolution: str,
    *,
    actor: str,
    who: str = "",
    facts: Mapping[str, int] | None = None,
) -> None:
    """Resolve an alert, and notify the channels that were notified of it.

    Args:
        session: a transaction of the tenant.
        row: the alert, locked.
        resolution: ``person``, ``channel`` or ``cause_ended``.
        actor: who resolves it.
        who: the person whom a channel names.
        facts: figures for the history, such as how many people came back.
    """
    row.status, row.resolved_at, row.resolved_by, row.resolution = "resolved", now(), actor, resolution
    row.step_at, row.notify_at, row.snoozed_until = None, None, None
    note(session, row, "resolved", {"why": resolution, **_named(who), **(facts or {})}, actor=actor)
    announce(session, row, "resolved")
    notify_of_act(session, row, "resolve")


def _of_open(session: TenantSession, alert_id: UUID) -> Alert:
    row = find_alert(session, alert_id, lock=True)
    if row.status not in OPEN:
        raise Conflict("the alert is resolved", remedy="Reopen it first.")
    return row


def _done(
    session: TenantSession,
    row: Alert,
    act: str,
    detail: dict[str, Any] | None = None,
    *,
    source: str,
    actor: str | None,
    who: str = "",
) -> None:
    note(session, row, act, {**(detail or {}), **_named(who)}, actor=actor)
    audit.record(session, f"{source}:alert:{_VERBS[act]}", SUBJECT, row.uuid, detail or {})


def _named(who: str) -> dict[str, str]:
    return {"who": who} if who else {}


_VERBS: Final = {"acknowledged": "acknowledge", "assigned": "assign", "snoozed": "snooze", "reopened": "reopen"}
