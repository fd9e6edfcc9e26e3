"""The prices of resources in US dollars, and the versions of the table that has them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlmodel import col, select

from billing.costs.models import CostTable
from billing.terms import checked_currency
from core.audit.platform import record_act
from core.clock import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

Price = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]
Gateway = Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,80}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$"), AfterValidator(checked_currency)]
OTHER_GATEWAYS: Final = ""
"""The name under which the price of all gateways is that have none of their own."""


class Rates(BaseModel):
    """The prices of one version of the table. All are US dollars."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    vcpu_hour: Price
    """An hour of one virtual processor. A job or a request is taken to occupy one while it runs."""
    database_gb_month: Price
    """10^9 bytes of tables and indexes for a month, with their share of backups."""
    blob_gb_month: Price
    """10^9 bytes of stored files for a month."""
    sms_segment: dict[Gateway, Price]
    """A segment of a message by the gateway's plugin; the name "" is for all others."""
    exchange: dict[Currency, Annotated[Decimal, Field(gt=0)]] = {}
    """Units of another currency for one US dollar, to compare invoices with costs."""

    def of_gateway(self, name: str) -> Decimal:
        """Return the price of a segment that a gateway took; 0 if the table has none for it."""
        return self.sms_segment.get(name, self.sms_segment.get(OTHER_GATEWAYS, Decimal(0)))

    def in_dollars(self, amount: Decimal, currency: str) -> Decimal | None:
        """Return an amount in US dollars; None if the table has no rate for its currency."""
        if currency == "USD":
            return amount
        rate = self.exchange.get(currency)
        return None if rate is None else amount / rate


class RateVersion(BaseModel):
    """A version of the table.

    Attributes:
        number: 0 for the prices that the software brings.
        effective_on: the first day that it prices; None for all days.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    effective_on: date | None
    rates: Rates
    note: str


BUILT_IN: Final = RateVersion(
    number=0,
    effective_on=None,
    rates=Rates(
        vcpu_hour=Decimal("0.04"),
        database_gb_month=Decimal("0.25"),
        blob_gb_month=Decimal("0.025"),
        sms_segment={OTHER_GATEWAYS: Decimal("0.03")},
    ),
    note="Assumed prices of the size that clouds ask. Replace them by your own.",
)
"""Prices days that no stored version prices."""


def versions(session: Session) -> list[RateVersion]:
    """Return all versions, the newest first, and ``BUILT_IN`` last."""
    rows = session.exec(select(CostTable).order_by(col(CostTable.number).desc())).all()
    stored = [
        RateVersion(
            number=int(row.number or 0),
            effective_on=row.effective_on,
            rates=Rates.model_validate(row.rates),
            note=row.note,
        )
        for row in rows
    ]
    return [*stored, BUILT_IN]


def version_on(every: Sequence[RateVersion], day: date) -> RateVersion:
    """Return the version that prices a day: the newest that is effective by then. ``every`` is ``versions``' answer."""
    return next(each for each in every if each.effective_on is None or each.effective_on <= day)


def set_rates(
    session: Session, rates: Rates, effective_on: date, *, note: str, actor: str, source: str = "cli"
) -> RateVersion:
    """Add a version, which prices the days from ``effective_on`` on; earlier days keep theirs.

    Setting what counts on that day already changes nothing.

    Args:
        session: a session of the control database.
        rates: the prices.
        effective_on: the first day (UTC). A day of the past is a correction of costs that were shown.
        note: where the prices come from.
        actor: who sets them.
        source: ``cli``, ``api`` or ``page``.
    """
    present = version_on(versions(session), effective_on)
    if present.effective_on == effective_on and present.rates == rates:
        return present
    row = CostTable(
        effective_on=effective_on, rates=rates.model_dump(mode="json"), note=note, created_by=actor, created_at=now()
    )
    session.add(row)
    session.flush()
    number = int(row.number or 0)
    detail = {"number": number, "effective_on": effective_on.isoformat()}
    record_act(session, f"{source}:cost_table:set", actor=actor, tenant_id=None, detail=detail)
    return RateVersion(number=number, effective_on=effective_on, rates=rates, note=note)
