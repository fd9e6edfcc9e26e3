"""How a text is sent as an SMS: its encoding, and the number of parts that a network charges (3GPP TS 23.038)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""Characters of the GSM 7-bit default alphabet: one septet each."""
EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Characters of its extension table: two septets each, which one part must contain."""
_GSM: Final = (160, 153)
_UCS2: Final = (70, 67)
_LAST_OF_ONE_UNIT: Final = "\uffff"


@dataclass(frozen=True, slots=True)
class SmsSize:
    """The size of a text.

    Attributes:
        unicode: whether it needs UCS-2, in which a part has less than half the characters.
        units: septets, or UTF-16 code units.
        segments: parts in which it is sent; 0 for an empty text.
        others: the characters that need UCS-2, each one time.
    """

    unicode: bool
    units: int
    segments: int
    others: str


def size_of(text: str) -> SmsSize:
    """Return the size of a text."""
    others = "".join(dict.fromkeys(sign for sign in text if sign not in BASIC and sign not in EXTENDED))
    if others:
        widths, (single, part) = [1 + (sign > _LAST_OF_ONE_UNIT) for sign in text], _UCS2
    else:
        widths, (single, part) = [1 + (sign in EXTENDED) for sign in text], _GSM
    units = sum(widths)
    return SmsSize(bool(others), units, min(units, 1) if units <= single else _parts(widths, part), others)


def _parts(widths: list[int], part: int) -> int:
    """The number of parts where no character is split between two of them."""
    parts, room = 1, part
    for width in widths:
        if width > room:
            parts, room = parts + 1, part
        room -= width
    return parts
