"""Costs as FOCUS 1.2: the FinOps Open Cost and Usage Specification, as a CSV file.

Each row is what one resource cost a partner on one day (UTC) for one feature. The file has the 21 mandatory columns of
version 1.2, the conditional ones that apply here, and three of our own, whose names begin with ``x_``. A null is an
empty cell. The specification: https://focus.finops.org/focus-specification/v1-2/
"""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal
    from uuid import UUID

    from billing.costs.pricing import CostLine

VERSION: Final = "1.2"
PROVIDER: Final = "IIT platform"
MANDATORY: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
)
FURTHER: Final = (
    "ChargeFrequency",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedUnitPrice",
    "ListUnitPrice",
    "PricingCategory",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
)
OWN: Final = ("x_CostTableNumber", "x_Feature", "x_Part")
COLUMNS: Final = (*sorted((*MANDATORY, *FURTHER)), *OWN)


class _Service(NamedTuple):
    name: str
    category: str
    subcategory: str
    unit: str


_SERVICES: Final = {
    "compute": _Service("Computing", "Compute", "Virtual Machines", "Core-Hours"),
    "database": _Service("Database", "Databases", "Relational Databases", "GB-Months"),
    "files": _Service("Stored files", "Storage", "Object Storage", "GB-Months"),
    "sms": _Service("Text messages", "Integration", "Messaging", "Segments"),
    "language_model": _Service("Language model", "AI and Machine Learning", "Generative AI", "Units"),
}


def rows(lines: Iterable[CostLine], names: Mapping[UUID, str]) -> Iterator[dict[str, str]]:
    """Yield one row for each line.

    Args:
        lines: the costs.
        names: names of the partners by id; a partner without one is named by its id.
    """
    for line in lines:
        service = _SERVICES[line.resource]
        amount, quantity, unit_price = (number(each) for each in (line.amount, line.quantity, line.unit_price))
        sku = f"{line.resource}/{line.part}" if line.part else line.resource
        first = line.day.replace(day=1)
        yield {
            **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), amount),
            **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), unit_price),
            **dict.fromkeys(("PricingQuantity", "ConsumedQuantity"), quantity),
            **dict.fromkeys(("PricingUnit", "ConsumedUnit"), service.unit),
            **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName", "BillingAccountName"), PROVIDER),
            **dict.fromkeys(("SkuId", "SkuPriceId"), sku),
            "BillingAccountId": "installation",
            "BillingCurrency": "USD",
            "BillingPeriodStart": _moment(first),
            "BillingPeriodEnd": _moment((first + timedelta(days=32)).replace(day=1)),
            "ChargePeriodStart": _moment(line.day),
            "ChargePeriodEnd": _moment(line.day + timedelta(days=1)),
            "ChargeCategory": "Usage",
            "ChargeClass": "",
            "ChargeDescription": f"{service.name} for {line.feature}" + (f" by {line.part}" if line.part else ""),
            "ChargeFrequency": "Usage-Based",
            "PricingCategory": "Standard",
            "ServiceCategory": service.category,
            "ServiceName": service.name,
            "ServiceSubcategory": service.subcategory,
            "SkuMeter": service.name,
            "SubAccountId": str(line.tenant_id),
            "SubAccountName": names.get(line.tenant_id, str(line.tenant_id)),
            "Tags": json.dumps({"feature": line.feature}),
            "x_CostTableNumber": str(line.table),
            "x_Feature": line.feature,
            "x_Part": line.part,
        }


def csv_lines(lines: Iterable[CostLine], names: Mapping[UUID, str]) -> Iterator[str]:
    """Yield the lines of the CSV file, the header first; the arguments are those of ``rows``."""
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for row in rows(lines, names):
        yield writer.writerow([row[column] for column in COLUMNS])


def number(value: Decimal) -> str:
    """Return a number as the specification writes it: no sign of a positive one, no separators, no exponent.

    >>> from decimal import Decimal
    >>> number(Decimal("1E+3")), number(Decimal("0.5000")), number(Decimal("0E-9"))
    ('1000', '0.5', '0')
    """
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _moment(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


class _Echo:
    """A file that returns what is written."""

    def write(self, text: str) -> str:
        return text
