"""Elements of a large XML part, one by one: the memory never has more than one bounded element."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

from core.errors import phrase
from tenants.imports.reading.sources import rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from tenants.imports.reading.sources import Source

Element = ET.Element
CHUNK = 64 << 10
MAX_ELEMENT = 4 << 20
"""The largest number of bytes of one element, or between two: a row of 500 cells takes a hundredth."""
PROLOG_BYTES = 4096
_ENTITIES = re.compile(rb"<\s*!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@lru_cache(maxsize=4096)
def local(tag: str) -> str:
    """A name without its namespace."""
    return tag.rpartition("}")[2]


def elements(
    source: Source, part: IO[bytes], wanted: AbstractSet[str], *, inside: str | None = None
) -> Iterator[tuple[str, Element]]:
    """Yield the elements of these local names, each with the local name of its parent.

    A parser in C reads them. Entities cannot expand, because a part that declares any is rejected before.

    Args:
        source: the file, for messages.
        part: the XML.
        wanted: the local names. An element within a yielded element is yielded as a part of it.
        inside: local name of the element that contains the wanted elements. Reading ends where this element ends.

    Raises:
        Invalid: the part declares entities, or an element is larger than any element of a real table.
        ParseError: the XML is not well-formed.
    """
    parser: Any = ET.XMLPullParser(events=("start", "end"))
    stack: list[Element] = []
    depth = bytes_since = 0
    start = part.read(PROLOG_BYTES)
    _check_prolog(source, start)
    block = start
    while block:
        parser.feed(block)
        bytes_since += len(block)
        for event, element in parser.read_events():
            if event == "start":
                depth += local(element.tag) in wanted
                stack.append(element)
                continue
            stack.pop()
            name = local(element.tag)
            if name == inside:
                return
            if name in wanted:
                depth -= 1
                if not depth:
                    yield local(stack[-1].tag) if stack else "", element
                    bytes_since = 0
            if not depth and stack:
                # Free the element: its parent would keep it.
                stack[-1].clear()
        if bytes_since > MAX_ELEMENT:
            problem = phrase(
                "a row or another element of the workbook takes more than {megabytes} MB", megabytes=MAX_ELEMENT >> 20
            )
            raise rejected(source.name, problem, "export the table as CSV, or check where the file comes from")
        block = part.read(CHUNK)
    parser.close()


def _check_prolog(source: Source, start: bytes) -> None:
    """Reject a part that declares entities; its first element must be within the inspected bytes.

    The zeros are removed before the search, so that UTF-16 text is searched like ASCII.
    """
    plain = start.replace(b"\x00", b"")
    if _ENTITIES.search(plain):
        raise rejected(source.name, "the workbook declares XML entities", "check where the file comes from")
    if len(start) == PROLOG_BYTES and not re.search(rb"<[A-Za-z]", plain):
        raise rejected(source.name, "the workbook is damaged", "open it in a spreadsheet program and save it again")
