"""Markdown, by markdown-it (CommonMark with tables)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt

from tenants.knowledge.reading.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

_HIDDEN: Final = frozenset({"html_block", "html_inline"})
"""Raw HTML says nothing to a reader, and may hide words from one."""


def read(content: bytes) -> list[Block]:
    """Return the blocks of a document in Markdown, UTF-8."""
    tokens = MarkdownIt("commonmark").enable("table").parse(content.decode("utf-8-sig", "replace"))
    return list(_blocks(tokens))


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    place, depth, parts = 0, 0, list[str]()
    while place < len(tokens):
        token = tokens[place]
        if token.type == "table_open":
            end = _end(tokens, place, "table_close")
            yield Block("table", _table(tokens[place:end]))
            place = end
        elif token.type == "heading_open":
            yield Block("heading", _words(tokens[place + 1]), int(token.tag[1]))
            place += 2
        elif token.type in {"bullet_list_open", "ordered_list_open"}:
            depth += 1
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            depth -= 1
            if depth == 0 and parts:
                yield Block("text", "\n".join(parts))
                parts = []
        elif token.type == "inline" and depth:
            parts.append(f"- {_words(token)}")
        elif token.type in {"inline", "fence", "code_block"}:
            text = _words(token) if token.type == "inline" else token.content.strip()
            if text:
                yield Block("text", text)
        place += 1


def _end(tokens: Sequence[Token], start: int, kind: str) -> int:
    return next(place for place in range(start, len(tokens)) if tokens[place].type == kind)


def _words(token: Token) -> str:
    """The words of a line, without markup."""
    parts = []
    for child in token.children or []:
        if child.type in {"softbreak", "hardbreak"}:
            parts.append(" ")
        elif child.type not in _HIDDEN:
            parts.append(child.content)
    return " ".join("".join(parts).split())


def _table(tokens: Sequence[Token]) -> str:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_words(token))
    return table_of(rows)


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table in Markdown, the first as its column headings."""
    cells = [[" ".join(cell.split()).replace("|", "/") for cell in row] for row in rows if any(map(str.strip, row))]
    if not cells:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * len(cells[0]), *lines[1:]])
