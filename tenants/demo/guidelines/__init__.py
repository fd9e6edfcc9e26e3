"""Example guidelines of the demo, in English and French. They say that they are examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent
_MARKS: Final = {"en": "example", "fr": "exemple"}
"""Language -> what the title says of each, so that no reader takes it for a real guideline."""


@dataclass(frozen=True, slots=True)
class Guideline:
    """An example guideline.

    Attributes:
        path: the file, in Markdown.
        title: its first heading, marked as an example.
        language: ISO 639.
    """

    path: Path
    title: str
    language: str


def guidelines() -> list[Guideline]:
    """Return the example guidelines, by language and name."""
    return [_guideline(path) for path in sorted(FOLDER.glob("*/*.md"))]


def _guideline(path: Path) -> Guideline:
    heading, _end, _rest = path.read_text(encoding="utf-8").partition("\n")
    language = path.parent.name
    return Guideline(path, f"{heading.removeprefix('# ').strip()} ({_MARKS[language]})", language)
