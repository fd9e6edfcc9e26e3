"""One document of any kind that can be read. What it is, its content says; its name is not looked at."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tenants.knowledge.reading.blocks import MOST_CHARACTERS, Block, UnreadableError, storable
from tenants.knowledge.reading.languages import language_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_BYTES: Final = 64 << 20
"""Bytes of a document: a thick guideline with pictures has 20 MB."""

PDF: Final = "application/pdf"
WORD: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"

_BEGINNING: Final = 1024
_OLD_WORD: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TAGS: Final = (b"<!doctype html", b"<html", b"<head", b"<body")
_CONTROL: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document holds.

    Attributes:
        media_type: what it is.
        title: its first heading; empty if it has none.
        language: ISO 639.
        blocks: in its order.
    """

    media_type: str
    title: str
    language: str
    blocks: Sequence[Block]


def read(content: bytes) -> Reading:
    """Return what a document holds. Untrusted content is read in a process of its own: see ``apart``.

    Raises:
        UnreadableError: it cannot be read.
    """
    media_type = media_type_of(content)
    blocks = [replace(block, text=storable(block.text)) for block in _blocks(media_type, content)]
    if sum(len(block.text) for block in blocks) > MOST_CHARACTERS:
        raise UnreadableError("too_long")
    if not any(block.kind != "heading" and block.text.strip() for block in blocks):
        raise UnreadableError("no_text")
    headings = sorted((block.level, place) for place, block in enumerate(blocks) if block.kind == "heading")
    title = blocks[headings[0][1]].text if headings else ""
    return Reading(media_type, title, language_of(block.text for block in blocks), blocks)


def media_type_of(content: bytes) -> str:
    """Return what a document is, by its content.

    Raises:
        UnreadableError: it is none that can be read.
    """
    if not content.strip():
        raise UnreadableError("empty")
    if len(content) > MOST_BYTES:
        raise UnreadableError("too_large")
    beginning = content[:_BEGINNING]
    if b"%PDF-" in beginning:
        return PDF
    if beginning.startswith(_OLD_WORD):
        raise UnreadableError("old_word")
    if beginning.startswith(b"PK\x03\x04"):
        return _of_archive(content)
    text = _as_utf8(content)
    return HTML if any(tag in text[: 4 * _BEGINNING].lower() for tag in _TAGS) else MARKDOWN


def _of_archive(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise UnreadableError("damaged") from error
    if "word/document.xml" not in names:
        raise UnreadableError("other_kind")
    return WORD


def _as_utf8(content: bytes) -> bytes:
    """Return a text as UTF-8.

    Raises:
        UnreadableError: it is no text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16").encode()
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            raise UnreadableError("damaged") from error
    if _CONTROL.intersection(content):
        raise UnreadableError("other_kind")
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace").encode()  # what old programs of Windows write
    return content


def _blocks(media_type: str, content: bytes) -> list[Block]:
    if media_type == PDF:
        from tenants.knowledge.reading import pdf

        return pdf.read(content)
    if media_type == WORD:
        from tenants.knowledge.reading import docx

        return docx.read(content)
    if media_type == HTML:
        from tenants.knowledge.reading import html

        return html.read(content)  # its own declaration says in which encoding it is
    from tenants.knowledge.reading import markdown

    return markdown.read(_as_utf8(content))
