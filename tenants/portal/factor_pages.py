"""Pages of the second factor under "Your account": set up, change, new recovery codes, remove."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import signed_in
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Invalid, NotFound, TooManyRequests
from core.idempotency import REPEATABLE
from core.identity import Principal, csrf
from core.identity.cookies import set_credential
from core.identity.people import second_factor
from core.identity.people.second_factor import Proof
from core.identity.people.sessions import COOKIE
from core.web.client_address import address_of
from core.web.pages import SEE_OTHER
from tenants.portal.factor_words import qr_code, spaced

router = APIRouter()

HOME, SET_UP = "/me/second-factor", "/me/second-factor/set-up"

SignedIn = Annotated[Principal, Depends(signed_in)]
Text = Annotated[str, Form(max_length=300)]


@router.get(HOME)
def show_factor(page: Page, principal: SignedIn) -> HTMLResponse:
    """Show whether the person has a second factor, and what they can do about it."""
    return _home(page, principal)


@router.post(HOME, dependencies=[REPEATABLE])
def post_begin(request: Request, page: Page, principal: SignedIn, password: Text = "", code: Text = "") -> Response:
    """Begin with a new app, after the password, and a code of the present app where there is one."""
    try:
        second_factor.begin_set_up(UUID(principal.id), _proof(request, password, code))
    except (Invalid, Conflict, TooManyRequests) as error:
        return _home(page, principal, error)
    return RedirectResponse(SET_UP, SEE_OTHER)


@router.get(SET_UP)
def show_set_up(page: Page, principal: SignedIn) -> Response:
    """Show the QR code of the new app, and ask for its code."""
    try:
        return _set_up_form(page, principal)
    except NotFound:
        return RedirectResponse(HOME, SEE_OTHER)


@router.post(SET_UP, dependencies=[REPEATABLE])
def post_set_up(request: Request, page: Page, principal: SignedIn, code: Text = "") -> Response:
    """Make the new app count, and show the recovery codes one time. The person's other sessions end."""
    session_id, device = UUID(str(principal.credential_id)), request.headers.get("user-agent", "")
    try:
        started, codes = second_factor.confirm(UUID(principal.id), code, session_id, device)
    except Invalid as error:
        return _set_up_form(page, principal, error)
    except NotFound:
        return RedirectResponse(HOME, SEE_OTHER)
    answer = page.render(
        "portal/factor/recovery_codes.html",
        principal,
        csrf_token=csrf.token_of(started.secret),
        codes=codes,
        following="/me",
        new=True,
    )
    set_credential(answer, request.scope, COOKIE, started.secret)
    return answer


@router.post("/me/second-factor/codes", dependencies=[REPEATABLE])
def post_codes(request: Request, page: Page, principal: SignedIn, password: Text = "", code: Text = "") -> HTMLResponse:
    """Replace the recovery codes, and show the new ones one time."""
    try:
        codes = second_factor.renew_recovery_codes(UUID(principal.id), _proof(request, password, code))
    except (Invalid, Conflict, TooManyRequests) as error:
        return _home(page, principal, error)
    return page.render("portal/factor/recovery_codes.html", principal, codes=codes, following=HOME, new=False)


@router.post("/me/second-factor/remove", dependencies=[REPEATABLE])
def post_remove(request: Request, page: Page, principal: SignedIn, password: Text = "", code: Text = "") -> Response:
    """Remove the second factor."""
    session_id = UUID(str(principal.credential_id))
    try:
        second_factor.remove(UUID(principal.id), _proof(request, password, code), session_id)
    except (Invalid, Conflict, TooManyRequests) as error:
        return _home(page, principal, error)
    return RedirectResponse(HOME, SEE_OTHER)


def _proof(request: Request, password: str, code: str) -> Proof:
    return Proof(password, code, address_of(request.scope))


def _home(page: PageContext, principal: Principal, error: AppError | None = None) -> HTMLResponse:
    answer = page.render(
        "portal/factor/home.html",
        principal,
        status=200 if error is None else error.status,
        state=second_factor.state_of(UUID(principal.id)),
        problem=error,
    )
    if error is not None and error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _set_up_form(page: PageContext, principal: Principal, error: AppError | None = None) -> HTMLResponse:
    """The form of a new app.

    Raises:
        NotFound: no new app waits to be confirmed.
    """
    new = second_factor.set_up_of(UUID(principal.id))
    return page.render(
        "portal/factor/set_up.html",
        principal,
        status=200 if error is None else error.status,
        action=SET_UP,
        token="",
        next="",
        address=new.address,
        secret=spaced(new.secret),
        picture=qr_code(new.address),
        required=False,
        cancel=HOME,
        problem=error,
    )
