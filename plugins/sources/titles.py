"""Titles and endings of documents."""

from __future__ import annotations

ENDINGS = (".pdf", ".md", ".txt", ".html", ".htm", ".docx")
"""Endings of files that are documents."""


def title_of(name: str) -> str:
    """Return the title that a file's name suggests: ``who-2021_guidelines.pdf`` becomes ``who 2021 guidelines``."""
    stem = name.rstrip("/").rpartition("/")[2]
    for ending in ENDINGS:
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
            break
    return " ".join(stem.replace("_", " ").replace("-", " ").split()) or name
