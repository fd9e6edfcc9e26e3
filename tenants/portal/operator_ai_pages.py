"""Page of answers for operators: what the language model costs each partner, and how long it takes."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import require_operator
from core.access.pages import Page
from core.identity import Principal
from core.web.texts import form_for, marked_forms, shown_number
from tenants.knowledge import ai_use
from tenants.portal import operator_words as words

router = APIRouter()

_TOTAL = marked_forms(
    "In {days} days: {count} call of the language model, for {cost} US dollars by the price list.",
    "In {days} days: {count} calls of the language model, for {cost} US dollars by the price list.",
)
Reader = Annotated[Principal, Depends(require_operator("operations.read"))]


@router.get("/operators/ai-use")
def show_ai_use(page: Page, principal: Reader) -> HTMLResponse:
    """Show what each partner asked and what that cost in the last days."""
    uses = ai_use.by_tenant()
    calls = sum(use.calls for use in uses)
    cost = shown_number(float(sum(use.cost for use in uses)), 2)
    return page.render(
        "portal/operators/ai_use.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        uses=uses,
        total=form_for(*_TOTAL, calls).format(days=shown_number(ai_use.DAYS), count=shown_number(calls), cost=cost),
        words=words,
    )
