"""The faces of the pages of bills and of the business."""

from __future__ import annotations

from typing import Final

from tests.browser.face import ADMIN, OPERATOR, Face, click, send

_HOME: Final = "/operators/billing"
_TENANT: Final = f"GET {_HOME}/tenants/{{slug}}"
_INVOICE: Final = f"GET {_HOME}/invoices/{{invoice_id}}"

BILLING_FACES: Final = (
    Face("bill", "GET /admin/billing", ADMIN),
    Face("bill-none", "GET /admin/billing", f"{ADMIN}@new-partner"),
    Face("bill-usage", "GET /admin/billing/usage", ADMIN, "/admin/billing/usage?meter=patients_scored"),
    Face("bill-invoice", "GET /admin/billing/invoices/{invoice_id}", ADMIN, "/admin/billing/invoices/{bill_id}"),
    Face(
        "bill-line",
        "GET /admin/billing/invoices/{invoice_id}/lines/{position}",
        ADMIN,
        "/admin/billing/invoices/{bill_id}/lines/2",
    ),
    Face("business", f"GET {_HOME}", OPERATOR),
    Face("business-tenants", f"GET {_HOME}/tenants", OPERATOR),
    Face("business-tenants-none", f"GET {_HOME}/tenants", OPERATOR, f"{_HOME}/tenants?show=extras-off"),
    Face("business-tenant", _TENANT, OPERATOR),
    Face("business-tenant-new", _TENANT, OPERATOR, f"{_HOME}/tenants/new-partner"),
    Face(
        "business-tenant-preview",
        _TENANT,
        OPERATOR,
        act=click("Change the plan", "Preview"),
    ),
    Face("business-prices", f"{_TENANT}/prices", OPERATOR),
    Face(
        "business-prices-preview",
        f"POST {_HOME}/tenants/{{slug}}/prices/preview",
        OPERATOR,
        f"{_HOME}/tenants/{{slug}}/prices",
        send("Preview", base_fee="90"),
    ),
    Face("business-plans", f"GET {_HOME}/plans", OPERATOR),
    Face("business-plan", f"GET {_HOME}/plans/{{code}}", OPERATOR, f"{_HOME}/plans/demo-naira"),
    Face("business-plan-new", f"GET {_HOME}/plans/new", OPERATOR),
    Face("business-plan-wrong", f"GET {_HOME}/plans/new", OPERATOR, act=send("Preview", currency="naira", code="a")),
    Face(
        "business-plan-change",
        f"GET {_HOME}/plans/{{code}}/change",
        OPERATOR,
        f"{_HOME}/plans/demo-naira/change",
        send("Preview", base_fee="300000"),
    ),
    Face("business-invoices", f"GET {_HOME}/invoices", OPERATOR),
    Face("business-invoices-none", f"GET {_HOME}/invoices", OPERATOR, f"{_HOME}/invoices?state=void"),
    Face("business-invoice", _INVOICE, OPERATOR, f"{_HOME}/invoices/{{bill_id}}"),
    Face(
        "business-line",
        f"{_INVOICE}/lines/{{position}}",
        OPERATOR,
        f"{_HOME}/invoices/{{bill_id}}/lines/2",
    ),
    Face("business-usage", f"GET {_HOME}/usage", OPERATOR, f"{_HOME}/usage?meter=patients_scored&tenant=demo-north"),
    Face("business-costs", f"GET {_HOME}/costs", OPERATOR),
    Face("business-payments", f"GET {_HOME}/payments", OPERATOR),
)
