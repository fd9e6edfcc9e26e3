"""A try runs in its tenant's scope; its effect is there once, however it ends."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core import blobs, scratch
from core.database import node_session
from core.errors import Invalid, Unavailable
from core.jobs import JobContext, LeaseLost, WorkerStopping, endings, job_metrics, leases
from core.jobs.failures import describe
from core.jobs.registry import kind_of
from core.jobs.runner import Runner
from core.jobs.worker import drain
from core.resilience import seconds_left
from core.tenancy import resume_tenant, suspend_tenant


@pytest.fixture
def taken(change):
    """``taken(job_id)`` takes the job's lease, as a worker does."""

    def take(job_id):
        change(job_id, "state = 'sent', sent_at = now()")
        lease = leases.take(job_id, kind_of)
        assert lease is not None
        return lease

    return take


def dead_letters(job_id):
    with node_session() as session:
        query = text("SELECT reason, error, attempts FROM node.dead_letters WHERE job_id = :id AND resolution IS NULL")
        return [tuple(row) for row in session.execute(query, {"id": job_id})]


def test_a_job_runs_in_its_tenants_scope_and_is_done(tenant, ask, row, effect, effects):
    seen = []

    def act(context, payload):
        with context.session() as session:
            seen.append((session.tenant, session.actor, session.request_id, context.attempt, payload["day"]))
            effect(session, "a")

    job_id = ask(tenant, act, payload={"day": 1})
    before = job_metrics.ENDED.value("testing.act", "done")
    assert drain(tenant) == 1
    assert job_metrics.ENDED.value("testing.act", "done") == before + 1
    assert seen == [(tenant, f"job:{job_id}", "r-1", 1, 1)]
    job = row(job_id)
    assert (job["state"], job["attempts"], job["deliveries"]) == ("done", 0, 1)
    assert job["finished_at"] >= job["started_at"]
    assert effects(tenant) == ["a"]
    assert drain(tenant) == 0


def test_a_job_that_fails_is_tried_again_and_what_the_failed_try_left_open_is_not_kept(
    tenant, ask, row, effect, effects
):
    def act(context, _payload):
        with context.session() as session:
            effect(session, f"try {context.attempt}")
            if context.attempt < 3:
                raise ZeroDivisionError

    job_id = ask(tenant, act)
    assert drain(tenant) == 3
    assert effects(tenant) == ["try 3"]
    assert (row(job_id)["state"], row(job_id)["attempts"]) == ("done", 2)


def test_out_of_attempts_it_is_a_dead_letter_with_kind_and_place_of_the_error_but_no_values(tenant, ask, row):
    def act(_context, _payload):
        message = "Givenname 0803 555 1234"
        raise RuntimeError(message)

    job_id = ask(tenant, act)
    assert drain(tenant) == 3
    ((reason, error, attempts),) = dead_letters(job_id)
    assert (reason, attempts, row(job_id)["state"]) == ("attempts", 3, "dead")
    assert "RuntimeError" in error
    assert "test_tries.py" in error
    assert "Givenname" not in error + row(job_id)["error"]


def test_a_rejection_of_our_own_is_final(tenant, ask):
    def act(_context, _payload):
        message = "the mapping names no such column"
        raise Invalid(message)

    job_id = ask(tenant, act)
    assert drain(tenant) == 1
    assert dead_letters(job_id) == [("refused", "Invalid: the mapping names no such column", 1)]


def test_what_may_pass_is_tried_again_after_a_growing_delay(tenant, ask, row):
    def act(_context, _payload):
        message = "the storage is away"
        raise Unavailable(message)

    job_id = ask(tenant, act, kind="testing.slow_backoff")
    assert drain(tenant) == 1
    job = row(job_id)
    assert (job["state"], job["attempts"]) == ("queued", 1)
    delay = job["run_after"] - datetime.now(UTC)
    assert timedelta(minutes=7) < delay < timedelta(minutes=13), "ten minutes, give or take a fifth"


def test_a_database_that_breaks_off_is_not_the_jobs_fault(tenant, ask, row, effect, effects):
    def act(context, _payload):
        with context.session() as session:
            effect(session, f"try {context.attempt}")
            if row(context.job_id)["deliveries"] == 1:
                number = session.scalar(text("SELECT pg_backend_pid()"))
                with node_session() as other:
                    other.execute(text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})

    job_id = ask(tenant, act)
    assert drain(tenant) == 2
    job = row(job_id)
    assert (job["state"], job["attempts"], job["suspicion"], job["interruptions"]) == ("done", 0, 0, 0)
    assert effects(tenant) == ["try 1"]


def test_finish_marks_it_done_in_the_transaction_of_the_effect(tenant, ask, row, effect, effects):
    def act(context, _payload):
        with context.session() as session:
            effect(session, "a")
            context.finish(session)
            assert row(context.job_id)["state"] == "running", "not seen before the commit"
        assert row(context.job_id)["state"] == "done"
        with pytest.raises(RuntimeError, match="finished"), context.session():
            pytest.fail("a step after the last")

    job_id = ask(tenant, act)
    drain(tenant)
    assert row(job_id)["state"] == "done"
    assert effects(tenant) == ["a"]


def test_a_finish_that_is_rolled_back_did_not_happen(tenant, ask, row, effect, effects):
    def act(context, _payload):
        with context.session() as session:
            effect(session, f"try {context.attempt}")
            context.finish(session)
            if context.attempt == 1:
                raise ZeroDivisionError

    job_id = ask(tenant, act)
    assert drain(tenant) == 2
    assert row(job_id)["state"] == "done"
    assert effects(tenant) == ["try 2"]


def test_an_error_after_the_finish_does_not_undo_it(tenant, ask, row, effect, effects):
    def act(context, _payload):
        with context.session() as session:
            effect(session, "a")
            context.finish(session)
        raise ZeroDivisionError

    job_id = ask(tenant, act)
    assert drain(tenant) == 1
    assert row(job_id)["state"] == "done"
    assert effects(tenant) == ["a"]


def test_a_second_message_for_a_job_finds_nothing_to_do(tenant, ask, taken):
    job_id = ask(tenant)
    taken(job_id)
    assert leases.take(job_id, kind_of) is None
    runner = Runner()
    assert runner.run(job_id) is None
    runner.close()


def test_who_lost_the_lease_can_begin_no_step_and_change_nothing(tenant, ask, taken, change, row, effect, effects):
    job_id = ask(tenant)
    late = taken(job_id)
    context = JobContext(late, tenant, threading.Event())
    change(job_id, "state = 'queued', lease_token = NULL, lease_until = NULL")
    taken(job_id)
    with pytest.raises(LeaseLost), context.session() as session:
        effect(session, "of the late one")
    assert effects(tenant) == []
    assert leases.prolong([late], "default") == {late.token}
    assert not leases.give_back(late)
    assert endings.fail(late, "late") is None
    context.progress(1, 2, "late")
    assert (row(job_id)["state"], row(job_id)["progress_done"]) == ("running", None)


def test_while_a_step_is_open_its_job_is_not_given_away_however_late_the_lease(tenant, ask, taken, change, row):
    job_id = ask(tenant)
    context = JobContext(taken(job_id), tenant, threading.Event())
    with context.session() as session:
        session.execute(text("SELECT 1"))
        with node_session() as other:
            free = other.execute(
                text("SELECT id FROM node.jobs WHERE id = :id FOR UPDATE SKIP LOCKED"), {"id": job_id}
            ).all()
        assert free == []
    assert row(job_id)["state"] == "running"


def test_a_step_prolongs_the_lease_and_so_does_the_runner_between_steps(tenant, ask, taken, change, row):
    job_id = ask(tenant)
    lease = taken(job_id)

    def step():
        with JobContext(lease, tenant, threading.Event()).session():
            pass

    runner = Runner()
    runner.close()  # its own thread must not prolong the lease before this test does

    def beat():
        with runner._lease_prolonged(lease, JobContext(lease, tenant, threading.Event())):
            runner._running[lease.token].due = 0.0
            runner._beat()

    for prolong in (step, beat):
        change(job_id, "lease_until = now() - interval '1 minute'")
        prolong()
        assert row(job_id)["lease_until"] > datetime.now(UTC)


def test_steps_do_not_nest_and_finish_wants_the_open_one(tenant, ask, taken, session):
    context = JobContext(taken(ask(tenant)), tenant, threading.Event())
    with context.session():
        with pytest.raises(RuntimeError, match="one transaction"), context.session():
            pytest.fail("a step within a step")
        with pytest.raises(ValueError, match="open step"):
            context.finish(session)


def test_progress_is_seen_at_once_between_steps_and_with_the_step_within_one(tenant, ask, row):
    seen = []

    def act(context, _payload):
        context.progress(1, 4, "first")
        seen.append(row(context.job_id)["progress_done"])
        with context.session():
            context.progress(2, 4, "second")
            seen.append(row(context.job_id)["progress_done"])
        seen.append(row(context.job_id)["progress_done"])

    job_id = ask(tenant, act)
    drain(tenant)
    assert seen == [1, 1, 2]
    assert (row(job_id)["progress_total"], row(job_id)["progress_note"]) == (4, "second")


def test_a_worker_that_stops_ends_the_step_and_gives_the_job_back_uncharged(tenant, ask, taken, row, effect, effects):
    runner = Runner()

    def act(context, _payload):
        for name in ("one", "two"):
            with context.session() as session:
                effect(session, name)
                runner.stopping.set()

    job_id = ask(tenant, act)
    assert runner._run(taken(job_id)) == "queued"
    assert effects(tenant) == ["one"]
    assert (row(job_id)["state"], row(job_id)["deliveries"], row(job_id)["attempts"]) == ("queued", 0, 0)
    assert runner.run(job_id) is None, "a stopping worker takes nothing"
    runner.close()


def test_interruptions_are_not_errors_that_a_job_could_swallow():
    assert not issubclass(WorkerStopping, Exception)
    assert not issubclass(LeaseLost, Exception)


def test_jobs_of_a_suspended_tenant_are_held(tenant, ask, row):
    job_id = ask(tenant)
    suspend_tenant(tenant.slug)
    assert drain(tenant) == 1
    job = row(job_id)
    assert (job["state"], job["deliveries"]) == ("queued", 0)
    assert job["run_after"] > datetime.now(UTC) + timedelta(minutes=5)
    resume_tenant(tenant.slug)


def test_a_job_whose_tenant_is_suspended_while_it_runs_is_held_from_its_next_step_on(tenant, ask, row, effect, effects):
    def act(context, _payload):
        with context.session() as session:
            effect(session, f"step of try {context.attempt}")
        if len(effects(tenant)) == 1:
            suspend_tenant(tenant.slug)
        with context.session() as session:
            effect(session, "last step")

    job_id = ask(tenant, act)
    assert drain(tenant) == 1
    job = row(job_id)
    assert (job["state"], job["deliveries"], job["attempts"]) == ("queued", 0, 0)
    assert job["lease_token"] is None
    assert effects(tenant) == ["step of try 1"]
    resume_tenant(tenant.slug)


def test_a_kind_that_this_worker_does_not_know_is_left_for_one_that_does(tenant, ask, row, change):
    job_id = ask(tenant)
    change(job_id, "kind = 'testing.of_tomorrow'")
    drain(tenant)
    job = row(job_id)
    assert (job["state"], job["attempts"]) == ("queued", 1)
    assert job["run_after"] > datetime.now(UTC) + timedelta(seconds=30)
    assert "testing.of_tomorrow" in job["error"]


def test_errors_of_libraries_are_named_by_the_place_in_our_code():
    with pytest.raises(ValueError, match="Givenname") as error:
        int("Givenname")
    function = "test_errors_of_libraries_are_named_by_the_place_in_our_code"
    assert describe(error.value) == f"ValueError at tests/core/jobs/test_tries.py:{error.tb.tb_lineno} in {function}"


def test_temporary_folders_of_a_run_go_when_it_ends_however_it_ends(tenant, ask):
    seen = []

    def act(context, _payload):
        with scratch.temporary("features-") as folder:
            (folder.parent / "left behind").write_text("of people")
            seen.append(folder.parent)
            if context.attempt == 1:
                raise ZeroDivisionError

    job_id = ask(tenant, act)
    assert drain(tenant) == 2
    assert [folder.name for folder in seen] == [str(job_id)] * 2
    assert not any(folder.exists() for folder in seen)


def test_a_job_that_needs_a_file_waits_uncharged_while_the_store_is_not_the_installations(
    tenant, ask, row, change, settings_of, tmp_path
):
    upload = blobs.put(tenant, "upload.csv", b"content")
    settings_of(blob_url=tmp_path.as_uri())
    job_id = ask(tenant, lambda context, _payload: blobs.get(context.tenant, upload.key))
    assert drain(tenant) == 1
    job = row(job_id)
    assert (job["state"], job["attempts"]) == ("queued", 0)
    assert job["run_after"] > datetime.now(UTC) + timedelta(seconds=30)
    assert "keeps files in another place" in job["error"]
    assert dead_letters(job_id) == []
    settings_of(blob_url="")
    change(job_id, "run_after = now()")
    drain(tenant)
    assert row(job_id)["state"] == "done"


def test_the_calls_of_a_job_end_at_its_time_limit(tenant, ask):
    left = []
    ask(tenant, lambda _context, _payload: left.append(seconds_left(10**9)))
    drain(tenant)
    assert 0 < left[0] <= kind_of("testing.act").time_limit.total_seconds()


def test_the_metrics_say_how_many_jobs_wait(tenant, ask):
    ask(tenant)
    job_metrics.refresh(tenant.database)
    waiting = {
        sample.labels: sample.value
        for reading in job_metrics._read()
        for sample in reading.samples
        if reading.name == "iit_jobs_present"
    }
    assert waiting[tenant.database, "testing.act", "waiting"] >= 1
