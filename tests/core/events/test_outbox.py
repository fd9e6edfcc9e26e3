"""An event commits with its act or not at all, is its tenant's alone, and is declared by a feature."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from core.database import node_session, tenant_session
from core.events import outbox
from core.events.catalogue import event_types
from core.events.outbox import publish_after_commit, subscribers
from core.feature_registry import Feature, features, resolve
from tests.core.events.features import any_event, declare


def waiting(tenant):
    with node_session(tenant.database) as session:
        rows = session.execute(
            text("SELECT * FROM node.outbox WHERE tenant_role = :role ORDER BY published_at"),
            {"role": tenant.role_name},
        )
        return rows.mappings().all()


def publish(tenant, subject="a", payload=None, event="testing.noted"):
    with tenant_session(tenant, actor="test:1", request_id="r-1") as session:
        return publish_after_commit(session, event, subject=subject, payload=payload or {})


@pytest.fixture(autouse=True)
def noted(monkeypatch):
    declare(monkeypatch, Feature("testing", events=(any_event("testing.noted"),)))


def test_an_event_commits_with_its_act(tenant):
    event_id = publish(tenant, payload={"count": 3})
    (row,) = waiting(tenant)
    assert (row["id"], row["event"], row["subject"], row["payload"]) == (event_id, "testing.noted", "a", {"count": 3})
    assert (row["actor"], row["request_id"], row["tenant_id"]) == ("test:1", "r-1", tenant.id)
    assert row["forwarded_at"] is None


def test_an_act_that_is_rolled_back_leaves_no_event(make_tenant):
    tenant = make_tenant().ref

    def act():
        with tenant_session(tenant, actor="test:1") as session:
            publish_after_commit(session, "testing.noted", subject="a", payload={})
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        act()
    assert waiting(tenant) == []


def test_a_tenant_reads_no_event_and_writes_none_for_another(tenant, make_tenant):
    other = make_tenant().ref
    publish(other)
    with tenant_session(tenant, actor="test:1") as session, pytest.raises(Exception, match="permission denied"):
        session.execute(text("SELECT * FROM node.outbox"))
    insert = (
        "INSERT INTO node.outbox (id, tenant_id, tenant_role, event, subject, payload, actor)"
        " VALUES (gen_random_uuid(), :tenant, :role, 'testing.noted', 'a', '{}', 'test:1')"
    )
    for values in (
        {"tenant": other.id, "role": other.role_name},
        {"tenant": other.id, "role": tenant.role_name},
        {"tenant": tenant.id, "role": other.role_name},
    ):
        with (
            tenant_session(tenant, actor="test:1") as session,
            pytest.raises(Exception, match=r"row-level security|tenant"),
        ):
            session.execute(text(insert), values)
    assert len(waiting(other)) == 1


def test_an_event_that_no_feature_declares_is_rejected(tenant):
    with pytest.raises(LookupError, match=r"no feature declares the event 'testing\.nosuch'"):
        publish(tenant, event="testing.nosuch")


def test_an_event_without_a_subject_is_rejected(tenant):
    with pytest.raises(ValueError, match="needs a subject"):
        publish(tenant, subject="")


def test_an_event_that_carries_too_much_is_rejected(tenant):
    with pytest.raises(ValueError, match="store the data and name it"):
        publish(tenant, payload={"text": "x" * outbox.LARGEST_PAYLOAD})


def test_every_subscribed_event_is_declared_and_every_subscriber_is_there():
    for feature in features():
        for event, reference in feature.subscribers.items():
            assert event in event_types(), f"{feature.name} subscribes to {event}, which nobody publishes"
            assert callable(resolve(reference))


def test_subscribers_come_in_the_order_of_their_features(monkeypatch):
    declare(
        monkeypatch,
        Feature("b", subscribers={"testing.noted": "b:second"}),
        Feature("a", subscribers={"testing.noted": "a:first"}),
    )
    assert subscribers("testing.noted") == ("a:first", "b:second")
    assert subscribers("imports.nosuch") == ()
