"""Pages of errors for operators: unexpected errors, grouped by type and place."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import require_operator
from core.access.pages import Page
from core.error_groups import service
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.identity.people.accounts import list_operators
from core.web.pages import SEE_OTHER
from tenants.portal import operator_words as words
from tenants.portal.operator_pages import ZONE

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]


@router.get("/operators/errors")
def show_errors(
    page: Page, principal: Reader, state: Literal["", "open", "resolved", "ignored"] = "open"
) -> HTMLResponse:
    """Show the groups of errors; open ones unless another state is chosen."""
    return page.render(
        "portal/operators/errors.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        groups=service.list_groups(state or None),
        most=service.MOST,
        state=state,
        zone=ZONE,
        words=words,
    )


@router.get("/operators/errors/{error_id}")
def show_error(page: Page, principal: Reader, error_id: UUID) -> HTMLResponse:
    """Show one group with its traceback."""
    return page.render(
        "portal/operators/error.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        group=service.get_group(error_id),
        names={f"operator:{each.id}": each.name for each in list_operators()},
        may_write="operations.write" in principal.permissions,
        zone=ZONE,
        words=words,
    )


@router.post("/operators/errors/{error_id}", dependencies=[CONTROL_DATABASE])
def post_error(
    principal: Writer, error_id: UUID, state: Annotated[Literal["open", "resolved", "ignored"], Form()]
) -> Response:
    """Resolve or ignore a group, or open it again."""
    service.set_state(error_id, state, actor=principal.actor, source="page")
    return RedirectResponse(f"/operators/errors/{error_id}", SEE_OTHER)
