"""The kit: every component of the pages in all its states, for developers and for the visual tests."""

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from core.access.pages import Page
from core.errors import AppError, NotFound
from core.identity.credentials import credential_for
from core.settings import get_settings

router = APIRouter()


@router.get("/kit")
def show_kit(request: Request, page: Page) -> HTMLResponse:
    """Show the kit, in production to operators only.

    Raises:
        NotFound: the installation is in production, and no operator asks.
    """
    if get_settings().environment == "production" and not _is_operator(request):
        detail = "there is no such page"
        raise NotFound(detail)
    return page.render("portal/kit.html", current="/kit", day=date(2026, 5, 4))


def _is_operator(request: Request) -> bool:
    try:
        return credential_for(request.scope).verify().tenant is None
    except AppError:
        return False
