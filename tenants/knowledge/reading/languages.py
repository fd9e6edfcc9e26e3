"""The language of a text, by the small words that each language has and the others lack."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SMALL_WORDS: Final = {
    "en": "the and of to is are be with for that this on by or not it at from who should if an has have was their",
    "fr": "le la les et des du un une est sont dans pour que qui sur avec au aux par ou ne pas il elle ce cette",
    "pt": "o os as e do da dos das um uma é são em no na para que com por ou não ao à se mais deve pelo pela",
}
LANGUAGES: Final = tuple(_SMALL_WORDS)
"""ISO 639 codes of the languages that are distinguished."""
DEFAULT: Final = "en"
"""Of a text without small words, such as a list of names."""

_ENOUGH: Final = 20_000
"""Words after which the language is clear."""
_WORDS: Final = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")


def language_of(texts: Iterable[str]) -> str:
    """Return ``en``, ``fr`` or ``pt``: the language that has most of the words."""
    counts: Counter[str] = Counter()
    words = 0
    for text in texts:
        for word in _WORD.findall(text.lower()):
            words += 1
            counts.update(language for language, small in _WORDS.items() if word in small)
        if words >= _ENOUGH:
            break
    return max(LANGUAGES, key=lambda language: (counts[language], language == DEFAULT))
