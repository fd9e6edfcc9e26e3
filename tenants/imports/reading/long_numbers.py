"""Long numbers in texts: those that a spreadsheet has rounded, and the values of those in scientific notation."""

from __future__ import annotations

import re

LOST_DIGITS = 10**15
"""The number from which on a spreadsheet has lost digits, so that two people could become one."""
_DIGITS_KEPT = 15
_FLOAT_DIGITS, _ZEROS_OF_FLOAT = 17, 3
"""Programs that store numbers as floats write up to 17 digits, then zeros. Three zeros at the end are seldom chance."""
_ZEROS_OF_SPREADSHEET = 2
"""Number of zeros at the end that mark a rounded number: one zero alone ends every tenth real number."""
_LONG_NUMBER = re.compile(r"([1-9]\d*?)(0*)([.,]0*)?$")
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,](\d*))?[eE]([+-]?)(\d{1,3})$")


def is_rounded(text: str) -> bool:
    """Whether a text is a long number that a spreadsheet has rounded: zeros replace the lost digits."""
    match = _LONG_NUMBER.match(text) if len(text) > _DIGITS_KEPT else None
    if match is None or len(match[1]) + len(match[2]) <= _DIGITS_KEPT:
        return False
    digit_count, zeros = len(match[1]), len(match[2])
    if match[3] is not None:
        return True
    if digit_count <= _DIGITS_KEPT:
        return digit_count + zeros - _DIGITS_KEPT >= _ZEROS_OF_SPREADSHEET
    return digit_count <= _FLOAT_DIGITS and zeros >= _ZEROS_OF_FLOAT


def written_out(text: str) -> str | None:
    """Return the whole number that a text in scientific notation means; None if digits are lost.

    Any other text is returned unchanged. The decimal mark is a point or a comma, by the spreadsheet's language.
    """
    match = _SCIENTIFIC.match(text)
    if match is None:
        return text
    decimals, sign, exponent = match[1], match[2], int(match[3])
    if decimals is None and not sign:
        return text  # 219E01 is a clinic's own code
    if sign == "-" or len((decimals or "").rstrip("0")) > exponent:
        return text  # no whole number
    number = int(float(text.replace(",", "."))) if exponent < len(str(LOST_DIGITS)) else LOST_DIGITS
    return str(number) if len(decimals or "") >= exponent and abs(number) < LOST_DIGITS else None
