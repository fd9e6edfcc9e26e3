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
    first = (text or "").replace(";", ",").replace("/", ",").split(",")[0].strip()
    try:
        number = phonenumbers.parse(first, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _MOBILE:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
