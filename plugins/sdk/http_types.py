"""Requests that a plugin describes and the platform sends, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from plugins.sdk.json_types import Json

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Failure = Literal["timeout", "no_connection", "bad_answer", "too_large"]
MOST_REQUESTS = 10
"""Most requests that one call may describe."""
MOST_TEXT = 300
"""Most characters of a reference or a reason."""


def secret(name: str) -> str:
    """Return the mark that stands for a secret setting. The platform puts the secret in its place when it sends.

    Args:
        name: a property of the settings that the schema marks ``"writeOnly": true``.
    """
    return "{{secret:" + name + "}}"


@dataclass(frozen=True, slots=True)
class Signature:
    """How the platform signs what it sends, and how it verifies what arrives: HMAC over a text with a secret setting.

    Attributes:
        secret: name of the secret setting.
        header: header with the signature, in lower case.
        text: what is signed; ``{body}``, ``{timestamp}``, ``{id}`` and ``{url}`` stand for those; ``{form}`` for the
            fields of a form, sorted by name, each name followed by its value (Twilio's way).
        prefix: text before the signature in the header, such as ``v0=``.
        algorithm: of the hash.
        encoding: of the signature.
        key: of the HMAC: the secret's text, or the bytes that it says in base64, after ``whsec_`` if it begins so.
        timestamp_header: header with the time in Unix seconds; empty if none is sent.
        id_header: header with the message's id, the same in every attempt; empty if none is sent.
        tolerance_seconds: greatest age of a message that arrives with a time.
    """

    secret: str
    header: str
    text: str = "{body}"
    prefix: str = ""
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    key: Literal["text", "base64"] = "text"
    timestamp_header: str = ""
    id_header: str = ""
    tolerance_seconds: int = 300


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. Give at most one of ``json``, ``form`` and ``text``.

    Attributes:
        method: of HTTP.
        url: ``https://`` and a host; may contain marks of secrets.
        headers: names and values; may contain marks of secrets.
        json: the body as a JSON value; strings in it may contain marks of secrets.
        form: the body as fields of a form.
        text: the body as text.
        auth: name and password of basic authentication; may contain marks of secrets.
        signature: how the platform signs the request; None for none.
        repeatable: whether a repetition does no harm, because the receiver recognizes it. If not, an attempt whose end
            nobody knows becomes ``unknown`` and is never sent again.
    """

    method: Method
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Json = None
    form: Mapping[str, str] | None = None
    text: str | None = None
    auth: tuple[str, str] | None = None
    signature: Signature | None = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back.

    Attributes:
        status: of HTTP; 0 if no answer came.
        headers: names in lower case.
        text: the body, its first 64 KiB.
        failure: why no answer came; None if one came.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request that a vendor sent to the platform, after its signature was verified.

    Attributes:
        headers: names in lower case.
        query: parameters of the address.
        text: the body.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer means.

    Attributes:
        state: ``sent``; ``retry`` later; ``failed``: a repetition would fail as well; ``unknown``: nobody knows whether
            it was received, so it is not repeated but reconciled by a report.
        reason: a short code such as ``rate_limited`` or ``channel_not_found``; no text of the answer.
        reference: the receiver's id of the message, by which reports name it; empty if it gives none.
        retry_after: time to wait before the next attempt; None for the platform's own schedule.
        cost: amount in units of the currency, as a decimal number in text; empty if the receiver says none.
        currency: ISO 4217.
    """

    state: Literal["sent", "retry", "failed", "unknown"]
    reason: str = ""
    reference: str = ""
    retry_after: timedelta | None = None
    cost: str = ""
    currency: str = ""


def sent(reference: str = "", *, cost: str = "", currency: str = "") -> Outcome:
    """The receiver has it."""
    return Outcome("sent", reference=reference, cost=cost, currency=currency)


def retry(reason: str, after: timedelta | None = None) -> Outcome:
    """Try again later."""
    return Outcome("retry", reason, retry_after=after)


def failed(reason: str) -> Outcome:
    """Do not try again."""
    return Outcome("failed", reason)


def unknown(reason: str, reference: str = "") -> Outcome:
    """Nobody knows whether it was received."""
    return Outcome("unknown", reason, reference)


def retry_after(response: HttpResponse, now: datetime) -> timedelta | None:
    """Return how long the answer's ``Retry-After`` asks to wait, a day at most; None if it does not say.

    Args:
        response: of the vendor.
        now: the time, with a zone; for an answer that names a date.
    """
    from email.utils import parsedate_to_datetime

    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), timedelta(days=1))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return min(max(moment - now, timedelta()), timedelta(days=1))
