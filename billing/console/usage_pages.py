"""Page of the usage explorer: a meter by partner; of one partner by day and dimension, and the uses themselves."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from billing.console.shell import HOME, Reader, render
from billing.console.tenant_view import names_of_all, slugs_of_all
from billing.console.usage import use_of
from core.access.pages import Page
from core.clock import now
from core.database import platform_session, tenant_session
from core.errors import AppError, NotFound
from core.metering import hours, meters
from core.metering.details import count_uses, uses
from core.tenancy import describe_tenant, list_tenants
from core.web.days import plausible

router = APIRouter()

USAGE: Final = f"{HOME}/usage"
FIRST: Final = "patients_scored"
USES_SHOWN: Final = 50
MOST_DAYS: Final = 400


@router.get("/operators/billing/usage")
def show_usage(
    page: Page, principal: Reader, meter: str = FIRST, tenant: str = "", since: str = "", until: str = ""
) -> HTMLResponse:
    """Show the use of a meter in a span of days (UTC), the present month unless the address names another."""
    if meter not in meters():
        detail = "there is no such meter"
        raise NotFound(detail)
    start, end = span_of(since, until)
    chosen = describe_tenant(tenant).ref() if tenant else None
    with platform_session() as session:
        shown = use_of(session, meter, start, end, None if chosen is None else chosen.id)
        complete = hours.complete_until(session)
    rows, total = [], 0
    if chosen is not None:
        begin, stop = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (start, end))
        try:
            with tenant_session(chosen, actor=principal.actor, readonly=True) as ledger:
                total = count_uses(ledger, meter, begin, stop)
                rows = uses(ledger, meter, begin, stop, limit=USES_SHOWN)
        except AppError:
            total = -1  # its database does not answer; the rolled-up figures do
    return render(
        page,
        principal,
        "billing/usage.html",
        shown=shown,
        declared=meters()[meter],
        meters=list(meters().values()),
        tenants=list_tenants(),
        tenant=tenant,
        names=names_of_all(),
        slugs=slugs_of_all(),
        start=start,
        end=end,
        uses=rows,
        total=total,
        most=USES_SHOWN,
        complete_until=None if complete == hours.NEVER else complete,
        highest=max(shown.by_day.values(), default=0),
    )


def span_of(since: str, until: str) -> tuple[date, date]:
    """Return the first day and the first day after the last one; the present month where the texts are no days."""
    present = now().date()
    try:
        start, end = (plausible(date.fromisoformat(day)) for day in (since, until))
    except ValueError:
        return present.replace(day=1), present + timedelta(days=1)
    if not 0 < (end - start).days <= MOST_DAYS:
        return present.replace(day=1), present + timedelta(days=1)
    return start, end
