"""A delivery survives the death of its worker: repeated if that does no harm, unknown if not."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from core.clock import now
from core.deliveries import (
    PAUSES,
    DeliveryColumns,
    after_try,
    begin,
    delivery_checks,
    pause_before,
    reconcile,
    record,
    send_again,
)
from plugins.sdk import Outcome


class _Base(SQLModel, registry=registry(metadata=MetaData())):
    pass


class Delivery(DeliveryColumns, _Base, table=True):
    __tablename__: ClassVar[Any] = "tried_deliveries"
    __table_args__ = (*delivery_checks(), {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"})


@pytest.fixture
def table(session):
    _Base.metadata.create_all(session.connection(), checkfirst=False)


def new(session, **values):
    row = Delivery(**values)
    session.add(row)
    session.flush()
    return row


@pytest.mark.usefixtures("table")
def test_a_delivery_is_sent_once(session):
    row = new(session)
    assert begin(session, Delivery, row.id).state == "sending"
    assert record(session, Delivery, row.id, Outcome("sent", reference="r1")) is None
    assert (row.state, row.reference, row.attempts) == ("sent", "r1", 1)
    assert begin(session, Delivery, row.id) is None


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("repeatable", "state", "attempts"), [(True, "sending", 2), (False, "unknown", 1)])
def test_a_try_whose_worker_died_is_repeated_only_if_the_receiver_recognizes_it(session, repeatable, state, attempts):
    row = new(session, repeatable=repeatable)
    begin(session, Delivery, row.id)
    assert (begin(session, Delivery, row.id) is None) is not repeatable
    assert (row.state, row.attempts) == (state, attempts)


@pytest.mark.usefixtures("table")
def test_it_is_tried_again_later_and_given_up_in_the_end(session):
    row = new(session)
    begin(session, Delivery, row.id)
    due = record(session, Delivery, row.id, Outcome("retry", "rate_limited", retry_after=timedelta(minutes=7)))
    assert due >= now() + timedelta(minutes=6)
    assert begin(session, Delivery, row.id) is None  # not due yet
    for _ in PAUSES:
        row.due_at = now() - timedelta(seconds=1)
        session.add(row)
        session.flush()
        begin(session, Delivery, row.id)
        due = record(session, Delivery, row.id, Outcome("retry", "rate_limited"))
    assert (due, row.state, row.reason) == (None, "failed", "rate_limited")
    send_again(session, row)
    assert begin(session, Delivery, row.id).attempts == 1


@pytest.mark.usefixtures("table")
def test_a_try_that_never_left_does_not_count(session):
    row = new(session)
    for _ in range(len(PAUSES) + 3):
        row.due_at = now() - timedelta(seconds=1)
        session.add(row)
        session.flush()
        begin(session, Delivery, row.id)
        record(session, Delivery, row.id, Outcome("retry", "rate_limited_here", retry_after=timedelta(seconds=3)))
    assert (row.state, row.attempts) == ("waiting", 0)


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        (timedelta(milliseconds=1), timedelta(seconds=1)),
        (timedelta(days=-1), timedelta(seconds=1)),
        (timedelta.max, timedelta(days=1)),
    ],
)
def test_a_pause_before_what_was_not_tried_is_a_second_to_a_day(asked, pause):
    assert after_try(1, Outcome("retry", "rate_limited_here", retry_after=asked)) == (0, pause)


@pytest.mark.usefixtures("table")
def test_a_report_settles_what_is_unknown_and_nothing_sends_it_again(session):
    row = new(session, repeatable=False)
    begin(session, Delivery, row.id)
    record(session, Delivery, row.id, Outcome("unknown", "timeout"))
    with pytest.raises(ValueError, match="unknown"):
        send_again(session, row)
    assert reconcile(session, row, Outcome("sent", reference="r2"))
    assert not reconcile(session, row, Outcome("failed"))
    assert (row.state, row.reference) == ("sent", "r2")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("late", [Outcome("sent", reference="r3"), Outcome("failed", "gone")], ids=["sent", "failed"])
def test_a_worker_that_answers_late_settles_what_was_unknown(session, late):
    row = new(session, repeatable=False)
    begin(session, Delivery, row.id)
    assert begin(session, Delivery, row.id) is None  # the worker was taken for dead
    assert row.state == "unknown"
    assert record(session, Delivery, row.id, Outcome("retry", "timeout")) is None
    assert row.state == "unknown"
    assert record(session, Delivery, row.id, late) is None
    assert (row.state, row.reference or row.reason) == (late.state, late.reference or late.reason)
    record(session, Delivery, row.id, Outcome("failed", "late"))
    assert row.reason != "late"


def test_pauses_grow_and_heed_the_receiver():
    assert pause_before(1) < pause_before(3) < pause_before(7)
    assert pause_before(8) is None
    assert pause_before(1, timedelta(days=9)) == timedelta(days=1)
