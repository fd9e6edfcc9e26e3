"""Buckets of S3, and of what speaks its language."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import unquote_plus

import httpx
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from core.clock import now
from core.outgoing import Answer, Request, download, parse_url, send
from core.plugins.filling import may_reach
from core.plugins.places.errors import SOURCES, PlaceError, Reason, as_place_errors, error_of
from core.plugins.places.signing import quoted, signed_headers
from core.plugins.request_sender import meter
from core.plugins.usable_instances import UsableInstance
from plugins.sdk import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plugins.sdk import Location

_ADDRESS: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)", re.DOTALL)
_REGION: Final = re.compile(r"[a-z0-9-]{1,60}")
_CODE: Final = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_PAGE: Final = 1_000
_MOST_PAGES: Final = 50
_LARGEST_PAGE: Final = 4 << 20
_REASONS: Final[Mapping[bytes, Reason]] = {
    b"AuthorizationHeaderMalformed": "wrong_region",
    b"PermanentRedirect": "wrong_region",
    b"NoSuchBucket": "not_found",
    b"NoSuchKey": "not_found",
    b"SlowDown": "rate_limited",
}


class Bucket:
    """A bucket, or a folder in it. Each listing and each file is a signed request of its own."""

    def __init__(self, opened: UsableInstance, location: Location) -> None:
        """Check the place, and send nothing.

        Raises:
            PlaceError: the settings are not valid, or requests may not go to the endpoint.
        """
        place = _ADDRESS.fullmatch(location.address)
        self._region = location.options.get("region") or "us-east-1"
        if place is None or not _REGION.fullmatch(self._region) or not location.options.get("secret"):
            raise PlaceError("bad_settings")
        self._opened, self._bucket, self._prefix = opened, place[1], place[2]
        self._key_id, self._secret = location.options.get("key_id", ""), location.options["secret"]
        endpoint = location.options.get("endpoint") or f"https://s3.{self._region}.amazonaws.com"
        self._url = self._allowed(endpoint.rstrip("/"))

    def entries(self, most: int) -> list[Entry]:
        """Return the files in the folder; their names are without the folder's.

        Raises:
            PlaceError: the bucket cannot be read, or has more than ``most`` files there.
        """
        entries: list[Entry] = []
        query = {"list-type": "2", "prefix": self._prefix, "delimiter": "/", "encoding-type": "url"}
        token = ""
        for _ in range(_MOST_PAGES):
            more = {"continuation-token": token} if token else {}
            page = self._page({**query, "max-keys": str(_PAGE), **more})
            entries += self._of_page(page)
            if len(entries) > most:
                raise PlaceError("too_many_files")
            token = _text(page, "NextContinuationToken") if _text(page, "IsTruncated") == "true" else ""
            if not token:
                return entries
        raise PlaceError("too_many_files")

    def fetch(self, entry: Entry, into: BinaryIO, *, largest: int) -> None:
        """Write a file of the bucket, in the version that was listed.

        Raises:
            PlaceError: it is gone, has changed, is too large, or was not sent as a whole.
        """
        if entry.size > largest:
            raise PlaceError("too_large")
        begin = into.tell()
        key = self._prefix + entry.name
        request = self._request(f"/{quoted(key, safe='/')}", {}, {"If-Match": entry.etag} if entry.etag else {})
        answer = download(SOURCES, request, into, largest=largest, **self._caller(request))
        _check(answer)
        if 0 <= entry.size != into.tell() - begin:
            raise PlaceError("changed")

    def _page(self, query: Mapping[str, str]) -> Any:  # noqa: ANN401 - an element of the library
        request = self._request("", query, {})
        answer = send(SOURCES, request, largest=_LARGEST_PAGE, **self._caller(request))
        _check(answer)
        try:
            return fromstring(answer.body.decode(), forbid_dtd=True)
        except (ParseError, DefusedXmlException, UnicodeDecodeError) as error:
            raise PlaceError("bad_answer") from error

    def _of_page(self, page: Any) -> Iterator[Entry]:  # noqa: ANN401 - an element of the library
        for each in _all(page, "Contents"):
            name = unquote_plus(_text(each, "Key")).removeprefix(self._prefix)
            size = _text(each, "Size")
            # A key with "..", or that httpx would write in another way, cannot be asked for.
            if name and "/" not in name and name not in (".", "..") and size.isascii() and size.isdigit():
                yield Entry(name, int(size), _moment(_text(each, "LastModified")), _text(each, "ETag")[:200])

    def _request(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Request:
        meter(self._opened)
        parameters = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in sorted(query.items()))
        url = self._allowed(f"{self._url}/{self._bucket}{path}{'?' if parameters else ''}{parameters}")
        signed = signed_headers(
            host=url.netloc.decode("ascii"),
            path=url.raw_path.partition(b"?")[0].decode("ascii"),
            query=query,
            headers=headers,
            region=self._region,
            key_id=self._key_id,
            secret=self._secret,
            moment=now(),
        )
        return Request("GET", url, headers={**signed, "Accept": "*/*"})

    def _caller(self, request: Request) -> dict[str, Any]:
        return {"tenant": self._opened.tenant.id, "instance": f"{self._opened.instance_id} {request.url.host}"}

    def _allowed(self, address: str) -> httpx.URL:
        with as_place_errors():
            url = parse_url(address)
        if not may_reach(self._opened.hosts, url.host):
            raise PlaceError("address_not_allowed")
        return url


def _check(answer: Answer) -> None:
    if answer.status != httpx.codes.OK:
        code = _CODE.search(answer.body)
        raise error_of(answer.status, answer.headers, _REASONS.get(code[1] if code else b""))


def _all(page: Any, name: str) -> Iterator[Any]:  # noqa: ANN401 - elements of the library
    return (each for each in page if each.tag.rpartition("}")[2] == name)


def _text(page: Any, name: str) -> str:  # noqa: ANN401 - an element of the library
    return next((str(each.text or "") for each in _all(page, name)), "")


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is not None else None
    return None
