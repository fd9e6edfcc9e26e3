"""Sources of knowledge: guidelines and job aids from which questions are answered. The platform fetches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from plugins.sdk.http_types import HttpRequest, HttpResponse
from plugins.sdk.importer import Entry, Location
from plugins.sdk.json_types import Json


@dataclass(frozen=True, slots=True)
class Document:
    """A document to fetch.

    Attributes:
        name: of the entry; unique in its source.
        title: for citations.
        url: for citations; empty if it has none.
        language: BCP 47, such as ``en``; empty if unknown.
        request: fetches the document; None if it lies in a location.
    """

    name: str
    title: str
    url: str = ""
    language: str = ""
    request: HttpRequest | None = None


@runtime_checkable
class RagSource(Protocol):
    """A kind of source. It is called in a process of its own: it has no network and no secrets."""

    @property
    def name(self) -> str:
        """Unique among sources, lower case: ``folder``."""
        ...

    @property
    def title(self) -> str:
        """The name for people."""
        ...

    @property
    def version(self) -> str:
        """Version of the code."""
        ...

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema (2020-12) of the settings, an object. Secrets are strings with ``"writeOnly": true``."""
        ...

    def look(self, settings: Mapping[str, Json], now: datetime) -> Location | Sequence[HttpRequest]:
        """Return where to look: a location, or requests whose answers name documents."""
        ...

    def documents(
        self, entries: Sequence[Entry], responses: Sequence[HttpResponse], settings: Mapping[str, Json]
    ) -> Sequence[Document]:
        """Return the documents, from the files of a location or from the answers to the requests."""
        ...
