"""Prices use: a pure function from what was metered on a day, and the table of that day, to lines of costs.

A month has as many days as the calendar says, so 1 GB for the whole of February and for the whole of March costs the
same.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from billing.costs.rates import RateVersion, version_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from uuid import UUID

JOBS: Final = "job_seconds"
REQUESTS: Final = "request_seconds"
DATABASE: Final = "database_bytes"
FILES: Final = "blob_bytes"
SMS: Final = "sms_segments"
LANGUAGE_MODEL: Final = "language_model_cost"
PREDICTIONS: Final = "patients_scored"
METERS: Final = (JOBS, REQUESTS, DATABASE, FILES, SMS, LANGUAGE_MODEL, PREDICTIONS)
"""The meters that costs are computed from; ``PREDICTIONS`` has no price, and costs are divided by it."""

GAUGES: Final = frozenset({DATABASE, FILES})
_HOUR: Final = Decimal(3600)
_GIGABYTE: Final = Decimal(10**9)
_QUANTITY: Final = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class DayUse:
    """What a partner used of one meter on one day (UTC).

    Attributes:
        quantity: the total, or for a gauge the latest measurement of the day.
    """

    tenant_id: UUID
    day: date
    meter: str
    dimensions: Mapping[str, str]
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one resource cost on one day.

    Attributes:
        resource: ``compute``, ``database``, ``files``, ``sms`` or ``language_model``.
        feature: the feature that used it, such as ``risk``.
        part: what the price depends on: the gateway of messages, the language model; else empty.
        quantity: in the unit of the resource: vCPU hours, GB months, segments, US dollars.
        unit_price: US dollars for one of them.
        table: number of the version of the cost table.
    """

    tenant_id: UUID
    day: date
    resource: str
    feature: str
    part: str
    quantity: Decimal
    unit_price: Decimal
    table: int

    @property
    def amount(self) -> Decimal:
        """US dollars, not rounded."""
        return self.quantity * self.unit_price


def price(uses: Iterable[DayUse], every: Sequence[RateVersion]) -> list[CostLine]:
    """Return the lines of costs, one for each day, partner, resource, feature and part, in that order.

    Args:
        uses: what was used; meters without a price are left out.
        every: the versions of the table, as ``rates.versions`` returns them.
    """
    sums: dict[tuple[date, UUID, str, str, str], Decimal] = {}
    for use in uses:
        for resource, feature, part, quantity in _resources(use):
            key = (use.day, use.tenant_id, resource, feature, part)
            sums[key] = sums.get(key, Decimal(0)) + quantity
    lines = []
    for (day, tenant_id, resource, feature, part), quantity in sorted(sums.items(), key=lambda each: each[0]):
        version = version_on(every, day)
        unit_price, number = _unit_price(version, resource, part), version.number
        lines.append(
            CostLine(tenant_id, day, resource, feature, part, quantity.quantize(_QUANTITY), unit_price, number)
        )
    return lines


def _resources(use: DayUse) -> list[tuple[str, str, str, Decimal]]:
    """Return resource, feature, part and quantity of what was used."""
    if use.meter in (JOBS, REQUESTS):
        return [("compute", use.dimensions.get("feature", ""), "", use.quantity / _HOUR)]
    if use.meter in GAUGES:
        months = use.quantity / _GIGABYTE / monthrange(use.day.year, use.day.month)[1]
        return [("database" if use.meter == DATABASE else "files", "storage", "", months)]
    if use.meter == SMS:
        return [("sms", "messages", use.dimensions.get("gateway", ""), use.quantity)]
    if use.meter == LANGUAGE_MODEL:
        return [("language_model", "knowledge", use.dimensions.get("model", ""), use.quantity)]
    return []


def _unit_price(version: RateVersion, resource: str, part: str) -> Decimal:
    rates = version.rates
    if resource == "sms":
        return rates.of_gateway(part)
    fixed = {
        "compute": rates.vcpu_hour,
        "database": rates.database_gb_month,
        "files": rates.blob_gb_month,
        "language_model": Decimal(1),
    }
    return fixed[resource]
