"""Compression of pages: a list of twenty people goes over a slow line in a third of its size."""

from __future__ import annotations

import gzip
import secrets

_LEVEL = 6
_SMALLEST = 1000
"""In bytes: less fits in one packet anyhow."""

_NOISE = 64


def takes_gzip(accepted: str) -> bool:
    """Return whether Accept-Encoding names gzip without forbidding it (``gzip;q=0``)."""
    for part in accepted.split(","):
        name, _, quality = part.strip().partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def page_content(text: str, accepted: str) -> tuple[bytes, dict[str, str]]:
    """Return the content of a page, compressed if the browser takes it, and the headers that say so.

    A comment of random length is part of what is compressed, so that the size of a page tells nothing of what it
    repeats (BREACH). Tokens of forms have a new mask each time for the same reason.
    """
    headers = {"Vary": "Accept-Encoding"}
    if len(text) < _SMALLEST or not takes_gzip(accepted):
        return text.encode(), headers
    noise = secrets.token_hex(1 + secrets.randbelow(_NOISE))
    compressed = gzip.compress(f"{text}<!-- {noise} -->".encode(), _LEVEL, mtime=0)
    return compressed, {**headers, "Content-Encoding": "gzip"}
