"""Pages about the signed-in person: the start page, their sessions, signing out, and switching the partner."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import AccountScope, AnyScope, own_sessions, signed_in
from core.access.pages import Page, PageContext, navigation_of
from core.access.scope import PrincipalScope
from core.errors import FieldError, Invalid
from core.idempotency import CONTROL_DATABASE, REPEATABLE
from core.identity import Principal
from core.identity.cookies import clear_credential, set_credential
from core.identity.oidc.logout import end_session_address
from core.identity.people import members, second_factor, sessions
from core.identity.people.account_rows import choose_name
from core.identity.people.names import NAME_MAX
from core.identity.people.sessions import COOKIE
from core.identity.people.sign_in_events import last_sign_ins
from core.web.own_address import own_origin
from core.web.pages import SEE_OTHER
from tenants.portal.factor_words import shown_device, shown_sign_in
from tenants.portal.sso_sign_in_pages import leave_for

router = APIRouter()

SignedIn = Annotated[Principal, Depends(signed_in)]
Own = Annotated[Principal, Depends(own_sessions)]
"""Also a person of a suspended partner: who may sign out, end their other sessions, and go to another partner."""


@router.get("/start")
def show_start(request: Request, principal: SignedIn) -> RedirectResponse:
    """Redirect to the first page that the person may open."""
    entries = navigation_of(request.app, principal)
    return RedirectResponse(entries[0].path if entries else "/me", SEE_OTHER)


@router.get("/me")
def show_me(page: Page, principal: Own, scope: AccountScope) -> HTMLResponse:
    """Show the signed-in person, their partner, and their sessions."""
    return _own_page(page, principal, scope, name=principal.name)


def _own_page(
    page: PageContext, principal: Principal, scope: PrincipalScope, *, name: str, problem: FieldError | None = None
) -> HTMLResponse:
    person_id = UUID(principal.id)
    tenants = [] if _confined_to(principal) else members.tenants_of(person_id)
    confined = _confined_to(principal)
    return page.render(
        "portal/me.html",
        principal,
        status=200 if problem is None else Invalid.status,
        name=name,
        longest=NAME_MAX,
        problem=problem,
        tenant=scope.tenant,
        partner="IIT platform" if scope.tenant is None else scope.tenant.name,
        tenants=[tenant for tenant in tenants if scope.tenant is None or tenant["id"] != scope.tenant.id],
        sessions=[(row, shown_device(row.device)) for row in sessions.list_sessions(person_id, confined)],
        sign_ins=[(row, shown_device(row.device), shown_sign_in(row)) for row in last_sign_ins(person_id, confined)],
        factor=second_factor.state_of(person_id),
        zone=ZoneInfo("UTC" if scope.tenant is None else scope.tenant.time_zone),
    )


@router.post("/me/name", dependencies=[CONTROL_DATABASE])
def post_name(page: Page, principal: SignedIn, scope: AnyScope, name: Annotated[str, Form(max_length=300)]) -> Response:
    """Store the name that the person chose for themselves."""
    try:
        choose_name(UUID(principal.id), name)
    except Invalid as error:
        return _own_page(page, principal, scope, name=name, problem=error.errors[0])
    return RedirectResponse("/me", SEE_OTHER)


@router.post("/me/sessions/{session_id}/end", dependencies=[REPEATABLE])
def post_end(principal: Own, session_id: UUID) -> RedirectResponse:
    """End one of the person's sessions, on any device."""
    sessions.end(session_id, UUID(principal.id), _confined_to(principal))
    return RedirectResponse("/me", SEE_OTHER)


@router.post("/sign-out", dependencies=[REPEATABLE])
def post_sign_out(request: Request, page: Page, principal: Own) -> Response:
    """End the current session. If a provider began it, continue there, to end the session of the provider, too."""
    session_id = UUID(str(principal.credential_id))
    there = None
    if principal.signed_in_by == "oidc":
        there = end_session_address(session_id, f"{own_origin(request)}/sign-in")
    sessions.end(session_id, UUID(principal.id), action="page:person:sign_out")
    answer: Response = RedirectResponse("/sign-in", SEE_OTHER)
    if there is not None:
        answer = leave_for(page, "portal/sso_leave.html", there)
    clear_credential(answer, request.scope, COOKIE)
    return answer


@router.post("/me/tenant", dependencies=[REPEATABLE])
def post_tenant(request: Request, principal: Own, tenant_id: Annotated[UUID, Form()]) -> Response:
    """Switch to another partner of the person, in a new session."""
    started = sessions.switch(
        UUID(str(principal.credential_id)), UUID(principal.id), tenant_id, request.headers.get("user-agent", "")
    )
    answer = RedirectResponse("/start", SEE_OTHER)
    set_credential(answer, request.scope, COOKIE, started.secret)
    return answer


def _confined_to(principal: Principal) -> UUID | None:
    """The tenant whose provider began the session: it opens that tenant alone, and learns of no other."""
    return principal.tenant_id if principal.signed_in_by == "oidc" else None
