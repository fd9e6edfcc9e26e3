"""Who is on call: rotas with hand-overs in the tenant's time zone, and overrides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from tenants.alerts.models import OnCallOverride, OnCallRota
from tenants.alerts.quiet import at_minute

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantSession


@dataclass(frozen=True, slots=True)
class Shift:
    """A time in which one member of a rota is on call.

    Attributes:
        person_id: the member.
        channel_id: the channel that reaches them; None if they have left the rota.
        since, until: in UTC.
        override: the override that makes it so; None for the rotation.
    """

    person_id: UUID
    channel_id: UUID | None
    since: datetime
    until: datetime
    override: UUID | None = None


def on_call(session: TenantSession, rota: OnCallRota, moment: datetime) -> Shift | None:
    """Return a moment's shift: that of an override, the newest first, or of the rotation; None before both."""
    override: Any = OnCallOverride
    query = select(OnCallOverride).where(
        OnCallOverride.rota_id == rota.id, override.since <= moment, override.until > moment
    )
    row = session.exec(query.order_by(col(OnCallOverride.id).desc())).first()
    if row is not None:
        return Shift(row.person_id, _channel_of(rota, row.person_id), row.since, row.until, row.id)
    return rotation_at(rota, session.tenant.time_zone, moment)


def rotation_at(rota: OnCallRota, zone: str, moment: datetime) -> Shift | None:
    """Return the shift of the rotation alone. A hand-over is at the same time of the clock through the year."""
    if not rota.members:
        return None
    day = moment.astimezone(ZoneInfo(zone)).date()
    number = (day - rota.first_day).days // rota.shift_days
    first = rota.first_day + timedelta(days=number * rota.shift_days)
    if moment < at_minute(first, rota.handover_minute, zone):
        number, first = number - 1, first - timedelta(days=rota.shift_days)
    if number < 0:
        return None
    member = rota.members[number % len(rota.members)]
    since = at_minute(first, rota.handover_minute, zone)
    until = at_minute(first + timedelta(days=rota.shift_days), rota.handover_minute, zone)
    return Shift(UUID(member["person_id"]), UUID(member["channel_id"]), since, until)


def shifts(session: TenantSession, rota: OnCallRota, since: datetime, until: datetime) -> list[Shift]:
    """Return the shifts of the rotation that touch a time, in order, for a calendar. Overrides are listed apart."""
    listed: list[Shift] = []
    at = since
    begins = at_minute(rota.first_day, rota.handover_minute, session.tenant.time_zone)
    if rota.members and at < begins < until:
        at = begins
    while at < until:
        shift = rotation_at(rota, session.tenant.time_zone, at)
        if shift is None:
            break
        listed.append(shift)
        at = shift.until
    return listed


def overrides_of(session: TenantSession, rota_id: UUID, since: datetime) -> list[OnCallOverride]:
    """Return the overrides that end after a moment, in order."""
    override: Any = OnCallOverride
    query = select(OnCallOverride).where(OnCallOverride.rota_id == rota_id, override.until > since)
    return list(session.exec(query.order_by(col(OnCallOverride.since), col(OnCallOverride.id))))


def _channel_of(rota: OnCallRota, person_id: UUID) -> UUID | None:
    for member in rota.members:
        if member["person_id"] == str(person_id):
            return UUID(member["channel_id"])
    return None
