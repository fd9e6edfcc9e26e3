"""Rows of the pages of bills: a partner's own, and those of the people who run the business."""

from tests.billing.samples import issued_invoice
from tests.isolation.pages import Row

_OWN = "/admin/billing/invoices/{invoice_id}"
ROWS = [
    Row("GET", "/admin/billing", "billing.read", confined=False),
    Row("GET", "/admin/billing/usage", "billing.read", confined=False),
    Row("GET", _OWN, "billing.read", names=("invoice_id",), confined=False),
    Row("GET", f"{_OWN}/lines/{{position}}", "billing.read", names=("invoice_id",), confined=False),
    Row("GET", f"{_OWN}/document.pdf", "billing.read", names=("invoice_id",), confined=False),
    Row("GET", f"{_OWN}/document.csv", "billing.read", names=("invoice_id",), confined=False),
    Row("POST", f"{_OWN}/pay", "billing.read", names=("invoice_id",), confined=False),
]


def things_of(world, names):
    """What the rows name."""
    return {"invoice_id": issued_invoice(world.tenant), "position": "1"} if "invoice_id" in names else {}


_HOME = "/operators/billing"
_TENANT = f"{_HOME}/tenants/{{slug}}"
_INVOICE = f"{_HOME}/invoices/{{invoice_id}}"
_PLANS = f"{_HOME}/plans"


def _read(path):
    return Row("GET", path, "business.read")


def _write(path, status, **form):
    return Row("POST", path, "business.write", form=form, status=status)


BUSINESS = [
    _read(_HOME),
    _read(f"{_HOME}/tenants"),
    _read(_TENANT),
    _read(f"{_TENANT}/prices"),
    _read(f"{_TENANT}/usage.csv"),
    _read(f"{_TENANT}/invoices.csv"),
    _read(_PLANS),
    Row("GET", f"{_PLANS}/new", "business.write"),
    _read(f"{_PLANS}/{{code}}"),
    Row("GET", f"{_PLANS}/{{code}}/change", "business.write"),
    _read(f"{_HOME}/invoices"),
    _read(_INVOICE),
    _read(f"{_INVOICE}/lines/{{position}}"),
    _read(f"{_INVOICE}/document.pdf"),
    _read(f"{_INVOICE}/document.csv"),
    _read(f"{_HOME}/usage"),
    _read(f"{_HOME}/costs"),
    _read(f"{_HOME}/costs/focus.csv"),
    _read(f"{_HOME}/payments"),
    _write(f"{_HOME}/payments/calls/{{call_id}}/retry", 404),
    _write(f"{_HOME}/payments/messages/{{event_id}}/retry", 404),
    _write(f"{_HOME}/payments/differences/{{difference_id}}/close", 404),
    _write(f"{_HOME}/notices/{{notice_id}}/seen", 404),
    _write(f"{_TENANT}/account", 303, legal_name="Lakeside"),
    _write(f"{_TENANT}/plan/preview", 422, plan="none", effective_on="2026-01-01"),
    _write(f"{_TENANT}/plan", 422, plan="none", effective_on="2026-01-01"),
    _write(f"{_TENANT}/prices/preview", 200, effective_on="2026-01-01", base_fee="90"),
    _write(f"{_TENANT}/prices", 422, effective_on="soon"),
    _write(f"{_TENANT}/end", 422, ends_on="soon"),
    _write(f"{_TENANT}/credit", 422, amount="many"),
    _write(f"{_TENANT}/credits/{{credit_id}}/revoke", 422),
    _write(f"{_TENANT}/budget", 303, amount="500"),
    _write(f"{_TENANT}/suspend", 422, reason="x" * 201),
    _write(f"{_TENANT}/resume", 303),
    _write(f"{_PLANS}/preview", 422, currency="naira"),
    _write(f"{_PLANS}/save", 422, currency="naira"),
    _write(f"{_PLANS}/{{code}}/move", 422, effective_on="2026-01-01"),
    _write(f"{_INVOICE}/payment", 422, amount="many"),
    _write(f"{_INVOICE}/credit-note", 422),
    _write(f"{_INVOICE}/void", 422),
    _write(f"{_HOME}/costs/rates", 422),
    _write(f"{_HOME}/costs/budget", 422, amount="many"),
]
"""The pages of the business. Support does not open them."""
