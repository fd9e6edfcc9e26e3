"""Public events are numbered in the order of commits, so a reader that resumes after a number misses none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random

import pytest
from sqlalchemy import text

from core.database import node_session, tenant_session
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit

EVENT = "risk.scored"
WRITERS, ACTS = 6, 12


def publish(session, subject="s"):
    return publish_after_commit(session, EVENT, subject=subject, payload=type_of(EVENT).example)


def after(tenant, number):
    """What a reader reads that has seen the events up to a number."""
    query = "SELECT sequence, id FROM node.outbox WHERE tenant_id = :tenant AND sequence > :number ORDER BY sequence"
    with node_session(tenant.database) as session:
        return [tuple(row) for row in session.execute(text(query), {"tenant": tenant.id, "number": number})]


@pytest.fixture
def fresh(make_tenant):
    return make_tenant().ref


@pytest.mark.parametrize("seed", range(3))
def test_a_reader_beside_many_acts_misses_none_and_numbers_have_no_gap(fresh, seed):
    def act(writer):
        chance, committed = Random(seed * 100 + writer), []  # noqa: S311 - a test
        for _ in range(ACTS):
            with suppress(ZeroDivisionError), tenant_session(fresh, actor="test:1") as session:
                ids = [publish(session) for _ in range(chance.choice((1, 1, 2)))]
                session.cursor().execute("SELECT pg_sleep(%s)", (chance.choice((0, 0, 0.002)),))
                committed += ids * (1 // chance.choice((0, 1, 1, 1)))
        return committed

    seen, last = [], 0
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(act, writer) for writer in range(WRITERS)]
        ended = False
        while not ended:
            ended = all(writer.done() for writer in writers)
            rows = after(fresh, last)
            seen += rows
            last = rows[-1][0] if rows else last
    assert [number for number, _ in seen] == list(range(1, len(seen) + 1))
    by_id = {event_id: number for number, event_id in seen}
    for writer in writers:
        numbers = [by_id.pop(event_id) for event_id in writer.result()]
        assert numbers == sorted(numbers), "one act after another"
    assert by_id == {}, "what was rolled back has no number"


def test_an_act_that_has_published_delays_no_other_until_it_commits(fresh):
    with tenant_session(fresh, actor="test:1") as slow:
        first = publish(slow)
        with tenant_session(fresh, actor="test:2") as quick:
            second = publish(quick)
        assert [event_id for _, event_id in after(fresh, 0)] == [second]
    assert after(fresh, 0) == [(1, second), (2, first)]


def test_tenants_count_for_themselves(fresh, tenant):
    for one in (tenant, fresh):
        with tenant_session(one, actor="test:1") as session:
            publish(session)
    assert [number for number, _ in after(fresh, 0)] == [1]
    statement = "UPDATE node.event_counters SET last = 900 WHERE tenant_role = :role"
    with tenant_session(tenant, actor="test:1") as session:
        assert session.execute(text(statement), {"role": fresh.role_name}).rowcount == 0
