"""Rows of the two lists as they are written: ranks, levels, and PostgreSQL's own reading of them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenants.cohort.settings import CohortSettings, ScheduleRule
from tenants.cohort.timelines import NO_DAY
from tenants.risk import binary_rows, scored
from tenants.risk.facility_rates import FacilityCounts
from tests.tenants.risk.clinics import END, clinics, timelines_of

_PEOPLE = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0.1, 0.2, 0.2, 0.9]), st.integers(0, 2)), min_size=1, max_size=40
)


@given(_PEOPLE)
def test_places_follow_the_keys_in_turn_then_the_order_given(people):
    facility, risk, expected = (np.array(column) for column in zip(*people, strict=True))
    place, everyone = scored.ranked(facility.astype(np.int64), -risk, expected)
    for home in set(facility.tolist()):
        own = [index for index in range(len(people)) if facility[index] == home]
        own.sort(key=lambda index: (-risk[index], expected[index], index))
        assert [int(place[index]) for index in own] == list(range(1, len(own) + 1))
        assert all(everyone[index] == len(own) for index in own)


def test_packed_rows_are_read_by_postgresql_as_they_were_meant(session):
    uuids = binary_rows.new_uuids(3)
    columns = {
        "a": uuids,
        "b": binary_rows.text("word"),
        "c": binary_rows.days(np.array([-1, 0, 20_000])),
        "d": binary_rows.floats(np.array([0.1, math.inf, -2.5])),
        "e": None,
        "f": binary_rows.flags(np.array([True, False, True])),
        "g": binary_rows.moment(1_700_000_000_000_000),
        "h": binary_rows.whole(np.array([1, -1, 7])),
    }
    with session.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE packed (a uuid, b text, c date, d float8, e date, f bool, g timestamptz, h int4,"
            " j jsonb) ON COMMIT DROP"
        )
        with cursor.copy("COPY packed FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(binary_rows.HEAD)
            copy.write(binary_rows.rows(3, columns, [b'{"a": 1}', b"[]", b"null"]))
            copy.write(binary_rows.rows(3, columns, None))
            copy.write(binary_rows.TAIL)
        found = cursor.execute("SELECT a, b, c - DATE '1970-01-01', d, e, f, g, h, j FROM packed").fetchall()
    assert [row[0].bytes for row in found[:3]] == [bytes(value) for value in uuids]
    assert {row[0].version for row in found} == {7}
    assert {row[1] for row in found} == {"word"}
    assert [row[2] for row in found[:3]] == [-1, 0, 20_000]
    assert [row[3] for row in found[:3]] == [0.1, math.inf, -2.5]
    assert {row[4] for row in found} == {None}
    assert [row[5] for row in found[:3]] == [True, False, True]
    assert found[0][6] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert [row[7] for row in found[:3]] == [1, -1, 7]
    assert [row[8] for row in found] == [{"a": 1}, [], None, None, None, None]


def test_rates_need_no_contact_before_their_first_day():
    made = clinics(200)
    rules = CohortSettings()
    whole, cut = FacilityCounts(END, END, rules), FacilityCounts(END, END, rules)
    whole.add(timelines_of(made))
    since = cut.since
    later = [[day for day in days if day >= since] for days in made.contacts]
    assert 0 < sum(map(len, later)) < sum(map(len, made.contacts))
    cut.add(timelines_of(replace(made, contacts=later)))
    np.testing.assert_array_equal(whole.rates().resolved, cut.rates().resolved)
    np.testing.assert_array_equal(whole.rates().interrupted, cut.rates().interrupted)
    assert whole.rates().resolved.sum() > 0


def test_rules_that_look_at_all_contacts_leave_none_out():
    rules = CohortSettings(rule=ScheduleRule(by="contact_number", bands=[{"start": 0, "days": 30}]))
    assert FacilityCounts(END, END, rules).since == NO_DAY
