"""Repeated events are logged at a bounded rate, with the number of omitted lines."""

from core.telemetry import repeated
from core.telemetry.repeated import RepeatFilter


def test_an_event_is_told_once_and_then_with_how_often_it_was_left_out(monkeypatch):
    moments = iter([0.0, 1.0, 2.0, 20.0, 21.0])
    monkeypatch.setattr(repeated.time, "monotonic", lambda: next(moments))
    lines = RepeatFilter(10.0)
    assert [lines.due("away") for _ in range(5)] == [0, None, None, 2, None]


def test_events_are_told_apart():
    lines = RepeatFilter(1000.0)
    assert [lines.due(event) for event in ("away", "full", "away")] == [0, 0, None]


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(repeated, "EVENTS", 2)
    lines = RepeatFilter(1000.0)
    assert [lines.due(event) for event in (1, 2, 3, 3, 2, 1)] == [0, 0, 0, None, None, 0]
