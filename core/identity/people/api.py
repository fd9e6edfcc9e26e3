"""The people of a tenant over the API."""

from collections import Counter
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core.access import TenantScope, require
from core.entitlements import CapReached, PaymentRequired
from core.errors import Conflict, Forbidden, NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.identity.people import administration, members, people_file
from core.identity.people.schemas import (
    GrantFields,
    LinkIn,
    LinkOut,
    PeopleFileIn,
    PeopleFileOut,
    PersonIn,
    PersonInvited,
    PersonOut,
    PersonRowOut,
    RowProblem,
)
from core.web.etag import IfMatch, set_etag
from core.web.location import set_location
from core.web.paging import Page, PageRequest, sorted_pages
from core.web.short_csv import reject_wrong

router = APIRouter(tags=["people"])

PeopleRead = Annotated[Principal, Depends(require("people.read"))]
PeopleWrite = Annotated[Principal, Depends(require("people.write"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"name": str, "email": str, "created_at": datetime}))]
"""Without a cursor: people are the staff of one tenant."""
CHANGES = responses(NotFound, Conflict, PreconditionFailed, PreconditionRequired)


@router.get("/people", operation_id="list_people", summary="List the people of the tenant, by name unless sorted")
def list_people(
    _: PeopleRead,
    scope: TenantScope,
    paging: Ordered,
    search: Annotated[
        str, Query(max_length=100, description="Only people whose name or address contains this.", examples=["ann"])
    ] = "",
) -> Page[PersonOut]:
    """List the people of the tenant, without those whom somebody removed."""
    order = paging.sort or members.BY_NAME
    rows, total = members.list_members(
        scope.tenant, limit=paging.limit, offset=paging.offset, sort=order, search=search
    )
    return Page.of([PersonOut.model_validate(member) for member in rows], paging, total)


@router.post(
    "/people",
    operation_id="invite_person",
    status_code=201,
    summary="Invite a person",
    responses=responses(Conflict, PaymentRequired, CapReached),
    dependencies=[CONTROL_DATABASE],
)
def invite_person(_: PeopleWrite, scope: TenantScope, body: PersonIn, response: Response) -> PersonInvited:
    """Invite a person.

    The answer contains a link: a new account chooses a password; an existing one enters its password.
    """
    invited = administration.invite(scope, body.email, body.name, _grant(body), language=body.language)
    set_location(response, f"/v1/people/{invited.member.id}")
    person = _tagged(response, invited.member)
    return PersonInvited(**person.model_dump(), link=LinkOut.model_validate(invited.link))


@router.post(
    "/people/file",
    operation_id="add_people",
    summary="Add people from a file",
    responses=responses(Conflict, Forbidden, PaymentRequired, CapReached),
    dependencies=[CONTROL_DATABASE],
)
def add_people(_: PeopleWrite, scope: TenantScope, body: PeopleFileIn) -> PeopleFileOut:
    """Add people from a file: nobody if a row is wrong, and nobody twice if the file is sent again.

    The error names line and column of each wrong row. Each new person gets an invitation.
    """
    rows = people_file.check_file(scope.tenant, body.csv, lambda grant: administration.check_grant(scope, grant))
    if not body.dry_run:
        reject_wrong(rows, "body.csv")
    links = {} if body.dry_run else administration.add_people(scope, rows)
    states = Counter(row.state for row in rows)
    shown = [
        PersonRowOut(
            line=row.line,
            email=row.email,
            name=row.name,
            state=row.state,
            problems=[RowProblem(column=one.field, problem=one.problem, remedy=one.remedy) for one in row.problems],
            link=LinkOut.model_validate(links[row.email]) if row.email in links else None,
        )
        for row in rows
    ]
    present, wrong = states[people_file.PRESENT], states[people_file.WRONG]
    return PeopleFileOut(added=len(links), present=present, wrong=wrong, rows=shown)


@router.get("/people/{person_id}", operation_id="get_person", summary="Get a person")
def get_person(_: PeopleRead, scope: TenantScope, person_id: UUID, response: Response) -> PersonOut:
    """Return one person of the tenant, with the ETag that a change sends back."""
    return _tagged(response, members.get_member(scope.tenant, person_id))


@router.put(
    "/people/{person_id}",
    operation_id="change_person",
    summary="Change what a person may do",
    responses=CHANGES,
    dependencies=[CONTROL_DATABASE],
)
def change_person(
    _: PeopleWrite,
    scope: TenantScope,
    person_id: UUID,
    body: GrantFields,
    if_match: IfMatch,
    response: Response,
) -> PersonOut:
    """Replace a person's roles, and what they reach. The change takes effect with the person's next request."""
    return _tagged(response, administration.change(scope, person_id, _grant(body), if_match))


@router.delete(
    "/people/{person_id}",
    operation_id="remove_person",
    status_code=204,
    summary="Remove a person from the tenant",
    responses=CHANGES,
    dependencies=[CONTROL_DATABASE],
)
def remove_person(_: PeopleWrite, scope: TenantScope, person_id: UUID, if_match: IfMatch) -> None:
    """Remove a person from the tenant. Their sessions and the API keys that they created end at once."""
    administration.remove(scope, person_id, if_match)


@router.post(
    "/people/{person_id}/deactivate",
    operation_id="deactivate_person",
    summary="Deactivate a person",
    responses=CHANGES,
    dependencies=[CONTROL_DATABASE],
)
def deactivate_person(
    _: PeopleWrite, scope: TenantScope, person_id: UUID, if_match: IfMatch, response: Response
) -> PersonOut:
    """Deactivate a person in the tenant. Their sessions, links and the API keys that they created here end at once.

    Other tenants of the person are not concerned. `reactivate` undoes it; the keys stay revoked.
    """
    return _tagged(response, administration.deactivate(scope, person_id, if_match))


@router.post(
    "/people/{person_id}/reactivate",
    operation_id="reactivate_person",
    summary="Reactivate a person",
    responses=responses(NotFound, Forbidden, Conflict),
    dependencies=[CONTROL_DATABASE],
)
def reactivate_person(_: PeopleWrite, scope: TenantScope, person_id: UUID, response: Response) -> PersonOut:
    """Activate a person again. They sign in with the password they had. 409 if the operator deactivated the account."""
    return _tagged(response, administration.reactivate(scope, person_id))


@router.post(
    "/people/{person_id}/links",
    operation_id="create_link",
    status_code=201,
    summary="Create a link to a new password",
    responses=responses(NotFound, Forbidden),
    dependencies=[CONTROL_DATABASE],
)
def create_link(_: PeopleWrite, scope: TenantScope, person_id: UUID, body: LinkIn, response: Response) -> LinkOut:
    """Create a one-time link for a person; earlier links stop working.

    A person who has not accepted gets an invitation. `Location` is the person, because a link is shown this one time.
    """
    link = administration.make_link(scope, person_id, body.purpose, compromised=body.compromised)
    set_location(response, f"/v1/people/{person_id}")
    return LinkOut.model_validate(link)


@router.delete(
    "/people/{person_id}/links",
    operation_id="revoke_links",
    status_code=204,
    summary="Revoke the links of a person",
    responses=responses(NotFound, Forbidden),
    dependencies=[CONTROL_DATABASE],
)
def revoke_links(_: PeopleWrite, scope: TenantScope, person_id: UUID) -> None:
    """Make the one-time links of this tenant for the person stop working. Without a link nothing changes."""
    administration.revoke_links(scope, person_id)


@router.delete(
    "/people/{person_id}/second-factor",
    operation_id="reset_second_factor",
    status_code=204,
    summary="Remove a person's second factor",
    responses=responses(NotFound, Forbidden),
    dependencies=[CONTROL_DATABASE],
)
def reset_second_factor(_: PeopleWrite, scope: TenantScope, person_id: UUID) -> None:
    """Remove the second factor of a person who lost phone and recovery codes. Their sessions end.

    The person signs in with the password, and sets it up again where the tenant asks for it. 404 if they have none.
    """
    administration.reset_second_factor(scope, person_id)


def _tagged(response: Response, member: members.Member) -> PersonOut:
    set_etag(response, member.version_id)
    return PersonOut.model_validate(member)


def _grant(body: GrantFields) -> members.Grant:
    return members.Grant(body.roles, body.facilities, body.states, body.assigned_only)
