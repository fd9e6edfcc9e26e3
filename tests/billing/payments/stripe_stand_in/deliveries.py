"""Webhooks: each event signed and sent to one endpoint; as a test asks, late, twice, out of order, or never."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stripe import WebhookSignature

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.billing.payments.stripe_stand_in.account import Account

SECRET = "whsec_stand_in"
LAST_TRY = 3 * 86_400


def signed(event: dict[str, Any], *, at: float | None = None, secret: str = SECRET) -> tuple[bytes, str]:
    """Return the body of a delivery and its header ``Stripe-Signature``, of a moment in Unix seconds."""
    body = json.dumps(event, indent=2)
    moment = int(time.time() if at is None else at)
    return body.encode(), str(WebhookSignature.generate_signature_header(body, secret, timestamp=moment))


@dataclass(repr=False)
class Deliveries:
    """The endpoint of an account.

    Attributes:
        account: whose events are sent.
        send: sends body and signature, and returns the status that the endpoint answered.
        waiting: events that are not delivered yet, with the number of tries.
    """

    account: Account
    send: Callable[[bytes, str], int]
    waiting: list[dict[str, Any]] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.account.on_event.append(self.waiting.append)

    def deliver(self, *, rounds: int = 5) -> None:
        """Deliver each waiting event in order. What is not answered 2xx is tried again, as Stripe does for 3 days."""
        for _ in range(rounds):
            batch, self.waiting[:] = list(self.waiting), []
            for event in batch:
                if not self._try(event):
                    self.waiting.append(event)

    def deliver_badly(self, random: Random, *, drop: float = 0.3, double: float = 0.3) -> None:
        """Deliver the waiting events shuffled, some twice, and some never."""
        batch, self.waiting[:] = list(self.waiting), []
        batch += [event for event in batch if random.random() < double]
        random.shuffle(batch)
        for event in batch:
            if random.random() >= drop:
                self._try(event)

    def _try(self, event: dict[str, Any]) -> bool:
        body, header = signed(event)
        accepted = 200 <= self.send(body, header) < 300
        if accepted:
            self.delivered.append(event["id"])
        return accepted
