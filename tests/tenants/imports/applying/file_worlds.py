"""Lists of one source as files, imported through reading, checks and applying, and undone again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from core.database import TenantRef, TenantSession, tenant_session
from tenants.imports.applying import undoing
from tenants.imports.formats.radet_lamisplus import HEADINGS as RADET
from tenants.imports.slots import COLUMNS
from tests.tenants.imports.applying.test_order import seen_on
from tests.tenants.imports.applying.worlds import everything
from tests.tenants.imports.conftest import RunImport, rows, write
from tests.tenants.imports.formats.fixtures_lists import (
    PHARMACY,
    VERIFICATION,
    lamisplus_row,
    pharmacy_row,
    verification_row,
    write_csv,
)

DAYS = (date(2024, 4, 30), date(2024, 6, 1), date(2024, 7, 31))
MISSED = (
    "Facility Name", "Patient Id", "Hospital Num", "Sex", "Date Birth", "Phone", "ART Start Date", "Date Of Last Visit",
    "Date Of Next Visit",
)  # fmt: skip


@dataclass(frozen=True)
class FileList:
    """One list as a file: its name in the test, where it is, its day and its mapping."""

    name: str
    path: Path
    day: date
    mapping: str = "{}"


def lamisplus(folder: Path) -> list[FileList]:
    """A RADET and a pharmacy list, which name people, and two lists without DATIM ids, which do not.

    Person 1 is at one clinic and died; 2 is at two, which the clinic's name distinguishes in one row and nothing
    distinguishes in another; 3 joins later; only the pharmacy knows 4; no list names 9.
    """
    second = {"DatimId": "def456", "Facility Name": "Clinic two"}
    pickup = "Last Pickup Date (yyyy-mm-dd)"
    people = [
        lamisplus_row(1),
        lamisplus_row(2, **{pickup: "2024-03-12"}),
        lamisplus_row(2, **second, **{pickup: "2024-02-20"}),
        lamisplus_row(3, **{"Date of Birth (yyyy-mm-dd)": "2024-05-01"}),  # after what the others say: one is wrong
    ]
    died = {"Discontinued": "Yes", "Reason For Discontinuation": "Death", "Date of Discontinuation": "2024-05-19"}
    tracked = [
        verification_row(1, **died),
        verification_row(2, **{"Facility Name": "CLINIC TWO"}),
        verification_row(2, **{"Facility Name": "Elsewhere", "Date Of Attempt": "2024-05-20"}),
        verification_row(3, **{"Date Of Attempt": "2024-03-18", "Date Returned To Care": None}),
        verification_row(9),
    ]
    missed = [
        {"Patient Id": f"person-{person}", "Date Of Last Visit": day, "Date Of Next Visit": due}
        for person, day, due in (
            (1, "2024-04-02", "2024-05-02"),
            (4, "2024-04-20", "2024-05-20"),
            (9, "2024-04-01", ""),
        )
    ]
    missed.append({"Patient Id": "person-3", "Date Of Last Visit": "", "Date Of Next Visit": "2024-05-20"})
    pickups = [
        pharmacy_row(person, day)
        for person, day in (
            (1, "2024-01-10"),
            (3, "2024-04-09"),
            (3, "2024-07-02"),
            (4, "2024-05-02"),
            (2, "2024-03-12"),
        )
    ]
    return [
        FileList("radet", write_csv(folder / "radet.csv", RADET, people), DAYS[0]),
        FileList("verification", write_csv(folder / "verification.csv", VERIFICATION, tracked), DAYS[1]),
        FileList("missed", write_csv(folder / "missed.csv", MISSED, missed), DAYS[1]),
        FileList("pharmacy", write_csv(folder / "pharmacy.csv", PHARMACY, pickups), DAYS[2]),
    ]


PEOPLE = """id,clinic,name,sex,born,art_start
P1,C1,Aaa,F,1990-05-01,2023-01-10
P2,C1,Bbb,F,1985-01-01,2023-02-01
P2,C2,Bbb,F,1985-01-01,2023-02-01
P4,C2,Ddd,M,1970-01-01,2024-01-05
P3,C2,Ccc,M,2001-12-31,2024-01-05
"""
EARLY = """id,day,days,clinic
P1,2024-01-10,60,
P2,2024-02-01,30,
P4,2024-03-01,90,
P1,2024-03-12,60,C1
P3,2024-02-02,30,C1
"""
LATE = f"""{EARLY}P1,2024-05-12,60,
P2,2024-03-03,30,
P2,2024-04-03,30,C1
P1,2024-02-12,30,
P9,2024-06-01,30,
"""
_PEOPLE = """
source: csv:partner
files: {people: {name: NAME}}
records:
  - into: patients
    file: people
    patient: id
    facility: {datim_id: clinic}
    columns: {given_name: name, sex: sex, birthdate: born, art_start_date: art_start}
"""
_EVENTS = """
source: csv:partner
files: {events: {name: NAME}}
records:
  - into: dispensations
    file: events
    patient: id
    facility: {datim_id: clinic}
    when: {clinic: {present: true}}
    columns: {date_dispensed: day, days_supplied: days}
  - into: dispensations
    file: events
    patient: id
    when: {clinic: {present: false}}
    columns: {date_dispensed: day, days_supplied: days}
"""


def generic(folder: Path) -> list[FileList]:
    """People in one file, events in two of which the later has more rows; full lists, so an absence counts.

    P2 is at two clinics. Some events name a clinic, a few of them one where the person is not. No list names P9.
    """
    write(folder, people__csv=PEOPLE, early__csv=EARLY, late__csv=LATE)
    texts = {"people": (_PEOPLE, 0), "early": (_EVENTS, 1), "late": (_EVENTS, 2)}
    return [
        FileList(name, folder / f"{name}.csv", DAYS[day], text.replace("NAME", f"{name}.csv"))
        for name, (text, day) in texts.items()
    ]


def bring(run_import: RunImport, tenant: TenantRef, one: FileList) -> UUID:
    """Import a list and return the import's UUID."""
    return run_import(tenant, [one.path], one.mapping, data_date=one.day).id


def undo(tenant: TenantRef, uuids: Iterable[UUID]) -> None:
    """Undo imports, one after the other."""
    for uuid in uuids:
        with tenant_session(tenant, actor="test:1") as session:
            undoing.begin(session, uuid)
        undoing.finish(lambda: tenant_session(tenant, actor="test:1"), uuid, lambda *_: None)


_RUNS = "SELECT array_agg(r.kind || r.data_date ORDER BY r.kind, r.data_date) FROM record_runs AS r"
_VERSIONS = "t.uuid, t.known_from, t.known_to, t.known_assumed, t.data_date, t.voided, t.row_hash"
_COUNTING = "JOIN record_runs AS r USING (number) WHERE NOT r.undone"


def all_that_follows(tenant: TenantRef) -> dict[str, list[tuple[Any, ...]]]:
    """The records, what is derived from them, what is known of lists, and the waiting rows, without import numbers."""
    with tenant_session(tenant, actor="test:1") as session:
        state = everything(session)
        for table in ("visits", "encounters", "observations", "dispensations", "appointments", "patient_states"):
            query = f"SELECT {_VERSIONS}, ({_RUNS} WHERE r.number = ANY(t.runs)) FROM {table} AS t"  # noqa: S608 - ours
            state[table] = _sorted(session, query)
        asked = {
            "coverage": "SELECT facility_uuid, table_name, covers_from, kind, data_date FROM record_coverage",
            "gaps": "SELECT patient_uuid, kind, data_date FROM record_gaps",
            "list rows": "SELECT patient_uuid, status, kind, data_date FROM radet_list_rows",
        }
        asked = {
            name: f"{query} JOIN record_runs AS r USING (number) WHERE NOT r.undone" for name, query in asked.items()
        }
        asked |= {
            "facilities": "SELECT uuid, data_date, complete_through FROM facilities WHERE data_date IS NOT NULL",
            "placements": "SELECT i.format, i.data_date, p.patient_key, p.facility, p.facility_name, p.patient_uuid,"
            " p.rows, p.gap FROM import_placements AS p JOIN imports AS i ON i.uuid = p.import_uuid",
            "waiting": f"SELECT i.format, i.data_date, w.kind, w.patient_key, w.facility, w.facility_name, w.known_at,"  # noqa: S608 - ours
            f" w.voided, {', '.join(COLUMNS)} FROM import_waiting_facts AS w"
            " JOIN imports AS i ON i.uuid = w.import_uuid",
        }
        state |= {name: _sorted(session, query) for name, query in asked.items()}
        for day in (*DAYS, date(2024, 9, 30)):
            state[f"seen on {day}"] = sorted(seen_on(session, day).items(), key=repr)
    return state


def _sorted(session: TenantSession, query: str) -> list[tuple[Any, ...]]:
    return sorted(rows(session, query), key=repr)
