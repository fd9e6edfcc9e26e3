"""Invoices and credit notes for pages: lists, one document, and the uses behind a line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_
from sqlmodel import col, select

from billing.console.words import state_of
from billing.invoices.models import Invoice, InvoiceLine, Payment
from billing.invoices.payments import balance, find_invoice
from billing.terms import Period, bounds
from core.clock import now
from core.database import tenant_session
from core.errors import NotFound
from core.metering.details import count_uses, uses
from core.tenancy import tenant_of_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlmodel import Session

    from core.metering.details import RecordedUse

STATES: Final = ("draft", "final", "overdue", "paid", "void")
PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document in a list; ``state`` is ``overdue`` for an invoice that is late."""

    invoice: Invoice
    name: str
    state: str

    @property
    def last_day(self) -> date:
        """The last day of the period."""
        return self.invoice.period_end - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Document:
    """One document, with what it consists of.

    Attributes:
        owed: what is left to pay.
        notes: the credit notes that correct it.
    """

    row: DocumentRow
    lines: list[InvoiceLine]
    payments: list[Payment]
    notes: list[Invoice]
    owed: Decimal


@dataclass(frozen=True, slots=True)
class LineUses:
    """The uses behind a line, a page of them.

    Attributes:
        total: how many there are.
    """

    line: InvoiceLine
    uses: list[RecordedUse]
    total: int


def list_documents(
    session: Session,
    names: Mapping[UUID, str],
    *,
    state: str = "",
    tenant_id: UUID | None = None,
    with_drafts: bool = True,
    number: int = 1,
) -> tuple[list[DocumentRow], int]:
    """Return a page of documents, the newest first, and how many there are.

    Args:
        session: a session of the control database.
        names: names of the partners by id.
        state: one of ``STATES``; all when empty.
        tenant_id: of one partner; of all when None.
        with_drafts: whether drafts are in the list.
        number: of the page, from 1.
    """
    wanted: list[ColumnElement[bool]] = []
    if tenant_id is not None:
        wanted.append(col(Invoice.tenant_id) == tenant_id)
    if not with_drafts:
        wanted.append(col(Invoice.state) != "draft")
    late = and_(col(Invoice.state) == "final", col(Invoice.kind) != "credit_note", col(Invoice.due_on) < now().date())
    if state == "overdue":
        wanted.append(late)
    elif state == "final":
        wanted.append(and_(col(Invoice.state) == "final", or_(~late, col(Invoice.due_on).is_(None))))
    elif state:
        wanted.append(col(Invoice.state) == state)
    total = session.exec(select(func.count()).select_from(Invoice).where(*wanted)).one()
    query = select(Invoice).where(*wanted).order_by(col(Invoice.id).desc())
    rows = session.exec(query.offset((number - 1) * PAGE_SIZE).limit(PAGE_SIZE)).all()
    return [_row(invoice, names) for invoice in rows], int(total)


def overdue_by_currency(session: Session) -> list[tuple[str, int, Decimal]]:
    """Return the overdue invoices by currency: how many there are, and what is owed for them."""
    today = now().date()
    query = select(Invoice).where(Invoice.state == "final", Invoice.kind != "credit_note", col(Invoice.due_on) < today)
    sums: dict[str, tuple[int, Decimal]] = {}
    for invoice in session.exec(query):
        count, owed = sums.get(invoice.currency, (0, Decimal(0)))
        sums[invoice.currency] = (count + 1, owed + balance(session, invoice))
    return [(currency, *sums[currency]) for currency in sorted(sums)]


def get_document(
    session: Session, invoice_id: UUID, names: Mapping[UUID, str], *, tenant_id: UUID | None = None
) -> Document:
    """Return one document; of one partner, no drafts.

    Raises:
        NotFound: there is none (404).
    """
    invoice = find_invoice(session, invoice_id, tenant_id=tenant_id)
    if tenant_id is not None and invoice.state == "draft":
        detail = "there is no such invoice"
        raise NotFound(detail)
    lines = session.exec(
        select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id).order_by(col(InvoiceLine.position))
    )
    payments = session.exec(select(Payment).where(Payment.invoice_id == invoice.id).order_by(col(Payment.received_on)))
    notes = session.exec(select(Invoice).where(Invoice.corrects == invoice.id).order_by(col(Invoice.id)))
    owed = Decimal(0) if invoice.kind == "credit_note" else balance(session, invoice)
    return Document(_row(invoice, names), list(lines), list(payments), list(notes), owed)


def uses_of_line(document: Document, position: int, *, actor: str, number: int = 1) -> LineUses:
    """Return a page of the uses that a line counts, as the ledger of the partner has them.

    Raises:
        NotFound: no line of use has this position (404).
        Unavailable: the partner's database does not answer (503).
    """
    line = next((each for each in document.lines if each.position == position), None)
    if line is None or line.meter is None or line.start is None or line.end is None:
        detail = "there is no such line of use"
        raise NotFound(detail)
    invoice = document.row.invoice
    zone = ZoneInfo(str(invoice.account.get("time_zone", "UTC")))
    start, end = bounds(Period(line.start, line.end), zone)
    with tenant_session(tenant_of_id(invoice.tenant_id), actor=actor, readonly=True) as session:
        total = count_uses(session, line.meter, start, end)
        page = uses(session, line.meter, start, end, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    return LineUses(line, page, total)


def _row(invoice: Invoice, names: Mapping[UUID, str]) -> DocumentRow:
    return DocumentRow(invoice, names.get(invoice.tenant_id, str(invoice.tenant_id)), state_of(invoice, now().date()))
