"""Sessions of people: begun by a sign-in, carried in a cookie, ended by time, by their person, or by an admin."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import TenantRef, look_up, platform_session
from core.errors import Forbidden, NotFound, Unauthenticated
from core.identity.credentials import cookie
from core.identity.oidc.enforcement import OPEN_LOCALLY
from core.identity.people import sign_in_events
from core.identity.people.factor_rules import must_have_factor
from core.identity.people.names import is_reserved
from core.identity.principal import CredentialOwner, Principal
from core.identity.roles import permissions_for
from core.identity.secrets import digest_of
from core.identity.tenant_roles.compiled import OwnRolesVersion, permissions_of
from core.identity.tenants import JOINED, USABLE, reject_inactive
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlmodel import Session

COOKIE = "iit_session"
FORM = re.compile(r"iits_[0-9a-f]{64}")
BY_PASSWORD = "password"  # noqa: S105 - a way to sign in
"""``signed_in_by`` of a sign-in with a password, and the second factor where the person has one."""

SEEN_EVERY = timedelta(minutes=1)
"""The last request is written at most this often."""

_VERIFY = (
    "SELECT s.id AS session_id, s.person_id, s.signed_in_by, s.expires_at, s.last_seen_at, s.revoked_at,"  # noqa: S608 - a constant
    " p.name AS person_name, p.language, p.email, p.state AS person_state, p.operator_role, s.tenant_id,"
    " f.confirmed_at AS factor_since, r.roles AS factor_roles, r.language AS tenant_language,"
    " m.roles, m.facility_ids, m.states, m.assigned_only, v.version AS roles_version, v.settled AS roles_settled,"
    " t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.time_zone, coalesce(t.phase, t.state) AS state"
    " FROM platform.sessions s JOIN platform.people p ON p.id = s.person_id"
    " LEFT JOIN platform.memberships m ON m.person_id = s.person_id AND m.tenant_id = s.tenant_id"
    f" AND {JOINED}"
    " LEFT JOIN platform.role_versions v ON v.tenant_id = s.tenant_id"
    " LEFT JOIN platform.second_factors f ON f.person_id = s.person_id"
    " LEFT JOIN platform.sign_in_rules r ON r.tenant_id = s.tenant_id"
    " LEFT JOIN platform.tenants t ON t.id = s.tenant_id WHERE s.{column} = %s"
)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session. The cookie gets ``secret``, which the platform never stores."""

    id: UUID
    secret: str
    tenant_id: UUID | None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session without its secret."""

    id: UUID
    device: str
    signed_in_by: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class SessionUnknown(Unauthenticated):
    """The session's secret is of no session: it was guessed, or the session was deleted long ago."""


def begin(
    session: Session,
    person_id: UUID,
    tenant_id: UUID | None,
    *,
    signed_in_by: str,
    device: str = "",
    action: str | None = sign_in_events.SIGN_IN,
    more: Mapping[str, Any] | None = None,
) -> NewSession:
    """Begin a session in the caller's transaction, and note it as an event of the account.

    After the commit, call ``sign_in_events.copy_of``: it copies the event to the audit.

    Args:
        session: of ``platform``.
        person_id: who signed in.
        tenant_id: for which tenant; None for an operator.
        signed_in_by: ``BY_PASSWORD`` or ``oidc``.
        device: the browser's description of itself.
        action: what the event says happened; None for no event.
        more: what else the event says; never a person's data.
    """
    secret, moment, session_id = f"iits_{secrets.token_hex(32)}", now(), uuid7()
    session.execute(
        text(
            "INSERT INTO platform.sessions"
            " (id, secret_hash, person_id, tenant_id, signed_in_by, device, created_at, last_seen_at, expires_at)"
            " VALUES (:id, :digest, :person, :tenant, :by, :device, :now, :now, :expires)"
        ),
        {
            "id": session_id,
            "digest": digest_of(secret),
            "person": person_id,
            "tenant": tenant_id,
            "by": signed_in_by,
            "device": device[: sign_in_events.DEVICE_MAX],
            "now": moment,
            "expires": moment + timedelta(hours=get_settings().session_hours),
        },
    )
    detail = {"by": signed_in_by, "session": str(session_id), **(more or {})}
    if action is not None:
        sign_in_events.note(session, person_id, action, tenant_id=tenant_id, device=device, detail=detail)
    return NewSession(session_id, secret, tenant_id)


def end(
    session_id: UUID, person_id: UUID, tenant_id: UUID | None = None, *, action: str = "page:person:end_session"
) -> None:
    """End a session of the person at once, of any tenant or of one, and note it as an event of the account.

    Raises:
        NotFound: the person has no such session.
    """
    with platform_session() as session:
        ended = session.execute(
            text(
                "UPDATE platform.sessions SET revoked_at = coalesce(revoked_at, :now)"
                " WHERE id = :id AND person_id = :person"
                " AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant) RETURNING tenant_id"
            ),
            {"id": session_id, "person": person_id, "tenant": tenant_id, "now": now()},
        ).first()
        if ended is None:
            raise _no_such()
        detail = {"session": str(session_id)}
        sign_in_events.note(session, person_id, action, tenant_id=ended.tenant_id, detail=detail)
    sign_in_events.copy_of(person_id)


def end_all(session: Session, person_id: UUID, tenant_id: UUID | None = None, *, but: UUID | None = None) -> None:
    """End the person's sessions, of one tenant or all, in the caller's transaction, except the session ``but``.

    If the sessions of all tenants end, so do the sign-ins that wait for a second factor.
    """
    if tenant_id is None:
        session.execute(text("DELETE FROM platform.pending_sign_ins WHERE person_id = :person"), {"person": person_id})
    session.execute(
        text(
            "UPDATE platform.sessions SET revoked_at = :now WHERE person_id = :person AND revoked_at IS NULL"
            " AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant)"
            " AND (CAST(:but AS uuid) IS NULL OR id <> :but)"
        ),
        {"person": person_id, "tenant": tenant_id, "but": but, "now": now()},
    )


def replace_all(session: Session, session_id: UUID, person_id: UUID, device: str) -> NewSession:
    """End all sessions of the person in the caller's transaction, and begin one in the place of ``session_id``.

    Raises:
        NotFound: the person has no such session.
    """
    row = session.execute(
        text(
            "SELECT tenant_id, signed_in_by FROM platform.sessions"
            " WHERE id = :id AND person_id = :person AND revoked_at IS NULL"
        ),
        {"id": session_id, "person": person_id},
    ).first()
    if row is None:
        raise _no_such()
    end_all(session, person_id)
    return begin(session, person_id, row.tenant_id, signed_in_by=row.signed_in_by, device=device, action=None)


def list_sessions(person_id: UUID, tenant_id: UUID | None = None) -> list[SessionInfo]:
    """The person's sessions of any tenant, or of one, that have not ended, the latest used first."""
    moment = now()
    with platform_session() as session:
        rows = session.execute(
            text(
                "SELECT id, device, signed_in_by, created_at, last_seen_at, expires_at FROM platform.sessions"
                " WHERE person_id = :person AND revoked_at IS NULL AND expires_at > :now AND last_seen_at > :idle"
                " AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant)"
                " ORDER BY last_seen_at DESC, id"
            ),
            {"person": person_id, "tenant": tenant_id, "now": moment, "idle": moment - _idle()},
        ).mappings()
        return [SessionInfo(**row) for row in rows]


def switch(session_id: UUID, person_id: UUID, tenant_id: UUID, device: str) -> NewSession:
    """End a session, and begin a session for another tenant of the same person.

    Raises:
        NotFound: the person belongs to no such tenant, or has no such session.
    """
    with platform_session() as session:
        row = session.execute(
            text(
                "SELECT s.signed_in_by FROM platform.sessions s JOIN platform.memberships m"  # noqa: S608 - a constant
                f" ON m.person_id = s.person_id AND m.tenant_id = :tenant AND {JOINED}"
                f" JOIN platform.tenants t ON t.id = m.tenant_id AND {USABLE}"
                " WHERE s.id = :id AND s.person_id = :person AND s.revoked_at IS NULL"
                # One tenant's provider must not open another tenant.
                f" AND s.signed_in_by <> 'oidc' AND {OPEN_LOCALLY} FOR UPDATE OF s"
            ),
            {"id": session_id, "person": person_id, "tenant": tenant_id},
        ).first()
        if row is None:
            detail = "you belong to no such tenant"
            raise NotFound(detail)
        session.execute(
            text("UPDATE platform.sessions SET revoked_at = :now WHERE id = :id"), {"id": session_id, "now": now()}
        )
        started = begin(
            session,
            person_id,
            tenant_id,
            signed_in_by=row.signed_in_by,
            device=device,
            action="page:person:switch_tenant",
        )
    sign_in_events.copy_of(person_id)
    return started


class Sessions:
    """Sessions as a kind of credential."""

    name = "person_session"
    places = frozenset({cookie(COOKIE)})

    def recognizes(self, credential: str) -> bool:
        """Return whether the credential has the form of a session's secret."""
        return FORM.fullmatch(credential) is not None

    def verify(self, credential: str) -> CredentialOwner:
        """Return the session's person. Nothing of the session is cached, so ending it works at once.

        A tenant's own roles are cached under their version, which the same look-up reads.

        Raises:
            Unauthenticated: there is none, it has ended, or the person was deactivated or left the tenant.
            Forbidden: the tenant is suspended.
        """
        row = look_up(_VERIFY.format(column="secret_hash"), (digest_of(credential),))
        identified = _identified(row)
        moment = now()
        if row is not None and moment - row["last_seen_at"] >= SEEN_EVERY:
            with platform_session() as session:
                session.execute(
                    text("UPDATE platform.sessions SET last_seen_at = :now WHERE id = :id"),
                    {"now": moment, "id": row["session_id"]},
                )
        return identified

    def confirm(self, principal: Principal) -> None:
        """Check again that the session is valid and that the person still has their permissions.

        Raises:
            Unauthenticated: it has ended.
            Forbidden: the tenant is suspended, or the person lost a permission or a part of their scope.
        """
        session_id = UUID(str(principal.credential_id))
        present = _identified(look_up(_VERIFY.format(column="id"), (session_id,))).principal
        lost = not principal.permissions <= present.permissions
        if lost or present.reach != principal.reach:
            detail = "your permissions have changed"
            raise Forbidden(detail, remedy="Open the page again.")

    def counts_as_guess(self, error: Unauthenticated) -> bool:
        """Return whether the secret is of no session. Browsers still send the cookie of an ended session."""
        return isinstance(error, SessionUnknown)


KIND = Sessions()
"""The kind as ``core.feature`` registers it."""


def _identified(row: Mapping[str, Any] | None) -> CredentialOwner:
    if row is None:
        raise SessionUnknown(_ENDED, remedy=_SIGN_IN_AGAIN)
    moment = now()
    if (
        row["revoked_at"] is not None
        or row["expires_at"] <= moment
        or row["last_seen_at"] + _idle() <= moment
        or row["person_state"] != "active"
        or (get_settings().environment == "production" and is_reserved(row["email"]))
    ):
        raise _ended()
    if row["tenant_id"] is None:
        return _operator(row)
    if row["roles"] is None or _lacks_factor(row):
        raise _ended()
    tenant = TenantRef.of(row)
    facilities, states = row["facility_ids"], row["states"]
    principal = Principal(
        "person",
        str(row["person_id"]),
        tenant.id,
        name=row["person_name"],
        roles=frozenset(row["roles"]),
        facility_ids=None if facilities is None else frozenset(facilities),
        states=None if states is None else frozenset(states),
        assigned_to=UUID(str(row["person_id"])) if row["assigned_only"] else None,
        credential=Sessions.name,
        credential_id=str(row["session_id"]),
        signed_in_by=row["signed_in_by"],
        expires_at=row["expires_at"],
        language=row["language"],
    )
    reject_inactive(tenant.state, CredentialOwner(principal, tenant, row["tenant_language"]))
    at = OwnRolesVersion(row["roles_version"], settled=bool(row["roles_settled"]))
    permitted = replace(principal, permissions=permissions_of(tenant, row["roles"], at))
    return CredentialOwner(permitted, tenant, row["tenant_language"])


def _operator(row: Mapping[str, Any]) -> CredentialOwner:
    if row["operator_role"] is None or _lacks_factor(row):
        raise _ended()
    principal = Principal(
        "operator",
        str(row["person_id"]),
        None,
        permissions_for([row["operator_role"]]),
        name=row["person_name"],
        roles=frozenset({row["operator_role"]}),
        credential=Sessions.name,
        credential_id=str(row["session_id"]),
        signed_in_by=row["signed_in_by"],
        expires_at=row["expires_at"],
        language=row["language"],
    )
    return CredentialOwner(principal, None)


def _lacks_factor(row: Mapping[str, Any]) -> bool:
    """Return whether the session needs a second factor that the person has not: the next sign-in leads to set it up."""
    return (
        row["signed_in_by"] == BY_PASSWORD
        and row["factor_since"] is None
        and must_have_factor(
            operator=row["tenant_id"] is None, roles=row["roles"] or (), roles_with_factor=row["factor_roles"]
        )
    )


_ENDED = "the session has ended"
_SIGN_IN_AGAIN = "Sign in again."


def _ended() -> Unauthenticated:
    return Unauthenticated(_ENDED, remedy=_SIGN_IN_AGAIN)


def _no_such() -> NotFound:
    detail = "you have no such session"
    return NotFound(detail)


def _idle() -> timedelta:
    return timedelta(minutes=get_settings().session_idle_minutes)
