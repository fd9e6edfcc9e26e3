"""Errors of services as pages show them: sentences in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.web.stored_texts import shown_phrase

if TYPE_CHECKING:
    from core.errors import AppError


def sentence(text: str) -> str:
    """Return the text as a sentence: with a capital and a full stop.

    >>> sentence("the code is wrong"), sentence("")
    ('The code is wrong.', '')
    """
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def shown_sentence(text: str | None) -> str:
    """Return a text of a service as a sentence in the reader's language; empty for none."""
    return sentence(shown_phrase(text or ""))


def problem_text(error: AppError) -> str:
    """Return what is wrong and what to do, in the reader's language. A field's own remedy is more to the point."""
    remedy = next((one.remedy for one in error.errors if one.remedy), error.remedy)
    return " ".join(filter(None, (shown_sentence(error.detail), shown_sentence(remedy))))
