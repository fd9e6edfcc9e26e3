"""Texts of the pages of the business: states, kinds, acts, notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from billing.console.amounts import dollars, month
from billing.costs.models import CostNotice
from billing.invoices.lines import Line
from billing.invoices.models import Invoice, InvoiceLine
from core.database import TenantRef
from core.web.texts import gettext as _
from core.web.texts import marked, shown_date

INSTALLATION: Final = "IIT platform"
INVOICE_STATES: Final = {
    "draft": marked("Draft"),
    "final": marked("To be paid"),
    "overdue": marked("Overdue"),
    "paid": marked("Paid"),
    "void": marked("Void"),
}
LEVELS: Final = {
    "overdue": "high",
    "final": "medium",
    "paid": "low",
    "failed": "high",
    "waiting": "medium",
    "escalated": "high",
    "mending": "medium",
    "mended": "low",
    "applied": "low",
}
KINDS: Final = {
    "invoice": marked("Invoice"),
    "late_use": marked("Invoice for late use"),
    "credit_note": marked("Credit note"),
}
LINES: Final = {
    "base": marked("Base fee"),
    "add_on": marked("Add-on"),
    "usage": marked("Use"),
    "late_use": marked("Late use of an earlier period"),
    "credit": marked("Credit"),
    "carried": marked("Carried on"),
    "tax": marked("Tax"),
    "correction": marked("Correction"),
}
PROVIDERS: Final = {"manual": marked("Bank transfer"), "stripe": marked("Stripe")}
RESOURCES: Final = {
    "compute": marked("Computing"),
    "database": marked("Database"),
    "files": marked("Stored files"),
    "sms": marked("Text messages"),
    "language_model": marked("Language model"),
}
NOTICES: Final = {"unusual_day": marked("Unusual day"), "budget": marked("Budget")}
TENANT_STATES: Final = {
    "active": marked("Active"),
    "suspended": marked("Suspended"),
    "restoring": marked("Being restored"),
    "deleting": marked("Being deleted"),
    "purging": marked("Being purged"),
}
DONE: Final = {
    "account": marked("The account was saved."),
    "plan": marked("The plan was set."),
    "prices": marked("The prices of the partner were set."),
    "ended": marked("The end of the subscription was set."),
    "credit": marked("The credit was granted. The next invoice uses it."),
    "revoked": marked("The rest of the credit is revoked."),
    "budget": marked("The budget was set."),
    "version": marked("The new version of the plan was saved. It counts for nobody yet."),
    "moved": marked("The partners change to this version on that day."),
    "payment": marked("The payment was recorded."),
    "credit_note": marked("The credit note was issued."),
    "void": marked("The invoice is void. Its period will be invoiced again."),
    "seen": marked("The notice was marked as seen."),
    "rates": marked("The prices were saved."),
    "call": marked("The call waits to be sent again."),
    "message": marked("The message waits to be applied again."),
    "difference": marked("The difference is closed."),
    "suspended": marked("The partner is suspended."),
    "resumed": marked("The partner is active again."),
}
ACTS: Final = {
    "billing_account:change": marked("Changed the billing account"),
    "cost_budget:end": marked("Ended a budget of costs"),
    "cost_budget:set": marked("Set a budget of costs"),
    "cost_notice:see": marked("Saw a notice about costs"),
    "cost_table:set": marked("Set the prices of resources"),
    "credit:grant": marked("Granted a credit"),
    "credit:revoke": marked("Revoked a credit"),
    "invoice:credit_note": marked("Issued a credit note"),
    "invoice:issue": marked("Issued an invoice"),
    "invoice:void": marked("Cancelled an invoice"),
    "payment:record": marked("Recorded a payment"),
    "plan:create": marked("Saved a version of a plan"),
    "provider_call:retry": marked("Sent a call to Stripe again"),
    "provider_difference:close": marked("Closed a difference to Stripe"),
    "provider_event:retry": marked("Applied a message of Stripe again"),
    "subscription:change": marked("Changed the plan of a partner"),
    "subscription:end": marked("Set the end of a subscription"),
    "subscription:start": marked("Put a partner on a plan"),
    "tenant:resume": marked("Resumed a partner"),
    "tenant:suspend": marked("Suspended a partner"),
}
METHODS: Final = {"bank_transfer": marked("Bank transfer"), "stripe": marked("Stripe")}


def state_of(invoice: Invoice, today: date) -> str:
    """Return the state of a document as pages name it: ``overdue`` for one that is late, else its own."""
    is_late = invoice.state == "final" and invoice.due_on is not None and invoice.due_on < today
    return "overdue" if is_late and invoice.kind != "credit_note" else invoice.state


def notice_text(notice: CostNotice, names: Mapping[UUID, str]) -> str:
    """Return a notice about costs as a sentence."""
    name = names.get(notice.tenant_id, _("All partners together"))
    amount, expected = dollars(notice.amount), dollars(notice.expected)
    if notice.kind == "budget":
        text = _("{name}: {percent} % of the budget for {month} is reached: USD {amount} of USD {budget}.")
        return text.format(name=name, percent=notice.threshold, month=month(notice.day), amount=amount, budget=expected)
    text = _("{name}: the costs of {day} are unusual: USD {amount}, where USD {expected} is usual.")
    return text.format(name=name, day=shown_date(notice.day), amount=amount, expected=expected)


def act_text(act: Mapping[str, Any]) -> str:
    """Return what an act of the audit was, in words; its code if it has none."""
    name = str(act["action"]).partition(":")[2]
    return _(ACTS[name]) if name in ACTS else name


def usage_address(slug: str) -> Callable[[Line], str]:
    """Return what makes the address of the uses behind a line of the running period."""
    return lambda line: f"/operators/billing/usage?meter={line.meter}&tenant={slug}&since={line.start}&until={line.end}"


def method_text(method: str) -> str:
    """Return how a payment came in, in words; its code if it has none."""
    return _(METHODS[method]) if method in METHODS else method


def line_address(base: str) -> Callable[[InvoiceLine], str]:
    """Return what makes the address of the uses behind a line of an invoice."""
    return lambda line: f"{base}/lines/{line.position}"


def tenant_choices(tenants: Iterable[TenantRef]) -> list[tuple[str, str]]:
    """Return partners as the options of a field."""
    return [(each.slug, each.name) for each in tenants]


def heads(resources: Iterable[str]) -> list[tuple[str, bool]]:
    """Return resources as the heads of columns of numbers."""
    return [(_(RESOURCES[name]), True) for name in resources]


DIFFERENCES: Final = {
    "usage": marked("Usage"),
    "payment": marked("Payment"),
    "customer": marked("Customer"),
    "subscription": marked("Subscription"),
    "meter": marked("Meter"),
    "call": marked("Call"),
}
DIFFERENCE_STATES: Final = {
    "escalated": marked("Needs a person"),
    "mending": marked("Being mended"),
    "mended": marked("Mended"),
    "gone": marked("No longer seen"),
    "closed": marked("Closed"),
}
MESSAGE_STATES: Final = {
    "waiting": marked("Waiting"),
    "applied": marked("Applied"),
    "ignored": marked("Of no concern"),
    "failed": marked("Failed"),
}
