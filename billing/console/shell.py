"""What the pages of the business share: who may open them, who acts, and what every template gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Depends
from fastapi.responses import HTMLResponse

from billing.console import amounts, plan_words, words
from billing.plans.service import Act
from core.access import require, require_operator
from core.identity import Principal

if TYPE_CHECKING:
    from core.access.pages import PageContext
    from core.errors import AppError

HOME: Final = "/operators/billing"
PARTNER_HOME: Final = "/admin/billing"
ZONE: Final = ZoneInfo("UTC")
WORDS: Final = SimpleNamespace(**{**vars(amounts), **vars(plan_words), **vars(words)})
"""The texts that templates know as ``words``."""

Reader = Annotated[Principal, Depends(require_operator("business.read"))]
Writer = Annotated[Principal, Depends(require_operator("business.write"))]
PartnerReader = Annotated[Principal, Depends(require("billing.read"))]


def act_of(principal: Principal, reason: str = "") -> Act:
    """Return an act of somebody who uses a page."""
    return Act(principal.actor, "page", reason.strip())


def render(
    page: PageContext, principal: Principal, template: str, *, error: AppError | None = None, **values: object
) -> HTMLResponse:
    """Return a page of the console.

    Args:
        page: of the request.
        principal: the operator.
        template: its name, such as ``billing/overview.html``.
        error: why the form that was sent changed nothing; the page answers with its status.
        values: what the template shows.
    """
    return page.render(
        template,
        principal,
        status=200 if error is None else error.status,
        partner=words.INSTALLATION,
        current=HOME,
        problem=error,
        may_write="business.write" in principal.permissions,
        zone=ZONE,
        words=WORDS,
        done=page.request.query_params.get("done", ""),
        **values,
    )
