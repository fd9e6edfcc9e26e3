"""The credential as the headers have it, before anything else of the request is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import Unauthenticated
from core.identity.secrets import split

if TYPE_CHECKING:
    from collections.abc import Iterable


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The API key that a request carries. Whether it is valid is asked later.

    Raises:
        Unauthenticated: there is none, or it is malformed (401).
    """
    given = {name: value.decode("latin-1") for name, value in reversed(list(headers))}  # the first counts
    scheme, _, credentials = given.get(b"authorization", "").partition(" ")
    credentials = credentials.strip()
    key = credentials if scheme.lower() == "bearer" and credentials else given.get(b"x-api-key", "").strip()
    if not key:
        detail = "the request has no credential"
        raise Unauthenticated(detail)
    if split(key) is None:
        detail = "the API key is not valid"
        raise Unauthenticated(detail)
    return key
