"""Signing in by the partner's own provider: the way there, and the way back."""

from typing import Annotated
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access.pages import Page, PageContext
from core.errors import Forbidden, Unauthenticated
from core.identity.cookies import clear_credential, cookie_name, is_secure, set_credential
from core.identity.credentials import credential_for
from core.identity.oidc.errors import SignInRejected
from core.identity.oidc.flows import COOKIE as FLOW_COOKIE
from core.identity.oidc.flows import LASTS, ProviderAnswer, begin_flow, complete_flow
from core.identity.oidc.providers import SsoProviderState, provider_of_email, provider_of_partner
from core.identity.oidc.schemas import CALLBACK, SIGN_IN
from core.identity.people import sessions
from core.web.own_address import own_origin
from core.web.pages import SEE_OTHER, safe_next
from core.web.public_routes import PublicRate
from tenants.portal.sso_words import reason_of

router = APIRouter()

START = "/start"
RATE = PublicRate(burst=20, per_minute=30)
"""Of one address: each may make this server call a provider."""

Text = Annotated[str, Query(max_length=300)]
Long = Annotated[str, Query(max_length=4000)]


@router.get(SIGN_IN, dependencies=[Depends(RATE)])
def show_sso(request: Request, page: Page, partner: Text = "", email: Text = "", next: Long = "") -> Response:  # noqa: A002
    """Goes to the provider of a partner, named by its short name or by the domain of an e-mail address."""
    provider = provider_of_partner(partner) if partner else provider_of_email(email)
    if provider is None:
        return _problem(page, SignInRejected("unknown"))
    try:
        begun = begin_flow(provider, redirect_uri=f"{own_origin(request)}{CALLBACK}", following=safe_next(next, START))
    except SignInRejected as error:
        return _problem(page, error)
    answer = RedirectResponse(begun.address, SEE_OTHER)
    set_credential(answer, request.scope, FLOW_COOKIE, begun.secret, seconds=int(LASTS.total_seconds()))
    return answer


@router.get(CALLBACK, dependencies=[Depends(RATE)])
def show_callback(
    request: Request,
    page: Page,
    state: Text = "",
    code: Long = "",
    iss: Annotated[str | None, Query(max_length=500)] = None,
    error: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """Begins a new session, ends the one before, and redirects to the page that the person asked for."""
    secret = request.cookies.get(cookie_name(FLOW_COOKIE, secure=is_secure(request.scope)), "")
    try:
        completed = complete_flow(
            ProviderAnswer(state, code, iss, error), secret, device=request.headers.get("user-agent", "")
        )
    except SignInRejected as rejection:
        return _problem(page, rejection)
    _end_present_session(request)
    answer = RedirectResponse(safe_next(completed.following, START), SEE_OTHER)
    set_credential(answer, request.scope, sessions.COOKIE, completed.session.secret)
    clear_credential(answer, request.scope, FLOW_COOKIE)
    return answer


def go_to(page: PageContext, provider: SsoProviderState, following: str) -> HTMLResponse:
    """A page that redirects to the partner's provider. A form must not lead to another site (``form-action``)."""
    return leave_for(page, "portal/sso_go.html", address_of(provider, following), partner_name=provider.tenant.name)


def leave_for(page: PageContext, template: str, address: str, *, partner_name: str = "") -> HTMLResponse:
    """A page with a link that opens by itself."""
    answer = page.render(template, address=address, partner_name=partner_name)
    answer.headers["Refresh"] = f"0; url={quote(address, safe=_AS_IT_IS)}"
    return answer


def address_of(provider: SsoProviderState, following: str) -> str:
    """The path at which a sign-in by the provider begins."""
    query = {"partner": provider.tenant.slug, "next": safe_next(following, "")}
    return f"{SIGN_IN}?{urlencode({name: value for name, value in query.items() if value})}"


_AS_IT_IS = "/:?#[]@!$&()*+,=%~-._"


def _problem(page: PageContext, error: SignInRejected) -> HTMLResponse:
    detail, remedy = reason_of(error.reason)
    return page.render("portal/sso_problem.html", status=error.status, detail=detail, remedy=remedy)


def _end_present_session(request: Request) -> None:
    try:
        principal = credential_for(request.scope).verify().principal
    except (Unauthenticated, Forbidden):
        return
    sessions.end(UUID(str(principal.credential_id)), UUID(principal.id))
