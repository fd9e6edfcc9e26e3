"""Letters that bring issued documents to the address of the account, sent after the document is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select, update

from billing.invoices.computing import ISSUED
from billing.invoices.documents import document_of, invoice_pdf
from billing.invoices.models import Invoice, InvoiceLetter
from billing.invoices.repository import states_of
from billing.plans.models import BillingAccount
from billing.terms import Money
from core import mail
from core.clock import now
from core.database import platform_session, require_none
from core.mail.letters import address, compose
from core.web import texts
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from email.message import EmailMessage

    from sqlmodel import Session

    from billing.invoices.documents import Document
    from billing.invoices.repository import InvoiceState

_LANGUAGE: Final = text("SELECT language FROM platform.sign_in_rules WHERE tenant_id = :tenant")


def language_of(session: Session, tenant_id: UUID) -> str:
    """Return the language of a partner's letters."""
    return texts.known(session.execute(_LANGUAGE, {"tenant": tenant_id}).scalar_one_or_none())


def send_due(tenant_id: UUID) -> int:
    """Mail the issued documents of a tenant that are not mailed yet, and return how many a mail server took.

    A letter that is sent again after a crash has the same id. Without a mail server or an address, the letters wait;
    the partner's page shows the documents in any case. A document that is void by then is not mailed.

    Raises:
        Unavailable: the mail server does not take a letter.
    """
    if not mail.is_configured():
        return 0
    with platform_session() as session:
        account = session.get(BillingAccount, tenant_id)
        if account is None or account.email is None:
            return 0
        to, language = account.email, language_of(session, tenant_id)
        waiting = [(state, document_of(session, state.invoice)) for state in _waiting(session, tenant_id)]
    require_none("a mail server")
    for state, document in waiting:
        with texts.reading_in(language):
            mail.send(_letter(to, state, document))
        with platform_session() as session:
            sent = update(InvoiceLetter).where(col(InvoiceLetter.invoice_id) == state.invoice.id)
            session.exec(sent.values(mailed_at=now()))
    return len(waiting)


def _waiting(session: Session, tenant_id: UUID) -> list[InvoiceState]:
    invoices = session.exec(
        select(Invoice)
        .join(InvoiceLetter, col(InvoiceLetter.invoice_id) == Invoice.id)
        .where(
            InvoiceLetter.tenant_id == tenant_id,
            col(InvoiceLetter.mailed_at).is_(None),
            col(Invoice.state).in_(ISSUED),
        )
        .order_by(col(Invoice.issued_at), col(Invoice.id))
    ).all()
    return states_of(session, invoices)


def _letter(to: str, state: InvoiceState, document: Document) -> EmailMessage:
    invoice = state.invoice
    number, total = invoice.label, Money(invoice.total, invoice.currency)
    if invoice.kind == "credit_note":
        subject = _("Credit note {number} of {amount}").format(number=number, amount=total)
        lines = [_("The credit note {number} is attached. It corrects your invoice by {amount}.")]
    else:
        subject = _("Invoice {number} of {amount}").format(number=number, amount=total)
        lines = [_("The invoice {number} of {amount} is attached.")]
    lines = [line.format(number=number, amount=total) for line in lines]
    if state.owed > 0 and invoice.due_on is not None:
        owed = Money(state.owed, invoice.currency)
        lines.append(_("Please pay {amount} by {day}.").format(amount=owed, day=texts.shown_date(invoice.due_on)))
        lines.extend(str(line) for line in invoice.issuer.get("payment", []))
    if page := address(f"/admin/billing/invoices/{invoice.id}"):
        lines.append(_("See the use behind each line: {address}").format(address=page))
    letter = compose(to, subject, lines, letter_id=invoice.id, language=texts.language())
    letter.add_attachment(invoice_pdf(document), maintype="application", subtype="pdf", filename=f"{number}.pdf")
    return letter
