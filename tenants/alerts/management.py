"""What admins set up: routes, escalation policies, silences, on-call rotas and their overrides."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlmodel import col, select

from core import audit
from core.clock import now
from core.database.locks import lock_own
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.identity.people.colleagues import colleagues
from tenants.alerts.channels import list_channels
from tenants.alerts.models import AlertPolicy, AlertRoute, AlertSilence, OnCallOverride, OnCallRota
from tenants.alerts.notifying import look_again
from tenants.alerts.oncall import overrides_of
from tenants.alerts.service import ACT
from tenants.records.ids import new_uuid
from tenants.records.repository import facility_uuids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from core.web.etag import ExpectedVersions

Managed = TypeVar("Managed", AlertRoute, AlertPolicy, OnCallRota)
_LATER: Final = "Choose a later time."
_ONE: Final = "Send one of them, not both."
LOCK: Final = "alerts.settings"
MOST: Final = 100
"""Routes, policies and rotas of one tenant, each."""
NAMES: Mapping[type[Any], str] = {
    AlertRoute: "alert_route",
    AlertPolicy: "alert_policy",
    AlertSilence: "alert_silence",
    OnCallRota: "on_call_rota",
    OnCallOverride: "on_call_override",
}


def list_of(session: TenantSession, table: type[Managed]) -> list[Managed]:
    """Return the routes, the policies or the rotas of the tenant, oldest first."""
    return list(session.exec(select(table).order_by(col(table.id))))


def find(session: TenantSession, table: type[Managed], row_id: UUID, *, lock: bool = False) -> Managed:
    """Return a route, a policy or a rota.

    Raises:
        NotFound: there is none (404).
    """
    query = select(table).where(col(table.id) == row_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).first()
    if row is None:
        raise _unknown()
    return row


def add(session: TenantSession, table: type[Managed], values: Mapping[str, Any], *, source: str) -> Managed:
    """Add a route, a policy or a rota.

    Raises:
        Invalid: it names a channel, policy, rota or person that the tenant does not have, or is a route to a channel
            and a policy, or to neither (422).
        Conflict: the tenant has as many as it may (409).
    """
    _lock_counts(session)
    _check_room(len(list_of(session, table)))
    _check(session, values)
    row = table(**values, created_by=session.actor)
    return _saved(session, row, "create", source)


def change(
    session: TenantSession,
    table: type[Managed],
    row_id: UUID,
    values: Mapping[str, Any],
    seen: ExpectedVersions,
    *,
    source: str,
) -> Managed:
    """Change a route, a policy or a rota.

    Raises:
        NotFound: there is none (404).
        Invalid: as ``add`` (422).
        PreconditionFailed: the caller has seen another version (412).
    """
    row = find(session, table, row_id, lock=True)
    seen.check(row.version_id)
    _check(session, values)
    for name, value in values.items():
        setattr(row, name, value)
    row.version_id = new_uuid()
    return _saved(session, row, "change", source)


def remove(session: TenantSession, table: type[Managed], row_id: UUID, seen: ExpectedVersions, *, source: str) -> None:
    """Remove a route, a policy or a rota.

    Raises:
        NotFound: there is none (404).
        Conflict: a route or a policy uses it (409).
        PreconditionFailed: the caller has seen another version (412).
    """
    row = find(session, table, row_id, lock=True)
    seen.check(row.version_id)
    used = [each.name for each in list_of(session, AlertRoute) if each.policy_id == row_id]
    used += [
        each.name
        for each in list_of(session, AlertPolicy)
        if any(step.get("rota_id") == str(row_id) for step in each.steps)
    ]
    if used:
        detail = phrase("it is used by {names}", names=", ".join(used))
        raise Conflict(detail, remedy="Change or remove those first.")
    session.delete(row)
    session.flush()
    audit.record(session, f"{source}:{NAMES[table]}:remove", NAMES[table], row_id, {})


def list_silences(session: TenantSession) -> list[AlertSilence]:
    """Return the silences that have not ended, newest first."""
    query = select(AlertSilence).where(AlertSilence.until > now())
    return list(session.exec(query.order_by(col(AlertSilence.id).desc())))


def add_silence(session: TenantSession, values: Mapping[str, Any], *, source: str) -> AlertSilence:
    """Silence some alerts for a time. What they would send waits for its end.

    Raises:
        Invalid: it ends before it begins, or has passed (422).
    """
    since = values.get("since") or now()
    if values["until"] <= max(since, now()):
        detail = phrase("must be later than the beginning, and than now")
        raise Invalid("the silence is not valid", errors=[FieldError("body.until", detail, _LATER)])
    _lock_counts(session)
    _check_room(len(list_silences(session)))
    row = AlertSilence(**{**values, "since": since}, created_by=session.actor)
    session.add(row)
    session.flush()
    detail_of = {"rule": row.rule, "stream": row.stream, "until": row.until.isoformat()}
    audit.record(session, f"{source}:alert_silence:create", "alert_silence", row.id, detail_of)
    return row


def end_silence(session: TenantSession, silence_id: UUID, *, source: str) -> AlertSilence:
    """End a silence now. Alerts that wait for it notify their channels at the next check.

    Raises:
        NotFound: there is no such silence (404).
    """
    row = session.exec(select(AlertSilence).where(AlertSilence.id == silence_id).with_for_update()).first()
    if row is None:
        raise _unknown()
    present = now()
    if row.until > present:
        row.until, row.ended_by = max(present, row.since + timedelta(microseconds=1)), session.actor
        session.add(row)
        session.flush()
        audit.record(session, f"{source}:alert_silence:end", "alert_silence", silence_id, {})
        look_again(session)
    return row


def add_override(session: TenantSession, rota_id: UUID, values: Mapping[str, Any], *, source: str) -> OnCallOverride:
    """Put a member of a rota on call for a time.

    Raises:
        NotFound: there is no such rota (404).
        Invalid: the person is no member of it, or the time ends before it begins (422).
    """
    rota = find(session, OnCallRota, rota_id, lock=True)
    if str(values["person_id"]) not in {member["person_id"] for member in rota.members}:
        detail = "the person is not a member of this rota"
        raise Invalid(detail, errors=[FieldError("body.person_id", detail, "Add them to the rota first.")])
    if values["until"] <= values["since"]:
        detail_of = phrase("must be later than the beginning")
        raise Invalid("the override is not valid", errors=[FieldError("body.until", detail_of, _LATER)])
    _check_room(len(overrides_of(session, rota_id, now())))
    row = OnCallOverride(rota_id=rota_id, **values, created_by=session.actor)
    session.add(row)
    session.flush()
    audit.record(session, f"{source}:on_call_override:create", "on_call_override", row.id, {})
    return row


def remove_override(session: TenantSession, rota_id: UUID, override_id: UUID, *, source: str) -> None:
    """Remove an override.

    Raises:
        NotFound: the rota has no such override (404).
    """
    row = session.get(OnCallOverride, override_id)
    if row is None or row.rota_id != rota_id:
        raise _unknown()
    session.delete(row)
    session.flush()
    audit.record(session, f"{source}:on_call_override:remove", "on_call_override", override_id, {})


def facilities_named(session: TenantSession, names: Sequence[str]) -> list[UUID]:
    """Return the ids of the facilities with these DATIM ids.

    Raises:
        Invalid: there is no such facility (422).
    """
    known = facility_uuids(session, names)
    problem, remedy = "names no facility", "send the DATIM id of a facility of this tenant"
    errors = [
        FieldError(f"facilities.{number}", problem, remedy)
        for number, name in enumerate(names)
        if name and name not in known
    ]
    if errors:
        raise Invalid("there is no such facility", remedy=remedy, errors=errors)
    return [known[name] for name in names if name]


def _lock_counts(session: TenantSession) -> None:
    """Wait for others who add one: two who count at the same time would both find room."""
    with session.cursor() as cursor:
        lock_own(cursor, LOCK)


def _check_room(there: int) -> None:
    if there >= MOST:
        detail = phrase("a partner has at most {most} of these", most=MOST)
        raise Conflict(detail, remedy="Remove one that you no longer use.")


def _check(session: TenantSession, values: Mapping[str, Any]) -> None:
    """Check that what a choice names belongs to the tenant, and that a route has one target.

    Raises:
        Invalid: it does not, or has not (422).
    """
    if "policy_id" in values and (values["policy_id"] is None) == (values["channel_id"] is None):
        problem = phrase("give channel_id or policy_id, one of them")
        errors = [FieldError(f"body.{name}", problem, _ONE) for name in ("channel_id", "policy_id")]
        raise Invalid("the route is not valid", errors=errors)
    channels = {str(each.id) for each in list_channels(session)}
    policies = {str(each.id) for each in list_of(session, AlertPolicy)}
    rotas = {str(each.id) for each in list_of(session, OnCallRota)}
    named: list[tuple[str, Any, set[str]]] = [
        ("channel_id", values.get("channel_id"), channels),
        ("policy_id", values.get("policy_id"), policies),
    ]
    for number, step in enumerate(values.get("steps", ())):
        named.append((f"steps.{number}.channel_id", step.get("channel_id"), channels))
        named.append((f"steps.{number}.rota_id", step.get("rota_id"), rotas))
    members = values.get("members", ())
    people = {str(one.id) for one in colleagues(session.tenant, ACT)} if members else set()
    for number, member in enumerate(members):
        named.append((f"members.{number}.channel_id", member["channel_id"], channels))
        named.append((f"members.{number}.person_id", member["person_id"], people))
    errors = [
        FieldError(f"body.{place}", phrase("names nothing that this partner has"), "Choose one that exists.")
        for place, value, known in named
        if value is not None and str(value) not in known
    ]
    if errors:
        raise Invalid("it names something that is not there", errors=errors)


def _saved(session: TenantSession, row: Managed, act: str, source: str) -> Managed:
    session.add(row)
    session.flush()
    name = NAMES[type(row)]
    audit.record(session, f"{source}:{name}:{act}", name, row.id, {})
    return row


def _unknown() -> NotFound:
    detail = "there is no such thing"
    return NotFound(detail)
