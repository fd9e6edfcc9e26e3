"""PDF, by pdfium: its lines by page; lines in larger letters than the text's are headings."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pypdfium2
from pypdfium2 import raw

from tenants.knowledge.reading.blocks import MOST_CHARACTERS, Block, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_PAGES: Final = 3_000
_LARGER: Final = 1.12
"""How much larger than the text's a heading's letters are."""
_LONGEST_HEADING: Final = 160
_REPEATED: Final = 0.6
"""Share of pages on which the same first or last line stands if it is a header or footer."""
_FEWEST_PAGES: Final = 4
_HYPHEN = re.compile(r"(\w)-\n(\w)")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float
    page: int


def read(content: bytes) -> list[Block]:
    """Return the blocks of a PDF.

    Raises:
        UnreadableError: it is damaged, needs a password, or has no text, such as a scan.
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise UnreadableError("locked") from error
    with closing(document):
        lines = list(_lines(document))
    if not lines:
        raise UnreadableError("scan")
    return list(_blocks(_without_margins(lines)))


def _lines(document: pypdfium2.PdfDocument) -> Iterator[_Line]:
    read_so_far = 0
    for number in range(min(len(document), MOST_PAGES)):
        with closing(document[number]) as page, closing(page.get_textpage()) as text:
            content = text.get_text_bounded()
            read_so_far += len(content)
            if read_so_far > MOST_CHARACTERS:
                return
            place = 0
            whole = text.get_text_range()
            for line in content.splitlines():
                words = " ".join(line.split())
                if not words:
                    continue
                place = max(place, whole.find(line.strip(), place))
                yield _Line(words, round(raw.FPDFText_GetFontSize(text, place), 1), number + 1)


def _without_margins(lines: Sequence[_Line]) -> list[_Line]:
    """Leave out headers, footers and page numbers."""
    pages: dict[int, list[_Line]] = {}
    for line in lines:
        pages.setdefault(line.page, []).append(line)
    edges = Counter(key for page in pages.values() for key in {_key(line) for line in (*page[:2], *page[-2:])})
    often = {key for key, count in edges.items() if len(pages) >= _FEWEST_PAGES and count >= _REPEATED * len(pages)}
    return [line for line in lines if _key(line) not in often and not line.text.isdigit()]


def _key(line: _Line) -> str:
    return re.sub(r"\d+", "#", line.text)


def _blocks(lines: Sequence[_Line]) -> Iterator[Block]:
    usual = Counter[float]()
    for line in lines:
        usual[line.size] += len(line.text)
    body = usual.most_common(1)[0][0] if usual else 0.0
    sizes = sorted({line.size for line in lines if line.size > body * _LARGER}, reverse=True)
    part: list[_Line] = []
    for line in lines:
        heading = body > 0 and line.size > body * _LARGER and len(line.text) <= _LONGEST_HEADING
        if part and (heading or _ends(part[-1], line)):
            yield _paragraph(part)
            part = []
        if heading:
            yield Block("heading", line.text, min(sizes.index(line.size) + 1, 6), line.page)
        else:
            part.append(line)
    if part:
        yield _paragraph(part)


def _ends(last: _Line, line: _Line) -> bool:
    """Whether a paragraph ends between two lines: a full stop at the end of a short line, or an item of a list."""
    begins = line.text[:1] in "•-–*▪" or bool(re.match(r"\d+[.)] ", line.text))  # noqa: RUF001 - dashes of lists
    return begins or (last.text.endswith((".", ":", "?", "!")) and line.text[:1].isupper() and len(last.text) < 70)  # noqa: PLR2004


def _paragraph(lines: Sequence[_Line]) -> Block:
    text = _HYPHEN.sub(r"\1\2", "\n".join(line.text for line in lines)).replace("\n", " ")
    return Block("text", text, page=lines[0].page)
