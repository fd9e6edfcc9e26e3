"""Status and MER's terms of people whose records are of the kinds that partners report trouble with."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from tenants.cohort.calendar import period_of
from tenants.cohort.settings import CohortSettings
from tenants.cohort.status import STATUSES, status_at, transitions
from tenants.cohort.timelines import DIED, FEMALE, MALE, NO_DAY, TRANSFERRED_IN, TRANSFERRED_OUT, day_number
from tests.tenants.cohort.histories import Contact, History, State, timelines_of
from tests.tenants.cohort.test_indicators import counts, of_all, shown

RULES = CohortSettings()


def d(text: str) -> int:
    return day_number(date.fromisoformat(text))


def came(day: str, days: int = 0, appointment: str | None = None) -> Contact:
    return Contact(d(day), NO_DAY if appointment is None else d(appointment), days)


def iit_from(*contacts: Contact, rules: CohortSettings = RULES) -> date | None:
    """The day on which a person with these contacts alone is in IIT."""
    moves = transitions(timelines_of([History(contacts, art_start=contacts[0].day)]), rules)
    iit_days = [day for day, after in zip(moves.date.tolist(), moves.after.tolist(), strict=True) if after == 2]
    return date.fromordinal(iit_days[-1] + date(1970, 1, 1).toordinal()) if iit_days else None


@pytest.mark.parametrize(
    ("day", "days", "iit"),
    [
        ("2025-03-05", 90, "2025-07-02"),
        ("2025-03-04", 90, "2025-07-01"),
        ("2023-12-01", 90, "2024-03-29"),  # over 29 February
        ("2024-12-01", 90, "2025-03-30"),
    ],
)
def test_iit_begins_on_day_29_past_the_expected_contact(day: str, days: int, iit: str) -> None:
    assert iit_from(came(day, days)) == date.fromisoformat(iit)


def test_who_has_drugs_to_last_is_on_treatment_whatever_appointment_was_missed() -> None:
    assert iit_from(came("2025-02-03", 180, "2025-03-03")) == date(2025, 8, 31)  # the blood test alone was missed
    early = (came("2025-02-03", 90, "2025-05-04"), came("2025-04-10", 30, "2025-05-10"))
    assert iit_from(*early) == date(2025, 6, 8)
    refilled = (came("2025-01-07", 180), came("2025-01-28", 30))
    assert iit_from(*refilled) == date(2025, 8, 4)
    assert iit_from(*refilled, rules=CohortSettings(expected_by="stock")) == date(2025, 9, 3)


@pytest.mark.parametrize(
    ("days", "appointment", "iit"),
    [
        (0, None, "2025-05-31"),
        (-30, None, "2025-05-31"),
        (180, None, "2025-10-28"),
        (360, None, "2026-04-26"),
        (400, None, None),
        (999, None, None),
        (90, "2025-03-01", "2025-07-30"),
        (90, "2027-04-02", "2025-07-30"),
        (90, "2025-04-02", "2025-07-30"),
        (90, "2025-04-16", "2025-07-30"),
        (999, "2025-05-02", "2025-05-31"),
    ],
)
def test_a_refill_counts_as_far_as_it_can_be_believed(days: int, appointment: str | None, iit: str | None) -> None:
    contact = Contact(d("2025-04-02"), NO_DAY if appointment is None else d(appointment), days)
    assert iit_from(contact) == (None if iit is None else date.fromisoformat(iit))


def test_an_appointment_sooner_than_the_drugs_end_decides_only_where_the_tenant_says_so() -> None:
    contact = came("2025-04-02", 90, "2025-04-16")
    assert iit_from(contact, rules=CohortSettings(expected_by="earlier")) == date(2025, 5, 15)
    assert iit_from(contact, rules=CohortSettings(expected_by="appointment")) == date(2025, 5, 15)


def test_transfers_in_and_starts_that_are_not_recorded_are_never_tx_new() -> None:
    people = [
        History((came("2025-02-10", 90),), art_start=d("2014-05-01"), transferred_in=True),
        History((came("2025-02-20", 90),), art_start=d("2025-01-15"), transferred_in=True),  # in the same quarter
        History((came("2025-02-10", 90),), states=(State(TRANSFERRED_IN, d("2025-02-01")),), art_start=d("2020-01-01")),
        History((came("2025-02-10", 90),)),
        History((came("2025-02-10", 90),), art_start=d("2025-02-10")),
    ]
    row = of_all(people, *period_of("2025Q1").days)
    assert shown(row) == {"TX_NEW": 1, "transferred_in": 3, "first_seen": 1, "TX_CURR": 5}


def test_tx_new_is_by_age_when_treatment_began() -> None:
    people = [
        History((came("2025-01-08", 90),), art_start=d("2025-01-08"), sex=FEMALE, birth=d("2010-02-01")),
        History((came("2025-01-08", 90),), art_start=d("2025-01-08"), sex=MALE, birth=d("2024-03-01")),
        History((came("2025-01-08", 90),), art_start=d("2025-01-08"), sex=FEMALE, birth=d("1990-03-01")),
    ]
    rows = counts(people, *period_of("2025Q1").days, ("sex", "age")).rows([])
    new = {(group["sex"], group["age"]): row["TX_NEW"] for group, row in rows if row["TX_NEW"]}
    current = {(group["sex"], group["age"]): row["TX_CURR"] for group, row in rows if row["TX_CURR"]}
    assert new == {("F", "10-14"): 1, ("M", "<1"): 1, ("F", "30-34"): 1}
    assert current == {("F", "15-19"): 1, ("M", "1-4"): 1, ("F", "35-39"): 1}
    assert sum(row["aged_since_start"] for _, row in rows) == 0


FLOWS = {
    "new and lost": History((came("2025-04-03", 30),), art_start=d("2025-04-03")),
    "new and dead": History(
        (came("2025-04-03", 90),), states=(State(DIED, d("2025-05-20")),), art_start=d("2025-04-03")
    ),
    "left": History(
        (came("2025-03-03", 90),), states=(State(TRANSFERRED_OUT, d("2025-05-12")),), art_start=d("2019-01-02")
    ),
    "lost after years": History((came("2025-01-14", 60),), art_start=d("2019-01-02")),
    "back after two months": History((came("2024-11-01", 60), came("2025-04-10", 90)), art_start=d("2019-01-02")),
    "back after a year": History((came("2024-03-01", 60), came("2025-05-10", 90)), art_start=d("2018-01-02")),
    "lost and back within": History((came("2025-02-25", 30), came("2025-06-10", 90)), art_start=d("2018-01-02")),
    "back and dead": History(
        (came("2024-11-01", 60), came("2025-04-20", 90)), states=(State(DIED, d("2025-06-20")),),
        art_start=d("2018-01-02"),
    ),
    "left before, and back": History(
        (came("2025-01-02", 90), came("2025-05-02", 90)), states=(State(TRANSFERRED_OUT, d("2025-02-10")),),
        art_start=d("2018-01-02"),
    ),
    "day 28 on the last day": History((came("2025-03-30", 64),), art_start=d("2018-01-02")),
    "came from elsewhere and lost": History(
        (came("2025-04-04", 30),), states=(State(TRANSFERRED_IN, d("2025-04-04")),), art_start=d("2014-01-02")
    ),
}  # fmt: skip


def test_the_flows_of_a_quarter_are_those_worked_out_by_hand() -> None:
    row = shown(of_all(list(FLOWS.values()), *period_of("FY25Q3").days))
    assert row == {
        "TX_CURR_start": 4,  # left, lost after years, lost and back within, day 28 on the last day
        "TX_NEW": 2,
        "TX_RTT": 2,
        "TX_RTT_lt3": 1,
        "TX_RTT_6plus": 1,
        "transferred_in": 1,
        "returned_after_transfer_out": 1,
        "TX_ML": 4,
        "TX_ML_died": 1,
        "TX_ML_iit_lt3": 1,
        "TX_ML_iit_6plus": 1,
        "TX_ML_transferred_out": 1,
        "joined_and_lost": 1,
        "joined_and_lost_iit": 1,
        "TX_CURR": 5,
    }


def test_a_fiscal_quarter_takes_who_started_from_its_first_day_to_its_last() -> None:
    starts = ["2024-09-30", "2024-10-01", "2024-12-31", "2025-01-01"]
    people = [History((came(day, 90),), art_start=d(day)) for day in starts]
    new = {name: of_all(people, *period_of(name).days)["TX_NEW"] for name in ("FY24Q4", "FY25Q1", "2024Q4", "FY25Q2")}
    assert new == {"FY24Q4": 1, "FY25Q1": 2, "2024Q4": 2, "FY25Q2": 1}


def test_contacts_after_a_death_change_nothing_and_a_death_before_the_last_contact_stands() -> None:
    history = History((came("2025-01-02", 90), came("2025-03-02", 90)), (State(DIED, d("2025-02-01")),), art_start=0)
    moves = transitions(timelines_of([history]), RULES)
    days = ["2025-01-31", "2025-02-01", "2025-03-02", "2025-12-31"]
    statuses_of_days = [STATUSES[code] for code in status_at(moves, [0] * 4, [d(day) for day in days])]
    assert Counter(statuses_of_days) == {"active": 1, "died": 3}
