"""What the stand-in stores: the objects and events of one Stripe account, and its time."""

from __future__ import annotations

import secrets
import time
from copy import deepcopy
from threading import RLock
from typing import TYPE_CHECKING, Any

from tests.billing.payments.stripe_stand_in.faults import no_such

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIXES = {
    "customer": "cus",
    "product": "prod",
    "price": "price",
    "billing.meter": "mtr",
    "subscription": "sub",
    "invoice": "in",
    "checkout.session": "cs_test",
    "billing_portal.session": "bps",
    "tax_id": "txi",
    "payment_intent": "pi",
    "refund": "re",
    "test_helpers.test_clock": "clock",
    "event": "evt",
    "v2.core.event": "evt_test",
}
THIN = "v2.core.event"


class Account:
    """One account.

    Attributes:
        objects: every object by its id.
        events: snapshot events, oldest first.
        thin_events: thin events with the data that retrieving them shows, oldest first.
        meter_events: accepted meter events by identifier, with the time at which Stripe got them.
        on_event: called with each new event; deliveries listen.
        stopped_at: the account's time in Unix seconds, where a test stops it; None: the machine's.
        skew: seconds that the account's time is ahead of that.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.thin_events: list[dict[str, Any]] = []
        self.meter_events: dict[str, dict[str, Any]] = {}
        self.on_event: list[Callable[[dict[str, Any]], None]] = []
        self.stopped_at: int | None = None
        self.skew = 0.0

    def now(self, clock: str | None = None) -> int:
        """Return the time of the account, or of a test clock."""
        if clock is not None:
            return int(self.get("test_helpers.test_clock", clock)["frozen_time"])
        return int((time.time() if self.stopped_at is None else self.stopped_at) + self.skew)

    def add(self, kind: str, fields: dict[str, Any], *, identifier: str | None = None) -> dict[str, Any]:
        """Store a new object and return it."""
        created = {
            "id": identifier or f"{PREFIXES[kind]}_{secrets.token_hex(12)}",
            "object": kind,
            "created": self.now(),
            "livemode": False,
            **fields,
        }
        self.objects[created["id"]] = created
        return created

    def get(self, kind: str, identifier: object, param: str = "id") -> dict[str, Any]:
        stored = self.objects.get(str(identifier))
        if stored is None or stored["object"] != kind or stored.get("deleted"):
            raise no_such(kind, identifier, param)
        return stored

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """Every object of a kind, newest first."""
        return (each for each in reversed(list(self.objects.values())) if each["object"] == kind)

    def emit(self, name: str, subject: dict[str, Any]) -> dict[str, Any]:
        """Record a snapshot event about an object, as it is now, and hand it to the deliveries."""
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": self.now(),
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": name,
            "data": {"object": deepcopy(subject)},
        }
        self.events.append(event)
        self._announce(event)
        return event

    def emit_thin(self, name: str, related: dict[str, str] | None, data: dict[str, Any]) -> dict[str, Any]:
        """Record a thin event. What is delivered names the object; retrieving the event shows its data."""
        notice = {
            "id": f"evt_test_{secrets.token_hex(12)}",
            "object": THIN,
            "type": name,
            "created": iso(self.now()),
            "livemode": False,
            "related_object": related,
            "context": None,
            "reason": None,
        }
        self.thin_events.append({**notice, "data": data})
        self._announce(notice)
        return notice

    def _announce(self, event: dict[str, Any]) -> None:
        for listener in self.on_event:
            listener(event)


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def page(objects: Iterator[dict[str, Any]], params: dict[str, Any], url: str) -> dict[str, Any]:
    """Return one page of a list, newest first, as ``limit``, ``starting_after`` and ``ending_before`` say."""
    everything = list(objects)
    limit = max(1, min(100, int(params.get("limit", 10))))
    ids = [each["id"] for each in everything]
    if "ending_before" in params:
        end = ids.index(params["ending_before"]) if params["ending_before"] in ids else 0
        begin = max(0, end - limit)
        return {"object": "list", "url": url, "has_more": begin > 0, "data": everything[begin:end]}
    begin = ids.index(params["starting_after"]) + 1 if params.get("starting_after") in ids else 0
    cut = everything[begin : begin + limit]
    return {"object": "list", "url": url, "has_more": begin + limit < len(everything), "data": cut}
