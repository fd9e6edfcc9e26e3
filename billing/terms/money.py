"""Money: an amount with its currency, and the rounding of amounts.

Each line of an invoice is rounded one time, half away from zero, to the decimals of its currency. A total is the sum of
its rounded lines, so the lines of an invoice always add up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

LARGEST: Final = Decimal(10) ** 15
"""The largest amount that a person may record: far below the 28 digits to which amounts are computed."""

_CODE: Final = re.compile(r"[A-Z]{3}")

# The minor units of ISO 4217. CLDR, which Babel has, differs: it lists the decimals that people write.
_NO_DECIMALS: Final = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905 - a list of 17 lines
)
_THREE_DECIMALS: Final = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905


def is_currency(currency: str) -> bool:
    """Return whether a text is written like a currency's code, such as NGN."""
    return _CODE.fullmatch(currency) is not None


def exponent(currency: str) -> int:
    """Return the decimals of a currency, by ISO 4217: 0 (XOF), 2 (NGN) or 3 (TND).

    Raises:
        ValueError: ``currency`` is not a code of three capital letters.
    """
    if not is_currency(currency):
        message = f"{currency!r} is not a currency: write the three capital letters of ISO 4217, such as NGN"
        raise ValueError(message)
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return ``amount`` in the decimals of the currency, rounded half away from zero: 0.125 USD is 0.13.

    Raises:
        ValueError: ``currency`` is not a currency.
        decimal.InvalidOperation: the amount is no number, or has more than 28 digits.
    """
    return amount.quantize(Decimal(1).scaleb(-exponent(currency)), rounding=ROUND_HALF_UP)


def is_amount(amount: Decimal, currency: str) -> bool:
    """Return whether a person may record an amount: it is up to ``LARGEST``, and no finer than its currency.

    Raises:
        ValueError: ``currency`` is not a currency.
    """
    return abs(amount) <= LARGEST and rounded(amount, currency) == amount


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency. Amounts of two currencies never add up."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{self.currency} {self.rounded().amount:,f}"

    def rounded(self) -> Money:
        """Return the amount in the decimals of its currency."""
        return Money(rounded(self.amount, self.currency), self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            message = f"{self.currency} and {other.currency} do not add up"
            raise ValueError(message)
        return other.amount
