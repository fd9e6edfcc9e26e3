"""Context for page routes: renders pages, and checks every form that a browser posts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from core import telemetry
from core.access.require import AccessRule, AnyRequirement, Requirement, access_rules, page_routes
from core.access.verification import seen
from core.errors import Forbidden, Unauthenticated
from core.feature_registry import NavigationEntry
from core.identity import Principal, csrf
from core.identity.credentials import credential_for
from core.web import texts
from core.web.compression import page_content
from core.web.own_address import own_origin
from core.web.pages import PageRoute, Site
from core.web.uploads import UploadRequest

_SEND_AGAIN = "Open the page again, and send the form from there."


@dataclass(frozen=True, slots=True)
class PageContext:
    """Renders the page of one request."""

    request: Request

    def render(
        self, template: str, principal: Principal | None = None, *, status: int = 200, **values: object
    ) -> HTMLResponse:
        """The page. Templates know ``navigation``, ``csrf_token``, ``principal`` and ``request_id`` besides ``values``.

        Args:
            template: name with its prefix, such as ``portal/today.html``.
            principal: whose navigation the page shows; None on public pages.
            status: HTTP status of the answer.
            values: what the template shows.
        """
        site: Site = self.request.app.state.site
        secret = _session_secret(self.request)
        shared: dict[str, object] = {
            "language": texts.language(),
            "navigation": [] if principal is None else navigation_of(self.request.app, principal),
            "csrf_token": "" if secret is None else csrf.token_of(secret),
            "principal": principal,
            "request_id": telemetry.request_id(),
        }
        reader = None if principal is None else seen(self.request.scope)
        if reader is not None and reader.tenant is not None:
            shared["partner"] = reader.tenant.name
        text = site.templates.render(template, {**shared, **values})
        content, headers = page_content(text, self.request.headers.get("accept-encoding", ""))
        return HTMLResponse(content, status, headers)


def lay_navigation(app: FastAPI, entries: Iterable[NavigationEntry]) -> None:
    """Store the entries of the navigation with the rules of their pages, which are laid already.

    Raises:
        LookupError: an entry leads to no page, or to one that asks for no permission.
    """
    pages = {route.path: access_rules(route) for route in page_routes(app) if "GET" in (route.methods or ())}
    ordered = sorted(entries, key=lambda entry: (entry.order, entry.label))
    for entry in ordered:
        if not any(isinstance(rule, Requirement | AnyRequirement) for rule in pages.get(entry.path, ())):
            message = f"the navigation names {entry.path}: no page there asks for a permission"
            raise LookupError(message)
    app.state.navigation = [(entry, pages[entry.path]) for entry in ordered]


def navigation_of(app: FastAPI, principal: Principal) -> list[NavigationEntry]:
    """Return the entries of the navigation that the principal may open, in their order."""
    entries: list[tuple[NavigationEntry, list[AccessRule]]] = app.state.navigation
    return [entry for entry, rules in entries if all(rule.allows(principal) for rule in rules)]


async def page_of(request: Request) -> PageContext:
    """The context of the request's page."""
    return PageContext(request)


Page = Annotated[PageContext, Depends(page_of)]
"""In the signature of a page's route: ``page.render("portal/today.html", principal, people=people)``."""


async def checked_form(request: Request) -> None:
    """Accept a form only if a page of this server sent it. The application adds this check to every write of a page.

    A form with files has its token in the address: the check reads no part of its body.

    Raises:
        Forbidden: another site sent it, or its token is not one of this session (403).
    """
    if not _from_here(request):
        detail = "the form does not come from a page of this server"
        remedy = (
            "Open the page again, and send the form from there. If it is rejected again, ask the operator whether the"
            " reverse proxy is declared."
        )
        raise Forbidden(detail, remedy=remedy)
    secret = _session_secret(request)
    if secret is None:
        return  # nobody is signed in: the route says whether that is allowed
    token = request.headers.get(csrf.HEADER)
    if token is None and _has_files(request):
        token = request.query_params.get(csrf.FIELD, "")
    if token is None:
        field = (await request.form()).get(csrf.FIELD)
        token = field if isinstance(field, str) else ""
    if not csrf.is_token_of(token, secret):
        detail = "the form has no valid token of your session"
        raise Forbidden(detail, remedy=_SEND_AGAIN)


class UploadPageRoute(PageRoute):
    """The class of pages that take files: ``APIRouter(route_class=UploadPageRoute)``.

    FastAPI reads a form before it runs dependencies. This route checks the form's token before that, so that nothing of
    a forged upload is stored.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that checks the sender of a form with files, and gets a request with a limited form."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if _has_files(request):
                await checked_form(request)
            return await handle(UploadRequest(request.scope, request.receive))

        return checked


def _has_files(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/")


def _from_here(request: Request) -> bool:
    """Return whether the form comes from a page of this server, judged by Origin, Sec-Fetch-Site or Referer.

    A request without any of these headers counts as foreign. So does one through an undeclared reverse proxy that ends
    TLS: this server then sees http where the browser says https.
    """
    own = own_origin(request).lower()
    origin = request.headers.get("origin")
    if origin is not None:
        return origin.lower() == own
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    referrer = urlsplit(request.headers.get("referer", ""))
    return f"{referrer.scheme}://{referrer.netloc}".lower() == own


def _session_secret(request: Request) -> str | None:
    try:
        return credential_for(request.scope).secret
    except Unauthenticated:
        return None
