"""The page to sign in, and the choice of the language."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access.pages import Page
from core.errors import AppError, Forbidden, Invalid, TooManyRequests, Unauthenticated
from core.identity.cookies import set_credential
from core.identity.credentials import credential_for
from core.identity.oidc.errors import SignInRejected
from core.identity.oidc.providers import provider_of_email
from core.identity.people.account_rows import choose_language
from core.identity.people.pending import PendingSignIn
from core.identity.people.sessions import COOKIE
from core.identity.people.sign_in import sign_in
from core.web.client_address import address_of as network_address
from core.web.pages import SEE_OTHER, safe_next
from core.web.texts import COOKIE as LANGUAGE_COOKIE
from tenants.portal.factor_sign_in_pages import SIGN_IN_RATE, START, continue_pending
from tenants.portal.sso_sign_in_pages import address_of, go_to

router = APIRouter()

_YEAR = 365 * 86_400

Text = Annotated[str, Form(max_length=300)]


@router.get("/sign-in")
def show_sign_in(request: Request, page: Page, next: str = "", done: str = "") -> Response:  # noqa: A002 - the query's name
    """Show the sign-in form, or redirect a person who is signed in. ``next`` is the page that the person wanted."""
    if _person_of(request) is not None:
        return RedirectResponse(safe_next(next, START), SEE_OTHER)
    return page.render(
        "portal/sign_in.html", next=safe_next(next, ""), email="", problem=None, done=done == "password", provider=None
    )


@router.post("/sign-in", dependencies=[Depends(SIGN_IN_RATE)])
def post_sign_in(
    request: Request,
    page: Page,
    email: Text,
    password: Annotated[str, Form(max_length=300)] = "",
    partner: Annotated[str, Form(max_length=10)] = "",
    next: Annotated[str, Form(max_length=2000)] = "",  # noqa: A002
) -> Response:
    """Begin a session and redirect to the page that the person wanted. If the sign-in fails, show the form again.

    Without a password, continue at the provider of the tenant that proved the address's domain.
    """
    if partner or not password:
        provider = provider_of_email(email)
        if provider is not None:
            return go_to(page, provider, next)
        return _form_again(page, SignInRejected("unknown") if partner else _no_password(), email, next)
    device = request.headers.get("user-agent", "")
    try:
        session = sign_in(email, password, address=network_address(request.scope), device=device)
    except (Unauthenticated, TooManyRequests, Forbidden) as error:
        return _form_again(page, error, email, next)
    if isinstance(session, PendingSignIn):
        return continue_pending(request, session, next)
    answer = RedirectResponse(safe_next(next, START), SEE_OTHER)
    set_credential(answer, request.scope, COOKIE, session.secret)
    return answer


@router.post("/language")
def post_language(
    request: Request,
    language: Annotated[Literal["en", "fr", "pt"], Form()],
    next: Annotated[str, Form(max_length=2000)] = "",  # noqa: A002
) -> RedirectResponse:
    """Store the language that the reader chose: in a cookie, and with the account if the reader is signed in."""
    person_id = _person_of(request)
    if person_id is not None:
        choose_language(person_id, language)
    answer = RedirectResponse(safe_next(next, "/"), SEE_OTHER)
    answer.set_cookie(
        LANGUAGE_COOKIE, language, max_age=_YEAR, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
    return answer


def _person_of(request: Request) -> UUID | None:
    """The person who is signed in; None if nobody is."""
    try:
        return UUID(credential_for(request.scope).verify().principal.id)
    except (Unauthenticated, Forbidden):
        return None


def _no_password() -> Invalid:
    detail = "you gave no password"
    return Invalid(detail, remedy="Give your password.")


def _form_again(page: Page, error: AppError, email: str, following: str) -> HTMLResponse:
    provider = provider_of_email(email)
    answer = page.render(
        "portal/sign_in.html",
        status=error.status,
        next=safe_next(following, ""),
        email=email,
        problem=error,
        done=False,
        provider=None if provider is None else (provider.tenant.name, address_of(provider, following)),
    )
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer
