"""Jobs of the platform have no tenant: they run, fail, are given up and decided about as tenants' jobs are."""

import json
import threading
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from core.audit.platform import acts as platform_acts
from core.cli.main import run
from core.database import TenantSession, node_session, platform_session, tenant_session
from core.database.transactions import TransactionOpenError, require_none
from core.errors import Conflict, Invalid
from core.jobs import Retry, decisions, enqueue, enqueue_platform, job, operations, platform_job
from core.jobs.bounds import PLATFORM_ID, PLATFORM_ROLE
from core.jobs.broker import LocalMessages
from core.jobs.relay import Relay
from core.jobs.runner import Runner
from core.settings import get_settings
from tests.core.jobs.conftest import acts

ends = []
fails = []
"""With anything in it, the room fails when it hears how a job ended."""


def note(session, end):
    """Write down how a job ended, in its transaction too."""
    ends.append(end)
    if fails:
        raise ZeroDivisionError
    session.execute(text("UPDATE node.jobs SET progress_note = 'ended' WHERE id = :id"), {"id": end.job_id})


@platform_job("testing.roll_up", retry=Retry(2, first=timedelta(0)), on_end=note)
def roll_up(context, payload):
    """Do what the test wants done."""
    acts[payload["act"]](context, payload)


@pytest.fixture(autouse=True)
def no_other_jobs(database):
    ends.clear()
    fails.clear()
    yield
    with node_session() as session:
        session.execute(text("DELETE FROM node.dead_letters WHERE tenant_role = :role"), {"role": PLATFORM_ROLE})
        session.execute(text("DELETE FROM node.jobs WHERE tenant_role = :role"), {"role": PLATFORM_ROLE})


@pytest.fixture
def ask_platform():
    def enqueue_(function=lambda _context, _payload: None, **options):
        name = f"platform-{len(acts)}"
        acts[name] = function
        with platform_session() as session:
            return enqueue_platform(session, "testing.roll_up", {"act": name}, actor="cli:operator", **options)

    return enqueue_


@pytest.fixture
def work(monkeypatch):
    """``work()`` runs what is due of the platform's jobs; gives how each try ended."""

    def go():
        messages, runner, outcomes = LocalMessages(), Runner(), []
        relay = Relay(messages)
        monkeypatch.setattr(relay, "_role", PLATFORM_ROLE)
        try:
            while relay.tick().admitted:
                outcomes += [runner.run(*messages.sent.pop(0)) for _ in range(len(messages.sent))]
        finally:
            runner.close()
        return outcomes

    return go


def reject(_context, _payload):
    message = "there is no such month"
    raise Invalid(message)


def test_a_job_of_the_platform_works_in_node_and_platform_and_is_done_with_its_effect(ask_platform, work, row):
    seen = []

    def act(context, _payload):
        with context.session() as session:
            context.progress(1, 2, "adding up")
            session.execute(text("SELECT count(*) FROM platform.tenants"))
            seen.append(isinstance(session, TenantSession))
            context.finish(session)

    job_id = ask_platform(act)
    assert work() == ["done"]
    assert seen == [False]
    job_row = row(job_id)
    assert (job_row["state"], job_row["tenant_role"], job_row["tenant_id"]) == ("done", PLATFORM_ROLE, PLATFORM_ID)
    assert (job_row["progress_done"], job_row["progress_total"], job_row["requested_by"]) == (1, 2, "cli:operator")


def test_its_steps_reach_no_table_of_a_tenant(tenant, ask_platform, work, row):
    def act(context, _payload):
        with context.session() as session:
            session.execute(text(f'SELECT count(*) FROM "{tenant.schema_name}".patients'))  # noqa: S608

    job_id = ask_platform(act)
    work()
    assert row(job_id)["state"] == "dead"
    assert "ProgrammingError" in row(job_id)["error"]


def test_nothing_slow_is_called_within_its_step(ask_platform, work):
    seen = []

    def act(context, _payload):
        with context.session():
            try:
                require_none("a call of the network")
            except TransactionOpenError as error:
                seen.append(error)

    ask_platform(act)
    assert work() == ["done"]
    assert len(seen) == 1


def test_a_step_that_fails_keeps_nothing_and_the_job_is_tried_again(ask_platform, work, row):
    def act(context, _payload):
        with context.session() as session:
            session.execute(text("UPDATE node.jobs SET progress_note = 'half' WHERE id = :id"), {"id": context.job_id})
            if context.attempt == 1:
                raise ZeroDivisionError

    job_id = ask_platform(act)
    assert work() == ["queued", "done"]
    assert (row(job_id)["attempts"], row(job_id)["progress_note"]) == (1, "half")


def test_a_job_that_is_given_up_is_a_dead_letter_and_its_room_knows(ask_platform, work, row):
    job_id = ask_platform(reject)
    assert work() == ["dead"]
    assert [(end.decision, end.job_id, end.reason) for end in ends] == [("given_up", job_id, "refused")]
    assert ends[0].problem == "its job was given up: another try cannot succeed (Invalid: there is no such month)"
    assert row(job_id)["progress_note"] == "ended", "in the transaction that gives it up"
    with node_session() as session:
        letters = session.execute(text("SELECT tenant_role FROM node.dead_letters WHERE job_id = :id"), {"id": job_id})
        assert letters.scalars().all() == [PLATFORM_ROLE]


@pytest.mark.parametrize(("verb", "state"), [("retry", "queued"), ("discard", "discarded")])
def test_an_operators_decision_is_in_the_audit_of_the_platform(ask_platform, work, row, verb, state):
    job_id = ask_platform(reject)
    work()
    decide = decisions.retry if verb == "retry" else partial(decisions.discard, reason="no longer needed")
    decide(job_id, actor="cli:operator")
    assert row(job_id)["state"] == state
    assert [end.decision for end in ends] == ["given_up", {"retry": "retried", "discard": "discarded"}[verb]]
    latest = platform_acts(limit=1)[0]
    assert (latest["action"], latest["actor"], latest["tenant_id"]) == (f"cli:job:{verb}", "cli:operator", None)
    reason = {} if verb == "retry" else {"reason": "no longer needed"}
    assert latest["detail"] == {"job_id": str(job_id), "kind": "testing.roll_up", **reason}
    with pytest.raises(Conflict):
        decisions.retry(job_id, actor="cli:operator")


def announcements():
    with node_session() as session:
        query = text("SELECT id FROM node.jobs WHERE kind = 'jobs.announce_platform' AND tenant_role = :role")
        return [job_id for (job_id,) in session.execute(query, {"role": PLATFORM_ROLE})]


def test_a_give_up_at_which_the_room_failed_is_announced_again(ask_platform, work, change, row):
    fails.append(True)
    job_id = ask_platform(reject)
    work()
    (announcement,) = announcements()
    assert (row(job_id)["state"], row(announcement)["state"]) == ("dead", "queued")
    assert row(job_id)["progress_note"] is None, "what the room had begun is not kept"
    fails.clear()
    change(announcement, "run_after = now()")
    assert work() == ["done"]
    assert [(end.job_id, end.decision) for end in ends] == [(job_id, "given_up")] * 2
    assert row(job_id)["progress_note"] == "ended"


def test_a_give_up_that_an_operator_has_decided_about_is_not_announced_again(ask_platform, work, change):
    fails.append(True)
    job_id = ask_platform(reject)
    work()
    (announcement,) = announcements()
    fails.clear()
    decisions.discard(job_id, "no longer needed", actor="cli:operator")
    change(announcement, "run_after = now()")
    assert work() == ["done"]
    assert [end.decision for end in ends] == ["given_up", "discarded"]


def test_an_announcement_that_keeps_failing_is_a_dead_letter_and_announces_no_other(ask_platform, work, change, row):
    fails.append(True)
    ask_platform(reject)
    work()
    (announcement,) = announcements()
    change(announcement, "run_after = now(), max_attempts = 1")
    work()
    assert row(announcement)["state"] == "dead"
    assert announcements() == [announcement]


def test_one_waiting_job_is_enough(ask_platform):
    first = ask_platform(dedupe_key="month", run_after=None)
    assert ask_platform(dedupe_key="month") == first


def test_a_tenant_cannot_ask_for_one(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        with pytest.raises(ValueError, match="a tenant cannot enqueue one"):
            enqueue(session, "testing.roll_up", {})
        with pytest.raises(ValueError, match="control database"):
            enqueue_platform(session, "testing.roll_up", {}, actor="test:1")


def test_a_kind_of_tenants_is_no_kind_of_the_platform():
    with platform_session() as session, pytest.raises(ValueError, match="in a session of a tenant"):
        enqueue_platform(session, "testing.act", {}, actor="test:1")


@pytest.mark.parametrize("forged", ["kind = 'testing.roll_up'", f"tenant_role = '{PLATFORM_ROLE}'"])
def test_a_row_whose_kind_and_owner_differ_never_runs(tenant, ask, change, row, work, forged):
    ran = []
    job_id = ask(tenant, lambda *_: ran.append(1))
    change(job_id, forged)
    messages, runner = LocalMessages(), Runner()
    relay = Relay(messages)
    try:
        for _ in range(20):  # jobs that other tests left may come first
            relay.tick()
            while messages.sent:
                runner.run(*messages.sent.pop(0))
    finally:
        runner.close()
    assert (ran, row(job_id)["state"]) == ([], "dead")
    assert "is not for jobs of" in row(job_id)["error"]


def test_the_platform_has_the_share_of_one_tenant(tenant, ask, ask_platform, row):
    per_tenant = get_settings().jobs_per_tenant
    own = [ask_platform() for _ in range(per_tenant + 3)]
    theirs = ask(tenant)
    Relay(LocalMessages()).tick()
    states = [row(job_id)["state"] for job_id in own]
    assert (states.count("sent"), row(theirs)["state"]) == (per_tenant, "sent")
    runner, gate, inside = Runner(threads=2), threading.Event(), threading.Event()

    def wait(_context, _payload):
        inside.set()
        gate.wait(30)

    acts.update({name: wait for name in acts if name.startswith("platform-")})
    first = threading.Thread(target=runner.run, args=(own[0],))
    first.start()
    assert inside.wait(30)
    assert runner.run(own[1]) is None, "of two threads one stays free of the platform"
    assert row(own[1])["state"] == "queued"
    gate.set()
    first.join(30)
    runner.close()


def test_operators_see_them_apart_and_among_all(tenant, ask, ask_platform, capsys):
    own, theirs = ask_platform(), ask(tenant)
    listed = {}
    for flags in ([], ["--platform"], ["--tenant", tenant.slug]):
        assert run(["jobs", "list", "--limit", "10000", "--json", *flags]) == 0
        listed[tuple(flags)] = {row["id"]: row["tenant"] for row in json.loads(capsys.readouterr().out)["jobs"]}
    assert listed[()][str(own)] is None
    assert listed[()][str(theirs)] == tenant.slug
    assert set(listed["--platform",].values()) == {None}
    assert str(own) not in listed["--tenant", tenant.slug]
    assert operations.show(own)["tenant_id"] is None
    assert run(["jobs", "list", "--platform", "--tenant", tenant.slug]) == 2


def test_one_kind_has_one_owner():
    with pytest.raises(ValueError, match="registered twice"):

        @job("testing.roll_up")
        def other(_context, _payload):
            """Another function of the same kind."""
