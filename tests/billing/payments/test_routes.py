"""The route of webhooks, the routes of operators, and the commands."""

import json
from uuid import uuid4

import pytest
from sqlalchemy import text

from billing.payments.service import close_difference, list_differences
from billing.plans.service import Act
from core.app.factory import create_app
from core.cli.main import run as iit
from core.database import platform_session
from core.identity import csrf
from core.identity.people import accounts, sessions
from core.settings import get_settings
from tests.billing.payments.conftest import add_invoice, exchange
from tests.billing.payments.stripe_stand_in.deliveries import signed
from tests.keyed import KeyedClient

BASE = "/v1/operators/billing/payments"


@pytest.fixture(scope="module")
def app(own_services):
    return create_app()


@pytest.fixture
def public(app):
    with KeyedClient(app) as client:
        yield client


@pytest.fixture
def admin(app):
    person = accounts.add_operator(f"{uuid4().hex}@example.org", "Operator", "platform_admin", actor="test:1")
    with platform_session() as session:
        begun = sessions.begin(session, person, None, signed_in_by="password")
    token = {csrf.HEADER: csrf.token_of(begun.secret), "Origin": "http://testserver"}
    with KeyedClient(app, headers=token) as client:
        client.cookies.set("iit_session", begun.secret)
        yield client


def test_a_message_of_stripe_is_taken_and_a_larger_one_than_others_send(stripe_account, public):
    event = stripe_account.account.emit("customer.created", {"id": "cus_1", "object": "customer", "note": "x" * 90_000})
    body, header = signed(event)
    assert len(body) > 65_536
    for _ in range(2):
        answer = public.post("/v1/hooks/stripe", content=body, headers={"Stripe-Signature": header})
        assert answer.status_code == 200
    assert public.post("/v1/hooks/stripe", content=body).status_code == 403
    assert public.post("/v1/hooks/stripe", content=b"x" * 1_100_000).status_code == 413


def test_without_an_account_nobody_listens_and_nothing_is_mirrored(stripe_account, partner, public, monkeypatch):
    monkeypatch.delenv("IIT_STRIPE_KEY")
    get_settings.cache_clear()
    event = stripe_account.account.emit("customer.created", {"id": "cus_1", "object": "customer"})
    body, header = signed(event)
    answer = public.post("/v1/hooks/stripe", content=body, headers={"Stripe-Signature": header})
    assert answer.status_code == 404
    exchange()
    assert not stripe_account.requests


def run(capsys, *arguments):
    code = iit(["billing", "payments", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_commands_show_reconcile_and_close(stripe_account, partner, capsys):
    exchange()
    [subscription] = stripe_account.account.all("subscription")
    subscription["status"] = "canceled"
    code, report = run(capsys, "reconcile")
    assert (code, report["escalated"]) == (3, 1)
    _, listed = run(capsys, "differences")
    [difference] = listed["differences"]
    assert difference["cause"] == "canceled_at_provider"
    assert run(capsys, "close", difference["id"])[0] == 0
    assert not list_differences()
    _, state = run(capsys, "status")
    assert (state["provider"], state["calls_waiting"], state["differences"]) == ("stripe", 0, 0)
    assert run(capsys, "calls", "--state", "failed")[1] == {"calls": []}
    assert run(capsys, "events")[1] == {"events": []}
    assert iit(["billing", "payments", "retry", "call", "1", "--json"]) == 1


def test_operators_see_the_same_over_the_api_and_act_on_it(stripe_account, partner, admin):
    with platform_session() as session:
        session.execute(text("UPDATE platform.billing_accounts SET tax_id = 'ng_tin:####'"))
    exchange()
    assert admin.get(BASE).json()["calls_failed"] == 1
    [call] = admin.get(f"{BASE}/calls?state=failed").json()["calls"]
    assert call["error"].startswith("tax_id_invalid")
    assert admin.put(f"{BASE}/calls/{call['id']}/retry").status_code == 204
    assert admin.put(f"{BASE}/calls/{call['id']}/retry").status_code == 409
    exchange()
    iit(["billing", "payments", "reconcile", "--json"])
    [difference] = admin.get(f"{BASE}/differences").json()["differences"]
    assert difference["cause"] == "rejected_by_provider"
    assert admin.put(f"{BASE}/differences/{difference['id']}/close").status_code == 204
    assert admin.get(f"{BASE}/events").json() == {"events": []}
    assert admin.put(f"{BASE}/events/evt_1/retry").status_code == 404


def test_links_of_manual_accounts_are_none(stripe_account, partner, capsys):
    with platform_session() as session:
        session.execute(text("UPDATE platform.billing_accounts SET provider = 'manual'"))
    invoice = add_invoice(partner)
    assert run(capsys, "link", str(invoice), "--return-url", "https://a.example")[1]["url"] is None


def test_what_a_person_closed_opens_again_when_it_is_seen_again(stripe_account, partner):
    from billing.payments.differences import note

    for _ in range(2):
        note("payment", "pi_1", "disputed", ours="paid", theirs="disputed")
        note("payment", "pi_1", "disputed", ours="paid", theirs="disputed")
        [difference] = list_differences()
        close_difference(difference.id, act=Act("test:1"))
    assert [each.state for each in list_differences("all")] == ["closed", "closed"]
