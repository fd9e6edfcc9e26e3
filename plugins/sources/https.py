"""Documents at addresses: those of a list, and those that an index in JSON names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import unquote, urljoin, urlsplit

from plugins.sdk import Document, Entry, HttpRequest, HttpResponse, Json
from plugins.sources.titles import title_of

MOST_DOCUMENTS = 2_000


@dataclass(frozen=True, slots=True)
class HttpsSource:
    """Documents by HTTPS."""

    name: str = "https"
    title: str = "HTTPS list"
    version: str = "1.0.0"

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "urls": {
                    "type": "array",
                    "title": "Addresses",
                    "description": "Each of one document, beginning with https://.",
                    "items": {"type": "string"},
                    "maxItems": 200,
                    "default": [],
                },
                "index": {
                    "type": "string",
                    "title": "Index",
                    "description": "Address of a list in JSON: objects with url, and title and language where known.",
                    "format": "uri",
                },
                "language": {"type": "string", "title": "Language", "description": "Such as en.", "maxLength": 35},
            },
        }

    def look(self, settings: Mapping[str, Json], now: datetime) -> Sequence[HttpRequest]:  # noqa: ARG002
        """Return the request for the index, if there is one."""
        return [HttpRequest("GET", str(settings["index"]))] if settings.get("index") else []

    def documents(
        self,
        entries: Sequence[Entry],  # noqa: ARG002 - the contract's
        responses: Sequence[HttpResponse],
        settings: Mapping[str, Json],
    ) -> Sequence[Document]:
        """Return the documents of the list and of the index, each address once."""
        rows: list[Mapping[str, Json]] = [{"url": url} for url in settings.get("urls", [])]
        for response in responses:
            if response.status == HTTPStatus.OK:
                rows += _rows(response.text, str(settings.get("index", "")))
        documents: dict[str, Document] = {}
        for row in rows[:MOST_DOCUMENTS]:
            url = str(row["url"]).strip()
            path = _path(url)
            if path is None:
                continue
            title = row.get("title") if isinstance(row.get("title"), str) else ""
            language = row.get("language") if isinstance(row.get("language"), str) else settings.get("language", "")
            name = title or title_of(path)
            documents.setdefault(url, Document(url, name, url, str(language or ""), HttpRequest("GET", url)))
        return list(documents.values())


def _rows(text: str, index: str) -> Iterator[Mapping[str, Json]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return
    rows = rows.get("documents", []) if isinstance(rows, dict) else rows
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("url"), str):
            try:
                yield {**row, "url": urljoin(index, row["url"])}
            except ValueError:
                continue


def _path(url: str) -> str | None:
    """Return the path of an address; None if it names no host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return unquote(parts.path) if parts.netloc else None
