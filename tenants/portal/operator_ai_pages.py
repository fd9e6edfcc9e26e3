"""Page of answers for operators: what the language model costs each partner, and how long it takes."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import require_operator
from core.access.pages import Page
from core.identity import Principal
from tenants.knowledge import ai_use
from tenants.portal import operator_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]


@router.get("/operators/ai-use")
def show_ai_use(page: Page, principal: Reader) -> HTMLResponse:
    """Show what each partner asked and what that cost in the last days."""
    uses = ai_use.by_tenant()
    return page.render(
        "portal/operators/ai_use.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        uses=uses,
        days=ai_use.DAYS,
        cost=sum(use.cost for use in uses),
        calls=sum(use.calls for use in uses),
        words=words,
    )
