"""Redaction of personal data and secrets in logs, by the name of a field and the form of a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[hidden]"

PERSONAL = frozenset(
    {
        "address", "address1", "birthdate", "city_village", "date_of_birth", "dob", "email", "family_name",
        "first_name", "full_name", "given_name", "hospital_number", "last_name", "middle_name", "mother_name",
        "msisdn", "national_id", "next_of_kin", "patient_name", "pepfar_id", "person_name", "phone", "phone_number",
        "surname", "telephone",
    }
)  # fmt: skip
"""Fields of a person, in the terms of OpenMRS and of the partners' files."""

SECRET = ("password", "passwd", "secret", "token", "api_key", "apikey", "authorization", "cookie", "credential", "dsn")
"""Parts of the names of secret fields."""

_TEXTS = (
    (re.compile(r"iit_[0-9a-f]{12}_[0-9a-f]{64}"), HIDDEN),
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"), HIDDEN),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), HIDDEN),
    (re.compile(r"(?<![\w.-])\+?\d[\d ()/-]{7,18}\d(?![\w.-])"), "#"),
)
"""API keys, passwords in addresses, e-mails; runs of nine digits and more (phones, programme numbers)."""

_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|\([^()\n]*\)=\([^()\n]*\)")
_DEPTH = 6


def is_personal(name: str) -> bool:
    """Return whether a field of this name may hold a person's data or a secret."""
    plain = name.lower().removesuffix("_enc").removesuffix("_bidx")
    return plain in PERSONAL or any(word in plain for word in SECRET)


def scrub(text: str) -> str:
    """``text`` without keys, passwords, e-mails and long numbers. Timestamps and UUIDs stay as they are."""
    for pattern, instead in _TEXTS:
        text = pattern.sub(instead if instead == HIDDEN else _masked_number, text)
    return text


def scrub_message(text: str) -> str:
    """The message of an unexpected exception, also without its quoted parts, which may be values of a record."""
    return scrub(_QUOTED.sub("'…'", text))


def redact(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - whatever somebody logs
    """The same value with personal fields hidden and texts scrubbed, at every depth."""
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth >= _DEPTH:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if isinstance(key, str) and is_personal(key) else redact(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(item, depth + 1) for item in value]
    return value if _harmless(value) else scrub(str(value))


def _harmless(value: object) -> bool:
    return type(value).__name__ in {"UUID", "datetime", "date", "timedelta", "Decimal"}


def _masked_number(match: re.Match[str]) -> str:
    text = match[0]
    return text if _DATE.match(text) else HIDDEN


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\b")
