"""A large tenant is scored by parts: the rows of one worker, each facility once, one end, and parts that fail."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import select

from core import metering
from core.database import node_session
from core.errors import Invalid
from core.jobs import decisions, enqueue
from core.jobs.cancelling import cancel
from core.jobs.context import EarlierFirst, WorkerStopping
from core.jobs.interruptions import WAITS
from core.jobs.registry import check_of
from core.jobs.worker import drain
from tenants.cohort.timelines import to_date
from tenants.risk import parts, repository, scoring, spread
from tenants.risk.failures import ModelFailed
from tenants.risk.jobs import SCORE
from tenants.risk.models import ScorePart
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, store

DAY: date = to_date(END)
FACILITIES = 5
DUE = text("UPDATE node.jobs SET run_after = now() WHERE tenant_role = :role AND state = 'queued'")


@pytest.fixture(scope="module")
def people():
    return clinics(120, facilities=FACILITIES)


@pytest.fixture(scope="module")
def alone(make_tenant, people):
    """The rows of one worker, and the figures of its run."""
    tenant = make_tenant().ref
    store(tenant, people)
    scoring.score(tenant, opener(tenant), DAY)
    return predictions(tenant, DAY), figures(tenant)


@pytest.fixture
def large(tenant, people, monkeypatch):
    monkeypatch.setattr(spread, "SPREAD_FROM", 50)
    monkeypatch.setattr(spread, "LEAST_OF_PART", 20)
    monkeypatch.setattr(spread, "MOST_PARTS", 3)
    monkeypatch.setattr(scoring, "CHUNK_PATIENTS", 20)
    monkeypatch.setitem(WAITS, EarlierFirst, timedelta(hours=1))  # a slow machine needs over two
    store(tenant, people)
    return tenant


def figures(tenant):
    with opener(tenant)() as session:
        run = repository.run_of(session, DAY)
        return run.state, run.patients_seen, run.at_risk, run.to_trace, run.usual_risk


def ask(tenant):
    with opener(tenant)() as session:
        return enqueue(session, SCORE, {"as_of": DAY.isoformat()})


def run_all(tenant, rounds=4):
    for _ in range(rounds):
        with node_session(tenant.database) as session:
            session.execute(DUE, {"role": tenant.role_name})
        drain(tenant)


def job_of(tenant, job_id):
    with node_session(tenant.database) as session:
        query = text("SELECT state, error, progress_done, progress_total FROM node.jobs WHERE id = :id")
        return session.execute(query, {"id": job_id}).one()


def part_jobs(tenant):
    with node_session(tenant.database) as session:
        query = text("SELECT id FROM node.jobs WHERE tenant_role = :role AND kind = :kind ORDER BY id")
        return list(session.scalars(query, {"role": tenant.role_name, "kind": parts.PART}))


def states_of(tenant):
    with opener(tenant)() as session:
        return sorted(part.state for part in session.exec(select(ScorePart)).all())


def ends(tenant):
    with opener(tenant)() as session, session.cursor() as cursor:
        audited = cursor.execute("SELECT count(*) FROM audit_events WHERE action = 'risk:patients:score'").fetchone()[0]
        return audited, metering.totals(session)["patients_scored"]


def test_parts_write_the_rows_of_one_worker_and_the_run_ends_once(large, alone):
    job_id = ask(large)
    run_all(large)
    assert len(part_jobs(large)) == 3
    assert job_of(large, job_id).state == "done"
    assert predictions(large, DAY) == alone[0]
    assert figures(large) == alone[1]
    assert ends(large) == (1, alone[1][2])
    assert states_of(large) == []


def test_a_small_tenant_is_scored_by_one_job(large, monkeypatch, alone):
    monkeypatch.setattr(spread, "SPREAD_FROM", 10_000)
    ask(large)
    run_all(large, rounds=1)
    assert part_jobs(large) == []
    assert figures(large) == alone[1]


def test_the_waiting_job_holds_no_thread_and_shows_the_progress_of_all_parts(large, monkeypatch):
    job_id = ask(large)
    run_all(large, rounds=1)
    assert job_of(large, job_id).state == "queued"
    run_all(large, rounds=1)
    job = job_of(large, job_id)
    assert job.progress_done in (None, job.progress_total)
    run_all(large)
    assert job_of(large, job_id).state == "done"


def test_a_run_does_not_end_before_its_last_part(large):
    job_id = ask(large)
    drain(large, most=1)
    with node_session(large.database) as session:
        session.execute(
            text("UPDATE node.jobs SET run_after = now() - interval '9 days' WHERE id = :id"), {"id": job_id}
        )
    drain(large, most=1)
    assert job_of(large, job_id).state == "queued"
    assert (figures(large)[0], len(states_of(large))) == ("scoring", 3)


def test_a_worker_that_stops_in_a_part_scores_every_facility_once(large, alone, monkeypatch):
    original, stops = spread._step, []

    def step(session, *rest):
        ended = original(session, *rest)
        if len(stops) < 2:
            stops.append(True)
            raise WorkerStopping
        return ended

    monkeypatch.setattr(spread, "_step", step)
    ask(large)
    run_all(large, rounds=6)
    assert len(stops) == 2
    assert predictions(large, DAY) == alone[0]
    assert figures(large) == alone[1]


def test_a_dead_part_is_told_by_the_job_whose_retry_runs_that_part_alone(large, alone, monkeypatch):
    original, seen = spread.score_part, []

    def score_part(ctx, part):
        seen.append(part)
        if seen == [part]:
            raise Invalid("the test ends it")
        original(ctx, part)

    monkeypatch.setattr(spread, "score_part", score_part)
    job_id = ask(large)
    run_all(large)
    job = job_of(large, job_id)
    assert (job.state, "1 of 3 parts of the scoring failed" in job.error) == ("dead", True)
    assert figures(large)[0] == "failed"
    assert states_of(large) == ["done", "done", "failed"]

    decisions.retry(job_id, actor="cli:operator")
    run_all(large)
    assert len(seen) == 4
    assert seen[3] == seen[0]
    assert predictions(large, DAY) == alone[0]
    assert figures(large) == alone[1]


def test_a_model_that_fails_in_a_part_leaves_the_scoring_to_one_worker(large, alone, monkeypatch):
    original, failed = scoring.rows_of, []

    def rows_of(basis, people):
        if not failed:
            failed.append(True)
            raise ModelFailed("the test", "fails")
        return original(basis, people)

    monkeypatch.setattr(spread.scoring, "rows_of", rows_of)
    job_id = ask(large)
    run_all(large)
    assert job_of(large, job_id).state == "done"
    assert predictions(large, DAY) == alone[0]


def test_two_scorings_of_a_day_do_not_remove_each_other_s_parts(large, alone):
    both = [ask(large), ask(large)]
    run_all(large, rounds=6)
    assert [job_of(large, job_id).state for job_id in both] == ["done", "done"]
    assert len(part_jobs(large)) <= 2 * spread.MOST_PARTS
    assert (predictions(large, DAY), figures(large)) == alone


def test_a_cancelled_scoring_ends_with_its_parts(large, monkeypatch):
    job_id = ask(large)
    monkeypatch.setattr(spread, "score_part", lambda _ctx, _part: None)
    run_all(large, rounds=1)
    assert states_of(large) == ["waiting"] * 3
    with opener(large)() as session:
        cancel(session, job_id)
    assert states_of(large) == []
    assert figures(large)[0] == "failed"


def test_a_run_that_another_process_began_anew_is_not_waited_for(large, alone, monkeypatch):
    job_id = ask(large)
    with monkeypatch.context() as patched:
        patched.setattr(spread, "score_part", lambda _ctx, _part: None)
        run_all(large, rounds=1)
    with opener(large)() as session:
        repository.run_of(session, DAY, lock_row=True).inputs = "others"
    run_all(large)
    assert job_of(large, job_id).state == "done"
    assert predictions(large, DAY) == alone[0]


@pytest.mark.parametrize(
    ("patients", "most", "least", "sizes"),
    [
        ([10, 10, 10, 10], 2, 1, [20, 20]),
        ([100, 1, 1, 1], 4, 1, [100, 1, 1, 1]),
        ([1, 1, 100], 2, 1, [102]),
        ([5, 5], 8, 100, [10]),
        ([0, 0, 7], 3, 1, [7]),
    ],
)
def test_facilities_are_divided_into_parts_without_a_gap(patients, most, least, sizes):
    facilities = [(UUID(int=place), count) for place, count in enumerate(patients, start=1)]
    ranges = parts.divided(facilities, most, least)
    assert ranges[0][0] is None
    assert ranges[-1][1] == facilities[-1][0]
    assert [after for after, _, _ in ranges[1:]] == [until for _, until, _ in ranges[:-1]]
    assert sum(count for *_, count in ranges) == sum(patients)
    assert len(ranges) <= most


@pytest.mark.parametrize("payload", [{}, {"as_of": 3}, {"as_of": "tomorrow"}])
def test_an_edited_scoring_names_a_day(payload):
    check = check_of(SCORE)
    check({"as_of": DAY.isoformat()})
    with pytest.raises(Invalid):
        check(payload)
