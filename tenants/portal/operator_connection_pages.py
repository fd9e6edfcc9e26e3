"""Page of connections for operators: what the installation calls, and its breakers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import require_operator
from core.access.pages import Page, PageContext
from core.connections import service
from core.errors import AppError, Invalid
from core.identity import Principal
from core.identity.people.accounts import list_operators
from core.web.pages import SEE_OTHER
from tenants.portal import operator_words as words
from tenants.portal.operator_pages import ZONE

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
Target = Annotated[str, Form(max_length=service.LONGEST_TARGET)]


@router.get("/operators/connections")
def show_connections(page: Page, principal: Reader) -> HTMLResponse:
    """Show every dependency with the state of its breakers, and what is forced."""
    return _page(page, principal)


@router.post("/operators/connections/force")
def post_force(
    page: Page,
    principal: Writer,
    target: Target,
    state: Annotated[Literal["open", "closed"], Form()],
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Hold a breaker open or closed on every process."""
    try:
        service.force(target, state, reason, actor=principal.actor, source="page")
    except Invalid as error:
        return _page(page, principal, error, {"target": target, "state": state, "reason": reason})
    return RedirectResponse("/operators/connections", SEE_OTHER)


@router.post("/operators/connections/release")
def post_release(principal: Writer, target: Target) -> Response:
    """Let the calls decide again."""
    service.release(target, actor=principal.actor, source="page")
    return RedirectResponse("/operators/connections", SEE_OTHER)


def _page(
    page: PageContext, principal: Principal, error: AppError | None = None, typed: dict[str, str] | None = None
) -> HTMLResponse:
    connections = service.list_connections()
    return page.render(
        "portal/operators/connections.html",
        principal,
        status=200 if error is None else error.status,
        partner=words.INSTALLATION,
        current="/operators",
        connections=connections,
        names={f"operator:{each.id}": each.name for each in list_operators()},
        problem=error,
        typed=typed or {},
        longest_reason=service.LONGEST_REASON,
        may_write="operations.write" in principal.permissions,
        zone=ZONE,
        words=words,
    )
