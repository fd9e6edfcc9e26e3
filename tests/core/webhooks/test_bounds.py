"""One endpoint harms no other: neither by hanging, nor by being disabled at the same moment."""

from __future__ import annotations

from threading import Barrier, Event, Thread

from core.database import node_session, tenant_session
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.jobs.worker import drain
from core.webhooks import dispatch, service

OWN_JOB = "UPDATE node.jobs SET updated_at = now() WHERE dedupe_key = %s AND state = 'queued'"


def test_an_endpoint_that_hangs_delays_no_other_tenant(tenant, make_tenant, receiver, add, publish, monkeypatch):
    other = make_tenant().ref
    hangs, released, send = Event(), Event(), dispatch.send

    def send_slowly(dependency, request, **options):
        if request.url.path == "/hanging":
            hangs.set()
            assert released.wait(60)
        return send(dependency, request, **options)

    monkeypatch.setattr(dispatch, "send", send_slowly)
    add(f"{receiver.url}/hanging")
    publish()
    thread = Thread(target=drain, args=(tenant,))
    thread.start()
    try:
        assert hangs.wait(60)
        with tenant_session(other, actor="test:1") as session:
            service.add_endpoint(session, f"{receiver.url}/other", [], source="cli")
            publish_after_commit(session, "risk.scored", subject="s", payload=type_of("risk.scored").example)
        drain(other)
        assert [path for path, _, _ in receiver.requests] == ["/other"]
    finally:
        released.set()
        thread.join(60)


def test_two_endpoints_that_are_disabled_at_once_wait_for_no_other(tenant, add, publish, read, change):
    """Each step has locked the row of its own job, as ``JobContext.session`` does."""
    ids = [add(f"https://emr.example.org/{name}")[0] for name in "ab"]
    publish()
    both, failures = Barrier(2), []

    def disable(endpoint_id):
        try:
            with tenant_session(tenant, actor="test:1") as session:
                session.cursor().execute(OWN_JOB, (str(endpoint_id),))
                both.wait(20)
                dispatch._disable(session, endpoint_id, "gone")
        except Exception as error:  # noqa: BLE001 - whatever it was, the test fails below
            failures.append(error)

    threads = [Thread(target=disable, args=(endpoint_id,)) for endpoint_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert {row["state"] for row in read("SELECT state FROM webhook_endpoints")} == {"disabled"}
    drain(tenant)
    query = "SELECT count(*) FROM node.outbox WHERE tenant_id = %s AND event = %s AND payload ->> 'reason' = 'gone'"
    with node_session(tenant.database) as session:
        published = session.connection().exec_driver_sql(query, (tenant.id, dispatch.EVENT)).scalar_one()
    assert published == 2
