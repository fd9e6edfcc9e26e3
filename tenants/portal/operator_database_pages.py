"""Page of databases for operators: pools, open transactions, and the statements that took longest."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import require_operator
from core.access.pages import Page
from core.database import databases
from core.database.activity import open_transactions, slowest_statements
from core.database.pools import pool_states
from core.identity import Principal
from tenants.portal import operator_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]


@router.get("/operators/databases")
def show_databases(page: Page, principal: Reader) -> HTMLResponse:
    """Show what each data database is busy with, and the pools of the process that answers."""
    return page.render(
        "portal/operators/databases.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        pools=sorted(pool_states(), key=lambda pool: pool.database),
        databases=[(name, open_transactions(name), slowest_statements(name)) for name in databases()],
        words=words,
    )
