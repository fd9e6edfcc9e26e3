"""Signature version 4 of Amazon, for requests without a body.

Amazon's own SDK opens its connections by itself, past the check of addresses; signing is all that is needed of it.
Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

EMPTY_BODY: Final = hashlib.sha256(b"").hexdigest()
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def quoted(text: str, *, safe: str = "") -> str:
    """Return a text as a part of an address that is signed."""
    return quote(text, safe=f"-_.~{safe}")


def signed_headers(
    *, host: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], region: str, key_id: str,
    secret: str, moment: datetime,
) -> dict[str, str]:  # fmt: skip
    """Return the headers of a signed GET request to S3, without ``Host``.

    Args:
        host: as the header ``Host`` says it.
        path: quoted as in the address.
        query: its parameters.
        headers: further headers, which are signed too.
        region: of the bucket.
        key_id: of the access key.
        secret: the secret access key.
        moment: the time, with a zone.
    """
    stamp = f"{moment:%Y%m%dT%H%M%SZ}"
    more = {name.lower(): value.strip() for name, value in headers.items()}
    sent = {"host": host, "x-amz-content-sha256": EMPTY_BODY, "x-amz-date": stamp, **more}
    names = ";".join(sorted(sent))
    canonical = "\n".join(
        (
            "GET",
            path,
            "&".join(f"{quoted(name)}={quoted(value)}" for name, value in sorted(query.items())),
            *(f"{name}:{sent[name]}" for name in sorted(sent)),
            "",
            names,
            EMPTY_BODY,
        )
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    del sent["host"]
    sent["authorization"] = f"{_ALGORITHM} Credential={key_id}/{scope},SignedHeaders={names},Signature={key.hex()}"
    return sent
