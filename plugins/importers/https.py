"""Files by HTTPS: one file at a fixed address, or those that an index names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import unquote, urljoin, urlsplit

from plugins.importers.choice import SETTINGS, fitting
from plugins.sdk import Chosen, Entry, HttpRequest, HttpResponse, Json, secret

MOST_ENTRIES = 2_000
_SIZE = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]+)")


@dataclass(frozen=True, slots=True)
class HttpsImporter:
    """Files by HTTPS. Only addresses of the same host are fetched, for they get the same credentials."""

    name: str = "https"
    title: str = "HTTPS"
    version: str = "1.0.0"

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["url"],
            "additionalProperties": False,
            "properties": {
                "url": {"type": "string", "title": "Address", "format": "uri"},
                "listing": {
                    "type": "string",
                    "title": "What lies there",
                    "description": "file: the file itself. json: a list of objects with url, and size, modified_at and "
                    "etag where known. html: a page with links.",
                    "enum": ["file", "json", "html"],
                    "default": "file",
                },
                "token": {"type": "string", "title": "Bearer token", "minLength": 1, "writeOnly": True},
                "user": {"type": "string", "title": "User", "maxLength": 100},
                "password": {"type": "string", "title": "Password", "minLength": 1, "writeOnly": True},
                **SETTINGS,
            },
        }

    def look(self, settings: Mapping[str, Json], now: datetime) -> HttpRequest:  # noqa: ARG002 - the contract's
        """Return the request for the index; of a single file, for its first byte, whose head says its version."""
        more = {"Range": "bytes=0-0"} if settings.get("listing", "file") == "file" else {}
        return _get(str(settings["url"]), settings, more)

    def entries(self, response: HttpResponse, settings: Mapping[str, Json]) -> Sequence[Entry]:
        """Return the files that the index names, or the file."""
        if response.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            return []
        url, listing = str(settings["url"]), settings.get("listing", "file")
        if listing == "file":
            return [_file(url, response)]
        links = _of_json(response.text) if listing == "json" else _of_html(response.text)
        entries: dict[str, Entry] = {}
        for each in links:
            address = _on_same_host(url, each.name)
            if address is not None:
                entries.setdefault(address, Entry(address, each.size, each.modified_at, each.etag))
        return list(entries.values())[:MOST_ENTRIES]

    def choose(self, entries: Sequence[Entry], settings: Mapping[str, Json]) -> Sequence[Chosen]:
        """Return the files whose name fits, the oldest first."""
        own = str(settings.get("format", ""))
        fit = fitting(entries, settings, lambda address: unquote(urlsplit(address).path))
        return [Chosen(entry.name, own, _get(entry.name, settings, {})) for entry in fit]


def _get(url: str, settings: Mapping[str, Json], more: Mapping[str, str]) -> HttpRequest:
    headers = {**more, "Authorization": f"Bearer {secret('token')}"} if settings.get("token") else dict(more)
    auth = (str(settings.get("user", "")), secret("password")) if settings.get("password") else None
    return HttpRequest("GET", url, {**headers, "Accept": "*/*"}, auth=auth)


def _file(url: str, response: HttpResponse) -> Entry:
    size = _SIZE.fullmatch(response.headers.get("content-range", ""))
    length = response.headers.get("content-length", "")
    known = size[1] if size else length if response.status == HTTPStatus.OK and length.isdigit() else "-1"
    return Entry(url, int(known), _moment(response.headers.get("last-modified")), response.headers.get("etag", ""))


def _on_same_host(base: str, link: str) -> str | None:
    """Return the address of a link on a page; None if it leads to another host."""
    try:
        address = urljoin(base, link).partition("#")[0]
        first, second = urlsplit(base), urlsplit(address)
        is_same = (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)
    except ValueError:
        return None
    return address if is_same else None


def _of_json(text: str) -> Iterator[Entry]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return
    rows = rows.get("files", []) if isinstance(rows, dict) else rows
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict) or not isinstance(row.get("url"), str):
            continue
        size = row.get("size")
        known = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else -1
        yield Entry(row["url"], known, _moment(row.get("modified_at")), str(row.get("etag") or ""))


def _of_html(text: str) -> Iterator[Entry]:
    links = _Links()
    links.feed(text)
    return (Entry(link) for link in links.links if not link.endswith("/") and not link.startswith("?"))


def _moment(text: Json) -> datetime | None:
    """The moment that a text says, in ISO 8601 or as HTTP writes it; None if it says none, or no zone."""
    moment = None
    if isinstance(text, str):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            try:
                moment = parsedate_to_datetime(text)
            except ValueError:
                return None
    return moment if moment is not None and moment.tzinfo is not None else None


class _Links(HTMLParser):
    """Collects the addresses of links.

    Attributes:
        links: addresses, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address of a link."""
        address = dict(attrs).get("href") if tag == "a" else None
        if address:
            self.links.append(address)
