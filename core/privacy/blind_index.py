"""Blind indexes: keyed hashes of texts, normalised per purpose so that equal values match."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 16
EXACT = ("source", "import")
"""Beginnings of the purposes whose texts are keys of machines. ``normalise`` only removes blanks around such texts."""

REMEMBERED = 256
"""The number of pairs of key and purpose whose hash state stays in memory."""

NATIONAL = 10
"""The most digits of national numbers in the countries served; longer ones begin with a calling code."""

CALLING_CODES = (
    "211", "220", "221", "223", "224", "225", "226", "227", "228", "229", "231", "232", "233", "234", "235", "236",
    "237", "238", "239", "240", "241", "242", "243", "244", "245", "249", "250", "251", "252", "253", "254", "255",
    "256", "257", "258", "260", "261", "263", "264", "265", "266", "267", "268", "269", "20", "27",
)  # fmt: skip
"""Calling codes of African countries (ITU-T E.164)."""


def normalise(purpose: str, text: str) -> str:
    """Return the form of ``text`` in which values that mean the same are equal.

    A phone (``phone...``) becomes the digits of its national number, so that 0803 123 4567 and +234 803 123 4567 are
    equal. A machine key (``EXACT``) loses the blanks around it. Everything else is an identifier, and becomes upper
    case in Unicode's form NFKC, without blanks.

    Raises:
        Invalid: no character is left to search for.
    """
    form = _form(purpose, text)
    if not form:
        field = FieldError(purpose, "is empty", "give at least one letter or digit")
        detail = f"there is nothing to look for in {purpose}"
        raise Invalid(detail, errors=[field])
    return form


def is_blank(purpose: str, text: str) -> bool:
    """Return whether ``normalise`` leaves nothing of the text, as for a phone "nil"."""
    return not _form(purpose, text)


def _form(purpose: str, text: str) -> str:
    if purpose.startswith("phone"):
        return _phone(text)
    if purpose.startswith(EXACT):
        return text.strip()
    return _identifier(text)


def _identifier(text: str) -> str:
    if text.isascii():
        return "".join(text.upper().split())  # ASCII never composes
    # Dropping a blank or raising a letter can enable a new composition, hence the repetition.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", "".join(unicodedata.normalize("NFKC", text).upper().split()))
    return text


def _phone(text: str) -> str:
    if text.isascii():
        digits = "".join(filter(str.isdigit, text))
    else:
        digits = "".join(str(digit) for character in text if (digit := unicodedata.digit(character, None)) is not None)
    bare = digits.lstrip("0")
    if len(bare) > NATIONAL:
        code = next((code for code in CALLING_CODES if bare.startswith(code)), "")
        bare = bare[len(code) :].lstrip("0")
    return bare or digits


def blind_index(key: bytes, purpose: str, text: str) -> bytes:
    """16 bytes, equal for equal texts of one tenant and purpose; meaningless without the key (HMAC-SHA256)."""
    one = _begun(key, purpose).copy()
    one.update(normalise(purpose, text).encode())
    return one.finalize()[:SIZE]


@lru_cache(maxsize=REMEMBERED)
def _begun(key: bytes, purpose: str) -> HMAC:
    """The hash state after key and purpose. Copying it costs a third of starting with the key."""
    begun = HMAC(key, SHA256())
    begun.update(f"{purpose}\0".encode())
    return begun


def blind_indexes(key: bytes, purpose: str, texts: Iterable[str]) -> list[bytes]:
    """Return the blind index of each of many texts; see ``blind_index``."""
    forms = [text.strip() for text in texts] if purpose.startswith(EXACT) else [_form(purpose, text) for text in texts]
    if not all(forms):
        normalise(purpose, "")
    begun = _begun(key, purpose)
    indexes = []
    for form in forms:
        one = begun.copy()
        one.update(form.encode())
        indexes.append(one.finalize()[:SIZE])
    return indexes


@dataclass(frozen=True, slots=True)
class BlindIndexes:
    """The blind indexes of one tenant, also in a process without a session. It holds the key: never store it."""

    key: bytes = field(repr=False)

    def of(self, purpose: str, texts: Iterable[str]) -> list[bytes]:
        """``blind_index`` of many texts.

        Raises:
            Invalid: one of them has no character to search for.
        """
        return blind_indexes(self.key, purpose, texts)
