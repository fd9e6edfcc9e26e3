"""Whether a call took effect whose answer was lost: looked up at Stripe, by what the call would have created."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from billing.payments.client import read, read_all
from core.database import platform_session, psycopg_connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from billing.payments.outbox import Call

UNDECIDED: Final = "?"
HOUR: Final = timedelta(hours=1)
_ACKNOWLEDGED: Final = """
SELECT coalesce(sum(quantity), 0), bool_or(state = 'waiting' AND attempts > 0 AND id <> %(id)s)
FROM platform.provider_calls
WHERE kind = 'meter_event' AND tenant_id = %(tenant)s AND meter = %(meter)s AND hour = %(hour)s
    AND (state = 'done' OR (state = 'waiting' AND attempts > 0 AND id <> %(id)s))
"""


def effect_of(call: Call, path: str, body: dict[str, Any]) -> str | None:
    """Return the id of what the call created; None if it took no effect; ``UNDECIDED`` if Stripe does not tell.

    Raises:
        StripeAway, stripe.StripeError, BreakerOpen, BulkheadFull, DeadlinePassed: see ``client.read``.
    """
    if call.kind == "meter_event":
        return _meter_event(call, body)
    if call.kind == "product":
        return _product(str(body["id"]))
    candidates = _CANDIDATES.get(call.kind)  # other kinds are updates, which may be repeated
    return None if candidates is None else next((str(each["id"]) for each in candidates(call, path, body)), None)


def hourly(meter_id: str, customer: str, start: int, end: int) -> dict[int, int]:
    """Return what Stripe counted for a customer by hour, as Unix seconds of its begin; hours without use are absent."""
    summaries = read_all(
        f"/v1/billing/meters/{meter_id}/event_summaries",
        customer=customer,
        start_time=start,
        end_time=end,
        value_grouping_window="hour",
    )
    return {int(each["start_time"]): int(each["aggregated_value"]) for each in summaries}


def _meter_event(call: Call, body: dict[str, Any]) -> str | None:
    """Compare what Stripe counted in the hour with what it acknowledged: the event is in the rest, or it is not."""
    if call.hour is None or not call.meter or call.quantity is None or not call.meter.endswith(":sum"):
        return None  # the latest value counts: a repetition changes nothing
    values = {"id": call.id, "tenant": call.tenant_id, "meter": call.meter, "hour": call.hour}
    with platform_session() as session:
        connection = psycopg_connection(session)
        acknowledged, others = connection.execute(_ACKNOWLEDGED, values).fetchall()[0]
        row = connection.execute(
            "SELECT provider_id FROM platform.provider_objects WHERE kind = 'meter' AND own_id = %s", (call.meter,)
        ).fetchone()
    if row is None:
        return None
    begin = int(call.hour.timestamp())
    counted = hourly(row[0], body["payload"]["stripe_customer_id"], begin, begin + int(HOUR.total_seconds()))
    rest = counted.get(begin, 0) - int(acknowledged)
    if rest == 0 and not others:
        return None
    return call.own_id if rest == call.quantity and not others else UNDECIDED


def _product(identifier: str) -> str | None:
    import stripe

    try:
        return str(read(f"/v1/products/{identifier}")["id"])
    except stripe.InvalidRequestError:
        return None


_Candidates = Callable[["Call", str, dict[str, Any]], "Iterable[dict[str, Any]]"]


def _customers(call: Call, _path: str, _body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return list(read("/v1/customers/search", query=f"metadata['tenant']:'{call.own_id}'")["data"])


def _meters(_call: Call, _path: str, body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    everything = read_all("/v1/billing/meters", status="active")
    return (each for each in everything if each["event_name"] == body["event_name"])


def _prices(_call: Call, _path: str, body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return list(read("/v1/prices", lookup_keys=[body["lookup_key"]])["data"])


def _tax_ids(_call: Call, path: str, body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return (each for each in read_all(path) if each["value"] == body["value"])


def _subscriptions(call: Call, _path: str, body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    own = read_all("/v1/subscriptions", customer=body["customer"], status="all")
    return (each for each in own if each["metadata"].get("iit") == call.own_id)


_CANDIDATES: Final[dict[str, _Candidates]] = {
    "customer": _customers,
    "meter": _meters,
    "price": _prices,
    "tax_id": _tax_ids,
    "subscription": _subscriptions,
}
