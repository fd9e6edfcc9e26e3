"""What all readers of documents return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from tenants.knowledge.reading.reasons import Reason

MOST_CHARACTERS: Final = 4_000_000
"""Characters of a document that are read: four times a thick guideline."""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph, a list, or a table of a document, in its order.

    Attributes:
        kind: what it is. A table is Markdown, its first line the column headings.
        text: without markup otherwise.
        level: of a heading, 1 the highest; 0 for all else.
        page: on which it begins, from 1; None where the format has no pages.
    """

    kind: Literal["heading", "text", "table"]
    text: str
    level: int = 0
    page: int | None = None


class UnreadableError(Exception):
    """A document cannot be read.

    Attributes:
        reason: a code of ``reasons.REASONS``.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def storable(text: str) -> str:
    """Return a text as the database takes it: with no character 0 and no half of a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
