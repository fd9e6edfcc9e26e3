"""Pages of the second factor between the password and the session. Their only credential is the pending sign-in."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access.pages import Page, PageContext
from core.errors import AppError, Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated
from core.identity import csrf
from core.identity.cookies import clear_credential, cookie_name, is_secure, set_credential
from core.identity.people import pending, second_factor, sessions
from core.identity.people.pending import PendingSignIn
from core.identity.people.sign_in import complete_set_up, complete_with_code
from core.web.client_address import address_of
from core.web.pages import SEE_OTHER, safe_next
from core.web.public_routes import PublicRate
from tenants.portal.factor_words import qr_code, spaced

router = APIRouter()

START = "/start"
SIGN_IN_RATE = PublicRate(burst=120, per_minute=120)
"""The rate per network address and page. All people of a clinic or an office may share one address and begin at eight:
sixty who need two tries each pass at once. Guesses are bounded elsewhere: failures of one account from one address."""

CODE, SET_UP = "/sign-in/code", "/sign-in/set-up"
_PATHS = {pending.CODE: CODE, pending.SET_UP: SET_UP}
FIELD = "sign_in_token"
"""The form's proof that a page of this pending sign-in sent it."""

Code = Annotated[str, Form(max_length=100)]
Following = Annotated[str, Form(max_length=2000)]
Token = Annotated[str, Form(alias=FIELD, max_length=200)]


def continue_pending(request: Request, started: PendingSignIn, following: str) -> RedirectResponse:
    """Give the browser a pending sign-in, and redirect to its page."""
    answer = RedirectResponse(_with_next(_PATHS[started.purpose], following), SEE_OTHER)
    set_credential(answer, request.scope, pending.COOKIE, started.secret)
    return answer


@router.get(CODE)
def show_code(request: Request, page: Page, next: str = "") -> Response:  # noqa: A002 - the query's name
    """Ask for a code of the app, or a recovery code."""
    secret = _secret_of(request)
    try:
        pending.holder_of(secret, pending.CODE)
    except Unauthenticated:
        return _begin_again(request, next)
    return _code_form(page, secret, next)


@router.post(CODE, dependencies=[Depends(SIGN_IN_RATE)])
def post_code(
    request: Request,
    page: Page,
    code: Code = "",
    recovery_code: Code = "",
    token: Token = "",
    next: Following = "",  # noqa: A002
) -> Response:
    """Begin the session and redirect to the page that the person wanted."""
    secret = _secret_of(request)
    _check(token, secret)
    try:
        session = complete_with_code(secret, recovery_code or code, address=address_of(request.scope))
    except Unauthenticated:
        return _begin_again(request, next)
    except (Invalid, TooManyRequests, Forbidden) as error:
        return _code_form(page, secret, next, error)
    answer = RedirectResponse(safe_next(next, START), SEE_OTHER)
    set_credential(answer, request.scope, sessions.COOKIE, session.secret)
    clear_credential(answer, request.scope, pending.COOKIE)
    return answer


@router.get(SET_UP)
def show_set_up(request: Request, page: Page, next: str = "") -> Response:  # noqa: A002
    """Show the QR code for a new app, to a person who must have a second factor and has none."""
    secret = _secret_of(request)
    try:
        return _set_up_form(page, secret, next)
    except (Unauthenticated, NotFound):
        return _begin_again(request, next)


@router.post(SET_UP, dependencies=[Depends(SIGN_IN_RATE)])
def post_set_up(request: Request, page: Page, code: Code, token: Token = "", next: Following = "") -> Response:  # noqa: A002
    """Begin the session, and show the recovery codes one time."""
    secret = _secret_of(request)
    _check(token, secret)
    try:
        session, codes = complete_set_up(secret, code)
    except (Unauthenticated, NotFound):
        return _begin_again(request, next)
    except Invalid as error:
        return _set_up_form(page, secret, next, error)
    answer = page.render("portal/factor/recovery_codes.html", codes=codes, following=safe_next(next, START), new=True)
    set_credential(answer, request.scope, sessions.COOKIE, session.secret)
    clear_credential(answer, request.scope, pending.COOKIE)
    return answer


def _code_form(page: PageContext, secret: str, following: str, error: AppError | None = None) -> HTMLResponse:
    answer = page.render(
        "portal/factor/code.html",
        status=200 if error is None else error.status,
        action=CODE,
        token=csrf.token_of(secret),
        next=safe_next(following, ""),
        problem=error,
    )
    if error is not None and error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _set_up_form(page: PageContext, secret: str, following: str, error: AppError | None = None) -> HTMLResponse:
    """The form of a new app.

    Raises:
        Unauthenticated: the sign-in has ended.
        NotFound: the new app took too long.
    """
    holder = pending.holder_of(secret, pending.SET_UP)
    new = second_factor.set_up_of(holder.person_id)
    return page.render(
        "portal/factor/set_up.html",
        status=200 if error is None else error.status,
        action=SET_UP,
        token=csrf.token_of(secret),
        next=safe_next(following, ""),
        address=new.address,
        secret=spaced(new.secret),
        picture=qr_code(new.address),
        required=True,
        cancel="/sign-in",
        problem=error,
    )


def _begin_again(request: Request, following: str) -> RedirectResponse:
    answer = RedirectResponse(_with_next("/sign-in", following), SEE_OTHER)
    clear_credential(answer, request.scope, pending.COOKIE)
    return answer


def _check(token: str, secret: str) -> None:
    """Check that a page of this pending sign-in sent the form.

    Raises:
        Forbidden: it did not (403).
    """
    if secret and not csrf.is_token_of(token, secret):
        detail = "the form has no valid token of this sign-in"
        raise Forbidden(detail, remedy="Open the page again, and send the form from there.")


def _secret_of(request: Request) -> str:
    return request.cookies.get(cookie_name(pending.COOKIE, secure=is_secure(request.scope)), "")


def _with_next(path: str, following: str) -> str:
    safe = safe_next(following, "")
    return f"{path}?next={quote(safe, safe='')}" if safe else path
