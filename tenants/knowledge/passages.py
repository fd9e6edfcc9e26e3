"""Passages: the parts of a document that are searched and quoted, cut where its structure is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tenants.knowledge.reading.blocks import Block

MOST_WORDS: Final = 170
"""Words of a passage: MiniLM reads 256 tokens, some 190 words of English with its headings."""

FEW_WORDS: Final = 40
"""A passage with fewer words takes the next paragraph of its section, if there is one."""

MOST_TABLE_WORDS: Final = 400
"""Words of a table that stays whole. A larger one is cut between rows, its column headings repeated."""

_SENTENCE = re.compile(r"(?<=[.!?;:])\s+|\n")


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document.

    Attributes:
        number: its place in the document, from 1.
        headings: above it, the highest first.
        text: what is quoted.
        page: on which it begins, from 1; None where the document has no pages.
    """

    number: int
    headings: tuple[str, ...]
    text: str
    page: int | None

    @property
    def section(self) -> str:
        """The headings in one line."""
        return " > ".join(self.headings)

    def searched(self, title: str) -> str:
        """Return the text that is embedded: with the title and the headings, which often name the subject alone."""
        return "\n".join(part for part in (title, self.section, self.text) if part)


def cut(blocks: Iterable[Block]) -> list[Passage]:
    """Return the passages of a document. None crosses a heading."""
    passages: list[Passage] = []
    for headings, part in _sections(blocks):
        for text, page in _parts(part):
            passages.append(Passage(len(passages) + 1, headings, text, page))
    return passages


def _sections(blocks: Iterable[Block]) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    path: list[Block] = []
    part: list[Block] = []
    for block in blocks:
        if block.kind != "heading":
            part.append(block)
            continue
        if part:
            yield tuple(heading.text for heading in path), part
            part = []
        path = [*(heading for heading in path if heading.level < block.level), block]
    if part:
        yield tuple(heading.text for heading in path), part


def _parts(blocks: Sequence[Block]) -> Iterator[tuple[str, int | None]]:
    texts: list[str] = []
    page: int | None = None
    for block in blocks:
        for text in _table_parts(block.text) if block.kind == "table" else _text_parts(block.text):
            words = sum(map(_words, texts))
            alone = block.kind == "table" and words >= FEW_WORDS
            if texts and (alone or words + _words(text) > MOST_WORDS):
                yield "\n".join(texts), page
                texts = []
            if not texts:
                page = block.page
            texts.append(text)
    if texts:
        yield "\n".join(texts), page


def _words(text: str) -> int:
    return len(text.split())


def _text_parts(text: str) -> Iterator[str]:
    """Cut a paragraph that is too long between its sentences, or between words where it has none."""
    if _words(text) <= MOST_WORDS:
        yield text
        return
    part: list[str] = []
    for sentence in _SENTENCE.split(text):
        words = sentence.split()
        while len(part) + len(words) > MOST_WORDS:
            if not part:
                part, words = words[:MOST_WORDS], words[MOST_WORDS:]
            yield " ".join(part)
            part = []
        part += words
    if part:
        yield " ".join(part)


def _table_parts(text: str) -> Iterator[str]:
    if _words(text) <= MOST_TABLE_WORDS:
        yield text
        return
    head, rows = text.split("\n")[:2], text.split("\n")[2:]
    part: list[str] = []
    for row in rows:
        if part and _words("\n".join((*head, *part, row))) > MOST_TABLE_WORDS:
            yield "\n".join((*head, *part))
            part = []
        part.append(row)
    if part:
        yield "\n".join((*head, *part))
