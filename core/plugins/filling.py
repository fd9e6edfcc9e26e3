"""Secrets in requests: a plugin describes a request with marks, and the platform puts the secrets in their place.

Each mark is filled by the place in which it stands: a secret never breaks out of a JSON text, a field of a form, a
parameter of an address or a header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
import orjson
import phonenumbers

from core.outgoing import AddressRejected, Request, parse_url
from core.plugins.signatures import SignedContent, headers_of
from plugins.sdk import HttpRequest

_MARK: Final = re.compile(r"\{\{secret:([A-Za-z_][A-Za-z0-9_]{0,79})\}\}")
_OPENING: Final = "{{secret:"
_CLOSED: Final = "{ {secret:"
_FIXED_HOST: Final = re.compile(r"https?://[^/?#{}]+(?=[/?#]|$)")
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te", "upgrade", "trailer"}
)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_LARGEST_BODY: Final = 1024 * 1024
_SPACED: Final = r"[ ().\u00a0\u202f/-]{0,3}"
"""What people write between the digits of a phone."""


class BadRequestError(ValueError):
    """The platform does not send a request that a plugin described.

    Attributes:
        reason: a short code.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Filling:
    """With what requests are filled, and where they may go.

    Attributes:
        secrets: by name.
        hosts: to which requests may go, ``*.example.org`` for any below it; None if to any.
        message_id: of the message, the same in every attempt.
        timestamp: Unix seconds of this attempt.
    """

    secrets: Mapping[str, str]
    hosts: Sequence[str] | None
    message_id: str
    timestamp: int


def without_marks(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return data with no text that could be taken for a mark: a plugin may copy it into a request."""
    if isinstance(value, str):
        return value.replace(_OPENING, _CLOSED)
    if isinstance(value, Mapping):
        return {str(name).replace(_OPENING, _CLOSED): without_marks(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_marks(each) for each in value]
    return value


def storable(text: str) -> str:
    """Return the text as a database and a plugin take it: with no character 0 and no half of a character."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def foreign_text(text: str) -> str:
    """Return what a vendor wrote, as a plugin may read it and copy it into a request."""
    return str(without_marks(storable(text)))


def fill(request: HttpRequest, filling: Filling) -> Request:
    """Return the request as it is sent.

    Raises:
        BadRequestError: a secret is not set, the host may not get it, or the request cannot be sent as described.
    """
    try:
        return _filled_request(request, filling)
    except BadRequestError:
        raise
    except (TypeError, ValueError, RecursionError):
        # Half a character, a number of more than 64 bits, JSON that is too deep: the types of the SDK admit them.
        reason = "bad_request"
        raise BadRequestError(reason) from None


def _filled_request(request: HttpRequest, filling: Filling) -> Request:
    secrets = filling.secrets
    url = _url(request.url, filling)
    headers = {"User-Agent": "iit-plugins/1"}
    for name, value in request.headers.items():
        headers[_header_name(name)] = _header(fill_text(value, secrets))
    content, kind = _body(request, secrets)
    if content is not None and len(content) > _LARGEST_BODY:
        reason = "too_large"
        raise BadRequestError(reason)
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    if request.signature is not None:
        signed = SignedContent(content or b"", str(url), str(filling.timestamp), filling.message_id)
        signing = headers_of(request.signature, _secret(request.signature.secret, secrets), signed)
        headers.update({_header_name(name): _header(value) for name, value in signing.items()})
    auth = None
    if request.auth is not None:
        auth = (fill_text(request.auth[0], secrets), fill_text(request.auth[1], secrets))
        "".join(auth).encode()  # raises here, before anything is counted as sent
    return Request(request.method, url, headers=headers, content=content, auth=auth)


def hide(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text of an answer without the secrets that the request contained: a plugin must not see them."""
    for value in sorted({*secrets.values()}, key=len, reverse=True):
        if len(value) >= 6:  # noqa: PLR2004 - a shorter text occurs by chance
            text = text.replace(value, "*" * 6)
            digits = value.lstrip("+")
            if digits.isascii() and digits.isdigit():
                text = text.replace(digits, "9" * len(digits))  # it may be a number in JSON
                if value.startswith("+"):
                    text = _without_phone(text, value)
    return text


def _without_phone(text: str, phone: str) -> str:
    """Return the text without a phone that a vendor wrote in another form: as its country does, or with spaces."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return text
    national = phonenumbers.national_significant_number(number)
    if len(national) < 6:  # noqa: PLR2004 - as above
        return text
    code = _SPACED.join(str(number.country_code))
    prefix = rf"(?:(?:\+|00)?{code}{_SPACED}(?:\(0\)|0)?|\(?0\)?){_SPACED}"
    form = rf"(?<![0-9])(?:{prefix})?{_SPACED.join(national)}(?![0-9])"

    def hidden(match: re.Match[str]) -> str:
        shown = match[0]
        return "9" * len(shown) if shown.isdigit() and shown[0] != "0" else "*" * 6

    return re.sub(form, hidden, text)


def _url(text: str, filling: Filling) -> httpx.URL:
    """Return the address. A secret may be the whole beginning of it, or a part of its path or query; never its host."""
    first = _MARK.match(text)
    start = "" if first is None else _secret(first[1], filling.secrets)
    text = text if first is None else text[first.end() :]
    if (text[:1] not in {"", "/", "?"}) if first is not None else not _FIXED_HOST.match(text):
        reason = "bad_address"
        raise BadRequestError(reason)
    filled = start + _MARK.sub(lambda mark: quote(_secret(mark[1], filling.secrets), safe=""), text)
    try:
        url = parse_url(filled)
    except AddressRejected:
        reason = "bad_address"
        raise BadRequestError(reason) from None
    if not may_reach(filling.hosts, url.host):
        reason = "host_not_allowed"
        raise BadRequestError(reason)
    return url


def may_reach(hosts: Sequence[str] | None, host: str) -> bool:
    """Return whether requests may go to a host: to any if ``hosts`` is None, else to one that it names."""
    name = host.lower()
    return hosts is None or any(name.endswith(each[1:]) if each.startswith("*.") else name == each for each in hosts)


def _body(request: HttpRequest, secrets: Mapping[str, str]) -> tuple[bytes | None, str]:
    bodies = [each for each in (request.json, request.form, request.text) if each is not None]
    if len(bodies) > 1:
        reason = "two_bodies"
        raise BadRequestError(reason)
    if request.json is not None:
        return orjson.dumps(_in_json(request.json, secrets)), "application/json"
    if request.form is not None:
        fields = {name: fill_text(value, secrets) for name, value in request.form.items()}
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    if request.text is not None:
        kind = next((value for name, value in request.headers.items() if name.lower() == "content-type"), "text/plain")
        if _MARK.search(request.text) and not kind.startswith("text/plain"):
            reason = "secret_in_text"  # nobody knows how to quote it there
            raise BadRequestError(reason)
        return fill_text(request.text, secrets).encode(), "text/plain; charset=utf-8"
    return None, ""


def _in_json(value: Any, secrets: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return fill_text(value, secrets)
    if isinstance(value, Mapping):
        return {name: _in_json(each, secrets) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_in_json(each, secrets) for each in value]
    return value


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
        reason = "bad_header"
        raise BadRequestError(reason)
    return name


def _header(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        reason = "bad_header"
        raise BadRequestError(reason)
    return value


def fill_text(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with the secrets in place of their marks.

    Raises:
        BadRequestError: a secret is not set.
    """
    return _MARK.sub(lambda mark: _secret(mark[1], secrets), text)


def _secret(name: str, secrets: Mapping[str, str]) -> str:
    if name not in secrets:
        reason = f"secret_missing:{name}"
        raise BadRequestError(reason)
    return secrets[name]
