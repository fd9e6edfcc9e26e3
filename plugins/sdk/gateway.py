"""SMS gateways: they turn a message into a request, and answers and reports into outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from plugins.sdk.http_types import HttpRequest, HttpResponse, IncomingRequest, Outcome, Signature
from plugins.sdk.json_types import Json


@dataclass(frozen=True, slots=True)
class Sms:
    """One message to one phone.

    Attributes:
        id: the message's id, the same in every attempt.
        to: mark of the number (``secret("to")``), which the platform fills in: a gateway sees no phone. The mark
            ``secret("to_digits")`` stands for the number without the plus sign.
        text: mark of the text (``secret("text")``), likewise.
        unicode: whether the text needs UCS-2.
        segments: in which the text is sent.
        sender: the sender's name or number, from the settings; may be empty.
        report_url: mark of the address to which the gateway sends delivery reports (``secret("report_url")``), which
            the platform fills in; it has no query. Empty if reports are not wanted.
    """

    id: str
    to: str
    text: str
    unicode: bool
    segments: int
    sender: str
    report_url: str


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a gateway says later of a message.

    Attributes:
        reference: the gateway's id of the message, as the outcome said it; or empty.
        message_id: our id of the message, if the gateway gives it back; or empty.
        state: ``delivered``; ``failed``; ``pending``: on its way.
        reason: a short code.
        cost: decimal number in text; empty if it is not said.
        currency: ISO 4217.
    """

    state: Literal["delivered", "failed", "pending"]
    reference: str = ""
    message_id: str = ""
    reason: str = ""
    cost: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class IncomingSms:
    """A message that a person sent to us.

    Attributes:
        sender: the phone, E.164 or as the gateway writes it.
        text: what it says.
        reference: the gateway's id, by which a repetition is recognized.
    """

    sender: str
    text: str
    reference: str


@runtime_checkable
class SmsGateway(Protocol):
    """A kind of gateway. It is called in a process of its own: it has no network and no secrets.

    Only :meth:`received` sees a phone and a text, because the vendor sent them.
    """

    @property
    def name(self) -> str:
        """Unique among gateways, lower case: ``twilio``."""
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
    def per_minute(self) -> int:
        """Most requests in a minute."""
        ...

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema (2020-12) of the settings, an object. Secrets are strings with ``"writeOnly": true``."""
        ...

    def request(self, sms: Sms, settings: Mapping[str, Json]) -> HttpRequest:
        """Return the request that sends the message; ``repeatable`` only if the gateway recognizes a repetition."""
        ...

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:
        """Return what the answer means. Without an answer it is ``unknown``, unless the request never left."""
        ...

    def status_request(self, reference: str, settings: Mapping[str, Json]) -> HttpRequest | None:
        """Return the request that asks what became of a message; None if the gateway cannot be asked."""
        ...

    def status(self, response: HttpResponse, settings: Mapping[str, Json]) -> DeliveryReport | None:
        """Return what the answer to :meth:`status_request` says; None if it says nothing."""
        ...

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:
        """How the vendor's requests are signed; None if they are known only by their secret address."""
        ...

    def reports(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[DeliveryReport]:
        """Return the reports in a request of the vendor."""
        ...

    def received(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[IncomingSms]:
        """Return the messages of people in a request of the vendor."""
        ...
