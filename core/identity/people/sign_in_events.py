"""Events of accounts: shown to their person, and copied to the audits of their tenants.

An act inserts its event in its own transaction, known person or not: so a failed sign-in of an unknown person costs
the same, and no audit that is away can stop somebody from signing out. ``copy_of`` copies a person's events right after
an act; the loop ``copy_all`` copies the rest within seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import text
from uuid_utils.compat import uuid7

from core import audit
from core.audit.platform import record_act
from core.audit.service import declared
from core.clock import now
from core.database import TenantRef, after_commit, platform_session, tenant_session
from core.errors import AppError
from core.identity.principal import actor_of_person
from core.identity.tenants import JOINED, USABLE
from core.metrics import Counter
from core.telemetry import get_logger

if TYPE_CHECKING:
    from threading import Event

    from sqlmodel import Session

SIGN_IN: Final = "page:person:sign_in"
FAILED: Final = "page:person:sign_in_fail"
CODE_FAILED: Final = "page:person:second_factor_fail"
SIGN_INS: Final = (SIGN_IN, FAILED, CODE_FAILED)
"""The actions that a person sees as their last sign-ins."""

_OUTCOMES: Final = {SIGN_IN: "signed_in", FAILED: "wrong_password", CODE_FAILED: "wrong_code"}
ATTEMPTS: Final = Counter("iit_sign_ins_total", "Attempts to sign in, by what became of them.", ("outcome",))

NOBODY: Final = "system:sign_in"
"""The actor of a failure: nobody knows who it was."""

DEVICE_MAX: Final = 120
_BATCH: Final = 200
_RETAINED: Final = timedelta(days=90)
_INSERT = (
    "INSERT INTO platform.sign_in_events (id, person_id, tenant_id, action, actor, device, detail, occurred_at)"
    " SELECT :id, p.id, :tenant, :action, :actor, :device, :detail, :now FROM platform.people p"
)
_WAITING = text(
    "SELECT id FROM platform.sign_in_events WHERE copied_at IS NULL"
    " AND (CAST(:person AS uuid) IS NULL OR person_id = :person)"
    " AND (CAST(:after AS uuid) IS NULL OR id > :after) ORDER BY id LIMIT :limit"
)
_TAKE = text(
    "SELECT e.person_id, e.tenant_id, e.action, e.actor, e.detail, e.occurred_at, p.operator_role"
    " FROM platform.sign_in_events e JOIN platform.people p ON p.id = e.person_id"
    " WHERE e.id = :id AND e.copied_at IS NULL FOR UPDATE OF e SKIP LOCKED"
)
_TENANTS = text(
    "SELECT t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.state, t.time_zone"  # noqa: S608 - a constant
    f" FROM platform.tenants t WHERE {USABLE} AND (t.id = :tenant OR (CAST(:tenant AS uuid) IS NULL AND EXISTS"
    " (SELECT 1 FROM platform.memberships m WHERE m.tenant_id = t.id AND m.person_id = :person"
    f" AND {JOINED}))) ORDER BY t.id"
)
_LAST = text(
    "SELECT action, device, occurred_at, detail FROM platform.sign_in_events"
    " WHERE person_id = :person AND action = ANY(:actions)"
    " AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant) ORDER BY id DESC LIMIT :limit"
)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in of a person, or one that failed.

    Attributes:
        failed_at: ``password`` or ``code`` for one that failed; None for one that succeeded.
        device: the browser's description of itself.
        signed_in_by: how the person signed in; None for one that failed.
    """

    occurred_at: datetime
    device: str
    failed_at: str | None
    signed_in_by: str | None


def note(
    session: Session,
    person_id: UUID,
    action: str,
    *,
    actor: str | None = None,
    tenant_id: UUID | None = None,
    device: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Add an event in the caller's transaction of ``platform``.

    Args:
        session: of ``platform``.
        person_id: whose account it concerns.
        action: ``source:person:act``, as the feature declares it.
        actor: who acts; the person where None.
        tenant_id: whose audit gets it; None for all of the person's tenants, or the platform's for an operator.
        device: the browser's description of itself.
        detail: never a person's data.
    """
    actor = actor_of_person(person_id) if actor is None else actor
    values = _values(action, actor, tenant_id, device, detail)
    session.execute(text(f"{_INSERT} WHERE p.id = :person"), {**values, "person": person_id})
    if action in _OUTCOMES:
        after_commit(session, lambda: ATTEMPTS.add(_OUTCOMES[action]))


def note_failure(session: Session, account: str, device: str) -> None:
    """Add a failed sign-in of the person with this address, if there is one; the work is the same if there is none."""
    values = _values(FAILED, NOBODY, None, device, None)
    session.execute(text(f"{_INSERT} WHERE p.email = :account AND p.state = 'active'"), {**values, "account": account})
    after_commit(session, lambda: ATTEMPTS.add(_OUTCOMES[FAILED]))


def last_sign_ins(person_id: UUID, tenant_id: UUID | None = None, limit: int = 10) -> list[SignIn]:
    """The person's last sign-ins and failures, newest first; with a tenant, only the sign-ins to it."""
    failures = {FAILED: "password", CODE_FAILED: "code"}
    with platform_session() as session:
        rows = session.execute(
            _LAST, {"person": person_id, "actions": list(SIGN_INS), "tenant": tenant_id, "limit": limit}
        ).all()
    return [SignIn(row.occurred_at, row.device, failures.get(row.action), (row.detail or {}).get("by")) for row in rows]


def copy_of(person_id: UUID) -> None:
    """Copy the person's events to the audits, after the act has committed. What fails, the loop copies later."""
    for event_id in _waiting(person_id):
        _try_copy(event_id)


def copy_all(stopping: Event) -> None:
    """Copy all events that wait, and delete old ones that were copied: one round of the loop."""
    last: UUID | None = None
    while batch := _waiting(None, after=last):  # beyond those that fail, which must not keep back the others
        for last in batch:
            if stopping.is_set():
                return
            _try_copy(last)
    with platform_session() as session:
        session.execute(
            text("DELETE FROM platform.sign_in_events WHERE copied_at IS NOT NULL AND occurred_at < :old"),
            {"old": now() - _RETAINED},
        )


def _values(
    action: str, actor: str, tenant_id: UUID | None, device: str, detail: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "tenant": tenant_id,
        "action": declared(action),
        "actor": actor,
        "device": device[:DEVICE_MAX],
        "detail": None if detail is None else Jsonb(detail),
        "now": now(),
    }


def _waiting(person_id: UUID | None, after: UUID | None = None) -> list[UUID]:
    with platform_session() as session:
        return list(session.scalars(_WAITING, {"person": person_id, "after": after, "limit": _BATCH}))


def _try_copy(event_id: UUID) -> None:
    try:
        _copy(event_id)
    except AppError as error:
        log.warning("an event of an account waits for the audit", event_id=str(event_id), reason=error.detail)


def _copy(event_id: UUID) -> None:
    """Copy one event. If a process dies on the way, an audit may get it twice, with the same ``event``."""
    with platform_session() as session:
        row = session.execute(_TAKE, {"id": event_id}).first()
        if row is None:
            return  # another process copies it
        detail = {**(row.detail or {}), "event": str(event_id), "at": row.occurred_at.isoformat()}
        if row.operator_role is not None:
            whole = {**detail, "person": str(row.person_id)}
            record_act(session, row.action, actor=row.actor, tenant_id=None, detail=whole)
        else:
            places = session.execute(_TENANTS, {"tenant": row.tenant_id, "person": row.person_id}).mappings().all()
            for place in places:
                with tenant_session(TenantRef.of(place), actor=row.actor) as tenant:
                    audit.record(tenant, row.action, "person", row.person_id, detail)
        session.execute(
            text("UPDATE platform.sign_in_events SET copied_at = :now WHERE id = :id"), {"id": event_id, "now": now()}
        )
