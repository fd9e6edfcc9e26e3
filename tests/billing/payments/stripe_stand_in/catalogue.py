"""Customers, tax ids, products, prices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.billing.payments.stripe_stand_in.account import page
from tests.billing.payments.stripe_stand_in.faults import StandInError, missing

if TYPE_CHECKING:
    from tests.billing.payments.stripe_stand_in.account import Account

Params = dict[str, Any]
TAX_ID_TYPES = {"eu_vat", "gb_vat", "za_vat", "ng_tin", "ke_pin", "us_ein", "tz_vat", "ug_tin", "zm_tin", "et_tin"}
_SEARCH = re.compile(r"""metadata\[['"](?P<name>[^'"]+)['"]\]\s*:\s*['"](?P<value>[^'"]*)['"]""")
_CUSTOMER = ("name", "email", "description", "phone", "preferred_locales", "address")
_PRICE = ("nickname", "lookup_key", "tiers_mode", "tiers", "unit_amount", "unit_amount_decimal", "transform_quantity")


def create_customer(account: Account, params: Params) -> Params:
    if "test_clock" in params:
        account.get("test_helpers.test_clock", params["test_clock"], "test_clock")
    fields = {name: params.get(name) for name in _CUSTOMER}
    created = account.add(
        "customer", {**fields, "metadata": params.get("metadata") or {}, "test_clock": params.get("test_clock")}
    )
    account.emit("customer.created", created)
    return created


def update_customer(account: Account, params: Params, identifier: str) -> Params:
    customer = account.get("customer", identifier)
    customer.update({name: params[name] for name in _CUSTOMER if name in params})
    customer["metadata"] = {**customer["metadata"], **(params.get("metadata") or {})}
    account.emit("customer.updated", customer)
    return customer


def get_customer(account: Account, params: Params, identifier: str) -> Params:
    return account.get("customer", identifier)


def search_customers(account: Account, params: Params) -> Params:
    asked = _SEARCH.fullmatch(params.get("query") or "")
    if asked is None:
        raise missing("query")
    name, value = asked["name"], asked["value"]
    matching = [each for each in account.all("customer") if each["metadata"].get(name) == value]
    return {"object": "search_result", "url": "/v1/customers/search", "has_more": False, "data": matching}


def create_tax_id(account: Account, params: Params, customer: str) -> Params:
    account.get("customer", customer)
    kind, value = params.get("type"), params.get("value")
    if not kind or not value:
        raise missing("value" if kind else "type")
    if kind not in TAX_ID_TYPES:
        raise StandInError(f"Invalid type: {kind}", param="type")
    if not re.fullmatch(r"[A-Z0-9 -]{4,25}", value):
        raise StandInError(f"Invalid value for {kind}.", code="tax_id_invalid", param="value")
    verification = {"status": "pending", "verified_address": None, "verified_name": None}
    created = account.add(
        "tax_id", {"customer": customer, "type": kind, "value": value, "country": kind[:2].upper(),
                   "verification": verification}
    )  # fmt: skip
    account.emit("customer.tax_id.created", created)
    return created


def list_tax_ids(account: Account, params: Params, customer: str) -> Params:
    account.get("customer", customer)
    own = (each for each in account.all("tax_id") if each["customer"] == customer and not each.get("deleted"))
    return page(own, params, f"/v1/customers/{customer}/tax_ids")


def delete_tax_id(account: Account, params: Params, customer: str, identifier: str) -> Params:
    account.get("tax_id", identifier)["deleted"] = True
    return {"id": identifier, "object": "tax_id", "deleted": True}


def create_product(account: Account, params: Params) -> Params:
    if not params.get("name"):
        raise missing("name")
    identifier = params.get("id")
    if identifier in account.objects:
        raise StandInError("Product already exists.", code="resource_already_exists", param="id")
    fields = {"name": params["name"], "active": True, "description": params.get("description")}
    created = account.add("product", {**fields, "metadata": params.get("metadata") or {}}, identifier=identifier)
    account.emit("product.created", created)
    return created


def get_product(account: Account, params: Params, identifier: str) -> Params:
    return account.get("product", identifier)


def create_price(account: Account, params: Params) -> Params:
    if not params.get("currency"):
        raise missing("currency")
    account.get("product", params.get("product"), "product")
    recurring = params.get("recurring") or {}
    usage = recurring.get("usage_type", "licensed")
    if usage == "metered":
        meter = account.get("billing.meter", recurring.get("meter"), "recurring[meter]")
        if meter["status"] != "active":
            raise StandInError("The meter is inactive.", param="recurring[meter]")
    elif "meter" in recurring:
        raise StandInError("A licensed price has no meter.", param="recurring[meter]")
    tiered = params.get("billing_scheme") == "tiered"
    if tiered and (not params.get("tiers") or params["tiers"][-1].get("up_to") != "inf"):
        raise StandInError("The last tier needs up_to=inf.", param="tiers")
    if not tiered and "unit_amount" not in params and "unit_amount_decimal" not in params:
        raise missing("unit_amount")
    key = params.get("lookup_key")
    if key and any(each["lookup_key"] == key for each in account.all("price")):
        raise StandInError(f"A price ({key}) already uses that lookup key.", param="lookup_key")
    fields = {name: params.get(name) for name in _PRICE}
    created = account.add(
        "price",
        {
            **fields,
            "active": True,
            "currency": params["currency"],
            "product": params["product"],
            "billing_scheme": params.get("billing_scheme", "per_unit"),
            "type": "recurring" if recurring else "one_time",
            "recurring": {"interval_count": 1, "meter": None, **recurring, "usage_type": usage} if recurring else None,
            "metadata": params.get("metadata") or {},
        },
    )
    account.emit("price.created", created)
    return created


def list_prices(account: Account, params: Params) -> Params:
    keys = params.get("lookup_keys")
    prices = (each for each in account.all("price") if keys is None or each["lookup_key"] in keys)
    return page(prices, params, "/v1/prices")
