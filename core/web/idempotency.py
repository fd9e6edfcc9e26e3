"""``Idempotency-Key``: the caller's name for one write, which each retry repeats.

The form is that of draft-ietf-httpapi-idempotency-key-header-07, a quoted string. A bare key means the same as a quoted
one. This module reads and checks the header; every write under /v1 declares it (``core.app.routing``), and
``core.idempotency`` gives it its effect.
"""

import re
import secrets
from typing import Annotated

from fastapi import Header, Request

from core.errors import BadRequest, FieldError

NAME = "Idempotency-Key"
FORM_FIELD = "idempotency_key"
"""Field of a page's form, or parameter of its address, that has the form's key."""


KEY_MAX = 255
FIELD = "header.idempotency-key"

_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[\x21\x23-\x7e](?:[\x20\x21\x23-\x7e]*[\x21\x23-\x7e])?")
_ESCAPED = re.compile(r"\\(.)")


def parse(value: str) -> str:
    r"""Return the key without quotes and escapes.

    Raises:
        BadRequest: the value is not a key (400). The error does not repeat it.

    >>> parse('"8e03978e-40d5"'), parse("8e03978e-40d5"), parse(r'"a\"b"')
    ('8e03978e-40d5', '8e03978e-40d5', 'a"b')
    """
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        key = _ESCAPED.sub(r"\1", quoted[1])
    elif _BARE.fullmatch(value):
        key = value
    else:
        raise _invalid("is not a quoted string or a bare key of printable ASCII characters")
    if not 0 < len(key) <= KEY_MAX:
        raise _invalid(f"has no characters, or more than {KEY_MAX}")
    return key


async def idempotency_key(
    request: Request,
    idempotency_key: Annotated[  # noqa: ARG001 - for the description; all values are read below
        str | None,
        Header(
            description="Your name for this write, the same with each retry of it, so that it takes effect once: a"
            f" quoted or bare text of at most {KEY_MAX} printable ASCII characters, such as a UUID.",
            examples=['"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
        ),
    ] = None,
) -> str | None:
    """Return the key of the request, or None if it has none.

    Raises:
        BadRequest: the header is not a key, or is sent more than once (400).
    """
    values = request.headers.getlist(NAME)
    if len(values) > 1:
        raise _invalid("is sent more than once")
    return parse(values[0].strip()) if values else None


def _invalid(problem: str) -> BadRequest:
    remedy = f'Send one, such as "8e03978e-40d5-43dd-bc93-6894a57f9324", of at most {KEY_MAX} characters.'
    return BadRequest(f"not valid: {FIELD}", errors=[FieldError(FIELD, problem, remedy)])


def required() -> BadRequest:
    """Return the error of a write that creates something, and has no key."""
    remedy = "Send one, such as a new UUID; send the same one again if you repeat the request."
    errors = [FieldError(FIELD, "is missing", remedy)]
    return BadRequest(f"this operation needs the header {NAME}", remedy=remedy, errors=errors)


def new_key() -> str:
    """Return a fresh key for a form of a page."""
    return secrets.token_urlsafe(9)
