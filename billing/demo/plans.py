"""The plans and accounts of the demo's partners: one is charged in naira, one in US dollars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class DemoPartner:
    """What the demo sets up for a partner.

    Attributes:
        size: people in care whose use is simulated.
        terms: of its plan, as ``billing.terms.PlanTerms`` reads them.
        account: values of its billing account.
        pays: whether its first invoice is paid.
        credit: amount of a credit that it gets, in the currency of the plan; empty for none.
    """

    plan: str
    plan_name: str
    size: int
    terms: dict[str, Any]
    account: dict[str, Any] = field(default_factory=dict)
    pays: bool = False
    credit: str = ""


_CARE: Final = {"interval": "month", "alignment": "calendar", "grace_days": 3, "due_days": 30}

PARTNERS: Final = (
    DemoPartner(
        plan="demo-naira",
        plan_name="Standard, in naira (simulated)",
        size=3000,
        terms={
            **_CARE,
            "currency": "NGN",
            "base_fee": "250000",
            "meters": [
                {
                    "meter": "patients_scored",
                    "label": "Patients scored",
                    "included": "20000",
                    "charge": {
                        "model": "graduated",
                        "tiers": [
                            {"up_to": "20000", "unit_price": "4"},
                            {"up_to": None, "unit_price": "2.5"},
                        ],
                    },
                },
                {
                    "meter": "sms_segments",
                    "label": "SMS segments",
                    "charge": {"model": "package", "size": "500", "price": "3500"},
                    "soft_cap": "6000",
                    "hard_cap": "12000",
                },
                {
                    "meter": "knowledge_questions",
                    "label": "Questions to guidelines",
                    "included": "100",
                    "charge": {"model": "per_unit", "unit_price": "40"},
                    "hard_cap": "1000",
                },
            ],
            "add_ons": {"support": {"label": "Support on weekends", "fee": "60000"}},
        },
        account={"tax_name": "VAT", "tax_rate": "7.5", "purchase_order": "PO-2041 (simulated)"},
    ),
    DemoPartner(
        plan="demo-dollar",
        plan_name="Small, in US dollars (simulated)",
        size=600,
        terms={
            **_CARE,
            "currency": "USD",
            "base_fee": "180",
            "meters": [
                {
                    "meter": "patients_scored",
                    "label": "Patients scored",
                    "charge": {
                        "model": "volume",
                        "tiers": [
                            {"up_to": "5000", "unit_price": "0.006"},
                            {"up_to": None, "unit_price": "0.004"},
                        ],
                    },
                },
                {
                    "meter": "sms_segments",
                    "label": "SMS segments",
                    "included": "200",
                    "charge": {"model": "per_unit", "unit_price": "0.012"},
                    "soft_cap": "1500",
                    "hard_cap": "3000",
                },
                {
                    "meter": "database_bytes",
                    "label": "Tables and indexes",
                    "aggregation": "max",
                    "charge": {"model": "package", "size": "1000000000", "price": "0.40"},
                },
            ],
        },
        account={"tax_exemption": "Non-profit organisation (simulated)"},
        pays=True,
        credit="25",
    ),
)
"""In the order in which the command names the tenants."""
