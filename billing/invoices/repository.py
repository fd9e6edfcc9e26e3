"""Reads of documents: lists with their balance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlmodel import col, select

from billing.invoices.computing import ISSUED
from billing.invoices.models import Invoice, Payment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlmodel import Session

SORTS = ("created_at", "due_on", "total")


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """A document and what is owed for it; for credit notes, drafts and void ones nothing is."""

    invoice: Invoice
    owed: Decimal

    def is_overdue(self, today: date) -> bool:
        """Whether its due date is past and something is owed."""
        due_on = self.invoice.due_on
        return self.invoice.state == "final" and self.owed > 0 and due_on is not None and due_on < today

    def state(self, today: date) -> str:
        """``draft``, ``final``, ``paid``, ``overdue`` or ``void``."""
        return "overdue" if self.is_overdue(today) else self.invoice.state


def states_of(session: Session, invoices: Sequence[Invoice]) -> list[InvoiceState]:
    """Return documents with what is owed for each, in two queries."""
    ids = [invoice.id for invoice in invoices]
    received = dict(
        session.exec(
            select(Payment.invoice_id, func.sum(Payment.amount))
            .where(col(Payment.invoice_id).in_(ids))
            .group_by(col(Payment.invoice_id))
        ).all()
    )
    noted = dict(
        session.exec(
            select(Invoice.corrects, func.sum(Invoice.total))
            .where(col(Invoice.corrects).in_(ids), col(Invoice.state).in_(ISSUED))
            .group_by(col(Invoice.corrects))
        ).all()
    )
    return [
        InvoiceState(invoice, _owed(invoice, noted.get(invoice.id, Decimal(0)), received.get(invoice.id, Decimal(0))))
        for invoice in invoices
    ]


def _owed(invoice: Invoice, noted: Decimal, received: Decimal) -> Decimal:
    if invoice.state not in ISSUED or invoice.kind == "credit_note":
        return Decimal(0)
    return invoice.total + noted - received


def list_invoices(
    session: Session,
    *,
    tenant_id: UUID | None = None,
    state: str | None = None,
    today: date | None = None,
    sort: str = "created_at",
    descending: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[InvoiceState], int]:
    """Return a page of documents, and how many there are.

    Args:
        session: of the control database.
        tenant_id: only of this tenant.
        state: only in this state; ``overdue`` needs ``today``.
        today: the day by which due dates are past.
        sort: one of ``SORTS``.
        descending: whether the greatest comes first.
        limit: documents at most.
        offset: documents to skip.
    """
    conditions = [] if tenant_id is None else [col(Invoice.tenant_id) == tenant_id]
    if state == "overdue":
        conditions += [col(Invoice.state) == "final", col(Invoice.due_on) < today, col(Invoice.kind) != "credit_note"]
    elif state is not None:
        conditions.append(col(Invoice.state) == state)
    total = session.exec(select(func.count()).select_from(Invoice).where(*conditions)).one()
    key = getattr(Invoice, sort)
    order = col(key).desc() if descending else col(key).asc()
    query = select(Invoice).where(*conditions).order_by(order.nulls_last(), col(Invoice.id).desc())
    rows = session.exec(query.limit(limit).offset(offset)).all()
    return states_of(session, rows), total
