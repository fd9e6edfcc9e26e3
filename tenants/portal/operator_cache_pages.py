"""Page of caches for operators: what they store, how often a read found it, and emptying them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import require_operator
from core.access.pages import Page, PageContext
from core.cache import service
from core.errors import AppError, NotFound, Unavailable
from core.identity import Principal
from core.tenancy import describe_tenant
from core.web.pages import SEE_OTHER
from tenants.portal import operator_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]


@router.get("/operators/cache")
def show_caches(page: Page, principal: Reader) -> HTMLResponse:
    """Show every cache with its counts."""
    return _page(page, principal)


@router.post("/operators/cache/empty")
def post_empty(
    page: Page,
    principal: Writer,
    cache: Annotated[str, Form(max_length=60)],
    partner: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Drop the stored answers of a cache, of one partner or of all."""
    try:
        tenant = describe_tenant(partner.strip()).ref() if partner.strip() else None
        service.empty(cache, tenant=tenant, actor=principal.actor, source="page")
    except (NotFound, Unavailable) as error:
        return _page(page, principal, error, {"cache": cache, "partner": partner})
    return RedirectResponse("/operators/cache", SEE_OTHER)


def _page(
    page: PageContext, principal: Principal, error: AppError | None = None, typed: dict[str, str] | None = None
) -> HTMLResponse:
    return page.render(
        "portal/operators/cache.html",
        principal,
        status=200 if error is None else error.status,
        partner=words.INSTALLATION,
        current="/operators",
        caches=service.list_caches(),
        problem=error,
        typed=typed or {},
        may_write="operations.write" in principal.permissions,
        words=words,
    )
