"""Lists of events: snapshot events, and thin ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.billing.payments.stripe_stand_in.account import page
from tests.billing.payments.stripe_stand_in.faults import no_such

if TYPE_CHECKING:
    from tests.billing.payments.stripe_stand_in.account import Account

Params = dict[str, Any]
LISTED_FOR = 30 * 86_400


def list_events(account: Account, params: Params) -> Params:
    created, types = params.get("created") or {}, params.get("types")
    oldest = max(int(created.get("gte", 0)), account.now() - LISTED_FOR)
    matching = [
        each for each in account.events if each["created"] >= oldest and (types is None or each["type"] in types)
    ]
    return page(reversed(matching), params, "/v1/events")


def get_event(account: Account, params: Params, identifier: str) -> Params:
    for each in account.events:
        if each["id"] == identifier:
            return each
    raise no_such("event", identifier)


def list_thin(account: Account, params: Params) -> Params:
    """Thin events of one object, newest first, in one page."""
    wanted = params.get("object_id")
    own = [each for each in account.thin_events if wanted in (None, (each["related_object"] or {}).get("id"))]
    return {"data": list(reversed(own)), "next_page_url": None, "previous_page_url": None}


def get_thin(account: Account, params: Params, identifier: str) -> Params:
    for each in account.thin_events:
        if each["id"] == identifier:
            return each
    raise no_such("event", identifier)
