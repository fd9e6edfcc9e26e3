"""Who is on call at each moment: rotations through clock changes, and overrides, also those that overlap."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.alerts.models import OnCallOverride, OnCallRota
from tenants.alerts.oncall import rotation_at, shift_at, timeline

ZONES = ("Africa/Lagos", "Europe/Berlin", "America/New_York")
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = timedelta(days=45)
"""Both clocks with summer time go forward in it."""
PEOPLE = [UUID(int=number) for number in range(1, 5)]
MOMENTS = st.datetimes(
    min_value=BEGIN.replace(tzinfo=None), max_value=(BEGIN + SPAN).replace(tzinfo=None), timezones=st.just(UTC)
).map(lambda moment: moment.replace(second=0, microsecond=0))


def override_of(person: UUID, since: datetime, hours: int) -> OnCallOverride:
    until = since + timedelta(hours=hours)
    return OnCallOverride(rota_id=uuid4(), person_id=person, since=since, until=until, created_by="t")


@st.composite
def cases(draw):
    """A rota, its overrides, and a time zone."""
    count = draw(st.integers(1, 4))
    members = [{"person_id": str(person), "channel_id": str(uuid4())} for person in PEOPLE[:count]]
    rota = OnCallRota(
        name="r",
        members=members,
        first_day=date(2026, 3, draw(st.integers(1, 20))),
        shift_days=draw(st.integers(1, 9)),
        handover_minute=draw(st.sampled_from((0, 150, 480, 1439))),
        created_by="t",
    )
    spans = draw(st.lists(st.tuples(st.sampled_from(PEOPLE), MOMENTS, st.integers(1, 200)), max_size=4))
    overrides = [override_of(*turn) for turn in spans]
    for number, override in enumerate(overrides, start=1):
        override.id = UUID(int=number)
    return rota, overrides, draw(st.sampled_from(ZONES))


@settings(max_examples=60, deadline=None)
@given(cases(), MOMENTS)
def test_the_calendar_says_who_is_on_call_at_every_moment(case, moment):
    rota, overrides, zone = case
    parts = timeline(rota, overrides, zone, BEGIN, BEGIN + SPAN)
    assert all(BEGIN <= part.since < part.until <= BEGIN + SPAN for part in parts)
    assert all(before.until <= after.since for before, after in pairwise(parts))
    for at in (moment, *(part.since for part in parts), *(part.until - timedelta(minutes=1) for part in parts)):
        shown = [part for part in parts if part.since <= at < part.until]
        shift = shift_at(rota, overrides, zone, at)
        assert [part.person_id for part in shown] == ([] if shift is None or at >= BEGIN + SPAN else [shift.person_id])


@settings(max_examples=60, deadline=None)
@given(cases(), MOMENTS)
def test_the_newest_override_wins_and_the_rotation_applies_outside(case, moment):
    rota, overrides, zone = case
    matching = [each for each in overrides if each.since <= moment < each.until]
    shift, turn = shift_at(rota, overrides, zone, moment), rotation_at(rota, zone, moment)
    if matching:
        newest = max(matching, key=lambda each: each.id)
        assert (shift.person_id, shift.override) == (newest.person_id, newest.id)
    else:
        assert shift == turn


@settings(max_examples=60, deadline=None)
@given(cases(), MOMENTS)
def test_a_hand_over_keeps_its_time_of_the_clock_and_turns_follow_in_order(case, moment):
    rota, _overrides, zone = case
    turn = rotation_at(rota, zone, moment)
    if turn is None:
        return
    clock = ZoneInfo(zone)
    begin, end = turn.since.astimezone(clock), turn.until.astimezone(clock)
    assert (end.date() - begin.date()).days == rota.shift_days
    after = rotation_at(rota, zone, turn.until)
    assert after.since == turn.until
    people = [UUID(member["person_id"]) for member in rota.members]
    assert after.person_id == people[(people.index(turn.person_id) + 1) % len(people)]


def test_an_override_across_a_clock_change_interrupts_one_turn():
    members = [{"person_id": str(person), "channel_id": str(uuid4())} for person in PEOPLE[:2]]
    rota = OnCallRota(name="r", members=members, first_day=date(2026, 3, 23), handover_minute=480, created_by="t")
    since = datetime(2026, 3, 28, 22, tzinfo=UTC)
    override = override_of(PEOPLE[1], since, 9)
    override.id = uuid4()
    parts = timeline(rota, [override], "Europe/Berlin", since - timedelta(days=1), since + timedelta(days=1))
    assert [(part.person_id, part.override) for part in parts] == [
        (PEOPLE[0], None),
        (PEOPLE[1], override.id),
        (PEOPLE[0], None),
    ]
    assert [part.since for part in parts[1:]] == [since, since + timedelta(hours=9)]
