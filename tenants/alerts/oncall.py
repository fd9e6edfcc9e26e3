"""Who is on call: rotas with hand-overs in the tenant's time zone, and overrides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from tenants.alerts.models import OnCallOverride, OnCallRota
from tenants.alerts.quiet import at_minute

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    return shift_at(rota, session.exec(query).all(), session.tenant.time_zone, moment)


def shift_at(rota: OnCallRota, overrides: Sequence[OnCallOverride], zone: str, moment: datetime) -> Shift | None:
    """Return a moment's shift among these overrides of the rota; None before the rotation and outside overrides."""
    matching = [each for each in overrides if each.since <= moment < each.until]
    if not matching:
        return rotation_at(rota, zone, moment)
    newest = max(matching, key=lambda each: each.id)
    return Shift(newest.person_id, _channel_of(rota, newest.person_id), newest.since, newest.until, newest.id)


def timeline(
    rota: OnCallRota, overrides: Sequence[OnCallOverride], zone: str, since: datetime, until: datetime
) -> list[Shift]:
    """Return who is on call from ``since`` to ``until``, in order, each part of it once.

    A part in which nobody is on call is left out. A shift that an override interrupts is two.
    """
    cuts = {at for each in overrides for at in (each.since, each.until) if since < at < until}
    for turn in rotation(rota, zone, since, until):
        cuts |= {at for at in (turn.since, turn.until) if since < at < until}
    edges = [since, *sorted(cuts), until]
    parts: list[Shift] = []
    for begin, end in pairwise(edges):
        shift = shift_at(rota, overrides, zone, begin)
        if shift is None:
            continue
        before = parts[-1] if parts else None
        if before is not None and before.until == begin and _same(before, shift):
            parts[-1] = replace(before, until=end)
        else:
            parts.append(replace(shift, since=begin, until=end))
    return parts


def now_and_next(
    rota: OnCallRota, overrides: Sequence[OnCallOverride], zone: str, moment: datetime
) -> tuple[Shift | None, Shift | None]:
    """Return who is on call at a moment, and who has the turn after them; None for nobody.

    Args:
        rota: the rota.
        overrides: of the rota, those that end after the moment.
        zone: of the tenant.
        moment: the moment.
    """
    begins = at_minute(rota.first_day, rota.handover_minute, zone)
    until = max(moment, begins) + timedelta(days=2 * rota.shift_days + 1)
    parts = timeline(rota, overrides, zone, moment, until)
    present = parts[0] if parts and parts[0].since == moment else None
    later = [part for part in parts if present is None or part.person_id != present.person_id]
    if present is not None and later:
        present = replace(present, until=later[0].since)
    return present, (later[0] if later else None)


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


def rotation(rota: OnCallRota, zone: str, since: datetime, until: datetime) -> list[Shift]:
    """Return the shifts of the rotation alone that touch a time, in order."""
    listed: list[Shift] = []
    at = since
    begins = at_minute(rota.first_day, rota.handover_minute, zone)
    if rota.members and at < begins < until:
        at = begins
    while at < until:
        shift = rotation_at(rota, zone, at)
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


def overrides_by_rota(session: TenantSession, since: datetime) -> dict[UUID, list[OnCallOverride]]:
    """Return the overrides of all rotas that end after a moment, in order, by rota."""
    override: Any = OnCallOverride
    query = select(OnCallOverride).where(override.until > since)
    overrides: dict[UUID, list[OnCallOverride]] = {}
    for row in session.exec(query.order_by(col(OnCallOverride.since), col(OnCallOverride.id))):
        overrides.setdefault(row.rota_id, []).append(row)
    return overrides


def _same(first: Shift, second: Shift) -> bool:
    return (first.person_id, first.override) == (second.person_id, second.override)


def _channel_of(rota: OnCallRota, person_id: UUID) -> UUID | None:
    for member in rota.members:
        if member["person_id"] == str(person_id):
            return UUID(member["channel_id"])
    return None
