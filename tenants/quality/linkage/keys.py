"""Keys that compare people without their names. One search builds them in memory; nothing stores them.

A name becomes a keyed digest of itself, a keyed digest of its sound, and a Bloom filter of its pairs of letters. The
filter is a cryptographic long-term key, after Schnell, Bachteler and Reiher 2009. The tenant's own index key makes all
three, so keys of two tenants never compare. docs/explanation/people-recorded-twice.md says what each would still show a
thief.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from tenants.records.names import normalise, sounds_like

WORDS: Final = 2
BITS: Final = 64 * WORDS
HASHES: Final = 4
"""Number of bits that a pair of letters sets. A name of eight letters sets about 30 of 128."""

_VOWELS: Final = frozenset("AEIOU")


@dataclass(frozen=True, slots=True)
class NameKeys:
    """The keys of a name that the search compares.

    Attributes:
        code: keyed digest of the normalised name (63 bits).
        sound: keyed digest of its sound (63 bits).
        words: the Bloom filter, as signed 64-bit words.
        size: number of bits set in it.
    """

    code: int
    sound: int
    words: tuple[int, int]
    size: int


class KeyMaker:
    """Builds the keys of one tenant. It caches the keys of frequent names."""

    def __init__(self, key: bytes) -> None:
        """``key``: the tenant's index key, from which a key for linkage alone is derived."""
        self._key = blake2b(b"linkage:1", key=key).digest()
        self.name = lru_cache(maxsize=200_000)(self._name)
        self._places = lru_cache(maxsize=10_000)(self._pair)

    def code(self, purpose: str, text: str) -> int:
        """63 bits, equal for equal texts with the same purpose."""
        return int.from_bytes(blake2b(f"{purpose}\0{text}".encode(), key=self._key, digest_size=8).digest()) >> 1

    def _name(self, name: str) -> NameKeys | None:
        text = normalise(name)
        if not text:
            return None
        bits = 0
        padded = f"_{text}_"
        for start in range(len(padded) - 1):
            bits |= self._places(padded[start : start + 2])
        words = tuple(_signed((bits >> (64 * word)) & 0xFFFFFFFFFFFFFFFF) for word in range(WORDS))
        return NameKeys(
            code=self.code("name", text),
            sound=self.code("sound", sounds_like(text)),
            words=(words[0], words[1]),
            size=bits.bit_count(),
        )

    def _pair(self, pair: str) -> int:
        """The bits that a pair of letters sets."""
        digest = blake2b(b"pair\0" + pair.encode(), key=self._key, digest_size=2 * HASHES).digest()
        bits = 0
        for place in range(HASHES):
            bits |= 1 << (int.from_bytes(digest[2 * place : 2 * place + 2]) % BITS)
        return bits


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word
