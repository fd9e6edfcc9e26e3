"""Guards text in files for spreadsheets against being run as a formula, and undoes the guard on the way back."""

from __future__ import annotations

import unicodedata

FORMULA = "=+-@"
"""Characters with which a spreadsheet begins a formula (OWASP, CSV injection)."""

_GUARD = "'"
_BREAKS = "\t\r\n"
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Categories of characters that show nothing: a spreadsheet may drop them, and run what follows."""


def guarded(text: str) -> str:
    """Return the text, after an apostrophe if a spreadsheet would run it as a formula; ``unguarded`` undoes it."""
    return _GUARD + text if _runs(text) else text


def unguarded(text: str) -> str:
    """Return the text as it was before ``guarded``. Both together change no text."""
    return text[1:] if text.startswith(_GUARD) and _runs(text) else text


def _runs(text: str) -> bool:
    """Return whether a spreadsheet may run the text as a formula.

    Ignores apostrophes and invisible characters before the formula, so that a guarded text stays distinct from a text
    that had its own apostrophe.
    """
    for character in text:
        if character in _BREAKS:
            return True
        if character != _GUARD and unicodedata.category(character) not in _UNSEEN:
            return unicodedata.normalize("NFKC", character)[0] in FORMULA  # full-width and small forms run too
    return False
