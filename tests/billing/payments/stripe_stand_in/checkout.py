"""Checkout sessions, the payments that they bring, refunds, and sessions of the customer portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.billing.payments.stripe_stand_in.account import page
from tests.billing.payments.stripe_stand_in.faults import StandInError, missing

if TYPE_CHECKING:
    from tests.billing.payments.stripe_stand_in.account import Account

Params = dict[str, Any]
SHORTEST, LONGEST = 30 * 60, 24 * 3600


def create_session(account: Account, params: Params) -> Params:
    if params.get("mode") != "payment":
        raise StandInError("The stand-in knows mode=payment.", param="mode", begun=False)
    customer = account.get("customer", params.get("customer"), "customer")
    if not params.get("line_items") or not params.get("success_url"):
        raise missing("line_items" if not params.get("line_items") else "success_url")
    present = account.now(customer["test_clock"])
    expires = int(params.get("expires_at", present + LONGEST))
    if not present + SHORTEST <= expires <= present + LONGEST:
        raise StandInError("expires_at must be 30 minutes to 24 hours from now.", param="expires_at")
    total, currency = 0, None
    for item in params["line_items"]:
        data = item["price_data"]
        total += int(data["unit_amount"]) * int(item.get("quantity", 1))
        currency = data["currency"]
    if total <= 0:
        raise StandInError("The amount must be greater than 0.", code="parameter_invalid_integer")
    created = account.add(
        "checkout.session",
        {
            "mode": "payment",
            "customer": customer["id"],
            "amount_total": total,
            "currency": currency,
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "client_reference_id": params.get("client_reference_id"),
            "expires_at": expires,
            "metadata": params.get("metadata") or {},
            "success_url": params["success_url"],
        },
    )
    created["url"] = f"https://checkout.stripe.com/c/pay/{created['id']}"
    return created


def get_session(account: Account, params: Params, identifier: str) -> Params:
    session = account.get("checkout.session", identifier)
    if session["status"] == "open" and session["expires_at"] <= account.now():
        _expire(account, session)
    return session


def list_sessions(account: Account, params: Params) -> Params:
    own = (each for each in account.all("checkout.session") if params.get("customer") in (None, each["customer"]))
    return page(own, params, "/v1/checkout/sessions")


def expire_session(account: Account, params: Params, identifier: str) -> Params:
    session = account.get("checkout.session", identifier)
    if session["status"] != "open":
        raise StandInError("Only Checkout Sessions with a status in ['open'] can be expired.")
    _expire(account, session)
    return session


def pay(account: Account, identifier: str, *, late: bool = False) -> None:
    """Let the customer pay on Stripe's page; with ``late`` by a method that says only later whether it paid."""
    with account.lock:
        session = get_session(account, {}, identifier)
        if session["status"] != "open":
            message = f"the session is {session['status']}"
            raise ValueError(message)
        intent = account.add(
            "payment_intent",
            {
                "amount": session["amount_total"],
                "amount_received": 0 if late else session["amount_total"],
                "currency": session["currency"],
                "customer": session["customer"],
                "status": "processing" if late else "succeeded",
                "metadata": {},
            },
        )
        session.update(
            status="complete", url=None, payment_intent=intent["id"], payment_status="unpaid" if late else "paid"
        )
        account.emit("checkout.session.completed", session)
        if not late:
            account.emit("payment_intent.succeeded", intent)


def settle(account: Account, identifier: str, *, paid: bool = True) -> None:
    """End a late payment: the bank says that it paid, or that it did not."""
    with account.lock:
        session = account.get("checkout.session", identifier)
        intent = account.get("payment_intent", session["payment_intent"])
        if paid:
            intent.update(status="succeeded", amount_received=intent["amount"])
            session["payment_status"] = "paid"
        else:
            intent["status"] = "requires_payment_method"
        account.emit(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", session)
        account.emit("payment_intent.succeeded" if paid else "payment_intent.payment_failed", intent)


def get_intent(account: Account, params: Params, identifier: str) -> Params:
    return account.get("payment_intent", identifier)


def refund(account: Account, payment_intent: str, amount: int | None = None) -> Params:
    """Pay back, as a person does in Stripe's dashboard."""
    with account.lock:
        intent = account.get("payment_intent", payment_intent)
        back = intent["amount"] if amount is None else amount
        created = account.add(
            "refund",
            {"payment_intent": payment_intent, "amount": back, "currency": intent["currency"], "status": "succeeded"},
        )
        account.emit("refund.created", created)
        return created


def get_refund(account: Account, params: Params, identifier: str) -> Params:
    return account.get("refund", identifier)


def list_refunds(account: Account, params: Params) -> Params:
    own = (each for each in account.all("refund") if params.get("payment_intent") in (None, each["payment_intent"]))
    return page(own, params, "/v1/refunds")


def create_portal(account: Account, params: Params) -> Params:
    customer = account.get("customer", params.get("customer"), "customer")
    created = account.add(
        "billing_portal.session", {"customer": customer["id"], "return_url": params.get("return_url")}
    )
    created["url"] = f"https://billing.stripe.com/p/session/{created['id']}"
    return created


def _expire(account: Account, session: Params) -> None:
    session.update(status="expired", url=None)
    account.emit("checkout.session.expired", session)
