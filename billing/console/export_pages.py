"""Files of one partner's business: its use by day, and its invoices and credit notes."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from io import StringIO

from fastapi import APIRouter
from fastapi.responses import Response

from billing.console.shell import Reader
from billing.console.usage_pages import span_of
from billing.invoices.answers import disposition
from billing.invoices.repository import list_invoices
from core.clock import today
from core.database import platform_session
from core.metering import hours, meters
from core.tenancy import describe_tenant

router = APIRouter()

USE_COLUMNS = ("day", "meter", "unit", "aggregation", "quantity")
INVOICE_COLUMNS = (
    "number", "kind", "state", "first_day", "last_day", "issued_on", "due_on", "paid_on",
    "currency", "subtotal", "tax", "total", "owed",
)  # fmt: skip
MOST_DOCUMENTS = 10_000


@router.get("/operators/billing/tenants/{slug}/usage.csv")
def show_usage_file(_: Reader, slug: str, since: str = "", until: str = "") -> Response:
    """Send the use of a partner by day (UTC) and meter, of the present month unless the address names other days."""
    tenant, declared = describe_tenant(slug), meters()
    start, end = span_of(since, until)
    begin, stop = (datetime.combine(day, time(), UTC) for day in (start, end))
    aggregations = {name: meter.aggregation for name, meter in declared.items()}
    with platform_session() as session:
        batch = hours.newest_batch(session)
        days = hours.by_day(session, tenant.id, begin, stop, aggregations, zone="UTC", as_of=batch)
    rows = sorted(
        (day, name, declared[name].unit, declared[name].aggregation, f"{quantity:f}")
        for name, by_day in days.items()
        for day, quantity in by_day.items()
    )
    return _file(USE_COLUMNS, rows, f"usage-{slug}-{start}-{end}")


@router.get("/operators/billing/tenants/{slug}/invoices.csv")
def show_invoice_file(_: Reader, slug: str) -> Response:
    """Send the invoices and credit notes of a partner, the newest first."""
    tenant = describe_tenant(slug)
    day = today(tenant.time_zone)
    with platform_session() as session:
        states, _total = list_invoices(session, tenant_id=tenant.id, limit=MOST_DOCUMENTS)
    rows = [
        (
            each.invoice.label,
            each.invoice.kind,
            each.state(day),
            each.invoice.period_start,
            each.invoice.period_end - timedelta(days=1),
            each.invoice.issued_on,
            each.invoice.due_on,
            each.invoice.paid_on,
            each.invoice.currency,
            *(f"{amount:f}" for amount in (each.invoice.subtotal, each.invoice.tax, each.invoice.total, each.owed)),
        )
        for each in states
    ]
    return _file(INVOICE_COLUMNS, rows, f"invoices-{slug}")


def _file(columns: Sequence[str], rows: Iterable[Sequence[object]], name: str) -> Response:
    """Return rows as CSV. None of their texts is written by a person, so no spreadsheet runs one as a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=disposition(name, "csv"))
