"""Letters about overdue invoices to the address of the account, sent after the step is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, select, update

from billing.dunning.models import DunningNotice
from billing.invoices.letters import language_of
from billing.invoices.models import Invoice
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


def send_due(tenant_id: UUID) -> int:
    """Send the letters of a tenant that are not sent yet, and return how many a mail server took.

    A letter that is sent again after a crash has the same id. Without a mail server or an address, the notices wait;
    the partner's page shows them in any case. Of an invoice with nothing to pay, only the letter that the extras are on
    again is sent.

    Raises:
        Unavailable: the mail server does not take a letter.
    """
    if not mail.is_configured():
        return 0
    with platform_session() as session:
        letters = _letters(session, tenant_id)
    require_none("a mail server")
    for notice_id, letter in letters:
        mail.send(letter)
        with platform_session() as session:
            session.exec(update(DunningNotice).where(col(DunningNotice.id) == notice_id).values(mailed_at=now()))
    return len(letters)


def _letters(session: Session, tenant_id: UUID) -> list[tuple[UUID, EmailMessage]]:
    account = session.get(BillingAccount, tenant_id)
    if account is None or account.email is None:
        return []
    rows = session.exec(
        select(DunningNotice, Invoice)
        .join(Invoice, col(Invoice.id) == DunningNotice.invoice_id)
        .where(DunningNotice.tenant_id == tenant_id, col(DunningNotice.mailed_at).is_(None))
        .order_by(col(DunningNotice.id))
    ).all()
    owed = {state.invoice.id: state.owed for state in states_of(session, [invoice for _row, invoice in rows])}
    with texts.reading_in(language_of(session, tenant_id)):
        return [
            (notice.id, _letter(account.email, notice, invoice, Money(owed[invoice.id], invoice.currency)))
            for notice, invoice in rows
            if notice.action == "extras_on" or (invoice.state != "void" and owed[invoice.id] > 0)
        ]


def _letter(to: str, notice: DunningNotice, invoice: Invoice, owed: Money) -> EmailMessage:
    number = invoice.label
    if notice.action == "extras_on":
        if invoice.state == "void":
            subject = _("Invoice {number} is cancelled: all functions are on again").format(number=number)
            lines = [_("AI answers, SMS and new people are on again.")]
        else:
            subject = _("Invoice {number} is paid: all functions are on again").format(number=number)
            lines = [_("Thank you. AI answers, SMS and new people are on again.")]
    else:
        lines = [
            _("Invoice {number} was due on {day}. {amount} is still to pay.").format(
                number=number, day=invoice.due_on, amount=owed
            )
        ]
        if notice.action == "extras_off":
            subject = _("Invoice {number} is overdue: AI answers, SMS and new people are off").format(number=number)
            lines.append(_("Until it is paid, AI answers, SMS and adding new people are off."))
            lines.append(_("Imports, lists, recording, reading and export work as before."))
        else:
            subject = _("Invoice {number} is overdue").format(number=number)
        lines.extend(str(line) for line in invoice.issuer.get("payment", []))
        lines.append(_("If you have paid in the last days, please ignore this letter."))
    if page := address("/admin/billing"):
        lines.append(_("Your invoices: {address}").format(address=page))
    return compose(to, subject, lines, letter_id=notice.id, language=texts.language())
