"""Readers of answers and bodies, which channels and gateways share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

from plugins.sdk.http_types import HttpResponse, Outcome, failed, retry, retry_after, unknown
from plugins.sdk.json_types import Json


def common_outcome(response: HttpResponse, *, repeatable: bool) -> Outcome | None:
    """Return what an answer means if it means the same for every HTTP API; None if its body must be read.

    - There was no connection: retry, for the request never left.
    - It ended without a whole answer, or with 408 or 5xx: retry if the request is repeatable; else nobody knows.
    - 429: retry after the time that the answer names.
    - 401, 403: failed, ``credentials_rejected``.
    - 3xx: failed, ``redirected``.

    Args:
        response: of the receiver.
        repeatable: as the request says.
    """
    status = response.status
    outcome: Outcome | None = None
    if response.failure == "no_connection":
        outcome = retry("no_connection")
    elif response.failure is not None:
        outcome = retry(response.failure) if repeatable else unknown(response.failure)
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        outcome = retry("rate_limited", retry_after(response, datetime.now(UTC)))
    elif status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = retry_after(response, datetime.now(UTC))
        outcome = retry("server_error", wait) if repeatable else unknown("server_error")
    elif status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        outcome = failed("credentials_rejected")
    elif HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        outcome = failed("redirected")
    return outcome


def json_object(text: str) -> Mapping[str, Json]:
    """Return the JSON object of a body; an empty one if the body is anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def form_fields(text: str) -> dict[str, str]:
    """Return the fields of a form, the first of each name; empty if the body is no form."""
    fields: dict[str, str] = {}
    try:
        for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=200):
            fields.setdefault(name, value)
    except ValueError:
        return {}
    return fields


def text_of(value: Json) -> str:
    """Return a value of an answer as text: of a string or a whole number; empty for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def shorten(text: str, most: int, end: str = "…") -> str:
    """Return the text, cut to so many characters with these at its end."""
    return text if len(text) <= most else text[: most - len(end)].rstrip() + end
