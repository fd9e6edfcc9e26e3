"""Meters, meter events and their summaries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.billing.payments.stripe_stand_in.account import iso, page
from tests.billing.payments.stripe_stand_in.faults import StandInError, missing

if TYPE_CHECKING:
    from tests.billing.payments.stripe_stand_in.account import Account

Params = dict[str, Any]
DAY, HOUR = 86_400, 3_600
OLDEST, NEWEST, UNIQUE_FOR = 35 * DAY, 300, DAY
_WHOLE = re.compile(r"-?\d{1,15}")


def create_meter(account: Account, params: Params) -> Params:
    for name in ("display_name", "event_name", "default_aggregation"):
        if not params.get(name):
            raise missing(name)
    if params["default_aggregation"].get("formula") not in {"sum", "count", "last"}:
        raise StandInError("Invalid formula.", param="default_aggregation[formula]")
    if any(each["event_name"] == params["event_name"] and each["status"] == "active" for each in _meters(account)):
        raise StandInError(
            f"An active meter with event name {params['event_name']} exists.", code="resource_already_exists"
        )
    created = account.add(
        "billing.meter",
        {
            "display_name": params["display_name"],
            "event_name": params["event_name"],
            "default_aggregation": params["default_aggregation"],
            "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
            "value_settings": {"event_payload_key": "value"},
            "status": "active",
        },
    )
    account.emit("billing.meter.created", created)
    return created


def list_meters(account: Account, params: Params) -> Params:
    wanted = params.get("status")
    return page((each for each in _meters(account) if wanted in (None, each["status"])), params, "/v1/billing/meters")


def deactivate_meter(account: Account, params: Params, identifier: str) -> Params:
    meter = account.get("billing.meter", identifier)
    meter["status"] = "inactive"
    account.emit("billing.meter.deactivated", meter)
    return meter


def create_meter_event(account: Account, params: Params) -> Params:
    """Accept an event, or reject what can be seen at once. What is wrong otherwise comes later, as a thin event."""
    name, payload = params.get("event_name"), params.get("payload")
    if not name or not isinstance(payload, dict):
        raise missing("event_name" if not name else "payload")
    present = account.now()
    at = int(params.get("timestamp", present))
    if at < present - OLDEST:
        raise StandInError("The timestamp is more than 35 calendar days ago.", code="timestamp_too_far_in_past")
    if at > present + NEWEST:
        raise StandInError("The timestamp is more than 5 minutes ahead.", code="timestamp_in_future")
    identifier = params.get("identifier") or f"auto-{len(account.meter_events)}-{present}"
    if len(identifier) > 100:
        raise StandInError("Invalid identifier: at most 100 characters.", param="identifier", begun=False)
    earlier = account.meter_events.get(identifier)
    if earlier is not None and earlier["received"] > present - UNIQUE_FOR:
        raise StandInError(f"An event already exists with identifier {identifier}.")
    key = identifier if earlier is None else f"{identifier}#{present}"
    event = {"event_name": name, "payload": payload, "timestamp": at, "identifier": identifier, "received": present}
    account.meter_events[key] = {**event, "error": _error(account, event)}
    _report(account, account.meter_events[key])
    return {
        "object": "billing.meter_event",
        "created": present,
        "livemode": False,
        **{name: event[name] for name in ("event_name", "identifier", "payload", "timestamp")},
    }


def list_summaries(account: Account, params: Params, identifier: str) -> Params:
    meter = account.get("billing.meter", identifier)
    for name in ("customer", "start_time", "end_time"):
        if name not in params:
            raise missing(name)
    start, end, window = int(params["start_time"]), int(params["end_time"]), params.get("value_grouping_window")
    step = {"hour": HOUR, "day": DAY, None: end - start}[window]
    if start % (step if window else 60) or end % (step if window else 60):
        raise StandInError("start_time and end_time must be aligned with the window.", param="start_time")
    summaries = []
    for begin in range(start, end, max(step, 60)):
        own = _events(account, meter, params["customer"], begin, begin + step)
        if own:
            value = _aggregated(own, meter["default_aggregation"]["formula"])
            summary = {"id": f"mtrusg_{meter['id'][-12:]}_{begin}", "object": "billing.meter_event_summary",
                       "aggregated_value": value, "start_time": begin, "end_time": begin + step,
                       "livemode": False, "meter": meter["id"]}  # fmt: skip
            summaries.append(summary)
    return page(reversed(summaries), params, f"/v1/billing/meters/{identifier}/event_summaries")


def aggregate(account: Account, meter: Params, customer: str, start: int, end: int) -> int:
    """Return a customer's usage of a meter in a period: what a metered price bills. Never below 0."""
    return max(0, _aggregated(_events(account, meter, customer, start, end), meter["default_aggregation"]["formula"]))


def _aggregated(events: list[Params], formula: str) -> int:
    if formula == "count":
        return len(events)
    values = [int(each["payload"]["value"]) for each in events]
    return sum(values) if formula == "sum" else (values[-1] if values else 0)


def _events(account: Account, meter: Params, customer: str, start: int, end: int) -> list[Params]:
    own = [
        each
        for each in account.meter_events.values()
        if each["event_name"] == meter["event_name"]
        and each["error"] is None
        and each["payload"]["stripe_customer_id"] == customer
        and start <= each["timestamp"] < end
    ]
    return sorted(own, key=lambda each: each["timestamp"])


def _meters(account: Account) -> list[Params]:
    return list(account.all("billing.meter"))


def _error(account: Account, event: Params) -> str | None:
    payload = event["payload"]
    own = [each for each in _meters(account) if each["event_name"] == event["event_name"]]
    if not own:
        return "no_meter"
    if own[0]["status"] != "active":
        return "archived_meter"
    if "stripe_customer_id" not in payload:
        return "meter_event_no_customer_defined"
    customer = account.objects.get(payload["stripe_customer_id"])
    if customer is None or customer["object"] != "customer" or customer.get("deleted"):
        return "meter_event_customer_not_found"
    return None if _WHOLE.fullmatch(str(payload.get("value", ""))) else "meter_event_invalid_value"


def _report(account: Account, event: Params) -> None:
    code = event["error"]
    if code is None:
        return
    sample = {"error_message": f"{code}: {event['event_name']}", "request": {"identifier": event["identifier"]}}
    data = {
        "developer_message_summary": "There is 1 invalid event",
        "reason": {"error_count": 1, "error_types": [{"code": code, "error_count": 1, "sample_errors": [sample]}]},
        "validation_start": iso(event["received"]),
        "validation_end": iso(event["received"] + 10),
    }
    if code == "no_meter":
        account.emit_thin("v1.billing.meter.no_meter_found", None, data)
        return
    meter = next(each for each in _meters(account) if each["event_name"] == event["event_name"])
    related = {"id": meter["id"], "type": "billing.meter", "url": f"/v1/billing/meters/{meter['id']}"}
    account.emit_thin("v1.billing.meter.error_report_triggered", related, data)
