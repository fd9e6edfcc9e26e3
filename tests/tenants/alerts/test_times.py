"""Quiet hours, hand-overs and routes keep to the partner's clock, through clock changes too."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from tenants.alerts.models import Alert, AlertRoute, OnCallRota
from tenants.alerts.notifying import matches
from tenants.alerts.oncall import rotation_at
from tenants.alerts.quiet import quiet_until
from tenants.alerts.settings import AlertSettings

LAGOS, BERLIN = "Africa/Lagos", "Europe/Berlin"
NIGHTS = AlertSettings(holidays={date(2026, 12, 25): "Christmas"}, quiet_weekends=True)


def at(text, zone=LAGOS):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-12-01T12:00", None),
        ("2026-12-01T20:00", "2026-12-02T07:00"),
        ("2026-12-02T06:59", "2026-12-02T07:00"),
        ("2026-12-02T07:00", None),
        ("2026-12-24T21:00", "2026-12-28T07:00"),  # then a holiday, and a weekend
        ("2026-12-25T12:00", "2026-12-28T07:00"),
        ("2026-12-05T12:00", "2026-12-07T07:00"),
    ],
)
def test_quiet_times_end_in_the_morning_of_a_working_day(moment, until):
    assert quiet_until(NIGHTS, LAGOS, at(moment)) == (None if until is None else at(until))


def test_a_clock_change_moves_the_end_of_quiet_hours_with_the_clock():
    night = at("2026-03-28T22:00", BERLIN)  # the clock goes forward at 2:00
    assert quiet_until(AlertSettings(), BERLIN, night) - night == timedelta(hours=8)
    assert quiet_until(AlertSettings(), LAGOS, at("2026-03-28T22:00")) - at("2026-03-28T22:00") == timedelta(hours=9)


def test_hours_of_one_day_and_no_hours_at_all():
    noon = AlertSettings(quiet_from="12:00", quiet_until="13:00")
    assert quiet_until(noon, LAGOS, at("2026-12-01T12:30")) == at("2026-12-01T13:00")
    assert quiet_until(noon, LAGOS, at("2026-12-01T13:00")) is None
    assert quiet_until(AlertSettings(quiet_hours=False), LAGOS, at("2026-12-01T23:00")) is None


def rota(**values):
    people = [uuid4(), uuid4()]
    members = [{"person_id": str(person), "channel_id": str(uuid4())} for person in people]
    return people, OnCallRota(name="r", members=members, first_day=date(2026, 3, 23), created_by="t", **values)


def test_members_take_turns_at_the_hand_over():
    people, weekly = rota()
    assert rotation_at(weekly, BERLIN, at("2026-03-23T07:59", BERLIN)) is None
    assert rotation_at(weekly, BERLIN, at("2026-03-23T08:00", BERLIN)).person_id == people[0]
    shift = rotation_at(weekly, BERLIN, at("2026-03-30T07:59", BERLIN))
    assert (shift.person_id, shift.until) == (people[0], at("2026-03-30T08:00", BERLIN))
    assert shift.until - shift.since == timedelta(days=7, hours=-1)
    assert rotation_at(weekly, BERLIN, shift.until).person_id == people[1]
    assert rotation_at(weekly, BERLIN, at("2026-04-06T09:00", BERLIN)).person_id == people[0]


def test_every_moment_belongs_to_one_shift():
    _, daily = rota(shift_days=1)
    moment, end = at("2026-03-27T08:00", BERLIN), at("2026-03-31T08:00", BERLIN)
    while moment < end:
        shift = rotation_at(daily, BERLIN, moment)
        assert shift.since <= moment < shift.until
        moment += timedelta(minutes=30)


@pytest.mark.parametrize(
    ("values", "moment", "expected"),
    [
        ({}, "2026-12-01T12:00", True),
        ({"severity": "high"}, "2026-12-01T12:00", False),
        ({"stream": "platform"}, "2026-12-01T12:00", False),
        ({"facilities": [uuid4()]}, "2026-12-01T12:00", False),
        ({"from_minute": 1080, "until_minute": 420}, "2026-12-01T12:00", False),
        ({"from_minute": 1080, "until_minute": 420}, "2026-12-01T23:00", True),
        ({"from_minute": 1080, "until_minute": 420, "days": [2]}, "2026-12-02T05:00", True),  # Tuesday's night
        ({"from_minute": 1080, "until_minute": 420, "days": [3]}, "2026-12-02T05:00", False),
        ({"days": [2]}, "2026-12-01T12:00", True),
        ({"days": [1]}, "2026-12-01T12:00", False),
    ],
)
def test_a_route_takes_what_matches_it(values, moment, expected):
    alert = Alert(alert_type="late", severity="medium", stream="clinical", facility_uuid=uuid4(), created_by="t")
    route = AlertRoute(name="r", channel_id=uuid4(), created_by="t", **values)
    assert matches(route, alert, at(moment), LAGOS) is expected
