"""The people of a tenant over the API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core import audit
from core.access import TenantScope, require
from core.errors import Conflict, Forbidden, NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.identity import Principal
from core.identity.people import links, members
from core.identity.people.schemas import (
    GrantFields,
    LinkIn,
    LinkOut,
    PersonIn,
    PersonInvited,
    PersonOut,
)
from core.identity.tenant_roles.changes import roles_at
from core.identity.tenant_roles.compiled import permissions_of
from core.web.etag import IfMatch, set_etag
from core.web.location import set_location
from core.web.paging import Page, PageRequest, sorted_pages

router = APIRouter(tags=["people"])

PeopleRead = Annotated[Principal, Depends(require("people.read"))]
PeopleWrite = Annotated[Principal, Depends(require("people.write"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"name": str, "email": str, "created_at": datetime}))]
"""Without a cursor: people are the staff of one tenant."""
CHANGES = responses(NotFound, Conflict, PreconditionFailed, PreconditionRequired)


@router.get("/people", operation_id="list_people", summary="List the people of the tenant, by name unless sorted")
def list_people(_: PeopleRead, scope: TenantScope, paging: Ordered) -> Page[PersonOut]:
    """List the people of the tenant, without those whom somebody removed."""
    order = paging.sort or members.BY_NAME
    rows, total = members.list_members(scope.tenant, limit=paging.limit, offset=paging.offset, sort=order)
    return Page.of([PersonOut.model_validate(member) for member in rows], paging, total)


@router.post(
    "/people", operation_id="invite_person", status_code=201, summary="Invite a person", responses=responses(Conflict)
)
def invite_person(principal: PeopleWrite, scope: TenantScope, body: PersonIn, response: Response) -> PersonInvited:
    """Invite a person.

    The answer contains a link: a new account chooses a password; an existing one enters its password.
    """
    grant = _grant(principal, scope, body)
    person_id = members.add_member(scope.tenant, body.email, body.name, grant, actor=principal.actor)
    member = members.get_member(scope.tenant, person_id)
    link = _link(scope, principal, person_id, links.INVITATION)
    set_location(response, f"/v1/people/{person_id}")
    return PersonInvited(**_tagged(response, member).model_dump(), link=link)


@router.get("/people/{person_id}", operation_id="get_person", summary="Get a person")
def get_person(_: PeopleRead, scope: TenantScope, person_id: UUID, response: Response) -> PersonOut:
    """Return one person of the tenant, with the ETag that a change sends back."""
    return _tagged(response, members.get_member(scope.tenant, person_id))


@router.put(
    "/people/{person_id}",
    operation_id="change_person",
    summary="Change what a person may do",
    responses=CHANGES,
)
def change_person(
    principal: PeopleWrite,
    scope: TenantScope,
    person_id: UUID,
    body: GrantFields,
    if_match: IfMatch,
    response: Response,
) -> PersonOut:
    """Replace a person's roles, facilities and states. The change takes effect with the person's next request."""
    _within_rights(principal, scope, person_id)
    grant = _grant(principal, scope, body)
    members.change_member(scope.tenant, person_id, grant, actor=principal.actor, expected=if_match)
    return _tagged(response, members.get_member(scope.tenant, person_id))


@router.delete(
    "/people/{person_id}",
    operation_id="remove_person",
    status_code=204,
    summary="Remove a person from the tenant",
    responses=CHANGES,
)
def remove_person(principal: PeopleWrite, scope: TenantScope, person_id: UUID, if_match: IfMatch) -> None:
    """Remove a person from the tenant. Their sessions and the API keys that they created end at once."""
    _within_rights(principal, scope, person_id)
    members.remove_member(scope.tenant, person_id, actor=principal.actor, expected=if_match)


@router.post(
    "/people/{person_id}/links",
    operation_id="create_link",
    status_code=201,
    summary="Create a link to a new password",
    responses=responses(NotFound, Forbidden),
)
def create_link(
    principal: PeopleWrite, scope: TenantScope, person_id: UUID, body: LinkIn, response: Response
) -> LinkOut:
    """Create a one-time link for a person; earlier links stop working.

    A person who has not accepted gets an invitation.
    """
    member = _within_rights(principal, scope, person_id)
    purpose = links.INVITATION if member.invited else body.purpose
    elsewhere = [tenant for tenant in members.tenants_of(person_id) if tenant["id"] != scope.tenant.id]
    if elsewhere and purpose == links.RESET:
        detail = "this account belongs to other tenants too"
        raise Forbidden(detail, remedy="Ask the operator of the installation for the link.")
    set_location(response, f"/v1/people/{person_id}")
    return _link(scope, principal, person_id, purpose)


def _tagged(response: Response, member: members.Member) -> PersonOut:
    set_etag(response, member.version_id)
    return PersonOut.model_validate(member)


def _link(scope: TenantScope, principal: Principal, person_id: UUID, purpose: str) -> LinkOut:
    link = links.create_link(person_id, purpose, actor=principal.actor, tenant_id=scope.tenant.id)
    with scope.session() as session:
        audit.record(session, "api:person:link", "person", person_id, {"purpose": purpose})
    return LinkOut.model_validate(link)


def _within_rights(principal: Principal, scope: TenantScope, person_id: UUID) -> members.Member:
    """Return the person if they have no permission that the principal lacks.

    Otherwise the principal could gain permissions, for example by using a link that they create for the person.

    Raises:
        NotFound: the tenant has no such person (404).
        Forbidden: the person has more permissions, or the principal reaches only some facilities (403).
    """
    member = members.get_member(scope.tenant, person_id)
    more = permissions_of(scope.tenant, member.roles, roles_at(scope.tenant.id)) - principal.permissions
    if more or not principal.reach.everything:
        detail = "the person may do more than you"
        raise Forbidden(detail, remedy="Ask an admin of the tenant.")
    return member


def _grant(principal: Principal, scope: TenantScope, body: GrantFields) -> members.Grant:
    """Return the grant that the body describes.

    Raises:
        Forbidden: it is more than the principal may do (403).
    """
    granted = permissions_of(scope.tenant, body.roles, roles_at(scope.tenant.id))
    more = sorted(granted - principal.permissions)
    if more:
        detail = f"a role cannot permit what you may not do: {', '.join(more[:3])}"
        raise Forbidden(detail, remedy="Ask an admin of the tenant.")
    if principal.facility_ids is not None or principal.states is not None:
        detail = "you reach a part of the facilities only"
        raise Forbidden(detail, remedy="Ask somebody who reaches all facilities.")
    return members.Grant(body.roles, body.facilities, body.states)
