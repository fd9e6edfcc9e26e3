"""People who use the platform, and their roles in each tenant."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from sqlalchemy import text

from core import audit
from core.clock import now
from core.database import TenantRef, platform_session, tenant_session
from core.errors import Conflict, NotFound
from core.identity.facilities import datim_ids_of
from core.identity.people import sessions
from core.identity.people.account_rows import checked_language, ensure_person, name_unused
from core.identity.people.grants import checked_roles, stored_reach
from core.identity.people.names import normal_email, normal_name
from core.identity.principal import actor_of_person
from core.identity.roles import ADMIN
from core.identity.tenants import JOINED, USABLE
from core.web.cursors import Sort

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlmodel import Session

    from core.web.etag import ExpectedVersions

NO_SUCH = "the tenant has no such person"
BY_NAME = Sort("name")
_NAME = "CASE WHEN m.accepted_at IS NULL THEN coalesce(m.invited_name, p.email) ELSE p.name END"
_MATCHES = f"(:search = '' OR strpos(lower({_NAME}), :search) > 0 OR strpos(p.email, :search) > 0)"
_COLUMNS = {"name": _NAME, "email": "p.email", "created_at": "m.created_at"}


@dataclass(frozen=True, slots=True)
class Member:
    """A person of a tenant, with their role and facilities.

    Until the person accepts the invitation, it says only what the inviter gave: another tenant may know more.

    Attributes:
        state: ``active``, or ``deactivated`` by the tenant, or by the operator in all tenants.
        facilities: DATIM ids of the facilities that they reach; None for all.
        states: the states whose facilities they reach; None for all.
        assigned_only: they reach only the patients who are assigned to them.
        language: the language that they chose; None for none.
        second_factor: whether they have set up a second factor.
        invited: they have not used the invitation yet, and the membership permits nothing.
        version_id: another one after each change of what the membership permits.
    """

    id: UUID
    email: str
    name: str
    state: str
    roles: tuple[str, ...]
    facilities: tuple[str, ...] | None
    states: tuple[str, ...] | None
    assigned_only: bool
    language: str | None
    second_factor: bool
    invited: bool
    created_at: datetime
    last_seen_at: datetime | None
    version_id: UUID


@dataclass(frozen=True, slots=True)
class Grant:
    """The roles that a person gets in a tenant, and what they reach there.

    Attributes:
        roles: names of built-in roles, none of them an operator's, and of the tenant's own.
        facilities: DATIM ids of the only facilities; None for all.
        states: only the facilities of these states; None for all.
        assigned_only: only the patients who are assigned to the person.
    """

    roles: Collection[str]
    facilities: Collection[str] | None = None
    states: Collection[str] | None = None
    assigned_only: bool = False

    @property
    def everything(self) -> bool:
        """Return whether the person reaches the whole tenant."""
        return self.facilities is None and self.states is None and not self.assigned_only


def add_member(
    tenant: TenantRef,
    email: str,
    name: str,
    grant: Grant,
    *,
    actor: str,
    source: str = "api",
    language: str | None = None,
) -> UUID:
    """Invite the person with this address to the tenant; an account that exists is used as it is.

    The membership permits nothing until the person uses a link of the tenant (``links.use_link``). ``name`` and
    ``language`` (None for the tenant's) become those of a new account. Other tenants never see them.

    Raises:
        Invalid: the address, the name, the language, a role or a facility is not valid.
        Conflict: the person is a member already.
    """
    address, shown, spoken = normal_email(email), normal_name(name), checked_language(language)
    scope = stored_reach(tenant, grant.facilities, grant.states, assigned_only=grant.assigned_only)
    with platform_session() as session:
        roles = checked_roles(session, tenant, grant.roles)
        person_id = ensure_person(session, address, shown, actor)
        added = session.execute(
            text(
                "INSERT INTO platform.memberships"
                " (person_id, tenant_id, roles, facility_ids, states, assigned_only, invited_name, invited_language,"
                " created_at, created_by) VALUES (:person, :tenant, :roles, :facilities, :states, :assigned_only,"
                " :name, :language, :now, :actor)"
                " ON CONFLICT DO NOTHING RETURNING person_id"
            ),
            {
                "person": person_id,
                "tenant": tenant.id,
                "roles": roles,
                "name": shown,
                "language": spoken,
                "now": now(),
                "actor": actor,
                **scope,
            },
        ).first()
        if added is None:
            detail = "the person belongs to the tenant already"
            raise Conflict(detail, remedy="Change the roles of the person instead.")
        record_person(tenant, actor, f"{source}:person:add", person_id, {"roles": roles})
    return person_id


def accept(session: Session, person_id: UUID, tenant_id: UUID) -> None:
    """Make the membership count, in the caller's transaction: the person used the tenant's invitation."""
    values = {"person": person_id, "tenant": tenant_id, "now": now()}
    invitation = session.execute(
        text(
            "SELECT invited_name, invited_language FROM platform.memberships"
            " WHERE person_id = :person AND tenant_id = :tenant AND accepted_at IS NULL"
        ),
        values,
    ).first()
    if invitation is not None:
        name_unused(session, person_id, invitation.invited_name, invitation.invited_language)
    session.execute(
        text(
            "UPDATE platform.memberships SET accepted_at = coalesce(accepted_at, :now), sso_only = false"
            " WHERE person_id = :person AND tenant_id = :tenant"
        ),
        values,
    )


def change_member(
    tenant: TenantRef,
    person_id: UUID,
    grant: Grant,
    *,
    actor: str,
    source: str = "api",
    expected: ExpectedVersions | None = None,
) -> None:
    """Replace a person's roles, and what they reach in the tenant, from the person's next request on.

    The API keys that the person created follow: they permit no more than the person may do (``keys.verify_key``).

    Raises:
        NotFound: the tenant has no such person.
        PreconditionFailed: somebody changed the person meanwhile.
        Invalid: a role or a facility is not valid.
        Conflict: the person is the last admin of the tenant.
    """
    scope = stored_reach(tenant, grant.facilities, grant.states, assigned_only=grant.assigned_only)
    with platform_session() as session:
        roles = checked_roles(session, tenant, grant.roles)
        before = lock_roles(session, tenant, person_id, expected)
        if ADMIN in before and (ADMIN not in roles or not grant.everything):
            reject_last_admin(session, tenant, person_id)
        session.execute(
            text(
                "UPDATE platform.memberships SET roles = :roles, facility_ids = :facilities, states = :states,"
                " assigned_only = :assigned_only WHERE person_id = :person AND tenant_id = :tenant"
            ),
            {"person": person_id, "tenant": tenant.id, "roles": roles, **scope},
        )
        record_person(tenant, actor, f"{source}:person:change", person_id, {"roles": roles})


def remove_member(
    tenant: TenantRef, person_id: UUID, *, actor: str, source: str = "api", expected: ExpectedVersions | None = None
) -> None:
    """Remove a person from the tenant. Their sessions and the API keys that they created end at once.

    Raises:
        NotFound: the tenant has no such person.
        PreconditionFailed: somebody changed the person meanwhile.
        Conflict: the person is the last admin of the tenant.
    """
    with platform_session() as session:
        if ADMIN in lock_roles(session, tenant, person_id, expected):
            reject_last_admin(session, tenant, person_id)
        session.execute(
            text("DELETE FROM platform.memberships WHERE person_id = :person AND tenant_id = :tenant"),
            {"person": person_id, "tenant": tenant.id},
        )
        sessions.end_all(session, person_id, tenant.id)
        revoke_keys(session, person_id, tenant.id)
        record_person(tenant, actor, f"{source}:person:remove", person_id, {})


def list_members(
    tenant: TenantRef, *, limit: int = 50, offset: int = 0, sort: Sort = BY_NAME, search: str = ""
) -> tuple[list[Member], int]:
    """A page of the tenant's people whose name or address contains ``search``, and how many there are."""
    way, words = "DESC" if sort.descending else "ASC", search.strip().lower()
    with platform_session() as session:
        rows = (
            session.execute(
                text(
                    f"{_MEMBERS} AND {_MATCHES} ORDER BY {_COLUMNS[sort.field]} {way}, p.id {way}"
                    " LIMIT :limit OFFSET :offset"
                ),
                {"tenant": tenant.id, "person": None, "search": words, "limit": limit, "offset": offset},
            )
            .mappings()
            .all()
        )
        total = session.execute(
            text(
                "SELECT count(*) FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"  # noqa: S608
                f" WHERE m.tenant_id = :tenant AND {_MATCHES}"
            ),
            {"tenant": tenant.id, "search": words},
        ).scalar_one()
    return _members(tenant, rows), int(total)


def get_member(tenant: TenantRef, person_id: UUID) -> Member:
    """Return one person of the tenant.

    Raises:
        NotFound: the tenant has no such person.
    """
    with platform_session() as session:
        row = session.execute(text(_MEMBERS), {"tenant": tenant.id, "person": person_id}).mappings().first()
    if row is None:
        raise NotFound(NO_SUCH)
    return _members(tenant, [row])[0]


def names_of(tenant: TenantRef, people: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of those of these people who belong to the tenant."""
    if not people:
        return {}
    with platform_session() as session:
        rows = session.execute(
            text(
                f"SELECT p.id, {_NAME} AS name"  # noqa: S608 - a constant
                " FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
                " WHERE m.tenant_id = :tenant AND p.id = ANY(:people)"
            ),
            {"tenant": tenant.id, "people": sorted(people)},
        ).all()
    return {UUID(str(row.id)): row.name for row in rows}


def person_of(email: str) -> UUID:
    """The person with this address.

    Raises:
        NotFound: nobody has it.
    """
    with platform_session() as session:
        row = session.execute(
            text("SELECT id FROM platform.people WHERE email = :email"), {"email": normal_email(email)}
        ).first()
    if row is None:
        detail = "nobody has this e-mail address"
        raise NotFound(detail)
    return UUID(str(row.id))


def tenants_of(person_id: UUID) -> list[dict[str, Any]]:
    """The active tenants that the person belongs to, by name: ``id``, ``slug``, ``name`` and ``roles``."""
    with platform_session() as session:
        rows = session.execute(
            text(
                "SELECT t.id, t.slug, t.name, m.roles FROM platform.memberships m"  # noqa: S608 - a constant
                " JOIN platform.tenants t ON t.id = m.tenant_id"
                f" WHERE m.person_id = :person AND {JOINED} AND {USABLE} ORDER BY t.name, t.id"
            ),
            {"person": person_id},
        ).mappings()
        return [dict(row) for row in rows]


_MEMBERS = (
    f"SELECT p.id, p.email, {_NAME} AS name, m.roles, m.facility_ids, m.states, m.assigned_only,"  # noqa: S608 - a constant
    " CASE WHEN m.deactivated_at IS NOT NULL OR (m.accepted_at IS NOT NULL AND p.state <> 'active')"
    " THEN 'deactivated' ELSE 'active' END AS state,"
    " CASE WHEN m.accepted_at IS NULL THEN m.invited_language ELSE p.language END AS language,"
    " (m.accepted_at IS NOT NULL AND EXISTS (SELECT 1 FROM platform.second_factors f"
    " WHERE f.person_id = p.id AND f.confirmed_at IS NOT NULL)) AS second_factor,"
    " m.accepted_at IS NULL AS invited, m.created_at,"
    " (SELECT max(s.last_seen_at) FROM platform.sessions s WHERE s.person_id = p.id AND s.tenant_id = m.tenant_id)"
    " AS last_seen_at"
    " FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
    " WHERE m.tenant_id = :tenant AND (CAST(:person AS uuid) IS NULL OR p.id = :person)"
)


def _members(tenant: TenantRef, rows: Sequence[Mapping[Any, Any]]) -> list[Member]:
    names = datim_ids_of(tenant, {place for row in rows for place in row["facility_ids"] or ()})
    members = []
    for row in rows:
        fields = dict(row)
        ids, states = fields.pop("facility_ids"), fields["states"]
        fields["roles"] = tuple(fields["roles"])
        fields["states"] = None if states is None else tuple(states)
        fields["facilities"] = None if ids is None else tuple(sorted(names[place] for place in ids if place in names))
        members.append(Member(**fields, version_id=_version(row)))
    return members


def _version(row: Mapping[Any, Any]) -> UUID:
    """The version of a membership: a digest of all that a change may replace."""
    parts = (row["created_at"].timestamp(), row["roles"], row["facility_ids"], row["states"], row["assigned_only"])
    return uuid5(row["id"], json.dumps(parts, default=str))


def lock_roles(
    session: Session, tenant: TenantRef, person_id: UUID, expected: ExpectedVersions | None = None
) -> list[str]:
    """Lock all memberships of the tenant until the commit, and return the person's roles.

    The roles are empty while the membership permits nothing: the person has not accepted it, or is deactivated.

    Raises:
        NotFound: the tenant has no such person.
        PreconditionFailed: the membership has another version than the expected one.
    """
    session.execute(
        text("SELECT 1 FROM platform.memberships WHERE tenant_id = :tenant ORDER BY person_id FOR UPDATE"),
        {"tenant": tenant.id},
    )
    row = session.execute(text(_MEMBERS), {"tenant": tenant.id, "person": person_id}).mappings().first()
    if row is None:
        raise NotFound(NO_SUCH)
    if expected is not None:
        expected.check(_version(row))
    return [] if row["invited"] or row["state"] != "active" else list(row["roles"])


def reject_last_admin(session: Session, tenant: TenantRef, person_id: UUID) -> None:
    """Reject a change that takes the role of the tenant's last admin.

    Raises:
        Conflict: nobody else is an admin who reaches everything (409).
    """
    other = session.execute(
        text(
            "SELECT 1 FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"  # noqa: S608 - a constant
            " WHERE m.tenant_id = :tenant AND m.person_id <> :person AND :admin = ANY(m.roles) AND p.state = 'active'"
            f" AND {JOINED} AND m.facility_ids IS NULL AND m.states IS NULL AND NOT m.assigned_only"
        ),
        {"tenant": tenant.id, "person": person_id, "admin": ADMIN},
    ).first()
    if other is None:
        detail = "this is the last admin of the tenant"
        raise Conflict(detail, remedy="Make somebody else an admin first.")


def revoke_keys(session: Session, person_id: UUID, tenant_id: UUID | None = None) -> None:
    """Revoke the API keys that the person created, of one tenant or all, in the caller's transaction."""
    session.execute(
        text(
            "UPDATE platform.api_keys SET revoked_at = :now WHERE created_by = :creator AND revoked_at IS NULL"
            " AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant)"
        ),
        {"tenant": tenant_id, "now": now(), "creator": actor_of_person(person_id)},
    )


def record_person(tenant: TenantRef, actor: str, action: str, person_id: UUID, detail: dict[str, Any]) -> None:
    """Add to the tenant's audit before the transaction of ``platform`` commits, so that no change goes unrecorded."""
    with tenant_session(tenant, actor=actor) as session:
        audit.record(session, action, "person", person_id, detail)
