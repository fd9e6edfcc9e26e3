"""Texts of pages in the reader's language: every template passes each of its texts through ``_``."""

from __future__ import annotations

from gettext import NullTranslations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def translator(language: str | None) -> Callable[[str], str]:  # noqa: ARG001 - texts are in English so far
    """Return the function that translates a text; without a catalogue it returns the English text."""
    return NullTranslations().gettext
