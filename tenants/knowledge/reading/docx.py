"""Documents of Word (.docx), by python-docx: paragraphs, headings by their style, and tables, in their order."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Final

import docx
from docx.table import Table

from tenants.knowledge.reading.blocks import MOST_CHARACTERS, Block, UnreadableError
from tenants.knowledge.reading.markdown import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docx.document import Document
    from docx.text.paragraph import Paragraph

MOST_UNPACKED: Final = 256 << 20
"""Bytes of all parts of a file, unpacked: a small file can unpack to more than the machine has."""


def read(content: bytes) -> list[Block]:
    """Return the blocks of a document.

    Raises:
        UnreadableError: it is no document of Word, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
                raise UnreadableError("too_long")
        document = docx.Document(io.BytesIO(content))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UnreadableError("damaged") from error
    return list(_blocks(document))


def _blocks(document: Document) -> Iterator[Block]:
    items, read_so_far = list[str](), 0
    for part in document.iter_inner_content():
        if read_so_far > MOST_CHARACTERS:
            return
        if isinstance(part, Table):
            yield from _listed(items)
            text = table_of([[cell.text for cell in row.cells] for row in part.rows])
            if text:
                yield Block("table", text)
        else:
            text, style = " ".join(part.text.split()), _style(part)
            if text and style.startswith("List"):
                items.append(f"- {text}")
            elif text:
                yield from _listed(items)
                level = _level(style)
                yield Block("heading" if level else "text", text, level)
        read_so_far += len(text)
    yield from _listed(items)


def _listed(items: list[str]) -> Iterator[Block]:
    if items:
        yield Block("text", "\n".join(items))
        items.clear()


def _style(paragraph: Paragraph) -> str:
    return (paragraph.style.name or "") if paragraph.style is not None else ""


def _level(style: str) -> int:
    if style == "Title":
        return 1
    name, _, number = style.partition(" ")
    return int(number) if name == "Heading" and number.isdigit() else 0
