"""Pages to sign in, and to choose a password by a link."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access.pages import Page
from core.errors import AppError, Forbidden, Invalid, TooManyRequests, Unauthenticated
from core.identity.cookies import set_credential
from core.identity.credentials import credential_for
from core.identity.oidc.errors import SignInRejected
from core.identity.oidc.providers import provider_of_email
from core.identity.people import links
from core.identity.people.passwords import SHORTEST
from core.identity.people.sessions import COOKIE
from core.identity.people.sign_in import sign_in
from core.web.pages import SEE_OTHER, safe_next
from core.web.public_routes import PublicRate
from core.web.texts import COOKIE as LANGUAGE_COOKIE
from tenants.portal.sso_sign_in_pages import address_of, go_to

router = APIRouter()

START = "/start"
_YEAR = 365 * 86_400
RATE = PublicRate(burst=20, per_minute=30)
"""The rate per network address. The people of a clinic often share an address, and sign in at the same time."""

Text = Annotated[str, Form(max_length=300)]


@router.get("/sign-in")
def show_sign_in(request: Request, page: Page, next: str = "", done: str = "") -> Response:  # noqa: A002 - the query's name
    """Show the sign-in form, or redirect a person who is signed in. ``next`` is the page that the person wanted."""
    if _is_signed_in(request):
        return RedirectResponse(safe_next(next, START), SEE_OTHER)
    return page.render(
        "portal/sign_in.html", next=safe_next(next, ""), email="", problem=None, done=done == "password", provider=None
    )


@router.post("/sign-in", dependencies=[Depends(RATE)])
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
    address = "" if request.client is None else request.client.host
    try:
        session = sign_in(email, password, address=address, device=request.headers.get("user-agent", ""))
    except (Unauthenticated, TooManyRequests, Forbidden) as error:
        return _form_again(page, error, email, next)
    answer = RedirectResponse(safe_next(next, START), SEE_OTHER)
    set_credential(answer, request.scope, COOKIE, session.secret)
    return answer


@router.post("/language")
def post_language(
    request: Request,
    language: Annotated[Literal["en", "fr", "pt"], Form()],
    next: Annotated[str, Form(max_length=2000)] = "",  # noqa: A002
) -> RedirectResponse:
    """Keeps the language that the reader chose in a cookie of this browser."""
    answer = RedirectResponse(safe_next(next, "/"), SEE_OTHER)
    answer.set_cookie(
        LANGUAGE_COOKIE, language, max_age=_YEAR, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
    return answer


@router.get("/password/{secret}")
def show_password(page: Page, secret: str) -> HTMLResponse:
    """Show the form to choose a password, for the person to whom the link belongs."""
    return page.render("portal/password.html", holder=links.holder_of(secret), shortest=SHORTEST, problem=None)


@router.post("/password/{secret}", dependencies=[Depends(RATE)])
def post_password(page: Page, secret: str, password: Text) -> Response:
    """Set the password, which makes the link invalid, and redirect to the sign-in."""
    try:
        links.use_link(secret, password)
    except Invalid as error:
        holder = links.holder_of(secret)
        return page.render(
            "portal/password.html", status=error.status, holder=holder, shortest=SHORTEST, problem=error.errors[0]
        )
    return RedirectResponse("/sign-in?done=password", SEE_OTHER)


def _is_signed_in(request: Request) -> bool:
    try:
        credential_for(request.scope).verify()
    except (Unauthenticated, Forbidden):
        return False
    return True


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
