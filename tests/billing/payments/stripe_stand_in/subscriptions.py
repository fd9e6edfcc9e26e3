"""Subscriptions, the invoices of their periods, and test clocks that make time pass."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from tests.billing.payments.stripe_stand_in.account import page
from tests.billing.payments.stripe_stand_in.faults import StandInError, missing
from tests.billing.payments.stripe_stand_in.meters import aggregate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.billing.payments.stripe_stand_in.account import Account

Params = dict[str, Any]
MONTHS_AT_ONCE = 2


def create_subscription(account: Account, params: Params) -> Params:
    customer = account.get("customer", params.get("customer"), "customer")
    if not params.get("items"):
        raise missing("items")
    prices = [account.get("price", each.get("price"), "items[price]") for each in params["items"]]
    if len({(each["currency"], *_interval(each)) for each in prices}) != 1:
        raise StandInError("All prices need the same currency and interval.", param="items")
    if params.get("collection_method") == "send_invoice" and "days_until_due" not in params:
        raise missing("days_until_due")
    present = account.now(customer["test_clock"])
    anchor = int(params.get("billing_cycle_anchor", present))
    if anchor < present and "billing_cycle_anchor" in params:
        raise StandInError("The anchor must be in the future.", param="billing_cycle_anchor")
    if anchor > _after(present, prices[0]):
        raise StandInError("The anchor cannot be later than the next period.", param="billing_cycle_anchor")
    end = anchor if anchor > present else _after(anchor, prices[0])
    items = [
        account.add("subscription_item", {"price": price, "current_period_start": present, "current_period_end": end},
                    identifier=f"si_{customer['id'][4:12]}{position}{present}{len(account.objects)}")
        for position, price in enumerate(prices)
    ]  # fmt: skip
    created = account.add(
        "subscription",
        {
            "customer": customer["id"],
            "items": {"object": "list", "data": items, "has_more": False, "url": "/v1/subscription_items"},
            "status": "active",
            "currency": prices[0]["currency"],
            "collection_method": params.get("collection_method", "charge_automatically"),
            "days_until_due": params.get("days_until_due"),
            "billing_cycle_anchor": anchor,
            "start_date": present,
            "pause_collection": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "test_clock": customer["test_clock"],
            "metadata": params.get("metadata") or {},
        },
    )
    account.emit("customer.subscription.created", created)
    if params.get("proration_behavior", "create_prorations") != "none" or anchor <= present:
        _invoice(account, created, present, end, first=True)
    return created


def update_subscription(account: Account, params: Params, identifier: str) -> Params:
    subscription = account.get("subscription", identifier)
    if subscription["status"] == "canceled":
        raise StandInError("A canceled subscription can only update its cancellation_details and metadata.")
    if "pause_collection" in params:
        pause = params["pause_collection"] or None
        if pause and pause.get("behavior") not in {"keep_as_draft", "mark_uncollectible", "void"}:
            raise StandInError("Invalid behavior.", param="pause_collection[behavior]")
        subscription["pause_collection"] = pause
    subscription["metadata"] = {**subscription["metadata"], **(params.get("metadata") or {})}
    account.emit("customer.subscription.updated", subscription)
    return subscription


def cancel_subscription(account: Account, params: Params, identifier: str) -> Params:
    subscription = account.get("subscription", identifier)
    if subscription["status"] == "canceled":
        raise StandInError(f"No such subscription: '{identifier}'", status=404, code="resource_missing", param="id")
    subscription.update(status="canceled", canceled_at=account.now(subscription["test_clock"]))
    account.emit("customer.subscription.deleted", subscription)
    return subscription


def get_subscription(account: Account, params: Params, identifier: str) -> Params:
    return account.get("subscription", identifier)


def list_subscriptions(account: Account, params: Params) -> Params:
    status = params.get("status")
    return page(
        (
            each
            for each in account.all("subscription")
            if params.get("customer") in (None, each["customer"])
            and (status == "all" or each["status"] == (status or each["status"]))
            and (status or each["status"] != "canceled")
        ),
        params,
        "/v1/subscriptions",
    )


def list_invoices(account: Account, params: Params) -> Params:
    own = (each for each in account.all("invoice") if params.get("customer") in (None, each["customer"]))
    return page(own, params, "/v1/invoices")


def create_clock(account: Account, params: Params) -> Params:
    if "frozen_time" not in params:
        raise missing("frozen_time")
    fields = {"frozen_time": int(params["frozen_time"]), "name": params.get("name"), "status": "ready"}
    return account.add("test_helpers.test_clock", fields)


def get_clock(account: Account, params: Params, identifier: str) -> Params:
    return account.get("test_helpers.test_clock", identifier)


def advance_clock(account: Account, params: Params, identifier: str) -> Params:
    """Answer ``advancing``; the periods that end have ended when the clock is read next."""
    clock = account.get("test_helpers.test_clock", identifier)
    target = int(params.get("frozen_time", 0))
    if target <= clock["frozen_time"]:
        raise StandInError("The time must be after the clock's current frozen time.", param="frozen_time")
    subscriptions = [each for each in account.all("subscription") if each["test_clock"] == identifier]
    for each in subscriptions:
        limit = clock["frozen_time"]
        for _ in range(MONTHS_AT_ONCE):
            limit = _after(limit, each["items"]["data"][0]["price"])
        if target > limit:
            raise StandInError("The time is more than two intervals ahead.", param="frozen_time")
    clock["frozen_time"] = target
    for each in subscriptions:
        end_periods(account, each, target)
    account.emit("test_helpers.test_clock.ready", clock)
    return {**clock, "status": "advancing"}


def end_periods(account: Account, subscription: Params, until: int) -> None:
    """Invoice each period of an active subscription that ends up to an instant, and begin the next."""
    items = subscription["items"]["data"]
    while subscription["status"] == "active" and items[0]["current_period_end"] <= until:
        start, end = items[0]["current_period_start"], items[0]["current_period_end"]
        _invoice(account, subscription, start, end)
        for item in items:
            item.update(current_period_start=end, current_period_end=_after(end, item["price"]))


def _invoice(account: Account, subscription: Params, start: int, end: int, *, first: bool = False) -> None:
    lines = [
        {
            "price": item["price"]["id"],
            "quantity": (quantity := _quantity(account, subscription, item["price"], start, end, first=first)),
            "amount": amount_of(item["price"], quantity),
        }
        for item in subscription["items"]["data"]
    ]
    pause = subscription["pause_collection"]
    state = {"void": "void", "keep_as_draft": "draft", "mark_uncollectible": "uncollectible"}.get(
        (pause or {}).get("behavior"), "open"
    )
    created = account.add(
        "invoice",
        {
            "customer": subscription["customer"],
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription["id"]}},
            "currency": subscription["currency"],
            "lines": {"object": "list", "data": lines, "has_more": False},
            "total": sum(each["amount"] for each in lines),
            "status": state,
            "period_start": start,
            "period_end": end,
        },
    )
    if state != "void":
        account.emit("invoice.created", created)


def _quantity(account: Account, subscription: Params, price: Params, start: int, end: int, *, first: bool) -> int:
    if price["recurring"]["usage_type"] == "licensed":
        return 1
    if first:
        return 0
    meter = account.get("billing.meter", price["recurring"]["meter"])
    return aggregate(account, meter, subscription["customer"], start, end)


def amount_of(price: Params, quantity: int) -> int:
    """Return what a quantity costs in the currency's smallest unit, as Stripe computes its schemes."""
    if price["billing_scheme"] == "per_unit":
        transform = price["transform_quantity"]
        if transform:
            divisor = int(transform["divide_by"])
            quantity = -(-quantity // divisor) if transform["round"] == "up" else quantity // divisor
        return _rounded(_unit(price) * quantity)
    total, below = Decimal(0), 0
    for tier in price["tiers"]:
        top = None if tier["up_to"] == "inf" else int(tier["up_to"])
        if price["tiers_mode"] == "volume":
            if top is None or quantity <= top:
                return _rounded(_unit(tier) * quantity + _flat(tier))
            continue
        within = max(0, (quantity if top is None else min(quantity, top)) - below)
        if within or (quantity == 0 and below == 0):
            total += _unit(tier) * within + _flat(tier)
        below = top or below
    return _rounded(total)


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def _unit(priced: Params) -> Decimal:
    return Decimal(str(priced.get("unit_amount_decimal") or priced.get("unit_amount") or 0))


def _flat(tier: Params) -> Decimal:
    return Decimal(str(tier.get("flat_amount_decimal") or tier.get("flat_amount") or 0))


def _interval(price: Params) -> Iterator[object]:
    recurring = price["recurring"] or {}
    return iter((recurring.get("interval"), int(recurring.get("interval_count", 1))))


def _after(at: int, price: Params) -> int:
    """Return the end of a period that begins at an instant: the same day of a later month, or its last day."""
    _, count = _interval(price)
    begin = datetime.fromtimestamp(at, UTC)
    months = begin.month - 1 + int(str(count))
    year, month = begin.year + months // 12, months % 12 + 1
    for day in range(begin.day, begin.day - 4, -1):
        try:
            return int(begin.replace(year=year, month=month, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError
