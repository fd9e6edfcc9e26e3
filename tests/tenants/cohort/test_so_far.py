"""Figures of a period that the records do not cover to its end: they are as of the data date, and say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import frozen
from core.errors import Invalid
from core.web.cursors import Sort
from core.web.paging import PageRequest
from tenants.cohort import programme, service
from tenants.cohort.calendar import Period, period_of, preceding
from tenants.cohort.indicators import DIMENSIONS, LISTED, Counts, measure
from tenants.cohort.selection import EVERYBODY
from tenants.cohort.settings import CohortSettings, FixedRule
from tenants.cohort.so_far import covered_by, covered_part, data_date, last_ended
from tenants.cohort.status import transitions
from tenants.cohort.timelines import day_number, to_date

from .conftest import STAMP
from .histories import Contact, History, histories, timelines_of
from .test_indicators import people_of

RULES = CohortSettings(rule=FixedRule(days=30))
END_OF_RECORDS = date(2025, 5, 20)
RUNNING = period_of("2025Q2")


def expected_at(people: list[History], until: int, ahead: list[int]) -> list[History]:
    """The people with what happened by a day, and with the next contact of each expected so many days after it."""
    varied = []
    for history, days in zip(people, ahead, strict=True):
        past = sorted((contact for contact in history.contacts if contact.day <= until), key=lambda one: one.day)
        if past:
            past[-1] = Contact(past[-1].day, until + days)
        rest = {"states": history.states, "gaps": tuple(gap for gap in history.gaps if gap.day <= until)}
        varied.append(replace(history, contacts=tuple(past), **rest))
    return varied


@given(st.data())
def test_no_figure_of_a_running_period_depends_on_contacts_expected_after_the_data_date(data: st.DataObject) -> None:
    people = data.draw(st.lists(histories(), min_size=1, max_size=5))
    until = data.draw(st.integers(60, 300))
    start, end = until - data.draw(st.integers(0, 59)), until + data.draw(st.integers(1, 120))
    ahead = st.lists(st.integers(1, 95), min_size=len(people), max_size=len(people))
    days = covered_by(Period(to_date(start), to_date(end)), to_date(until)).days
    seen = []
    for expected in (data.draw(ahead), data.draw(ahead)):
        varied = expected_at(people, until, expected)
        moves, facts = transitions(timelines_of(varied), RULES), people_of(varied)
        total = Counts(DIMENSIONS)
        total.add(moves, facts, *days, 3)
        seen.append((total.rows(["FAC1"]), measure(moves, facts, *days, 3)))
    (rows, masks), (others, other_masks) = seen
    assert rows == others
    assert all(np.array_equal(masks[name], other_masks[name]) for name in masks)


@pytest.fixture
def people(store):
    """Records to 20 May 2025: one person is expected on 25 May, one was on 1 April."""
    store.data_date = END_OF_RECORDS
    clinic = store.facility()
    started = date(2025, 1, 6)
    for number, expected in ((1, date(2025, 5, 25)), (2, date(2025, 4, 1))):
        patient = store.patient(
            clinic, number, sex="F", art_start_date=started, birthdate=date(2000, 6, 1), stamp=STAMP
        )
        store.visits(clinic, patient, started, start=number, next_appointment=expected, stamp=STAMP)
        result = {"number": number, "variable_name": "viral_load", "value_numeric": 40, "assumed": started}
        store.observe(clinic, patient, {**result, "obs_datetime": STAMP.replace(year=2024, month=6, day=10)})
    return store


def test_whoever_is_expected_after_the_data_date_is_not_lost_yet(people):
    with people.session() as session:
        report = service.indicator_report(session, RUNNING, ["age"])
        ((group, counts),) = report.rows
        assert (report.as_of, report.period.end) == (END_OF_RECORDS, date(2025, 6, 30))
        # The window of viral loads and the ages end on that day too.
        assert (group["age"], counts["TX_CURR"], counts["TX_ML"], counts["TX_PVLS_N"]) == ("20-24", 1, 1, 1)
        listed = {name: read(session, name) for name in LISTED}
        assert {name: len(rows) for name, rows in listed.items()} == {name: counts.get(name, 0) for name in LISTED}
        (lost,) = listed["TX_ML"]
        assert (lost.as_of, lost.status, lost.age) == (END_OF_RECORDS, "iit", 24)
        assert service.indicator_report(session, period_of("2025Q1"), []).as_of == date(2025, 3, 31)
    with people.session() as session:
        session.cursor().execute("UPDATE facilities SET data_date = '2025-06-30'")
        ((_, whole),) = service.indicator_report(session, RUNNING, []).rows
        assert (whole["TX_CURR"], whole["TX_ML"]) == (0, 2)


def read(session, name):
    paging = PageRequest(1, 50, sort=Sort.parse("-since"), keyed=True)
    return programme.read_people(session, name, RUNNING, EVERYBODY, paging).rows


def test_the_api_says_until_which_day_it_counted(people, api):
    answer = api.get("/v1/cohort/indicators", params={"period": "2025Q2"}).json()
    assert (answer["end"], answer["as_of"], answer["rows"][0]["counts"]["TX_ML"]) == ("2025-06-30", "2025-05-20", 1)
    trend = api.get("/v1/cohort/indicators/trend", params={"period": "2025Q2", "periods": 2}).json()
    assert [(each["as_of"], each["counts"]["TX_ML"]) for each in trend["periods"]] == [
        ("2025-03-31", 0),
        ("2025-05-20", 1),
    ]
    page = api.get("/v1/cohort/indicators/TX_ML/people", params={"period": "2025Q2"}).json()
    assert [item["as_of"] for item in page["items"]] == ["2025-05-20"]


@pytest.mark.parametrize("path", ["indicators", "indicators/trend", "indicators/TX_ML/people"])
def test_a_period_that_begins_after_the_data_date_is_rejected_with_one_that_can_be_asked_for(people, api, path):
    answer = api.get(f"/v1/cohort/{path}", params={"period": "2025Q3"})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "query.period"
    assert "2025Q1" in error["remedy"]


def test_without_a_data_date_the_records_run_to_today_and_never_past_it(people):
    with people.session() as session, frozen(datetime(2025, 5, 2, tzinfo=UTC)):
        assert data_date(session) == date(2025, 5, 2)
        session.cursor().execute("UPDATE facilities SET data_date = NULL")
        assert covered_part(session, RUNNING).end == date(2025, 5, 2)


@pytest.mark.parametrize(
    ("text", "until", "ended"),
    [("2025Q2", "2025-06-30", "2025Q2"), ("2025Q2", "2025-06-29", "2025Q1"), ("2025-05", "2025-02-03", "2025-01")],
)
def test_the_last_period_that_has_ended_is_the_period_or_one_before_it(text, until, ended):
    assert last_ended(period_of(text), date.fromisoformat(until)) == period_of(ended)


def test_a_period_is_covered_up_to_the_day_and_not_at_all_before_it_begins():
    day = RUNNING.start + timedelta(3)
    assert covered_by(RUNNING, day).days == (day_number(RUNNING.start), day_number(day))
    assert covered_by(RUNNING, RUNNING.end) == RUNNING
    with pytest.raises(Invalid):
        covered_by(RUNNING, preceding(RUNNING, 2)[0].end)
