"""Why a document cannot be read: a sentence and a remedy for each code."""

from __future__ import annotations

from typing import Final, Literal

from core.errors import phrase

Reason = Literal[
    "damaged",
    "empty",
    "given_up",
    "gone",
    "locked",
    "no_text",
    "old_word",
    "other_kind",
    "reader_failed",
    "scan",
    "too_large",
    "too_long",
    "too_slow",
]

REASONS: Final[dict[str, tuple[str, str]]] = {
    "damaged": (phrase("the file is damaged"), phrase("open it in its program, save it again, and upload it again")),
    "empty": (phrase("the file is empty"), phrase("upload it again, whole")),
    "given_up": (phrase("reading was interrupted again and again"), phrase("upload it again")),
    "gone": (phrase("the file is no longer stored"), phrase("upload it again")),
    "locked": (
        phrase("the PDF is damaged, or needs a password"),
        phrase("save it without a password, and upload it again"),
    ),
    "no_text": (phrase("the document has no text"), phrase("check that it is the right file")),
    "old_word": (
        phrase("the file has the format of old versions of Word (.doc)"),
        phrase("save it as .docx or PDF, and upload it again"),
    ),
    "other_kind": (
        phrase("the file is no PDF, Word document, web page or text"),
        phrase("save it as one of these, and upload it again"),
    ),
    "reader_failed": (
        phrase("the document is built in a way that cannot be read"),
        phrase("save it as PDF, and upload it again"),
    ),
    "scan": (
        phrase("the PDF holds pictures of pages, and no text"),
        phrase("let a program recognize its letters (OCR), and upload it again"),
    ),
    "too_large": (phrase("the file is larger than 64 MB"), phrase("split it, or save it with smaller pictures")),
    "too_long": (phrase("the document is too long"), phrase("split it")),
    "too_slow": (phrase("reading the document took too long"), phrase("split it, or save it as PDF")),
}
"""By code: what is wrong, and what to do."""


def problem_of(code: str | None) -> str:
    """Return what is wrong, in a sentence; empty for no code."""
    return REASONS[code][0] if code in REASONS else ""


def remedy_of(code: str | None) -> str:
    """Return what to do about it; empty for no code."""
    return REASONS[code][1] if code in REASONS else ""
