"""Importers: they say where files of records lie, and which of them to fetch. The platform fetches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from plugins.sdk.http_types import HttpRequest, HttpResponse
from plugins.sdk.json_types import Json


@dataclass(frozen=True, slots=True)
class Location:
    """A place with files that the platform can list by itself.

    Attributes:
        kind: ``folder`` on the platform's server (only below folders that its operator allows), ``s3``, or ``sftp``.
        address: path of the folder; ``s3://bucket/prefix``; ``sftp://host:port/path``.
        options: for S3 ``endpoint``, ``region``, ``key_id``, ``secret``; for SFTP ``user``, ``password`` or ``key``,
            and ``host_key`` as known hosts write it. Values may be marks of secrets.
    """

    kind: Literal["folder", "s3", "sftp"]
    address: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that lies in a location, or that an answer names.

    Attributes:
        name: unique in its place.
        size: bytes; -1 if unknown.
        modified_at: with a zone; None if unknown.
        etag: changes with the content; empty if unknown.
    """

    name: str
    size: int = -1
    modified_at: datetime | None = None
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file to import.

    Attributes:
        name: of the entry.
        format: of the import, such as ``pharmacy-list``; empty for the format that the settings of the run name.
        request: fetches the file; None if it lies in a location.
    """

    name: str
    format: str = ""
    request: HttpRequest | None = None


@runtime_checkable
class Importer(Protocol):
    """A kind of importer. It is called in a process of its own: it has no network and no secrets."""

    @property
    def name(self) -> str:
        """Unique among importers, lower case: ``sftp``."""
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

    def look(self, settings: Mapping[str, Json], now: datetime) -> Location | HttpRequest:
        """Return where to look: a location that the platform lists, or a request whose answer names files."""
        ...

    def entries(self, response: HttpResponse, settings: Mapping[str, Json]) -> Sequence[Entry]:
        """Return the files that the answer to a request of :meth:`look` names; none for a location."""
        ...

    def choose(self, entries: Sequence[Entry], settings: Mapping[str, Json]) -> Sequence[Chosen]:
        """Return the files to import, in order. The platform leaves out those that it has imported before."""
        ...
