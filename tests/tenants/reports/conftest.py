"""A clinic with one person in each state on 15 April 2025, whose lists can be worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.tenants.cohort.conftest import Store

if TYPE_CHECKING:
    from uuid import UUID

START = date(2025, 1, 1)
DAY = date(2025, 4, 15)


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC)


@pytest.fixture
def store(owner: Any) -> Store:
    return Store(owner.ref, data_date=date(2025, 6, 30))


@pytest.fixture
def people(store: Store) -> dict[str, UUID]:
    """``active`` has pick-ups and results, ``iit`` missed, ``restart`` was in IIT on 1 April, ``died``, ``left``."""
    clinic = store.facility()
    patients = {}
    for number, name in enumerate(("active", "iit", "restart", "died", "left", "none"), 1):
        facts = {"birthdate": date(1990, 4, 16), "sex": "F", "case_manager": "=Aaa"} if name == "active" else {}
        start = None if name == "none" else START
        patients[name] = store.patient(clinic, number, art_start_date=start, stamp=at(START), **facts)
    gives = {"regimen": "TDF/3TC/DTG", "regimen_line": "first", "dsd_model": "MMD"}
    pickups = ((START, 30, {"regimen": "TDF/3TC/EFV"}), (date(2025, 2, 1), 30, gives), (date(2025, 3, 1), 75, gives))
    for number, (day, days, drugs) in enumerate(pickups, 1):
        pickup = {"number": number, "date_dispensed": day, "days_supplied": days, "stamp": at(day), **drugs}
        store.dispense(clinic, patients["active"], pickup)
    for number, (variable, value, day) in enumerate(
        (
            ("viral_load", 2500.0, date(2025, 3, 2)),
            ("cd4", 180.0, date(2025, 3, 2)),
            ("viral_load", None, date(2025, 4, 1)),
        ),
        1,
    ):
        result = {"number": number, "variable_name": variable, "value_numeric": value, "obs_datetime": at(day)}
        store.observe(clinic, patients["active"], {**result, "stamp": at(day)})
    months = {"next_appointment": START + timedelta(30), "stamp": at(START)}
    store.visits(clinic, patients["iit"], START, start=11, **months)
    store.visits(clinic, patients["restart"], START, start=12, **months)
    back = date(2025, 4, 10)
    store.visits(clinic, patients["restart"], back, start=13, next_appointment=date(2025, 5, 10), stamp=at(back))
    for number, (name, state) in enumerate((("died", "died"), ("left", "transferred_out")), 21):
        store.visits(
            clinic, patients[name], START, start=number, next_appointment=START + timedelta(90), stamp=at(START)
        )
        store.state(clinic, patients[name], number, state, date(2025, 2, 3), stamp=at(date(2025, 2, 3)))
    return patients
