"""Pages of a partner's people: the list, one person, inviting, links, and what ends a person's access."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from core import mail
from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.entitlements import CapReached, PaymentRequired
from core.errors import AppError, Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.identity.people import administration, members
from core.identity.people.links import Link
from core.identity.people.members import Grant, Member
from core.identity.roles import PROGRAM
from core.identity.tenant_roles.service import list_roles
from core.web.cursors import Sort
from core.web.etag import ExpectedVersions, etag
from core.web.own_address import public_origin
from core.web.pages import SEE_OTHER
from core.web.paging import PageRequest
from core.web.texts import gettext as _
from tenants.portal import admin_words as words
from tenants.records.filters import FacilityFilter
from tenants.records.repository import list_facilities

router = APIRouter()

Reader = Annotated[Principal, Depends(require("people.read"))]
Writer = Annotated[Principal, Depends(require("people.write"))]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]

PAGE_SIZE: Final = 25
MOST_FACILITIES: Final = 5000
PAGE: Final = "page"
"""The source of what these pages do, in the audit."""

REJECTED: Final = (Invalid, Conflict, Forbidden, NotFound, PreconditionFailed, PaymentRequired, CapReached)


class GrantForm(BaseModel):
    """The roles and the reach of a person, as a form sends them: no choice means all."""

    model_config = ConfigDict(extra="ignore")

    roles: list[str] = Field(default=[], max_length=20)
    facilities: list[str] = Field(default=[], max_length=MOST_FACILITIES)
    states: list[str] = Field(default=[], max_length=100)
    assigned_only: bool = False
    version: str = Field(default="", max_length=100)

    @property
    def grant(self) -> Grant:
        """The grant that the form describes."""
        return Grant(self.roles, self.facilities or None, self.states or None, self.assigned_only)


class InviteForm(GrantForm):
    """The form to invite a person."""

    language: str = Field(default="", max_length=10)
    email: str = Field(default="", max_length=300)
    name: str = Field(default="", max_length=300)


class VersionForm(BaseModel):
    """A form that changes the person who was shown."""

    model_config = ConfigDict(extra="ignore")

    version: str = Field(default="", max_length=100)


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices that a form about a person offers."""

    roles: list[tuple[str, str, str]]
    facilities: list[tuple[str, str]]
    states: list[tuple[str, str]]


@router.get("/admin/people")
def show_people(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    search: Annotated[str, Query(max_length=100)] = "",
    number: Annotated[PageNumber, Query(alias="page")] = 1,
    done: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show the partner's people, those whose name or address has the text of the search."""
    people, total = members.list_members(scope.tenant, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE, search=search)
    return page.render(
        "portal/admin/people.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        people=people,
        total=total,
        search=search,
        number=number,
        pages=max(1, -(-total // PAGE_SIZE)),
        address=lambda at: f"/admin/people?{urlencode({'search': search, 'page': at})}",
        zone=ZoneInfo(scope.tenant.time_zone),
        words=words,
        done=done,
        may_write="people.write" in principal.permissions,
    )


@router.get("/admin/people/new")
def show_invite(page: Page, _: Writer, scope: TenantScope) -> HTMLResponse:
    """Show the form to invite a person."""
    return _invite_page(page, scope, InviteForm())


@router.post("/admin/people/new", dependencies=[CONTROL_DATABASE])
def post_invite(page: Page, _: Writer, scope: TenantScope, form: Annotated[InviteForm, Form()]) -> HTMLResponse:
    """Invite the person, and show the link one time. Sending the form again invites nobody twice."""
    try:
        origin = public_origin(page.request)
        invited = administration.invite(
            scope, form.email, form.name, form.grant, language=form.language or None, source=PAGE
        )
    except REJECTED as error:
        return _invite_page(page, scope, form, error)
    return _link_page(page, scope, invited.member, invited.link, origin)


@router.get("/admin/people/{person_id}")
def show_person(page: Page, _: Reader, scope: TenantScope, person_id: UUID, done: str = "") -> HTMLResponse:
    """Show one person of the partner."""
    return _person_page(page, scope, members.get_member(scope.tenant, person_id), done=done)


@router.post("/admin/people/{person_id}", dependencies=[CONTROL_DATABASE])
def post_change(
    page: Page, _: Writer, scope: TenantScope, person_id: UUID, form: Annotated[GrantForm, Form()]
) -> Response:
    """Change what the person may do, from their next request on."""
    try:
        administration.change(scope, person_id, form.grant, _expected(form.version), source=PAGE)
    except REJECTED as error:
        return _person_again(page, scope, person_id, error, form)
    return RedirectResponse(f"/admin/people/{person_id}?done=changed", SEE_OTHER)


@router.post("/admin/people/{person_id}/link", dependencies=[CONTROL_DATABASE])
def post_link(
    page: Page, _: Writer, scope: TenantScope, person_id: UUID, *, compromised: Annotated[bool, Form()] = False
) -> HTMLResponse:
    """Make a new link for the person, and show it one time. Earlier links of this partner stop working."""
    try:
        origin = public_origin(page.request)
        link = administration.make_link(scope, person_id, compromised=compromised, source=PAGE)
    except REJECTED as error:
        return _person_again(page, scope, person_id, error)
    return _link_page(page, scope, members.get_member(scope.tenant, person_id), link, origin)


@router.post("/admin/people/{person_id}/revoke-links", dependencies=[CONTROL_DATABASE])
def post_revoke_links(page: Page, _: Writer, scope: TenantScope, person_id: UUID) -> Response:
    """Make the partner's links for the person stop working."""
    act = partial(administration.revoke_links, source=PAGE)
    return _done(page, scope, person_id, act, f"/admin/people/{person_id}?done=revoked")


@router.post("/admin/people/{person_id}/reset-second-factor", dependencies=[CONTROL_DATABASE])
def post_reset_factor(page: Page, _: Writer, scope: TenantScope, person_id: UUID) -> Response:
    """Remove the second factor of a person who lost it."""
    act = partial(administration.reset_second_factor, source=PAGE)
    return _done(page, scope, person_id, act, f"/admin/people/{person_id}?done=factor")


@router.post("/admin/people/{person_id}/deactivate", dependencies=[CONTROL_DATABASE])
def post_deactivate(
    page: Page, _: Writer, scope: TenantScope, person_id: UUID, form: Annotated[VersionForm, Form()]
) -> Response:
    """Deactivate the person in the partner."""
    act = partial(administration.deactivate, expected=_expected(form.version), source=PAGE)
    return _done(page, scope, person_id, act, f"/admin/people/{person_id}?done=deactivated")


@router.post("/admin/people/{person_id}/reactivate", dependencies=[CONTROL_DATABASE])
def post_reactivate(page: Page, _: Writer, scope: TenantScope, person_id: UUID) -> Response:
    """Activate the person again."""
    act = partial(administration.reactivate, source=PAGE)
    return _done(page, scope, person_id, act, f"/admin/people/{person_id}?done=reactivated")


@router.post("/admin/people/{person_id}/remove", dependencies=[CONTROL_DATABASE])
def post_remove(
    page: Page, _: Writer, scope: TenantScope, person_id: UUID, form: Annotated[VersionForm, Form()]
) -> Response:
    """Remove the person from the partner."""
    act = partial(administration.remove, expected=_expected(form.version), source=PAGE)
    return _done(page, scope, person_id, act, "/admin/people?done=removed")


def _done(
    page: PageContext, scope: Scope, person_id: UUID, act: Callable[[Scope, UUID], object], following: str
) -> Response:
    """Change a person and redirect to ``following``. If it is rejected, show the person's page with the reason."""
    try:
        act(scope, person_id)
    except REJECTED as error:
        return _person_again(page, scope, person_id, error)
    return RedirectResponse(following, SEE_OTHER)


def _expected(version: str) -> ExpectedVersions:
    return ExpectedVersions(frozenset({version}))


def _choices(scope: Scope) -> Choices:
    may = scope.principal.permissions
    roles = [
        (role.name, words.role_name(role.name), _(role.meaning))
        for role in list_roles(scope.tenant)
        if role.name != PROGRAM and may.issuperset(role.effective_permissions)
    ]
    paging = PageRequest(1, MOST_FACILITIES, sort=Sort("name"))
    with scope.session(readonly=True) as session:
        facilities = list_facilities(session, FacilityFilter(), paging).rows
        named = [(facility.datim_id, facility.name) for facility in facilities]
        states = sorted({facility.state_province for facility in facilities if facility.state_province})
    return Choices(roles, named, [(state, state) for state in states])


def _invite_page(page: PageContext, scope: Scope, form: InviteForm, error: AppError | None = None) -> HTMLResponse:
    return page.render(
        "portal/admin/invite.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/admin",
        form=form,
        choices=_choices(scope),
        problem=None if error is None else words.problem_of(error),
        words=words,
    )


def _link_page(page: PageContext, scope: Scope, member: Member, link: Link, origin: str) -> HTMLResponse:
    return page.render(
        "portal/admin/link.html",
        scope.principal,
        partner=scope.tenant.name,
        current="/admin",
        member=member,
        address=f"{origin}{link.path}",
        mailed=mail.is_configured(),
        expires_at=link.expires_at,
        zone=ZoneInfo(scope.tenant.time_zone),
    )


def _person_again(
    page: PageContext, scope: Scope, person_id: UUID, error: AppError, form: GrantForm | None = None
) -> HTMLResponse:
    return _person_page(page, scope, members.get_member(scope.tenant, person_id), error=error, form=form)


def _person_page(
    page: PageContext,
    scope: Scope,
    member: Member,
    *,
    done: str = "",
    error: AppError | None = None,
    form: GrantForm | None = None,
) -> HTMLResponse:
    return page.render(
        "portal/admin/person.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/admin",
        member=member,
        version=etag(member.version_id),
        grant=member if form is None else form.grant,
        choices=_choices(scope),
        done=done,
        problem=None if error is None else words.problem_of(error),
        zone=ZoneInfo(scope.tenant.time_zone),
        words=words,
        own=str(member.id) == scope.principal.id,
        may_write="people.write" in scope.principal.permissions,
    )
