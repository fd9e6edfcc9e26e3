"""The kit: every component of the pages in all its states, for developers and for the visual tests."""

from datetime import date, timedelta
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from core.access.pages import Page
from core.errors import AppError, NotFound
from core.identity.credentials import credential_for
from core.settings import get_settings
from core.web.texts import shown_day

router = APIRouter()

DAY: Final = date(2026, 5, 27)


@router.get("/kit")
def show_kit(request: Request, page: Page) -> HTMLResponse:
    """Show the kit, in production to operators only.

    Raises:
        NotFound: the installation is in production, and no operator asks.
    """
    if get_settings().environment == "production" and not _is_operator(request):
        detail = "there is no such page"
        raise NotFound(detail)
    return page.render("portal/kit.html", current="/kit", day=DAY, week=_week())


def _week() -> list[dict[str, object]]:
    days = [DAY + timedelta(days=number) for number in range(7)]
    return [
        {"day": day, "heading": shown_day(day), "is_today": day == DAY, "is_outside": day.month != DAY.month}
        for day in days
    ]


def _is_operator(request: Request) -> bool:
    try:
        return credential_for(request.scope).verify().tenant is None
    except AppError:
        return False
