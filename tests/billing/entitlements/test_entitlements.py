"""A plan's caps and unpaid invoices stop extras alone; quotas warn once for each level and period."""

from datetime import timedelta

import pytest

from billing.entitlements import near
from billing.entitlements.quotas import LEVELS, Quota, state_of
from billing.entitlements.service import decide
from billing.plans import service as plans
from billing.plans.schemas import AccountChange
from core import entitlements, events, metering
from core.clock import frozen, now, today
from core.database import platform_session, psycopg_connection, tenant_session
from tests.ledger import roll_up

ACT = plans.Act(actor="test:1", reason="test")


def terms(meter, aggregation="sum", **caps):
    charge = {"model": "per_unit", "unit_price": "1"}
    return {"meter": meter, "aggregation": aggregation, "charge": charge, **caps}


@pytest.fixture
def subscribe(tenant):
    """``subscribe(*meters)`` puts the tenant on a plan with these meters."""

    def begin(*meters):
        with platform_session() as session:
            _, version = plans.create_version(
                session, f"p-{tenant.slug[-12:]}", {"currency": "USD", "meters": list(meters)}, act=ACT
            )
            default = {"legal_name": "Partner", "time_zone": tenant.time_zone}
            plans.store_account(session, tenant.id, AccountChange(), act=ACT, default=default)
            plans.start_subscription(session, tenant.id, version, today(tenant.time_zone).replace(day=1), act=ACT)
        entitlements.forget()

    yield begin
    entitlements.forget()


def use(tenant, meter, value, key, **dimensions):
    with tenant_session(tenant, actor="test:1") as session:
        metering.record(session, meter, value, key=key, dimensions=dimensions)


def test_without_a_plan_everything_is_allowed(tenant):
    assert decide(tenant) == {}


def test_a_hard_cap_stops_its_extra_also_by_use_that_is_not_rolled_up(tenant, subscribe):
    subscribe(terms("sms_segments", hard_cap="10"))
    use(tenant, "sms_segments", 6, "a")
    roll_up(tenant.database)
    assert decide(tenant) == {}
    use(tenant, "sms_segments", 4, "b")
    decisions = decide(tenant)
    assert list(decisions) == ["sms"]
    assert (decisions["sms"].status, decisions["sms"].reason) == (429, "the cap of 10 of sms_segments is reached")
    assert 0 < decisions["sms"].retry_after <= 31 * 86400
    with pytest.raises(entitlements.CapReached):
        entitlements.require(tenant, "sms")
    entitlements.require(tenant, "ai_answers")


def test_people_are_counted_once_in_both_parts(tenant, subscribe):
    subscribe(terms("active_people", "unique:person", hard_cap="2"))
    use(tenant, "active_people", 1, "1", person="a")
    roll_up(tenant.database)
    use(tenant, "active_people", 1, "2", person="a")
    assert decide(tenant) == {}
    use(tenant, "active_people", 1, "3", person="b")
    assert list(decide(tenant)) == ["new_people"]


def test_a_hard_cap_of_care_stops_nothing(tenant, subscribe):
    subscribe(terms("import_rows", hard_cap="1"), terms("patients_scored", hard_cap="1"))
    use(tenant, "import_rows", 5, "a")
    use(tenant, "patients_scored", 5, "a")
    assert decide(tenant) == {}


def test_an_unpaid_invoice_stops_all_extras(tenant, subscribe):
    subscribe()
    with platform_session() as session:
        psycopg_connection(session).execute(
            "UPDATE platform.billing_accounts SET extras_off = true WHERE tenant_id = %s", (tenant.id,)
        )
    assert {extra: decision.status for extra, decision in decide(tenant).items()} == dict.fromkeys(
        entitlements.EXTRAS, 402
    )


@pytest.mark.parametrize(("used", "level"), [(0, 0), (79, 0), (80, 80), (99, 80), (100, 100), (119, 100), (500, 120)])
def test_levels_are_reached_at_their_percent(used, level):
    assert Quota("m", used, None, 100).level == level
    assert LEVELS == (80, 100, 120)


@pytest.fixture
def heard(monkeypatch):
    """The warnings that listeners hear: subject, percent, whether it ended."""
    published = []
    real = events.publish

    def publish(session, event, payload):
        published.append((payload["subject"], payload["value"], payload["ended"]))
        return real(session, event, payload)

    monkeypatch.setattr(events, "publish", publish)
    return published


def test_each_level_is_announced_once_in_a_period_and_ends_with_it(tenant, subscribe, heard):
    subscribe(terms("sms_segments", soft_cap="10"))
    use(tenant, "sms_segments", 8, "a")
    assert [near.look_at(tenant), near.look_at(tenant)] == [[80], []]
    use(tenant, "sms_segments", 5, "b")
    assert [near.look_at(tenant), near.look_at(tenant)] == [[120], []]
    with frozen(now() + timedelta(days=40)):
        assert [near.look_at(tenant), near.look_at(tenant)] == [[], []]
        assert state_of(tenant).period.quotas[0].used == 0
    assert heard == [("sms_segments", 80, False), ("sms_segments", 130, False), ("sms_segments", 0, True)]


def test_a_warning_becomes_an_alert_of_the_partner_and_ends(owner, application, client_for, subscribe_owner):
    client = client_for(application, owner.api_key)

    def alerts(status):
        rows = client.get("/v1/alerts", params={"status": status}).json()["items"]
        return [row["subject"] for row in rows if row["rule"] == "quota_near"]

    use(owner.ref, "sms_segments", 9, "a")
    near.look_at(owner.ref)
    assert alerts("open") == ["sms_segments"]
    with frozen(now() + timedelta(days=40)):
        near.look_at(owner.ref)
    assert alerts("open") == []


@pytest.fixture
def subscribe_owner(owner):
    with platform_session() as session:
        meters = [terms("sms_segments", soft_cap="10")]
        _, version = plans.create_version(
            session, f"o-{owner.ref.slug[-12:]}", {"currency": "USD", "meters": meters}, act=ACT
        )
        default = {"legal_name": "Partner", "time_zone": owner.ref.time_zone}
        plans.store_account(session, owner.ref.id, AccountChange(), act=ACT, default=default)
        plans.start_subscription(session, owner.ref.id, version, today(owner.ref.time_zone).replace(day=1), act=ACT)
