"""Payloads and results are encrypted at rest, each for its own job; results expire."""

from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import text

from core.database import node_session, platform_session, psycopg_connection, tenant_session
from core.jobs import enqueue, enqueue_platform, operations, payloads, platform_job
from core.jobs.broker import LocalMessages
from core.jobs.relay import Relay
from core.jobs.worker import drain
from core.privacy import tenant_keys
from core.privacy.errors import CannotDecrypt

SECRET = "Ramlatu 0803 555 1234"


@platform_job("testing.sealed_platform")
def sealed_platform(_context, _payload):
    """Do nothing."""


def stored(job_id):
    with node_session() as session:
        query = text("SELECT id, tenant_role, payload, result FROM node.jobs WHERE id = :id")
        return session.execute(query, {"id": job_id}).mappings().one()


def test_the_database_cannot_read_a_payload_and_the_job_can(tenant, ask):
    seen = []
    job_id = ask(tenant, lambda _context, payload: seen.append(payload["name"]), payload={"name": SECRET})
    row = stored(job_id)
    assert list(row["payload"]) == [payloads.SEALED]
    assert "Ramlatu" not in str(row["payload"])
    assert payloads.open_payload(row)["name"] == SECRET
    drain(tenant)
    assert seen == [SECRET]


def test_a_payload_opens_in_no_other_row_and_not_after_a_change(two_tenants, ask):
    first, second = (stored(ask(tenant, payload={"name": SECRET})) for tenant in two_tenants)
    other = stored(ask(two_tenants[0]))
    for row in (first, other):
        for payload in (second["payload"], {**first["payload"], "extra": 1}):
            with pytest.raises(CannotDecrypt):
                payloads.open_payload({**row, "payload": payload})
    with pytest.raises(CannotDecrypt):
        payloads.open_payload({**other, "payload": first["payload"]})


def test_a_field_that_stays_readable_cannot_be_changed_unnoticed(tenant):
    job_id = uuid4()
    row = {"id": job_id, "tenant_role": tenant.role_name}
    with tenant_session(tenant, actor="test:1") as session:
        sealed = payloads.seal_within(session, job_id, {"a": 1, "b": SECRET}, readable={"a"})
        assert sealed["a"] == 1
        assert payloads.open_within(session, job_id, sealed) == {"a": 1, "b": SECRET}
    assert payloads.open_payload({**row, "payload": sealed}) == {"a": 1, "b": SECRET}
    with pytest.raises(CannotDecrypt):
        payloads.open_payload({**row, "payload": {**sealed, "a": 2}})
    edited = payloads.seal_payload({**row, "payload": sealed}, {"a": 3, "b": "x"})
    assert edited["a"] == 3
    assert payloads.open_payload({**row, "payload": edited}) == {"a": 3, "b": "x"}


def test_without_the_tenants_keys_nothing_opens_its_jobs(tenant, ask):
    row = stored(ask(tenant, payload={"name": SECRET}))
    tenant_keys.forget()
    with tenant_session(tenant, actor="test:1") as session:
        session.execute(text("DELETE FROM tenant_keys"))
    with pytest.raises(CannotDecrypt):
        payloads.open_payload(row)
    assert "problem" in operations.show(row["id"])["payload"]


def test_a_plain_payload_of_an_earlier_release_still_runs(tenant, ask, change):
    seen = []
    job_id = ask(tenant, lambda _context, payload: seen.append(payload["n"]))
    with node_session() as session:
        plain = {**payloads.open_payload(stored(job_id)), "n": 7}
        psycopg_connection(session).execute("UPDATE node.jobs SET payload = %s WHERE id = %s", (Jsonb(plain), job_id))
    drain(tenant)
    assert seen == [7]


def test_a_payload_of_the_platform_is_sealed_by_the_master_key_and_sealed_again_when_it_changes(
    own_services, monkeypatch
):
    with platform_session() as session:
        job_id = enqueue_platform(session, "testing.sealed_platform", {"note": SECRET}, actor="test:1")
    row = stored(job_id)
    assert "Ramlatu" not in str(row["payload"])
    assert payloads.open_payload(row) == {"note": SECRET}
    assert payloads.reseal_platform_jobs() == 0
    monkeypatch.setattr(payloads.master, "is_current", lambda _sealed: False)
    assert payloads.reseal_platform_jobs() >= 1
    assert stored(job_id)["payload"] != row["payload"]
    assert payloads.open_payload(stored(job_id)) == {"note": SECRET}


def test_a_dead_letter_keeps_the_sealed_payload_and_opens(tenant, ask):
    def act(_context, _payload):
        raise ZeroDivisionError

    job_id = ask(tenant, act, payload={"n": 1})
    drain(tenant)
    with node_session() as session:
        query = text("SELECT * FROM node.dead_letters WHERE job_id = :id")
        letter = session.execute(query, {"id": job_id}).mappings().one()
    assert payloads.SEALED in letter["payload"]
    assert payloads.open_payload(letter)["n"] == 1


def test_a_result_is_read_over_the_api_until_it_expires(api, owner, ask, change):
    def act(context, _payload):
        with context.session() as session:
            context.finish(session, result={"rows": 3, "name": SECRET})

    job_id = ask(owner.ref, act)
    drain(owner.ref)
    assert "Ramlatu" not in str(stored(job_id)["result"])
    shown = api.get(f"/v1/jobs/{job_id}").json()
    assert shown["result"] == {"rows": 3, "name": SECRET}
    assert shown["result_until"] > shown["finished_at"]
    assert api.get("/v1/jobs").json()["items"][0]["result"] == shown["result"]
    assert "result" not in operations.show(job_id)
    change(job_id, "result_until = now() - interval '1 s'")
    assert api.get(f"/v1/jobs/{job_id}").json()["result"] is None
    Relay(LocalMessages()).sweep()
    assert stored(job_id)["result"] is None


def test_a_result_of_a_finish_that_is_rolled_back_is_not_there(tenant, ask, row):
    def act(context, _payload):
        with context.session() as session:
            context.finish(session, result={"rows": 3})
            raise ZeroDivisionError

    job_id = ask(tenant, act)
    drain(tenant)
    assert (row(job_id)["state"], row(job_id)["result"]) == ("dead", None)


def test_a_result_names_data_and_does_not_contain_it(tenant, ask, row):
    def act(context, _payload):
        with context.session() as session:
            context.finish(session, result={"rows": "x" * 100_001})

    job_id = ask(tenant, act)
    drain(tenant)
    assert row(job_id)["state"] == "dead"


def test_a_job_enqueued_while_its_tenants_keys_are_new_opens(make_tenant):
    ref = make_tenant().ref
    tenant_keys.forget()
    with tenant_session(ref, actor="test:1") as session:
        job_id = enqueue(session, "testing.act", {"act": SECRET})
    tenant_keys.forget()
    assert payloads.open_payload(stored(job_id)) == {"act": SECRET}
