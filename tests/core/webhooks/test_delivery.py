"""Each public event reaches each endpoint that wants it, at least once, with one id; nothing is sent for nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import jsonschema
import pytest
from standardwebhooks import Webhook

from core import telemetry
from core.clock import now
from core.database import TenantSession, node_session, tenant_session
from core.database.joining import joined
from core.errors import Conflict, Invalid, NotFound
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.events.reference import envelope_schema
from core.jobs.worker import drain
from core.web.etag import ANY_VERSION
from core.webhooks import deliveries, dispatch, fan_out, service
from tests.core.outgoing.receivers import dribbling

DUE = "UPDATE webhook_deliveries SET due_at = now() - interval '1 second' WHERE state = 'waiting'"
RESTED = "UPDATE webhook_endpoints SET paused_until = NULL"


def run_again(tenant, change):
    """Let the pauses pass, and run what is due."""
    change(DUE)
    change(RESTED)
    with node_session(tenant.database) as session:
        statement = "UPDATE node.jobs SET run_after = now() WHERE state = 'queued' AND tenant_role = %s"
        session.connection().exec_driver_sql(statement, (tenant.role_name,))
    return drain(tenant)


def jobs(tenant):
    with node_session(tenant.database) as session:
        query = "SELECT count(*) FROM node.jobs WHERE tenant_role = %s AND kind = 'webhooks.dispatch'"
        return session.connection().exec_driver_sql(query, (tenant.role_name,)).scalar_one()


def test_an_event_arrives_signed_in_its_envelope(tenant, receiver, add, publish, read):
    _, secret = add(f"{receiver.url}/hooks", "risk.scored")
    event_id = publish()
    drain(tenant)
    ((path, headers, body),) = receiver.requests
    assert path == "/hooks"
    assert headers["webhook-id"] == str(event_id)
    assert Webhook(secret).verify(body, headers) == json.loads(body)
    jsonschema.validate(json.loads(body), envelope_schema(type_of("risk.scored")))
    publish()
    drain(tenant)
    first, second = (json.loads(body)["sequence"] for _, _, body in receiver.requests)
    assert second == first + 1
    rows = read("SELECT state, attempts FROM webhook_deliveries")
    assert rows == [{"state": "delivered", "attempts": 1}] * 2
    assert secret not in str(read("SELECT * FROM webhook_endpoints"))


def test_an_event_that_nobody_wants_adds_no_job(tenant, receiver, add, publish):
    before = jobs(tenant)
    publish()
    add(receiver.url, "imports.completed")
    publish()
    drain(tenant)
    assert (jobs(tenant), receiver.requests) == (before, [])
    publish("imports.completed")
    assert jobs(tenant) == before + 1


def test_a_failure_is_tried_again_with_the_same_id_and_a_new_time(tenant, receiver, add, publish, read, change):
    receiver.answers += [(500, {}, b""), (302, {"Location": "/x"}, b"")]
    add(receiver.url)
    event_id = publish()
    drain(tenant)
    (row,) = read("SELECT state, attempts, due_at FROM webhook_deliveries")
    assert (row["state"], row["attempts"]) == ("waiting", 1)
    assert timedelta(seconds=1) < row["due_at"] - now() <= timedelta(seconds=6)
    assert drain(tenant) == 0, "it is not due yet"
    run_again(tenant, change)
    run_again(tenant, change)
    assert {headers["webhook-id"] for _, headers, _ in receiver.requests} == {str(event_id)}
    assert len(receiver.requests) == 3
    assert [row["status"] for row in read("SELECT status FROM webhook_attempts ORDER BY at")] == [500, 302, 200]
    assert read("SELECT failures, failing_since FROM webhook_endpoints") == [{"failures": 0, "failing_since": None}]


def test_after_the_last_attempt_a_delivery_has_failed_until_it_is_sent_again(
    tenant, receiver, add, publish, read, change
):
    endpoint_id, _ = add(receiver.url)
    publish()
    change("UPDATE webhook_deliveries SET attempts = 7")
    receiver.answers.append((500, {}, b""))
    drain(tenant)
    ((delivery_id, state),) = [tuple(row.values()) for row in read("SELECT id, state FROM webhook_deliveries")]
    assert state == "failed"
    change(RESTED)
    with tenant_session(tenant, actor="test:1") as session:
        deliveries.resend(session, endpoint_id, delivery_id, source="cli")
    drain(tenant)
    with tenant_session(tenant, actor="test:1") as session:
        (row,) = deliveries.list_deliveries(session, endpoint_id)
        assert (row.state, len(deliveries.list_attempts(session, row.id))) == ("delivered", 2)


def test_an_endpoint_that_is_gone_is_disabled_and_the_others_hear_of_it(tenant, receiver, add, publish, read):
    gone, _ = add(f"{receiver.url}/gone", "risk.scored")
    add(f"{receiver.url}/other", dispatch.EVENT)
    receiver.answers.append((410, {}, b""))
    publish()
    drain(tenant)
    publish()
    drain(tenant)
    assert [path for path, _, _ in receiver.requests] == ["/gone", "/other"]
    assert json.loads(receiver.requests[1][2])["data"] == {"endpoint_id": str(gone), "reason": "gone"}
    assert read("SELECT reason FROM webhook_endpoints WHERE state = 'disabled'") == [{"reason": "gone"}]


def test_an_endpoint_that_failed_for_five_days_is_disabled_until_it_is_enabled(
    tenant, receiver, add, publish, read, change
):
    endpoint_id, _ = add(receiver.url)
    for days, state in ((4, "active"), (5, "disabled")):
        receiver.answers.append((500, {}, b""))
        change("UPDATE webhook_endpoints SET failing_since = now() - %s * interval '1 day'", (days,))
        publish()
        run_again(tenant, change)
        assert read("SELECT state FROM webhook_endpoints") == [{"state": state}]
    with tenant_session(tenant, actor="test:1") as session:
        service.enable_endpoint(session, endpoint_id, source="cli")
    run_again(tenant, change)
    assert {row["state"] for row in read("SELECT state FROM webhook_deliveries")} == {"delivered"}


def test_during_a_rotation_both_secrets_sign(tenant, receiver, add, publish, change):
    endpoint_id, old = add(receiver.url)
    with tenant_session(tenant, actor="test:1") as session:
        new = service.rotate_secret(session, endpoint_id, source="cli").secret
    publish()
    drain(tenant)
    _, headers, body = receiver.requests[0]
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)
    change("UPDATE webhook_endpoints SET previous_until = now() - interval '1 second'")
    publish()
    drain(tenant)
    assert len(receiver.requests[1][1]["webhook-signature"].split(" ")) == 1


def test_deliveries_since_a_time_are_sent_again_with_their_ids(tenant, receiver, add, publish):
    endpoint_id, _ = add(receiver.url)
    ids = [str(publish()), str(publish())]
    drain(tenant)
    with tenant_session(tenant, actor="test:1") as session:
        assert deliveries.replay(session, endpoint_id, now() - timedelta(minutes=5), source="cli") == 2
        assert deliveries.replay(session, endpoint_id, now() + timedelta(minutes=5), source="cli") == 0
    drain(tenant)
    assert sorted(headers["webhook-id"] for _, headers, _ in receiver.requests) == sorted(ids * 2)


def test_an_act_in_a_foreign_transaction_asks_for_the_job_before_it_takes_the_number(
    tenant, receiver, add, publish, monkeypatch
):
    """In the same order as other acts, which take the number with their commit: else the two could deadlock."""
    add(receiver.url)
    before, steps = publish(), []
    ask, at_commit = fan_out.ask, TenantSession.at_commit

    def asked(*args):
        steps.append("job")
        ask(*args)

    def sent(session, query, values):
        steps.append("number" if "INSERT INTO node.event_counters" in query else "delivery")
        return at_commit(session, query, values)

    with monkeypatch.context() as patched, telemetry.bound(request_id="joined"):
        patched.setattr(fan_out, "ask", asked)
        patched.setattr(TenantSession, "at_commit", sent)
        with joined(tenant.id, lambda: tenant_session(tenant, actor="test:1")):
            event_id = publish()
    assert steps == ["job", "number", "delivery"]
    drain(tenant)
    bodies = [json.loads(body) for _, _, body in receiver.requests]
    assert [body["id"] for body in bodies] == [str(before), str(event_id)]
    assert bodies[1]["sequence"] == bodies[0]["sequence"] + 1


@pytest.mark.parametrize("status", [200, 500])
def test_a_delivery_that_is_asked_for_while_it_is_sent_is_sent_once_more(
    tenant, receiver, add, publish, read, change, monkeypatch, status
):
    endpoint_id, _ = add(receiver.url)
    event_id = publish()
    receiver.answers.append((status, {}, b""))
    attempt = dispatch._attempt

    def attempt_while_a_person_asks(*args):
        outcome = attempt(*args)
        if len(receiver.requests) == 1:
            with tenant_session(tenant, actor="test:2") as session:
                deliveries.replay(session, endpoint_id, now() - timedelta(minutes=5), source="cli")
        return outcome

    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "_attempt", attempt_while_a_person_asks)
        drain(tenant)
        run_again(tenant, change)
    assert [headers["webhook-id"] for _, headers, _ in receiver.requests] == [str(event_id)] * 2
    assert read("SELECT state, attempts FROM webhook_deliveries") == [{"state": "delivered", "attempts": 1}]
    assert [row["status"] for row in read("SELECT status FROM webhook_attempts ORDER BY at")] == [status, 200]


def test_the_oldest_deliveries_are_sent_again_in_one_statement(tenant, add, publish, read, change, monkeypatch):
    monkeypatch.setattr(deliveries, "MOST_REPLAYED", 2)
    endpoint_id, _ = add("https://example.org/a")
    for _ in range(3):
        publish()
    change("UPDATE webhook_deliveries SET state = 'failed', attempts = 8")
    with tenant_session(tenant, actor="test:1") as session:
        assert deliveries.replay(session, endpoint_id, now() - timedelta(minutes=5), source="cli") == 2
        assert session.identity_map.values() == []
    rows = read("SELECT state, attempts FROM webhook_deliveries ORDER BY created_at, id")
    assert [tuple(row.values()) for row in rows] == [("waiting", 0), ("waiting", 0), ("failed", 8)]


def test_the_example_of_each_public_event_can_be_sent(tenant, receiver, add):
    endpoint_id, _ = add(receiver.url)
    with tenant_session(tenant, actor="test:1") as session:
        deliveries.send_example(session, endpoint_id, "imports.completed", source="cli")
        with pytest.raises(Invalid, match="no public event"):
            deliveries.send_example(session, endpoint_id, "people.link_created", source="cli")
    drain(tenant)
    assert json.loads(receiver.requests[0][2])["data"] == type_of("imports.completed").example


def test_an_endpoint_that_hangs_leaves_its_other_deliveries_and_other_endpoints(
    tenant, receiver, add, publish, read, monkeypatch
):
    quick = replace(dispatch.RECEIVERS, name="testing_receivers", timeout=0.2)
    monkeypatch.setattr(dispatch, "RECEIVERS", quick)
    with dribbling() as address:
        hanging, _ = add(address)
        add(receiver.url)
        publish()
        publish()
        drain(tenant)
    assert len(receiver.requests) == 2
    attempts = read("SELECT error FROM webhook_attempts WHERE endpoint_id = %s", (hanging,))
    assert attempts == [{"error": "timeout"}], "after a failure the endpoint rests, and its job ends"


def test_an_address_inside_the_network_is_not_called(tenant, add, publish, read, monkeypatch):
    monkeypatch.setattr("core.outgoing.sender.checked_address", _rejecting)
    add("https://hooks.example.org/x")
    publish()
    drain(tenant)
    assert read("SELECT status, error FROM webhook_attempts") == [{"status": None, "error": "address"}]


def _rejecting(host, *_, **__):
    raise dispatch.AddressRejected(host)


def test_a_killed_worker_sends_again_and_loses_nothing(tenant, receiver, add, publish, read, monkeypatch):
    add(receiver.url)
    event_id = publish()
    with monkeypatch.context() as killed:
        killed.setattr(dispatch, "_record", _killed)
        drain(tenant, most=1)
    with node_session(tenant.database) as session:
        statement = "UPDATE node.jobs SET run_after = now() WHERE state = 'queued' AND tenant_role = %s"
        session.connection().exec_driver_sql(statement, (tenant.role_name,))
    drain(tenant)
    assert [headers["webhook-id"] for _, headers, _ in receiver.requests] == [str(event_id)] * 2
    assert read("SELECT state FROM webhook_deliveries") == [{"state": "delivered"}]


def _killed(*_):
    message = "killed after the request and before its record"
    raise ArithmeticError(message)


def test_an_event_that_commits_after_the_job_has_looked_is_sent(
    tenant, receiver, add, publish, read, change, monkeypatch
):
    """The publisher finds the job running, and commits when it has ended: the job has left a successor."""
    add(receiver.url)
    publish()
    published, ended = Barrier(2), Barrier(2)

    def act():
        with tenant_session(tenant, actor="test:2") as session:
            publish_after_commit(session, "risk.scored", subject="s", payload=type_of("risk.scored").example)
            published.wait(20)
            ended.wait(20)

    thread = Thread(target=act)
    attempt = dispatch._attempt

    def attempt_while_another_publishes(*args):
        thread.start()
        published.wait(20)
        return attempt(*args)

    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "_attempt", attempt_while_another_publishes)
        drain(tenant)
    ended.wait(20)
    thread.join()
    run_again(tenant, change)
    assert len(receiver.requests) == 2
    assert {row["state"] for row in read("SELECT state FROM webhook_deliveries")} == {"delivered"}


def test_an_endpoint_receives_no_more_than_its_rate(tenant, receiver, add, publish, monkeypatch, change):
    monkeypatch.setattr(dispatch, "PER_MINUTE", 2)
    add(receiver.url)
    for _ in range(3):
        publish()
    drain(tenant)
    assert len(receiver.requests) == 2
    change("UPDATE webhook_attempts SET at = at - interval '2 minutes'")
    run_again(tenant, change)
    assert len(receiver.requests) == 3


@pytest.mark.parametrize(
    ("url", "events", "why"),
    [("http://example.org", (), "HTTPS"), ("https://example.org", ("people.link_created",), "no public events")],
)
def test_an_endpoint_with_a_wrong_address_or_event_is_rejected(url, events, why, add):
    with pytest.raises(Invalid, match=why):
        add(url, *events)


def test_a_tenant_has_a_bounded_number_of_endpoints(add, monkeypatch):
    monkeypatch.setattr(service, "MOST_ENDPOINTS", 1)
    add("https://example.org/a")
    with pytest.raises(Conflict, match="at most 1"):
        add("https://example.org/b")


def test_another_tenant_reaches_no_endpoint_and_no_delivery(tenant, make_tenant, receiver, add, publish, read):
    other = make_tenant().ref
    endpoint_id, _ = add(receiver.url)
    publish()
    ((delivery_id,),) = [tuple(row.values()) for row in read("SELECT id FROM webhook_deliveries")]
    with tenant_session(other, actor="test:1") as session:
        for act in (
            lambda: service.rotate_secret(session, endpoint_id, source="cli"),
            lambda: service.remove_endpoint(session, endpoint_id, ANY_VERSION, source="cli"),
            lambda: deliveries.list_deliveries(session, endpoint_id),
            lambda: deliveries.resend(session, endpoint_id, delivery_id, source="cli"),
        ):
            with pytest.raises(NotFound):
                act()
        assert service.list_endpoints(session) == []
        publish_after_commit(session, "risk.scored", subject="s", payload=type_of("risk.scored").example)
    drain(other)
    assert receiver.requests == []


def test_an_endpoint_rests_longer_with_each_failure(tenant, receiver, add, publish, read, change):
    receiver.answers += [(500, {}, b"")] * 3
    add(receiver.url)
    publish()
    drain(tenant)
    for _ in range(2):
        run_again(tenant, change)
    (row,) = read("SELECT failures, paused_until FROM webhook_endpoints")
    assert row["failures"] == 3
    assert timedelta(seconds=10) < row["paused_until"] - now() <= timedelta(seconds=20)


def test_old_deliveries_leave_the_log(tenant, receiver, add, publish, read, change):
    endpoint_id, _ = add(receiver.url)
    publish()
    drain(tenant)
    change("UPDATE webhook_deliveries SET created_at = now() - interval '31 days'")
    new = publish()
    drain(tenant)
    assert read("SELECT event_id FROM webhook_deliveries WHERE endpoint_id = %s", (endpoint_id,)) == [{"event_id": new}]
