"""Words that readers stumbled over: retired phrases and retired names, with a count per folder that may only fall.

``retired_phrases.txt`` lists the phrases and ``NAMES`` the names. ``words_left.json`` and ``names_left.json`` list the
folders that still have some. After you mend some, run ``python -m tests.architecture.words``: it lowers the counts and
never raises one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from tests.architecture import lints
from tests.architecture.ratchet import Ratchet, by_folder

PHRASES = Path(__file__).with_name("retired_phrases.txt")
PHRASES_LEFT = Ratchet(Path(__file__).with_name("words_left.json"))
NAMES_LEFT = Ratchet(Path(__file__).with_name("names_left.json"))

OTHERS = ("tests/architecture/retired_phrases.txt", "LICENSE", ".lock", ".svg")
"""Endings of files whose words are not ours, or that list the phrases."""

_GAP = r"(?:[\s#*\"]|//|--)+"
"""What may lie between two words: spaces, and the signs of a comment or a text that continues on the next line."""

NAMES = frozenset({"found", "given", "held", "here", "kept", "made", "once", "said", "told", "turns"})
"""Names that do not say what the thing is: participles, adverbs, and a word with two senses."""

PARTICIPLE = re.compile(r"_?(?:[A-Z][a-z]*ed|Begun|Known|Laid|Lost|Sent|Taken|Written)")
"""Names of classes that say what happened to the thing, not what it is."""

ADJECTIVES = frozenset({"Unauthenticated", "Versioned"})
"""Names of classes that may look like one: an error of HTTP, and what a mixin adds."""


def phrases() -> dict[str, str]:
    """Each retired phrase, with what to write."""
    lines = PHRASES.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" -> ") for line in lines if line and not line.startswith("#"))
    return dict(pairs)


@cache
def _patterns() -> list[tuple[re.Pattern[str], str, str]]:
    """Each retired phrase as a pattern, the phrase, and what to write."""
    return [
        (re.compile(rf"\b{_GAP.join(map(re.escape, phrase.split()))}\b", re.IGNORECASE), phrase, instead)
        for phrase, instead in phrases().items()
    ]


def retired(path: str, text: str) -> Iterator[str]:
    """The retired phrases of a text, also where a line or a comment breaks in the middle of one."""
    for pattern, phrase, instead in _patterns():
        for match in pattern.finditer(text):
            number = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: '{phrase}' is retired: write '{instead}'"


def english(path: str, text: str) -> str:
    """A text without what others wrote: of a catalogue of translations, only the texts to translate are left."""
    if not path.endswith(".po"):
        return text
    lines, is_ours = [], False
    for line in text.split("\n"):
        if line.startswith(("#", "msg")):
            is_ours = line.startswith("msgid")
        lines.append(line if is_ours else "")
    return "\n".join(lines)


def retired_names(path: str, text: str) -> Iterator[str]:
    """The retired names that a Python file binds: as module, class, function, parameter, variable or attribute."""
    bound = [(1, PurePosixPath(path).stem), *(pair for node in ast.walk(ast.parse(text)) for pair in _bound(node))]
    for number, name in sorted(bound):
        if name.strip("_").lower() in NAMES:
            yield f"{path}:{number}: the name '{name}' is retired: write a noun that says what the thing is"
    if path.startswith(lints.CODE):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and PARTICIPLE.fullmatch(node.name) and node.name not in ADJECTIVES:
                yield f"{path}:{node.lineno}: the class '{node.name}' is a participle: write a noun"


def _bound(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The names that one node binds, each with its line."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
            yield node.lineno, name
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield node.lineno, name
        case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            yield node.lineno, name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield node.lineno, name
        case _:
            pass


def phrase_breaches() -> dict[str, list[str]]:
    """The retired phrases of the project, by folder."""
    texts = ((path, english(path, text)) for path, text in lints.texts() if not path.endswith(OTHERS))
    return by_folder((path, line) for path, text in texts for line in retired(path, text))


def name_breaches() -> dict[str, list[str]]:
    """The retired names of the project, by folder."""
    return by_folder((path, line) for path, text in lints.texts(".py") for line in retired_names(path, text))


if __name__ == "__main__":
    PHRASES_LEFT.lower(phrase_breaches())
    NAMES_LEFT.lower(name_breaches())
