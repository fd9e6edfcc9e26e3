"""Event listeners: they turn a public event of a tenant into requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from plugins.sdk.http_types import HttpRequest, HttpResponse, Outcome
from plugins.sdk.json_types import Json


@dataclass(frozen=True, slots=True)
class Event:
    """A public event, as webhooks send it.

    Attributes:
        id: the same in every attempt.
        type: such as ``imports.completed``.
        version: of the type.
        sequence: its number among the tenant's events.
        subject: what it is about, an id.
        occurred_at: with a zone.
        data: valid by the type's schema.
    """

    id: str
    type: str
    version: int
    sequence: int
    subject: str
    occurred_at: datetime
    data: Mapping[str, Json]


@runtime_checkable
class EventListener(Protocol):
    """A kind of listener. It is called in a process of its own: it has no network and no secrets."""

    @property
    def name(self) -> str:
        """Unique among listeners, lower case."""
        ...

    @property
    def title(self) -> str:
        """The name for people."""
        ...

    @property
    def version(self) -> str:
        """Version of the code."""
        ...

    @property
    def events(self) -> Sequence[str]:
        """The types of events that it wants; names from the catalogue."""
        ...

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema (2020-12) of the settings, an object. Secrets are strings with ``"writeOnly": true``."""
        ...

    def requests(self, event: Event, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the requests that follow from an event; none if nothing does."""
        ...

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:
        """Return what the answer to a request means."""
        ...
