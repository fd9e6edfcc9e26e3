"""An admin's work on the people of a tenant: invite, change, deactivate and remove them, and create links.

Nobody gives others more than they may do themselves, nor touches a person who may do more. API, pages and files of
people call these functions; the command line, which has no such limits, calls ``members`` and ``accounts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core import audit, entitlements
from core.database import platform_session, tenant_session
from core.errors import Forbidden, NotFound, phrase
from core.identity.people import deactivation, factor_reset, link_mail, links, members
from core.identity.people.people_file import NEW
from core.identity.principal import actor_of_person
from core.identity.roles import ROLES
from core.identity.tenant_roles.changes import roles_at
from core.identity.tenant_roles.compiled import permissions_of
from core.web.short_csv import reject_wrong

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.identity.key_creation import Caller
    from core.identity.people.links import Link
    from core.identity.people.members import Grant, Member
    from core.identity.people.people_file import PersonRow
    from core.web.etag import ExpectedVersions

_ASK = "Ask an admin of the tenant."


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new person of the tenant, and the link to accept the invitation, which cannot be read again."""

    member: Member
    link: Link


def invite(
    caller: Caller, email: str, name: str, grant: Grant, *, language: str | None = None, source: str = "api"
) -> Invitation:
    """Invite a person to the caller's tenant; ``language`` is that of a new account.

    Raises:
        Forbidden: the grant is more than the caller may do (403).
        Invalid: the address, the name, the language, a role or a facility is not valid (422).
        Conflict: the person is a member already, or the account cannot join (409).
        PaymentRequired, CapReached: the partner's plan permits no new people now (402, 429).
    """
    check_grant(caller, grant)
    entitlements.require(caller.tenant, "new_people")
    actor = caller.principal.actor
    person_id = members.add_member(caller.tenant, email, name, grant, actor=actor, source=source, language=language)
    link = _new_link(caller, person_id, links.INVITATION, source)
    return Invitation(members.get_member(caller.tenant, person_id), link)


def add_people(caller: Caller, rows: Collection[PersonRow], *, source: str = "api") -> dict[str, Link]:
    """Invite the new people of a checked file, one after the other; return the link of each address.

    After an interruption send the file again: who was added by then is left as they are.

    Raises:
        Invalid: a row is wrong, and nobody is invited (422).
        Forbidden, Conflict, PaymentRequired, CapReached: as for ``invite``; those before the row stay invited.
    """
    reject_wrong(rows)
    return {
        row.email: invite(caller, row.email, row.name, row.grant, language=row.language, source=source).link
        for row in rows
        if row.state == NEW
    }


def change(
    caller: Caller, person_id: UUID, grant: Grant, expected: ExpectedVersions | None = None, *, source: str = "api"
) -> Member:
    """Replace a person's roles, and what they reach, from the person's next request on.

    Raises:
        NotFound: the tenant has no such person (404).
        Forbidden: the person may do more than the caller, or the grant does (403).
        Invalid: a role or a facility is not valid (422).
        PreconditionFailed: somebody changed the person meanwhile (412).
        Conflict: the person is the last admin of the tenant (409).
    """
    within_rights(caller, person_id)
    check_grant(caller, grant)
    actor = caller.principal.actor
    members.change_member(caller.tenant, person_id, grant, actor=actor, source=source, expected=expected)
    return members.get_member(caller.tenant, person_id)


def remove(caller: Caller, person_id: UUID, expected: ExpectedVersions | None = None, *, source: str = "api") -> None:
    """Remove a person from the tenant. Their sessions and the API keys that they created end at once.

    Raises:
        NotFound, Forbidden, PreconditionFailed, Conflict: as for ``change``.
    """
    within_rights(caller, person_id)
    members.remove_member(caller.tenant, person_id, actor=caller.principal.actor, source=source, expected=expected)


def deactivate(
    caller: Caller, person_id: UUID, expected: ExpectedVersions | None = None, *, source: str = "api"
) -> Member:
    """Deactivate a person in the tenant: sessions, links and the API keys that they created here end at once.

    Raises:
        NotFound, Forbidden, PreconditionFailed: as for ``change``.
        Conflict: the person is the last admin of the tenant, or has not accepted the invitation (409).
    """
    within_rights(caller, person_id)
    actor, tenant = caller.principal.actor, caller.tenant
    deactivation.deactivate_member(tenant, person_id, actor=actor, source=source, expected=expected)
    return members.get_member(tenant, person_id)


def reactivate(caller: Caller, person_id: UUID, *, source: str = "api") -> Member:
    """Activate a person of the tenant again; they sign in with their password.

    Raises:
        NotFound: the tenant has no such person (404).
        Forbidden: the person may do more than the caller (403).
        Conflict: the operator of the installation deactivated the whole account (409).
    """
    within_rights(caller, person_id)
    deactivation.reactivate_member(caller.tenant, person_id, actor=caller.principal.actor, source=source)
    return members.get_member(caller.tenant, person_id)


def make_link(
    caller: Caller, person_id: UUID, purpose: str = links.RESET, *, compromised: bool = False, source: str = "api"
) -> Link:
    """Create a one-time link for a person; earlier links of the tenant stop working.

    Who has not accepted the invitation gets an invitation. ``compromised`` counts for a reset alone: somebody else may
    know the password, which ends at once, with the person's sessions and the API keys that they created.

    Raises:
        NotFound: the tenant has no such person, or they are deactivated (404).
        Forbidden: the person may do more than the caller, or a reset is for an account of several tenants (403).
    """
    member = within_rights(caller, person_id)
    chosen = links.INVITATION if member.invited else purpose
    if chosen == links.RESET:
        _reject_elsewhere(caller, person_id)
    return _new_link(caller, person_id, chosen, source, compromised=compromised and chosen == links.RESET)


def revoke_links(caller: Caller, person_id: UUID, *, source: str = "api") -> None:
    """Make the tenant's links for a person stop working.

    Raises:
        NotFound: the tenant has no such person (404).
        Forbidden: the person may do more than the caller (403).
    """
    within_rights(caller, person_id)
    links.revoke_links(person_id, tenant_id=caller.tenant.id)
    with tenant_session(caller.tenant, actor=caller.principal.actor, request_id=caller.request_id) as session:
        audit.record(session, f"{source}:person:revoke_links", "person", person_id)


def reset_second_factor(caller: Caller, person_id: UUID, *, source: str = "api") -> None:
    """Remove the second factor of a person who lost phone and recovery codes. Their sessions end; a letter tells them.

    Nobody removes their own this way: the pages of one's own account ask for the password and a code first.

    Raises:
        NotFound: the tenant has no such person, or they have no second factor or only an invitation (404).
        Forbidden: the person is the caller, may do more than the caller, or belongs to other tenants too (403).
    """
    member = within_rights(caller, person_id)
    if member.invited:
        detail = "the person has not accepted the invitation yet"
        raise NotFound(detail)
    own = actor_of_person(person_id)
    if own in (caller.principal.actor, caller.principal.on_behalf_of):
        detail = "this is your own second factor"
        raise Forbidden(detail, remedy="Change it under Your account, or ask another admin.")
    factor_reset.reset(person_id, actor=caller.principal.actor, source=source, tenant=caller.tenant)


def within_rights(caller: Caller, person_id: UUID) -> Member:
    """Return the person if they have no permission that the caller lacks.

    Otherwise the caller could gain permissions, for example by using a link that they create for the person.

    Raises:
        NotFound: the tenant has no such person (404).
        Forbidden: the person has more permissions, or the caller reaches only some facilities (403).
    """
    member = members.get_member(caller.tenant, person_id)
    more = permissions_of(caller.tenant, member.roles, roles_at(caller.tenant.id)) - caller.principal.permissions
    if more or not caller.principal.reach.everything:
        detail = "the person may do more than you"
        raise Forbidden(detail, remedy=_ASK)
    return member


def check_grant(caller: Caller, grant: Grant) -> None:
    """Check that the grant is within what the caller may do.

    Raises:
        Forbidden: it is more (403).
    """
    # Roles of operators are no roles of a tenant: ``members`` rejects them as such.
    of_tenants = [name for name in grant.roles if name not in ROLES or not ROLES[name].operator]
    granted = permissions_of(caller.tenant, of_tenants, roles_at(caller.tenant.id))
    more = sorted(granted - caller.principal.permissions)
    if more:
        detail = phrase("a role cannot permit what you may not do: {names}", names=", ".join(more[:3]))
        raise Forbidden(detail, remedy=_ASK)
    if not caller.principal.reach.everything:
        detail = "you reach a part of the facilities only"
        raise Forbidden(detail, remedy="Ask somebody who reaches all facilities.")


def _reject_elsewhere(caller: Caller, person_id: UUID) -> None:
    """Reject an act on how a person signs in, if they sign in elsewhere too.

    Raises:
        Forbidden: the account belongs to other tenants (403).
    """
    with platform_session() as session:
        factor_reset.reject_elsewhere(session, person_id, caller.tenant)


def _new_link(caller: Caller, person_id: UUID, purpose: str, source: str, *, compromised: bool = False) -> Link:
    actor, tenant = caller.principal.actor, caller.tenant
    link = links.create_link(person_id, purpose, actor=actor, tenant_id=tenant.id, compromised=compromised)
    with tenant_session(tenant, actor=actor, request_id=caller.request_id) as session:
        detail = links.link_detail(purpose, compromised=compromised)
        audit.record(session, f"{source}:person:link", "person", person_id, detail)
        link_mail.publish_link(session, link, person_id)
    return link
