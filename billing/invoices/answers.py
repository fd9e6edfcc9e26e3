"""What both APIs and the commands answer about documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.invoices.computing import stored_lines
from billing.invoices.repository import states_of
from billing.invoices.schemas import InvoiceDetail, LineOut, invoice_values

if TYPE_CHECKING:
    from datetime import date

    from sqlmodel import Session

    from billing.invoices.models import Invoice


def detail_of(session: Session, invoice: Invoice, today: date) -> InvoiceDetail:
    """Return a document with its lines as of a day."""
    (state,) = states_of(session, [invoice])
    lines = [LineOut.of(line, line.position) for line in stored_lines(session, invoice.id)]
    return InvoiceDetail.model_validate({**invoice_values(state, today), "lines": lines})


def disposition(name: str, form: str) -> dict[str, str]:
    """Return the header that names the file of a document."""
    return {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
