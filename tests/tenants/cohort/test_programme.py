"""Indicators with filters, over time, and the people behind each count."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from core.database import Reach, tenant_session
from core.errors import Invalid
from core.web.cursors import Sort
from core.web.paging import PageRequest
from tenants.cohort import programme, service
from tenants.cohort.calendar import name_of, period_of, preceding
from tenants.cohort.indicators import LISTED
from tenants.cohort.selection import EVERYBODY, Selection

from .conftest import STAMP

QUARTER = period_of("2025Q2")
QUARTERS = preceding(QUARTER, 3)


@pytest.fixture
def people(store):
    """Two facilities. The first has a woman lost in the second quarter and a man on treatment, the second a girl."""
    first, second = store.facility("FAC1"), store.facility("FAC2")
    woman = store.patient(first, 1, sex="F", birthdate=date(1990, 1, 1), art_start_date=date(2025, 1, 6), stamp=STAMP)
    store.visits(first, woman, date(2025, 1, 6), next_appointment=date(2025, 4, 6), stamp=STAMP)
    man = store.patient(first, 2, sex="M", birthdate=date(1980, 1, 1), art_start_date=date(2024, 1, 6), stamp=STAMP)
    days = [date(2024, 1, 6) + timedelta(90 * count) for count in range(7)]
    for number, day in enumerate(days):
        store.visits(first, man, day, start=10 + number, next_appointment=day + timedelta(90), stamp=STAMP)
    result = {"number": 1, "variable_name": "viral_load", "value_numeric": 40, "assumed": date(2025, 3, 3)}
    store.observe(first, man, {**result, "obs_datetime": STAMP.replace(year=2025, month=3, day=3)})
    girl = store.patient(second, 3, sex="F", birthdate=date(2010, 5, 1), art_start_date=date(2025, 4, 20), stamp=STAMP)
    store.visits(second, girl, date(2025, 4, 20), start=30, next_appointment=date(2025, 7, 20), stamp=STAMP)
    return {"woman": woman, "man": man, "girl": girl}


def listed(session, indicator, selection=EVERYBODY, page=1, page_size=50, period=QUARTER):
    paging = PageRequest(page, page_size, sort=Sort.parse("-since"), keyed=True)
    return programme.read_people(session, indicator, period, selection, paging)


def test_a_filter_gives_the_counts_of_its_group(store, people):
    with store.session() as session:
        dimensions = ("facility", "sex", "age")
        all_groups = service.indicator_report(session, QUARTER, dimensions).rows
        assert len(all_groups) >= 3
        for group, counts in all_groups:
            report = service.indicator_report(session, QUARTER, (), Selection(**group))
            assert report.rows == [({}, counts)]
            assert programme.trend(session, [QUARTER], Selection(**group)) == [counts]
        report = service.indicator_report(session, QUARTER, ["sex"], Selection(facility="FAC1"))
        assert [(group["sex"], row["TX_ML"], row["TX_CURR"]) for group, row in report.rows] == [
            ("F", 1, 0),
            ("M", 0, 1),
        ]
        assert report.facilities == 1
        none = service.indicator_report(session, QUARTER, ["sex"], Selection(age="65+"))
        assert none.rows == []


def test_one_reading_gives_each_period_its_own_counts(store, people):
    clinic = store.facility("FAC1")
    moment = STAMP.replace(year=2025, month=5, day=20)
    for number, value in enumerate((1500, 900, 2000), 2):  # of one moment, the lowest counts
        result = {"number": number, "variable_name": "viral_load", "value_numeric": value, "obs_datetime": moment}
        store.observe(clinic, people["man"], {**result, "stamp": STAMP})
    after = preceding(period_of("2026Q2"), 6)
    with store.session() as session:
        report, counts = service.indicators_over_time(session, after, ("facility", "sex"))
        assert counts == [service.indicator_report(session, period, ()).rows[0][1] for period in after]
        assert report == service.indicator_report(session, after[-1], ("facility", "sex"))
        tested = [listed(session, "TX_PVLS_D", period=period).rows for period in after]
    assert [[person.viral_load for person in rows] for rows in tested] == [[40.0], [900.0], [900.0], [], [], []]


def test_each_count_opens_the_people_who_make_it(store, people):
    with store.session() as session:
        ((_, counts),) = service.indicator_report(session, QUARTER, ()).rows
        totals = {name: listed(session, name).total for name in LISTED}
        assert totals == {name: counts.get(name, 0) for name in LISTED}
        age_at_start, age_at_end = Selection(age="10-14"), Selection(age="15-19")
        for name, selection in (("TX_NEW", age_at_start), ("TX_CURR", age_at_end), ("TX_NEW", Selection("FAC2"))):
            assert [person.patient_id for person in listed(session, name, selection).rows] == [people["girl"]]
        (lost,) = listed(session, "TX_ML").rows
        assert (lost.patient_id, lost.facility, lost.sex, lost.age) == (people["woman"], "FAC1", "F", 35)
        assert (lost.status, lost.since) == ("iit", date(2025, 5, 5))
        (tested,) = listed(session, "TX_PVLS_D").rows
        assert (tested.patient_id, tested.viral_load) == (people["man"], 40.0)


def test_people_come_in_pages_the_latest_change_first_and_the_audit_has_each_read(store, people):
    with store.session() as session:
        pages = [listed(session, "TX_CURR", page=at, page_size=1) for at in (1, 2, 3)]
        assert [[person.patient_id for person in page.rows] for page in pages] == [
            [people["girl"]],
            [people["man"]],
            [],
        ]
        assert {page.total for page in pages} == {2}
    with store.session() as session:
        query = "SELECT subject_uuid FROM audit_events WHERE action = 'cohort:indicator_people:read'"
        read = [row[0] for row in session.cursor().execute(query).fetchall()]
    assert sorted(read) == sorted([people["girl"], people["man"]])


def test_only_people_within_reach_are_counted_and_listed(store, people):
    with store.session() as session:
        place = session.cursor().execute("SELECT uuid FROM facilities WHERE datim_id = 'FAC2'").fetchone()[0]
    with tenant_session(store.tenant, actor="test:2", reach=Reach(frozenset({place}))) as session:
        assert [person.patient_id for person in listed(session, "TX_CURR").rows] == [people["girl"]]
        assert listed(session, "TX_ML").total == 0
        assert programme.trend(session, [QUARTER])[0]["TX_CURR"] == 1


def test_a_trend_has_the_counts_of_each_period(store, people):
    with store.session() as session:
        trend = programme.trend(session, QUARTERS)
        assert trend == [service.indicator_report(session, period, ()).rows[0][1] for period in QUARTERS]
    assert [(row["TX_NEW"], row["TX_CURR"], row["TX_ML"]) for row in trend] == [(0, 1, 0), (1, 2, 0), (1, 2, 1)]
    assert [row["TX_PVLS_N"] for row in trend] == [0, 1, 1]


def test_what_is_no_count_of_people_is_rejected(store, people):
    for name in ("aged_since_start", "TX_HTS", ""):
        with store.session() as session, pytest.raises(Invalid):
            listed(session, name)


@pytest.mark.parametrize(
    ("text", "before"),
    [("2026-01", "2025-12"), ("2026Q1", "2025Q4"), ("2026", "2025"), ("FY26", "FY2025"), ("FY26Q1", "2025Q3")],
)
def test_periods_follow_each_other_by_name(text, before):
    earlier, period = preceding(period_of(text), 2)
    assert (name_of(earlier), period) == (before, period_of(text))
    assert period_of(name_of(period)) == period
    assert earlier.end + timedelta(days=1) == period.start


def test_a_period_without_a_name_is_as_many_days_long():
    period = period_of(None, date(2026, 3, 10), date(2026, 3, 16))
    assert [each.start for each in preceding(period, 3)] == [date(2026, 2, 24), date(2026, 3, 3), date(2026, 3, 10)]
    assert name_of(period) == "2026-03-10 to 2026-03-16"


def test_the_api_filters_shows_the_trend_and_lists_the_people(api, people):
    query = {"period": "2025Q2", "sex": "F"}
    answer = api.get("/v1/cohort/indicators", params=query).json()
    assert answer["rows"][0]["counts"]["TX_ML"] == 1
    trend = api.get("/v1/cohort/indicators/trend", params={**query, "periods": 2}).json()
    assert [row["period"] for row in trend["periods"]] == ["2025Q1", "2025Q2"]
    assert trend["periods"][1]["counts"] == answer["rows"][0]["counts"]
    page = api.get("/v1/cohort/indicators/TX_CURR/people", params={**query, "page_size": 1}).json()
    assert (page["total"], [item["patient_id"] for item in page["items"]]) == (1, [str(people["girl"])])


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("indicators", {"sex": "W"}, "sex"),
        ("indicators", {"age": "15 to 19"}, "age"),
        ("indicators/trend", {"facility": "FAC9"}, "facility"),
        ("indicators/aged_since_start/people", {}, "indicator"),
    ],
)
def test_an_unknown_label_is_rejected_with_the_choices(api, people, path, query, field):
    answer = api.get(f"/v1/cohort/{path}", params={"period": "2025Q2", **query})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == f"{'path' if field == 'indicator' else 'query'}.{field}"
    assert error["remedy"]
