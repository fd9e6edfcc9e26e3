"""When a delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from core.webhooks.schedule import JITTER, PAUSES, pause_before, pause_of_endpoint, retry_after, verdict_of


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "delivered"), (204, "delivered"), (301, "failed"), (404, "failed"), (410, "gone"), (500, "failed")],
)
def test_an_answer_means(status, verdict):
    assert verdict_of(status) == verdict
    assert verdict_of(None) == "failed"


def test_the_pauses_follow_the_schedule_within_the_jitter_and_end():
    seconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
    assert [pause.total_seconds() for pause in PAUSES] == seconds
    for attempts, expected in enumerate(seconds, start=1):
        drawn = [pause_before(attempts).total_seconds() for _ in range(50)]
        assert all(expected * (1 - JITTER) <= pause <= expected * (1 + JITTER) for pause in drawn)
        assert len(set(drawn)) > 1
    assert pause_before(len(seconds) + 1) is None


def test_the_receiver_can_ask_for_a_longer_pause_of_at_most_a_day():
    assert pause_before(1, timedelta(hours=1)) == timedelta(hours=1)
    assert pause_before(1, timedelta(days=9)) == timedelta(hours=24)
    assert pause_before(7, timedelta(seconds=1)) > timedelta(hours=7)


def test_a_header_is_seconds_or_a_date():
    moment = datetime(2026, 11, 29, tzinfo=UTC)
    assert retry_after("120", moment) == timedelta(minutes=2)
    assert retry_after("Sun, 29 Nov 2026 00:10:00 GMT", moment) == timedelta(minutes=10)
    assert retry_after("Sun, 29 Nov 2020 00:10:00 GMT", moment) == timedelta(0)
    assert retry_after("9" * 400, moment) <= timedelta(days=1)
    assert [retry_after(value, moment) for value in (None, "", "soon", "-1", "1.5")] == [None] * 5


def test_an_endpoint_rests_longer_with_each_failure_up_to_five_minutes():
    pauses = [pause_of_endpoint(failures) for failures in range(1, 20)]
    assert pauses[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert max(pauses) == timedelta(minutes=5)
