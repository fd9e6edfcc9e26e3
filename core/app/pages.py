"""Mounts the pages of the features outside /v1 and outside the OpenAPI document; their errors are pages too."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from uuid import UUID

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core import telemetry
from core.access.pages import UploadPageRoute, checked_form, lay_navigation, navigation_of
from core.access.require import open_to_all
from core.access.scope import OF_A_TENANT
from core.access.verification import seen
from core.errors import (
    BadRequest,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Phrase,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMedia,
)
from core.errors.findings import OF_THE_API
from core.errors.problem import problem
from core.feature_registry import resolve
from core.idempotency.routes import make_idempotent
from core.identity import csrf, permission_words
from core.identity.credentials import credential_for
from core.identity.people.members import tenants_of
from core.identity.permissions import declared_permissions
from core.identity.tenants import TenantInactive
from core.maintenance import current_notice
from core.settings import get_settings
from core.web import texts
from core.web.assets import PATH, Assets
from core.web.folders import folders_of
from core.web.packages import package_files
from core.web.pages import SEE_OTHER, PageRoute, Site, safe_next, sign_in_address
from core.web.templates import Templates

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    from fastapi import APIRouter, params

    from core.errors import AppError
    from core.feature_registry import Feature
    from core.identity.principal import CredentialOwner

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
OWN = {"core": "core.web.pages:page_templates", "kit": "core.web.kit:templates"}
"""The kernel's own templates: the page of a problem, and the components of pages."""

OWN_ASSETS = {"kit": "core.web.kit:assets"}

RESERVED = ("/v1", PATH.rstrip("/"), "/docs", "/openapi.json", "/health")
PROBLEM = "core/problem.html"
HX_REQUEST = "hx-request"
"""Header of a request for a part of a page."""

_TITLES = {
    Forbidden: texts.marked("You may not open this"),
    TenantInactive: texts.marked("This partner is closed for now"),
    NotFound: texts.marked("Not found"),
}
_REMEDIES = {
    BadRequest: texts.marked("Open the page again, and send the form from there."),
    Invalid: texts.marked("Go back, correct what is named here, and send it again."),
    MethodNotAllowed: texts.marked("Open the page by a link, and send its form from there."),
    PreconditionFailed: texts.marked("Somebody changed it meanwhile. Open the page again."),
    PreconditionRequired: texts.marked("Open the page again, and send the form from there."),
    TooLarge: texts.marked("Send less at once."),
    TooManyRequests: texts.marked("Wait a minute, then try again."),
    UnsupportedMedia: texts.marked("Open the page again, and send the form from there."),
    Unauthenticated: texts.marked("Sign in, and open the page again."),
    Forbidden: texts.marked("Ask your partner's administrator, who can give you the permission."),
    NotFound: texts.marked("Check the address. The page may have moved, or belong to another partner."),
}

_OF_A_PARTNER = texts.marked("this page is a partner's, and you are signed in as an operator")
_FOR_OPERATORS = texts.marked("Open the operators' pages, or sign in as a person of the partner.")
_ON_PAGES = {
    "the tenant's access is suspended": texts.marked("the partner's access is suspended"),
    "the tenant is being deleted from this installation": texts.marked(
        "the partner is being deleted from this installation"
    ),
}
"""Texts for programs -> the words of pages, which speak of partners."""


def lay_pages(app: FastAPI, rooms: Sequence[Feature]) -> None:
    """Mount the pages of the features, with their common templates, assets and navigation.

    Raises:
        LookupError: a page has a reserved path, two features have a sign-in page, an entry of the navigation leads to
            no page, or a folder is missing.
        TypeError: a router contains something other than routes.
    """
    base = get_settings().asset_url
    assets = Assets(folders_of([OWN_ASSETS, *(room.assets for room in rooms)]), base, package_files())
    templates = Templates(folders_of([OWN, *(room.templates for room in rooms)]), assets.address)
    templates.environment.globals["maintenance_notice"] = current_notice
    sign_in = [room.sign_in for room in rooms if room.sign_in is not None]
    if len(sign_in) > 1:
        message = f"several features have a page to sign in: {', '.join(sign_in)}"
        raise LookupError(message)
    app.state.site = Site(templates, assets, sign_in[0] if sign_in else None)
    for room in rooms:
        for reference in room.pages:
            _lay(app, resolve(reference), [])
        for reference in room.public_pages:
            _lay(app, resolve(reference), [Depends(open_to_all)])
    lay_navigation(app, [entry for room in rooms for entry in room.navigation])


def asset_origin() -> str:
    """Return scheme and host of the assets' CDN; empty if there is none."""
    parts = urlsplit(get_settings().asset_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def error_page(
    scope: MutableMapping[str, Any], error: AppError, headers: MutableMapping[str, str] | None = None
) -> Response:
    """Return ``error`` as a page, or redirect to the sign-in if the caller is not signed in.

    Where a script asks for a part of a page, the whole page changes: else the part would contain another page.
    """
    site: Site = scope["app"].state.site
    asked = Headers(scope=scope)
    if isinstance(error, Unauthenticated) and site.sign_in is not None:
        if HX_REQUEST in asked:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": _way_back(site.sign_in, asked)})
        return RedirectResponse(sign_in_address(site.sign_in, scope), SEE_OTHER)
    request_id = telemetry.request_id()
    shown = problem(error, request_id)
    detail, remedy = _ON_PAGES.get(error.detail) or _in_words(error.detail), _ON_PAGES.get(error.remedy, error.remedy)
    remedy = _REMEDIES.get(type(error), remedy) if error.remedy == error.hint else remedy
    title, reader = _TITLES.get(type(error)), seen(scope)
    closed = error.owner if isinstance(error, TenantInactive) else None
    reader = closed or reader
    navigation = [] if reader is None else navigation_of(scope["app"], reader.principal)
    if navigation and reader is not None and reader.tenant is None and _is_for_partners(error):
        detail, remedy = _OF_A_PARTNER, _FOR_OPERATORS
    values = {
        **shown,
        "title": texts.gettext(title or shown["title"]),
        "detail": detail,
        "errors": _named_fields(error),
        "remedy": remedy,
        "request_id": request_id,
        "language": texts.language(),
        "navigation": navigation,
        "instead": navigation[0] if detail == _OF_A_PARTNER else None,
        "principal": None if reader is None else reader.principal,
        **({"closed": False} if closed is None else _ways_out(scope, closed)),
        **({} if reader is None or reader.tenant is None else {"partner": reader.tenant.name}),
    }
    more = {name: value for name, value in (headers or {}).items() if name.lower() != "www-authenticate"}
    if HX_REQUEST in asked:
        more |= {"HX-Retarget": "#main", "HX-Reselect": "#main", "HX-Reswap": "outerHTML"}
    return HTMLResponse(site.templates.render(PROBLEM, values), error.status, more)


def _is_for_partners(error: AppError) -> bool:
    """Whether a page rejected a reader because it is a tenant's: for no tenant, or for a permission of tenants."""
    if not isinstance(error, Forbidden):
        return False
    places = error.detail.places if isinstance(error.detail, Phrase) else {}
    needed = str(places.get("permissions") or places.get("permission") or "")
    known = declared_permissions()
    return error.detail == OF_A_TENANT or any(not known[name].operator for name in needed.split(", ") if name in known)


def _ways_out(scope: MutableMapping[str, Any], owner: CredentialOwner) -> dict[str, object]:
    """The forms of the page for a person whose tenant is suspended: sign out, and their other tenants."""
    by_provider = owner.principal.signed_in_by == "oidc"
    return {
        "csrf_token": csrf.token_of(credential_for(scope).secret),
        "tenants": [] if by_provider else tenants_of(UUID(owner.principal.id)),
        "closed": True,
    }


def _in_words(detail: str) -> str:
    """Return what is wrong, with permissions by what they let people do: pages do not speak of ``patients.read``."""
    places = detail.places if isinstance(detail, Phrase) else {}
    if "permissions" in places:
        meanings = "; ".join(map(permission_words, str(places["permissions"]).split(", ")))
        return texts.gettext("you need one of these permissions: {meanings}").format(meanings=meanings)
    if "permission" in places:
        meaning = permission_words(str(places["permission"]))
        return texts.gettext("you need this permission: {meaning}").format(meaning=meaning)
    return detail


def _named_fields(error: AppError) -> list[dict[str, str]]:
    """The wrong fields as a page names them: without the part of the request, and without remedies for programs."""
    return [
        {
            "field": one.field.rpartition(".")[2].replace("_", " "),
            "problem": one.problem,
            "remedy": "" if one.remedy == OF_THE_API else one.remedy,
        }
        for one in error.errors
    ]


def _way_back(sign_in: str, asked: Headers) -> str:
    """The address of the sign-in, which leads back to the page in which a script asked for a part."""
    page = urlsplit(asked.get("hx-current-url", ""))
    following = safe_next(f"{page.path}?{page.query}" if page.query else page.path, "")
    return f"{sign_in}?next={quote(following, safe='')}" if following else sign_in


def _lay(app: FastAPI, router: APIRouter, rules: Sequence[params.Depends]) -> None:
    for route in iter_route_contexts(router.routes):
        if not isinstance(route.original_route, APIRoute) or route.path is None or route.endpoint is None:
            message = f"a router of pages holds routes only, not {type(route.original_route).__name__}"
            raise TypeError(message)
        if any(route.path == path or route.path.startswith(f"{path}/") for path in RESERVED):
            message = f"the page {route.path} is where the kernel answers: give it another path"
            raise LookupError(message)
        methods = route.methods or set()
        # Before all other dependencies, also those that check permissions.
        first = [Depends(checked_form)] if WRITES & methods else []
        takes_files = isinstance(route.original_route, UploadPageRoute)
        app.router.add_api_route(
            route.path,
            route.endpoint,
            methods=sorted(methods),
            name=route.name,
            status_code=route.status_code or HTTPStatus.OK,
            dependencies=[*first, *(route.dependencies or ()), *rules],
            response_model=None,
            include_in_schema=False,
            max_body_size=route.original_route.max_body_size,
            route_class_override=UploadPageRoute if takes_files else PageRoute,
        )
        added = app.router.routes[-1]
        if isinstance(added, APIRoute) and WRITES & methods:
            make_idempotent(added)
