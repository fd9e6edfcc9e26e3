"""A job is asked for in a tenant's transaction, is there when that commits, and is rejected without a tenant."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.database import TenantRequired, node_session, platform_session, tenant_session
from core.jobs import enqueue, job
from core.jobs.registry import kind_of


def count(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        return session.scalar(text("SELECT count(*) FROM node.jobs"))


def test_a_job_carries_its_tenant_and_who_asked(tenant, ask, row):
    job = row(ask(tenant, payload={"day": "2024-01-01"}))
    assert (job["tenant_id"], job["tenant_role"]) == (tenant.id, tenant.role_name)
    assert (job["state"], job["max_attempts"], job["attempts"]) == ("queued", 3, 0)
    assert (job["requested_by"], job["request_id"]) == ("test:1", "r-1")
    assert job["payload"]["day"] == "2024-01-01"


def test_what_is_rolled_back_was_not_asked_for(tenant):
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        enqueue(session, "testing.act", {"act": "none"})
        raise ZeroDivisionError
    assert count(tenant) == 0


@pytest.mark.parametrize("without_tenant", [node_session, platform_session])
def test_a_job_without_tenant_is_rejected(database, without_tenant):
    with without_tenant() as session, pytest.raises(TenantRequired, match="needs a tenant"):
        enqueue(session, "testing.act", {})


def test_the_database_rejects_a_job_without_tenant_too(tenant):
    add = "INSERT INTO node.jobs (id, kind, payload, run_after, max_attempts, requested_by{}) VALUES {}"
    values = "(gen_random_uuid(), 'testing.act', '{}', now(), 1, 'test:1'"
    for columns, rest in (("", ")"), (", tenant_id, tenant_role", ", gen_random_uuid(), 't_00000000000000000000')")):
        with pytest.raises(Exception, match=r"null value|row-level security") as error:  # noqa: SIM117 - what fails is within
            with tenant_session(tenant, actor="test:1") as session:
                session.execute(text(add.format(columns, values.replace(":", "\\:") + rest)))
        assert error.value.orig.sqlstate in {"23502", "42501"}


def test_a_tenant_sees_only_its_own_jobs_and_cannot_change_what_they_do(two_tenants, ask):
    first, second = two_tenants
    ask(first)
    assert (count(first), count(second)) == (1, 0)
    for column in ("payload = '{}'", "tenant_role = 'x'", "kind = 'x'", "attempts = 0", "max_attempts = 9"):
        with pytest.raises(ProgrammingError) as error, tenant_session(first, actor="test:1") as session:
            session.execute(text(f"UPDATE node.jobs SET {column}"))  # noqa: S608 - a fixed list
        assert error.value.orig.sqlstate == "42501"
    with tenant_session(second, actor="test:1") as session:
        assert session.execute(text("UPDATE node.jobs SET state = 'done'")).rowcount == 0


def test_while_a_job_waits_or_runs_the_same_key_adds_none(tenant, ask, row, change):
    first = ask(tenant, dedupe_key="today")
    assert ask(tenant, dedupe_key="today") == first
    assert ask(tenant, dedupe_key="tomorrow") != first
    assert ask(tenant) != ask(tenant)
    change(first, "state = 'sent'")
    assert ask(tenant, dedupe_key="today") == first
    change(first, "state = 'done'")
    assert ask(tenant, dedupe_key="today") != first


def test_two_tenants_have_keys_of_their_own(two_tenants, ask):
    first, second = two_tenants
    assert ask(first, dedupe_key="today") != ask(second, dedupe_key="today")


def test_a_later_time_is_kept(tenant, ask, row):
    later = datetime.now(UTC) + timedelta(days=1)
    assert row(ask(tenant, run_after=later))["run_after"] == later


def test_faulty_requests_are_rejected(session):
    with pytest.raises(LookupError, match=r"testing\.unknown"):
        enqueue(session, "testing.unknown", {})
    with pytest.raises(ValueError, match="time zone"):
        enqueue(session, "testing.act", {}, run_after=datetime(2024, 1, 1))  # noqa: DTZ001 - the fault
    with pytest.raises(ValueError, match="payload"):
        enqueue(session, "testing.act", {"rows": "x" * 100_001})


@pytest.mark.parametrize("name", ["act", "Testing.act", "testing.", "testing act", ""])
def test_a_kind_is_named_by_room_and_act(name):
    with pytest.raises(ValueError, match="not a kind of job"):
        job(name)


@pytest.mark.parametrize(
    "bounds",
    [{"lease": timedelta(0)}, {"time_limit": timedelta(seconds=1)}, {"at_once": 0}, {"keep_result": timedelta(0)}],
)
def test_bounds_that_make_no_sense_are_rejected(bounds):
    with pytest.raises(ValueError, match="bounds"):
        job("testing.bounds", **bounds)


def test_one_kind_is_registered_by_one_function():
    kind = kind_of("testing.act")
    assert job("testing.act")(kind.run) is kind.run
    with pytest.raises(ValueError, match="twice"):
        job("testing.act")(lambda _context, _payload: None)
    job("testing.act", retry=kind.retry, lease=kind.lease)(kind.run)


def test_a_job_that_is_asked_for_again_is_due_when_the_first_of_the_two_is(tenant, ask, row):
    later, soon = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (15, 5))
    job_id = ask(tenant, dedupe_key="search", run_after=later)
    assert ask(tenant, dedupe_key="search", run_after=soon) == job_id
    assert row(job_id)["run_after"] == soon
    assert ask(tenant, dedupe_key="search", run_after=later) == job_id
    assert row(job_id)["run_after"] == soon
    assert ask(tenant, dedupe_key="search") == job_id
    assert row(job_id)["run_after"] <= datetime.now(UTC)


def test_a_job_that_runs_is_not_brought_forward(tenant, ask, row, change):
    job_id = ask(tenant, dedupe_key="search")
    change(job_id, "state = 'sent', run_after = now() + interval '1 hour'")
    before = row(job_id)["run_after"]
    assert ask(tenant, dedupe_key="search") == job_id
    assert row(job_id)["run_after"] == before
