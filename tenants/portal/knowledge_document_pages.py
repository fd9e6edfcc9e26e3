"""Pages of the data team: the documents of guidelines, their upload and sources, and the questions left open."""

from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import Scope, TenantScope, require
from core.access.pages import Page, UploadPageRoute
from core.identity import Principal
from tenants.portal import knowledge_view as view
from tenants.portal import knowledge_words as words
from tenants.portal.knowledge_pages import HOME
from tenants.portal.message_words import language_name

router = APIRouter(route_class=UploadPageRoute)

Writer = Annotated[Principal, Depends(require("knowledge.write"))]
DOCUMENTS: Final = f"{HOME}/documents"
MOST_OLDER: Final = 100


@router.get("/guidelines/documents")
def show_documents(page: Page, _: Writer, scope: TenantScope, done: str = "", older: str = "") -> HTMLResponse:
    """Show the documents with their states; with ``older``, the versions that are no longer in use."""
    with scope.session(readonly=True) as session:
        documents = view.older_documents(session, MOST_OLDER) if older else view.current_documents(session)
        return page.render(
            "portal/knowledge/documents.html",
            scope.principal,
            documents=documents,
            older=bool(older),
            waiting=any(document.state == "waiting" for document in documents),
            done=words.done(done),
            **shared(scope, DOCUMENTS),
        )


def shared(scope: Scope, here: str) -> dict[str, Any]:
    """What every page of the data team shows: the ways between them, and the words."""
    return {
        "partner": scope.tenant.name,
        "current": HOME,
        "ways": words.ways(here),
        "words": words,
        "language_name": language_name,
        "zone": ZoneInfo(scope.tenant.time_zone),
    }
