"""XML as nested records, within limits: no DTD, no entities, no external content, no endless depth or text."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from core.errors import phrase

MAX_DEPTH = 40
MAX_ELEMENTS = 200_000
MAX_TEXT = 64 << 10
_CHUNK = 64 << 10


class BadXmlError(Exception):
    """The text is not acceptable XML."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class _Builder:
    """Target of the parser. An element becomes a dict of lists, or a text if it contains no elements.

    Args:
        skipped: elements to skip with everything in them.
    """

    def __init__(self, skipped: frozenset[str]) -> None:
        self._skipped = skipped
        self._skip_from = 0
        self._stack: list[tuple[str, dict[str, list[Any]], list[str]]] = []
        self._depth = self._count = self._length = 0
        self.root: tuple[str, Any] | None = None

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            problem = phrase("the elements are nested more than {most} deep", most=MAX_DEPTH)
            raise BadXmlError(problem, "check where the file comes from")
        if self._count > MAX_ELEMENTS:
            problem = phrase("the file has more than {most:,} elements", most=MAX_ELEMENTS)
            raise BadXmlError(problem, "give one patient a file")
        if self._skip_from:
            return
        name = tag.rpartition("}")[2]
        if name in self._skipped:
            self._skip_from = self._depth
            return
        self._stack.append((name, {}, []))
        self._length = 0

    def data(self, text: str) -> None:
        if self._skip_from or not self._stack:
            return
        self._length += len(text)
        if self._length > MAX_TEXT:
            problem = phrase("a text of more than {kilobytes} KB", kilobytes=MAX_TEXT >> 10)
            raise BadXmlError(problem, "check where the file comes from")
        self._stack[-1][2].append(text)

    def end(self, _tag: str) -> None:
        depth, self._depth = self._depth, self._depth - 1
        if self._skip_from:
            self._skip_from = 0 if depth == self._skip_from else self._skip_from
            return
        name, children, texts = self._stack.pop()
        self._length = 0
        content: Any = children or "".join(texts).strip()
        if self._stack:
            self._stack[-1][1].setdefault(name, []).append(content)
        else:
            self.root = (name, content)

    def close(self) -> None:
        """Do nothing: nothing is left to do."""


def parse(data: bytes, skipped: frozenset[str] = frozenset(), encoding: str | None = None) -> tuple[str, Any]:
    """The root's name and content: elements as ``{name: [content, ...]}``, texts as texts, without attributes.

    Args:
        data: the document.
        skipped: elements to skip with everything in them.
        encoding: overrides the document's declaration.

    Raises:
        BadXmlError: it is not well-formed, declares a DTD or entities, or is beyond the limits.
    """
    builder = _Builder(skipped)
    parser = DefusedXMLParser(
        target=builder, encoding=encoding, forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    try:
        for at in range(0, len(data), _CHUNK):
            parser.feed(data[at : at + _CHUNK])
        parser.close()
    except DefusedXmlException as error:
        problem = "the file declares a DTD, entities or external references"
        raise BadXmlError(problem, "remove the declaration (<!DOCTYPE ...>); a message needs none") from error
    except (ParseError, LookupError, ValueError) as error:
        problem = "the file is not whole XML: cut off, damaged, or in another encoding than it says"
        raise BadXmlError(problem, "copy or export it again") from error
    if builder.root is None:
        problem = "the file is not whole XML"
        raise BadXmlError(problem, "copy or export it again")
    return builder.root
