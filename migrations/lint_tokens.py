"""SQL as tokens, as PostgreSQL reads it: without comments, and with quoted parts as tokens of their own kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATTERN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<text>[bBxXnN]?'(?:[^']|'')*'|[eE]'(?:[^'\\]|''|\\.)*'|(?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?P=dollar))
    |(?P<name>"(?:[^"]|"")+")
    |(?P<word>(?![eE]')[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<sign>::|[^\w\s'"])""",
    re.VERBOSE | re.DOTALL,
)


class UnreadableError(ValueError):
    """The text is not SQL: a quote or a comment does not end."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign.

    Attributes:
        kind: ``text``, ``name`` (in quotes), ``word``, ``number`` or ``sign``.
        text: in capitals for a word, without quotes for a name.
        depth: the number of brackets around it; a bracket is outside itself.
    """

    kind: str
    text: str
    depth: int

    @property
    def name(self) -> str:
        """Return the text as PostgreSQL compares names: in small letters, unless it was in quotes."""
        return self.text if self.kind == "name" else self.text.lower()


def statements(sql: str) -> Iterator[list[Token]]:
    """The statements of a text, each as its tokens.

    Raises:
        UnreadableError: a quote or a comment does not end.
    """
    tokens: list[Token] = []
    for token in _tokens(sql):
        if token.text == ";" and token.kind == "sign" and token.depth <= 0:
            if tokens:
                yield tokens
            tokens = []
        else:
            tokens.append(token)
    if tokens:
        yield tokens


def _tokens(sql: str) -> Iterator[Token]:
    at, depth = 0, 0
    while at < len(sql):
        match = _PATTERN.match(sql, at)
        if match is None:
            message = f"a quote that does not end: {sql[at : at + 20]!r}"
            raise UnreadableError(message)
        kind, text, at = str(match.lastgroup), match[0], match.end()
        if kind == "comment":
            at = _end_of_comment(sql, match.start())
        elif kind != "space":
            depth -= text in {")", "]"}
            yield Token(kind, _plain(kind, text), depth)
            depth += text in {"(", "["}


def _plain(kind: str, text: str) -> str:
    if kind == "name":
        return text[1:-1].replace('""', '"')
    return text.upper() if kind == "word" else text


def _end_of_comment(sql: str, at: int) -> int:
    """Return the end of a comment, which may contain further comments."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    message = "a comment that does not end"
    raise UnreadableError(message)
