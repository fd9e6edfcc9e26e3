"""Phone numbers in the form of E.164, which gateways ask for."""

from __future__ import annotations

from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

REGIONS: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)
_MOBILE: Final = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def mobile_number(text: str | None, region: str) -> str | None:
    """Return a phone as people write it in the form ``+2348031234567``; None if it is no number that receives an SMS.

    Args:
        text: the phone; with several numbers in it, the first one counts.
        region: ISO 3166 code of the country whose national numbers have no country code.
    """
    first = _parts(text)[0].strip()
    try:
        number = phonenumbers.parse(first, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _MOBILE:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def has_several(text: str | None) -> bool:
    """Whether a phone as people write it has several numbers. Its blind index is then that of none of them."""
    return sum(any(map(str.isdigit, part)) for part in _parts(text)) > 1


def _parts(text: str | None) -> list[str]:
    return (text or "").replace(";", ",").replace("/", ",").split(",")
