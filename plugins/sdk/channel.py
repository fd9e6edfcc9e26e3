"""Alert channels: they turn an alert into requests, and answers into outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from plugins.sdk.http_types import HttpRequest, HttpResponse, IncomingRequest, Outcome, Signature
from plugins.sdk.json_types import Json

Severity = Literal["info", "low", "medium", "high", "critical"]
AlertAct = Literal["trigger", "acknowledge", "resolve"]
CHANNEL_ACTS: tuple[str, ...] = ("acknowledge", "resolve", "assign", "snooze", "reopen")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, without personal data: no name, no phone, no clinical value of one person.

    Attributes:
        id: the alert's id, the same in every message about it.
        act: what happened to it.
        key: by which the receiver recognizes the alert; at most 255 printable ASCII characters.
        severity: from ``info`` to ``critical``.
        title: one line.
        text: some lines of plain text; may be empty.
        url: address of its page; empty if the installation has set none.
        stream: ``clinical`` or ``platform``.
        facility: name of the clinic; empty if the alert concerns none.
        count: people or things that it groups, 1 or more.
        occurred_at: with a zone.
        facts: further facts to show, such as the name of the rule; texts.
        reference: the receiver's id of the first message about the alert, as its outcome said; empty if unknown.
    """

    id: str
    act: AlertAct
    key: str
    severity: Severity
    title: str
    text: str
    url: str
    stream: Literal["clinical", "platform"]
    facility: str
    count: int
    occurred_at: datetime
    facts: Mapping[str, str]
    reference: str = ""


@dataclass(frozen=True, slots=True)
class ChannelAct:
    """What somebody did with an alert in the channel, such as a press of a button.

    Attributes:
        act: one of ``CHANNEL_ACTS``.
        key: the alert's key, as it was sent.
        who: the person's id or e-mail in the channel; shown in the history.
        minutes: how long to snooze; 0 for the default.
    """

    act: str
    key: str
    who: str = ""
    minutes: int = 0


@runtime_checkable
class AlertChannel(Protocol):
    """A kind of channel. It is called in a process of its own: it has no network and no secrets."""

    @property
    def name(self) -> str:
        """Unique among channels, lower case: ``slack``."""
        ...

    @property
    def title(self) -> str:
        """The name for people: ``Slack``."""
        ...

    @property
    def version(self) -> str:
        """Version of the code."""
        ...

    @property
    def per_minute(self) -> int:
        """Most requests in a minute that the receiver takes from one instance."""
        ...

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema (2020-12) of the settings, an object. Secrets are strings with ``"writeOnly": true``."""
        ...

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the requests that tell the receiver; none if this act does not concern it.

        Args:
            alert: what happened.
            settings: valid by the schema; secrets are marks (see ``secret``).
        """
        ...

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:
        """Return what the answer to a request means."""
        ...

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:
        """How requests of the receiver are signed; None if it sends none."""
        ...

    def acts(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[ChannelAct]:
        """Return what people did in the channel, from a request whose signature was verified."""
        ...
