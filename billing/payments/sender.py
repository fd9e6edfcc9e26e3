"""Sends the outbox: each call outside a transaction, with its idempotency key, until Stripe has answered it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from billing.payments import doubts, outbox
from billing.payments.client import StripeAway, enabled, write
from billing.payments.references import references, resolved
from billing.payments.usage import is_too_old
from core.database import platform_session
from core.resilience.errors import NOT_CALLED

if TYPE_CHECKING:
    from threading import Event

    import stripe

    from billing.payments.outbox import Call

TOO_OLD: Final = "too_old: Stripe takes no event of 35 days ago"
MOST: Final = 2000
"""Calls of one round."""
_OBJECTS: Final = frozenset({"customer", "tax_id", "product", "meter", "price", "subscription"})
"""Kinds of calls whose answer is an object to remember."""
_EXISTS: Final = "An event already exists with identifier"
_GONE: Final = 404
_FAULT: Final = 500
_BUSY: Final = timedelta(seconds=2)
_NO_KEY: Final = ("stop", "Stripe rejects IIT_STRIPE_KEY", timedelta(minutes=5))
_PAUSES: Final[dict[int, tuple[str, str, timedelta | None]]] = {
    401: _NO_KEY,
    403: _NO_KEY,
    409: ("later", "Stripe is busy with the object", _BUSY),
    429: ("stop", "Stripe asks for fewer calls", _BUSY),
}
"""What follows a status that says nothing about the call itself: the rest of the round, the reason, the pause."""


def send_waiting(stopping: Event) -> int:
    """Send the calls that are due: a round of a loop. Return how many ended.

    A round stops at the first sign that Stripe is away or wants fewer calls; the next one goes on.
    """
    ended, passed_over = 0, list[int]()
    for _ in range(MOST if enabled() else 0):
        call = None if stopping.is_set() else outbox.take(passed_over)
        if call is None:
            break
        outcome = _send(call)
        if outcome == "stop":
            break
        passed_over.append(call.id)
        ended += outcome == "ended"
    return ended


def _send(call: Call) -> str:
    """Send one call. Return ``ended``, ``later`` (a call that it needs has not ended, too) or ``stop``."""
    with platform_session() as session:
        ids = outbox.provider_ids(session, set(references([call.path, call.body])))
    try:
        path, body = resolved(call.path, ids), resolved(call.body, ids)
    except KeyError:
        outbox.give_back(call)
        return "later"
    if call.kind == "meter_event" and call.attempts == 1 and call.hour is not None and is_too_old(call.hour):
        outbox.fail(call.id, TOO_OLD)
        return "ended"
    return _exchange(call, path, body)


def _exchange(call: Call, path: str, body: dict[str, object]) -> str:
    import stripe

    try:
        if call.is_doubtful:
            return _settle(call, path, body)
        answer = write(call.method, path, body, key=call.key)
    except NOT_CALLED:
        outbox.give_back(call)
        return "stop"
    except StripeAway as error:
        outbox.postpone(call, f"no answer: {error}")
        return "stop"
    except stripe.StripeError as error:
        return _rejected(call, path, body, error)
    outbox.end(call, answer.get("id") if call.kind in _OBJECTS else None)
    return "ended"


def _settle(call: Call, path: str, body: dict[str, object]) -> str:
    """Look whether a call took effect whose key Stripe may have forgotten. If not, send it with a new key."""
    effect = doubts.effect_of(call, path, body)
    if effect is None:
        with platform_session() as session:
            outbox.next_turn(session, call.id, call.turn)
        return "later"
    if effect == doubts.UNDECIDED:
        outbox.fail(call.id, "its answer was lost, and Stripe does not say whether it took effect")
    else:
        outbox.end(call, effect if call.kind in _OBJECTS else None)
    return "ended"


def _rejected(call: Call, path: str, body: dict[str, object], error: stripe.StripeError) -> str:
    status, message = error.http_status or 0, error.user_message or type(error).__name__
    replayed = "idempotent-replayed" in {name.lower() for name in error.headers or {}}
    if (call.kind == "meter_event" and message.startswith(_EXISTS)) or (call.method == "delete" and status == _GONE):
        outbox.end(call, None)
    elif error.code == "resource_already_exists" or "lookup key" in message or (status >= _FAULT and replayed):
        return _settle(call, path, body)  # with this key, Stripe would repeat its fault for a day
    elif status in _PAUSES or status >= _FAULT:
        outcome, reason, pause = _PAUSES.get(status, ("stop", f"Stripe failed: {status}", None))
        outbox.postpone(call, reason, pause)
        return outcome
    else:
        outbox.fail(call.id, f"{error.code or type(error).__name__}: {message}"[:500])
    return "ended"
