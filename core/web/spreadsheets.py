"""Text that goes into a file which people open in a spreadsheet."""

from __future__ import annotations

from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def no_formula(text: str) -> str:
    """The text, with a quote before it where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
