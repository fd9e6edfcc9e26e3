"""The known facility that an unknown one may be: its code is one edit away, or its name differs only in spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jellyfish import damerau_levenshtein_distance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SHORTEST = 6
"""Codes are compared only if the longer has at least so many characters: C1 and C2 resemble each other by chance."""


def folded(name: str) -> str:
    """A name without case, spaces and punctuation."""
    return "".join(character for character in name.casefold() if character.isalnum())


class KnownFacilities:
    """The facilities on record, found by code and by name."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """``names``: facilities on record, name by code; a name equal to the code means that there is no name."""
        self._by_part: dict[str, list[str]] = {}
        self._by_name: dict[str, str] = {}
        for code, name in names.items():
            for part in _parts(code):
                self._by_part.setdefault(part, []).append(code)
            if name != code and folded(name):
                self._by_name.setdefault(folded(name), code)

    def like_code(self, code: str) -> str | None:
        """The known code that is at most one edit away: a character more, less or another, or two swapped."""
        # Two codes one edit apart share a part; codes that share one may be two edits apart.
        near = {known for part in _parts(code) for known in self._by_part.get(part, ())}
        return min((known for known in near if _one_edit(code, known)), default=None)

    def like_name(self, names: Iterable[str]) -> str | None:
        """The known code of a facility with one of these names."""
        return min((code for name in names if (code := self._by_name.get(folded(name)))), default=None)


def _parts(code: str) -> Iterator[str]:
    """The code, and the code without each of its characters."""
    plain = code.casefold()
    yield plain
    for place in range(len(plain)):
        yield plain[:place] + plain[place + 1 :]


def _one_edit(code: str, known: str) -> bool:
    return max(len(code), len(known)) >= SHORTEST and (
        damerau_levenshtein_distance(code.casefold(), known.casefold()) <= 1
    )
