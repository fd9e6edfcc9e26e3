"""Fingerprints of requests: equal for two requests that ask for the same, whatever the form of their bytes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from starlette.datastructures import UploadFile

from core.identity import csrf
from core.web.idempotency import FORM_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

_OWN = frozenset({csrf.FIELD, FORM_FIELD})
"""Fields of a page's form that say who sends it, and not what it asks for."""

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_BLOCK = 1 << 20


async def fingerprint_of(request: Request) -> bytes:
    """Return SHA-256 over method, path, query and body of a request."""
    query = request.scope.get("query_string", b"").decode("latin-1")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        form = await request.form()
        body = await run_sync(form_digest, list(form.multi_items()))
    else:
        body = body_digest(await request.body())
    return digest(request.method.encode(), request.scope["path"].encode(), query_digest(query), body)


def query_digest(query: str) -> bytes:
    """Return a digest of a query's parameters. The order counts only among values of one parameter."""
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in _OWN]
    return digest(*(part.encode() for pair in sorted(pairs, key=lambda pair: pair[0]) for part in pair))


def body_digest(body: bytes) -> bytes:
    """Return a digest of a body: of its value if it is JSON, else of its bytes."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return digest(b"bytes", body)
    return digest(b"json", json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def form_digest(fields: Iterable[tuple[str, str | UploadFile]]) -> bytes:
    """Return a digest of a form's fields, by name, and of the content of its files."""
    parts: list[bytes] = []
    for name, value in sorted(fields, key=lambda field: field[0]):
        if name in _OWN:
            continue
        if isinstance(value, UploadFile):
            parts += [b"file", name.encode(), (value.filename or "").encode(), _content_digest(value.file)]
        else:
            parts += [b"field", name.encode(), value.encode()]
    return digest(*parts)


def _content_digest(file: BinaryIO) -> bytes:
    hashed = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        hashed.update(block)
    file.seek(0)
    return hashed.digest()


def digest(*parts: bytes) -> bytes:
    """Return SHA-256 over the parts, each after its length, so that no two lists of parts look alike."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.digest()
