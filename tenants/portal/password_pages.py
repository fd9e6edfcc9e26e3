"""Pages to choose a password by a one-time link.

The link carries its secret in its path. The first answer moves the secret to a cookie and redirects, so the pages that
follow have it neither in their address nor in a ``Referer``.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access.pages import Page
from core.errors import Invalid
from core.identity.cookies import clear_credential, cookie_name, is_secure, set_credential
from core.identity.people import links
from core.identity.people.passwords import SHORTEST
from core.web.client_address import address_of
from core.web.pages import SEE_OTHER
from tenants.portal.factor_sign_in_pages import SIGN_IN_RATE

router = APIRouter()

COOKIE = "iit_link"
MINUTES = 15
"""The time for which the browser stores the secret; the link itself may be used for longer."""

Text = Annotated[str, Form(max_length=300)]


@router.get("/password/{secret}", dependencies=[Depends(SIGN_IN_RATE)])
def open_link(request: Request, secret: str) -> RedirectResponse:
    """Move the secret of a link that works from the address to a cookie."""
    links.holder_of(secret)
    answer = RedirectResponse("/password", SEE_OTHER, headers={"Referrer-Policy": "no-referrer"})
    set_credential(answer, request.scope, COOKIE, secret, seconds=MINUTES * 60)
    return answer


@router.get("/password", dependencies=[Depends(SIGN_IN_RATE)])
def show_password(request: Request, page: Page) -> HTMLResponse:
    """Show the form to choose a password, for the person to whom the link belongs."""
    holder = links.holder_of(_secret_of(request))
    return page.render("portal/password.html", holder=holder, shortest=SHORTEST, problem=None)


@router.post("/password", dependencies=[Depends(SIGN_IN_RATE)])
def post_password(request: Request, page: Page, password: Text) -> Response:
    """Set the password, which makes the link invalid, and redirect to the sign-in."""
    secret = _secret_of(request)
    try:
        links.use_link(secret, password, address=address_of(request.scope))
    except Invalid as error:
        holder = links.holder_of(secret)
        return page.render(
            "portal/password.html", status=error.status, holder=holder, shortest=SHORTEST, problem=error.errors[0]
        )
    answer = RedirectResponse("/sign-in?done=password", SEE_OTHER)
    clear_credential(answer, request.scope, COOKIE)
    return answer


def _secret_of(request: Request) -> str:
    return request.cookies.get(cookie_name(COOKIE, secure=is_secure(request.scope)), "")
