"""Money: an amount with its currency, and the rounding of amounts.

Each line of an invoice is rounded one time, half away from zero, to the decimals of its currency. A total is the sum of
its rounded lines, so the lines of an invoice always add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Final

LARGEST: Final = Decimal(10) ** 15
"""The largest amount that a person may record: far below the 28 digits to which amounts are computed."""

_WITH_TWO: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW
KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK
PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS
UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_WITH_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_WITH_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_BY_DECIMALS: Final = ((_WITH_TWO, 2), (_WITH_NONE, 0), (_WITH_THREE, 3))

DECIMALS: Final = MappingProxyType({code: count for codes, count in _BY_DECIMALS for code in codes.split()})
"""The currencies of ISO 4217 with their minor units. A currency that is retired stays: its invoices stay readable.

Babel's data (CLDR) would not do: it has retired codes, and the decimals that people write (none for ALL). It changes
with its version, while an invoice that is computed again must be the same.
"""


def is_currency(currency: str) -> bool:
    """Return whether a text is the code of a currency, such as NGN."""
    return currency in DECIMALS


def exponent(currency: str) -> int:
    """Return the decimals of a currency, by ISO 4217: 0 (XOF), 2 (NGN) or 3 (TND).

    Raises:
        ValueError: ``currency`` is not a code of ISO 4217.
    """
    if not is_currency(currency):
        message = f"{currency!r} is not a currency: write the three capital letters of ISO 4217, such as NGN"
        raise ValueError(message)
    return DECIMALS[currency]


def checked_currency(currency: str) -> str:
    """Return the code of a currency as it is, for models.

    Raises:
        ValueError: ``currency`` is not a code of ISO 4217.
    """
    exponent(currency)
    return currency


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
