"""Amounts as Stripe writes them: whole numbers of a currency's smallest unit.

https://docs.stripe.com/currencies (checked November 2026). Stripe's table differs from ISO 4217: UGX and ISK are
written with two decimals that must be 00, MGA with none, and amounts with three decimals must end with 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from billing.terms import exponent
from core.errors import Invalid, phrase

_OTHER_DECIMALS: Final = {"ISK": 2, "MGA": 0, "UGX": 2}
_WHOLE_ONLY: Final = frozenset({"UGX", "ISK"})
_TENS: Final = 3


def decimals(currency: str) -> int:
    """Return the decimals with which Stripe writes a currency.

    Raises:
        ValueError: it is not a currency.
    """
    return _OTHER_DECIMALS.get(currency, exponent(currency))


def smallest_units(amount: Decimal, currency: str) -> int:
    """Return an amount as Stripe writes it.

    Raises:
        Invalid: Stripe cannot take exactly this amount.
    """
    scaled = amount.scaleb(decimals(currency))
    step = 10 if decimals(currency) == _TENS else 100 if currency in _WHOLE_ONLY else 1
    if scaled % step:
        detail = phrase("Stripe cannot take exactly {amount} {currency}", amount=f"{amount:f}", currency=currency)
        raise Invalid(detail, remedy="Take this payment by bank transfer.")
    return int(scaled)


def unit_price(price: Decimal, currency: str) -> str:
    """Return the price of a unit as Stripe writes it: with up to 12 decimals, which a price of ours never exceeds."""
    text = f"{price.scaleb(decimals(currency)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount_of(units: int, currency: str) -> Decimal:
    """Return the amount that Stripe writes as ``units``."""
    amount = Decimal(units).scaleb(-decimals(currency))
    return amount.quantize(Decimal(1)) if currency in _WHOLE_ONLY else amount
