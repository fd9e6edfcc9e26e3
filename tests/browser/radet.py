"""Two RADET files of simulated patients: a clean one, and the next one, which is dirty."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.clock import today
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.formats.fixtures_lists import lamisplus_row, write_csv

if TYPE_CHECKING:
    from pathlib import Path

PICKUP, REFILL, SINCE = "Last Pickup Date (yyyy-mm-dd)", "Months of ARV Refill", "Date of Current ART Status"
START = "ART Start Date (yyyy-mm-dd)"
CLINICS = (("abc123xyz", "Clinic one"), ("def456uvw", "Clinic two"))


def ago(days: int) -> str:
    """The day so many days before today, as files write it."""
    return (today("Africa/Lagos") - timedelta(days=days)).isoformat()


def person(number: int, **cells: str) -> dict[str, Any]:
    """The row of a patient whose last pick-up is the longer ago the higher the number; refills are for three months."""
    code, name = CLINICS[number % 2]
    picked_up = ago(31 + 2 * number)
    row = {"DatimId": code, "Facility Name": name, PICKUP: picked_up, REFILL: 3, SINCE: picked_up, START: ago(900)}
    return lamisplus_row(number, **(row | cells))


def write_pair(folder: Path) -> tuple[Path, Path]:
    """The paths of a clean RADET, and of one with broken dates, a mistyped facility, and a patient twice."""
    clean = [person(number) for number in range(1, 41)]
    dirty = [
        *(person(number, **{PICKUP: ago(2 * number), SINCE: ago(2 * number)}) for number in range(1, 16)),
        *clean[15:],
        person(41, **{PICKUP: "31/02/2026"}),
        person(42, **{PICKUP: "not a date"}),
        person(43, **{PICKUP: ago(-400)}),
        person(20, Sex="Male"),
        *(person(number, **{"DatimId": "abc123xyy", "Facility Name": "Clinic uno"}) for number in (44, 45)),
    ]
    return write_csv(folder / "before.csv", HEADINGS, clean), write_csv(folder / "dirty.csv", HEADINGS, dirty)
