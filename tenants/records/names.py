"""Names as a search compares them, and the keys by which it finds them without storing a letter.

A word of a name has a key of its whole, of its first 3 and 5 letters, and of its sound. Each is 16 bits of a keyed
hash, so rare names share their keys with other names. The search decrypts the names that it finds, and then removes
the names that only share a key. Digits count as letters, but a word with digits has no sound and no misspelt form:
0624 is not a misspelt 0625.
docs/decisions/0032-search-by-name.md says what the keys show to somebody who has the table and not the tenant's key.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from jellyfish import damerau_levenshtein_distance, metaphone

from core.privacy.blind_index import BlindIndexes, blind_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PREFIXES: Final = (3, 5)
"""Numbers of letters whose prefixes have keys. Shorter ones would reveal too much about too many people."""
KEY_BYTES: Final = 2
MOST_WORDS: Final = 8
"""Words of one name that get keys."""
REMEMBERED: Final = 50_000
"""Words whose keys stay in memory: few names are frequent."""

EXACT, PREFIX, MISSPELT = 0, 1, 2
"""How well a word matches, best first."""

_SHORT: Final = 5
"""The longest word in which only one slip is forgiven."""

_BASES: Final = str.maketrans(
    "ƁƊƘƳƙɓɗƴƲŊŋƐƆØŁĐŦıƏɛɔəʋ",
    "BDKYKBDYVNNEOOLDTIEEOEV",
)
"""Letters of Hausa, Fulfulde, Ewe, Akan and others -> the letter that people type when they lack the key."""

_JOINERS: Final = str.maketrans("-_./,;", "      ")


@dataclass(frozen=True, slots=True)
class WordKeys:
    """The keys of one word.

    Attributes:
        whole: of all its letters.
        sound: of how it sounds.
        prefixes: of its first letters, one for each length of ``PREFIXES`` that it has.
    """

    whole: int
    sound: int
    prefixes: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        """Every key of the word."""
        return (self.whole, self.sound, *self.prefixes)


def normalise(name: str) -> str:
    """Return a name as capital letters without accents, hooks, marks or anything else; empty if no letter remains."""
    plain = unicodedata.normalize("NFKD", name).translate(_BASES).upper().translate(_BASES)
    return "".join(letter for letter in plain if unicodedata.category(letter) in ("Lu", "Lo"))


def word_of(part: str) -> str:
    """A part of a name as the search compares it: ``normalise``, with its digits; empty if neither remains."""
    plain = unicodedata.normalize("NFKD", part).translate(_BASES).upper().translate(_BASES)
    return "".join(sign for sign in plain if unicodedata.category(sign) in ("Lu", "Lo", "Nd"))


def has_digit(word: str) -> bool:
    """Whether a digit is in the word."""
    return any(sign.isdigit() for sign in word)


def sounds_like(normalised: str) -> str:
    """The sound of a name, roughly: Metaphone's consonants without a leading vowel. Ebrahim is near Ibrahim."""
    code = metaphone(normalised)
    bare = code.lstrip("AEIOU")
    return bare or code or normalised


def words_of(*names: str | None) -> list[str]:
    """The words of names as the search compares them, each once, in their order."""
    parts = (part for name in names if name for part in name.translate(_JOINERS).split())
    return list(dict.fromkeys(word for part in parts if (word := word_of(part))))[:MOST_WORDS]


@lru_cache(maxsize=REMEMBERED)
def keys_of_word(indexes: BlindIndexes, word: str) -> WordKeys:
    """The keys of a word of ``words_of``, for one tenant."""
    return WordKeys(
        whole=_key(indexes, "name", word),
        sound=_key(indexes, "name-sound", word if has_digit(word) else sounds_like(word)),
        prefixes=tuple(_key(indexes, f"name-prefix-{size}", word[:size]) for size in PREFIXES if len(word) >= size),
    )


def keys_of(indexes: BlindIndexes, name: str) -> list[int]:
    """The keys of all words of a name, in an order that says nothing."""
    return sorted({key for word in words_of(name) for key in keys_of_word(indexes, word).all})


def match(wanted: Sequence[str], words: Iterable[str]) -> tuple[int, int] | None:
    """A measure of how well a person's words match the wanted ones: smaller is better, None is no match.

    Returns:
        The worst of ``EXACT``, ``PREFIX`` and ``MISSPELT`` over the wanted words, and the sum of their slips.
    """
    present = list(words)
    matches: list[tuple[int, int]] = []
    for each in wanted:
        candidates = [quality for word in present if (quality := _match(each, word)) is not None]
        if not candidates:
            return None
        matches.append(min(candidates))
    return max(kind for kind, _ in matches), sum(slips for _, slips in matches)


def _match(wanted: str, word: str) -> tuple[int, int] | None:
    if wanted == word:
        return EXACT, 0
    if len(wanted) >= min(PREFIXES) and word.startswith(wanted):
        return PREFIX, 0
    if len(wanted) < min(PREFIXES) or has_digit(wanted) or has_digit(word):
        return None
    slips = damerau_levenshtein_distance(wanted, word)
    forgiven = 1 if len(wanted) <= _SHORT else 2
    if slips <= forgiven or (sounds_like(wanted) == sounds_like(word) and slips <= max(2, len(wanted) // 2)):
        return MISSPELT, slips
    return None


def _key(indexes: BlindIndexes, purpose: str, text: str) -> int:
    return int.from_bytes(blind_index(indexes.key, purpose, text)[:KEY_BYTES], signed=True)
