"""Reading as columns and reading row by row stage and report files alike."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from core.privacy import vault
from tenants.imports import slots
from tenants.imports.facts import FACT_TYPES
from tenants.imports.fields import FIELDS
from tenants.imports.formats.generic import GenericCsv
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.blocks import PortionLimits, chunks
from tenants.imports.reading.reader import Position
from tenants.imports.reading.reader_process import Portions
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.conftest import write
from tests.tenants.imports.reading.staged_rows import facilities, have_facilities, staged, without_facilities

DATA_DATE = date(2024, 6, 30)
SIZE = 8
"""Rows in a block: few, so that there are several blocks."""

MAPPING = parse_mapping("""
source: csv:test
date_formats: [iso, dd-Mon-yyyy]
time_zone: Africa/Lagos
files:
  patients: {name: patients.csv}
  events: {name: events.csv, where: {skip: {none_of: [x]}}}
records:
  - into: patients
    file: patients
    patient: id
    facility: {datim_id: clinic}
    columns: {pepfar_id: id}
  - into: dispensations
    file: events
    when: {what: [drug, both]}
    patient: id
    columns: {date_dispensed: day, days_supplied: {column: number, unit: months}, regimen: text, next_appointment: next}
  - into: visits
    file: events
    when: {what: [visit, both]}
    patient: id
    stamp: stamp
    columns: {date_started: day, date_stopped: next, visit_type: {column: text, values: {Lab: laboratory}}}
  - into: observations
    file: events
    when: {what: [lab]}
    patient: id
    key: [text, day]
    facility: {datim_id: clinic, name: clinic_name}
    columns: {obs_datetime: day, variable_name: {constant: viral_load}, value_numeric: number, value_text: text}
  - into: appointments
    file: events
    when: {what: [booking]}
    patient: {column: id, whole_number: true}
    columns: {booked_on: day, due_date: next, status: text}
  - into: patient_states
    file: events
    when: {what: [state]}
    patient: id
    columns: {start_date: day, state: text}
  - into: encounters
    file: events
    when: {what: [form]}
    patient: id
    columns: {encounter_datetime: stamp, encounter_type: text}
""")
HEADINGS = ["id", "what", "day", "number", "text", "next", "stamp", "clinic", "clinic_name", "skip"]
DAYS = st.one_of(
    st.dates(date(2021, 1, 1), date(2024, 6, 30)).map(date.isoformat),
    st.sampled_from(["10-Jan-2023", "", "NA", "2024-07-01", "never", "1899-01-01"]),
)
TEXTS = st.one_of(
    st.sampled_from(["TDF/3TC/DTG", "clinical", "Lab", "kept", "scheduled", "died", "", "NA", "Ibadan \u1eb8\u0300"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6),
)
STAMPS = st.sampled_from(
    ["", "2023-05-06T07:08:09", "2023-05-06T07:08:09.123456+02:00", "2023-05-06", "2999-01-01", "x"]
)
ROWS = st.builds(
    lambda *cells: list(cells),
    st.sampled_from(["P1", "P2", " P1 ", "7.0", "", "NOBODY"]),
    st.sampled_from(["drug", "visit", "both", "lab", "booking", "state", "form", "nothing"]),
    DAYS,
    st.sampled_from(["1", "3", "2.5", "-1", "<20", "1e12", "", "many"]),
    TEXTS,
    DAYS,
    STAMPS,
    st.sampled_from(["C1", "C9", ""]),
    st.sampled_from(["Clinic", ""]),
    st.sampled_from(["", "", "", "x"]),
)
LINES = st.one_of(
    ROWS.map(lambda cells: ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)),
    ROWS.map(lambda cells: ",".join(cell for cell in cells if not set(cell) & set(',"\r\n'))),
    st.sampled_from(["", ",,,,,,,,,", "a,b", 'P1,"drug', "P1,drug,2023-01-01,1,\x01,,,,,"]),
)


def explained(rejected: Invalid) -> None:
    """Assert that the rejection of a whole file says what to do."""
    assert rejected.remedy


def both_ways(tenant: TenantRef, folder: Path, text: str, after: Position | None = None) -> tuple[Any, Any]:
    """The rows staged row by row, and those staged as columns."""
    people = "id,clinic\nP1,C1\nP2,C2\n7,C1\n"
    sources = from_paths(write(folder, patients__csv=people, events__csv=text))
    reader = GenericCsv()
    results = []
    for columns in (False, True):
        with tenant_session(tenant, actor="test:1") as session:
            # The same facilities both times, so that keys derive from the same UUIDs. A text with a comma is left out
            # of its line, so that the clinic's name moves into the column of its id.
            have_facilities(session, "C1", "C2", "C9", "Clinic")
            if columns:
                wanted = Portions(
                    "csv", sources, MAPPING, after, DATA_DATE, PortionLimits(SIZE, SIZE, SIZE), vault(session).maker
                )
                results.append(staged(session, wanted.read(), DATA_DATE))
            else:
                readings = reader.read(sources, MAPPING, after=after)
                results.append(staged(session, chunks(readings, PortionLimits(SIZE, 1000, SIZE)), DATA_DATE))
            session.rollback()
    return results[0], results[1]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(LINES, max_size=24))
@example(["P1,lab,2021-01-01,1,10-Jan-2023,,C1,Clinic,"])
def test_columns_and_rows_are_staged_and_rejected_alike(module_tenant: TenantRef, lines: list[str]) -> None:
    text = "\n".join([",".join(HEADINGS), *lines]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        try:
            singly, together = both_ways(module_tenant, Path(folder), text)
        except Invalid as rejected:
            explained(rejected)
            return
    assert without_facilities(singly[0]) == without_facilities(together[0])
    assert facilities(singly[0]) == facilities(together[0])
    assert singly[1] == together[1]
    assert singly[2][:3] == together[2][:3]


def test_the_events_of_a_workbook_are_read_as_columns_like_rows(module_tenant: TenantRef, tmp_path: Path) -> None:
    mapping = parse_mapping("""
    source: csv:test
    time_zone: Africa/Lagos
    files: {events: {name: events.xlsx, where: {skip: {none_of: [x]}}}}
    records:
      - into: dispensations
        file: events
        when: {what: [drug]}
        patient: id
        key: [key]
        facility: {datim_id: clinic}
        columns: {date_dispensed: day, days_supplied: number}
      - into: patient_states
        file: events
        when: {what: [state]}
        patient: id
        columns: {state: {constant: died}}
    """)
    lost = 1234567890123456
    path = tmp_path / "events.xlsx"
    book = Workbook()
    sheet: Any = book.active
    for row in (
        ["id", "what", "day", "number", "clinic", "key", "skip"],
        ["P1", "drug", date(2024, 1, 5), 30, "C1", 1, None],
        ["P1", "drug", date(2024, 2, 5), 1.0, "C1", 2, "y"],
        ["P2", "drug", "2024-02-31", 30, "C1", 3, None],
        ["P2", lost, date(2024, 1, 5), 30, "C1", 4, None],
        ["P2", "drug", date(2024, 1, 5), 30, "C1", lost, None],
        ["P2", "drug", date(2024, 1, 5), 30, "C1", 5, lost],
        [lost, "drug", date(2024, 1, 5), 30, "C1", 5, None],
        ["P3", "drug", date(2024, 1, 5), 30, "C1", 6, "x"],
        ["id", "what", "day", "number", "clinic", "key", "skip"],
        ["P3", "state", None, None, None, None, None],
        ["Total", "state", None, None, None, None, None],
        ["P4", "nothing", None, None, None, None, None],
    ):
        sheet.append(row)
    book.save(path)
    sources, results = from_paths([path]), []
    for limits in (PortionLimits(100, 1000, 100), None):
        with tenant_session(module_tenant, actor="test:1") as session:
            have_facilities(session, "C1")
            if limits is None:
                blocks = chunks(GenericCsv().read(sources, mapping), PortionLimits(1, 1, 1))
            else:
                blocks = Portions("csv", sources, mapping, None, DATA_DATE, limits, vault(session).maker).read()
            results.append(staged(session, blocks, DATA_DATE))
            session.rollback()
    together, singly = results
    assert without_facilities(together[0]) == without_facilities(singly[0])
    assert together[1] == singly[1]
    assert together[2][:3] == singly[2][:3] == [8, 5, 4]
    assert {row[1] for row in together[1]} == {4, 5, 6, 7, 8}


def test_reading_as_columns_begins_after_any_line(module_tenant: TenantRef, tmp_path: Path) -> None:
    lines = [f"P1,drug,2023-01-{day:02},1,T,,,,," for day in range(1, 25)]
    text = "\n".join([",".join(HEADINGS), *lines]) + "\n"
    for line in (2, 9, 10, 24, 25):
        singly, together = both_ways(module_tenant, tmp_path, text, Position(1, line))
        assert singly[0] == together[0]
        assert len(together[0]) == 25 - line


@pytest.mark.parametrize("kind", sorted(slots.SLOTS))
def test_every_field_of_an_event_has_a_place_of_its_type(kind: str) -> None:
    types = {"text": "text", "code": "text", "date": "date", "datetime": "timestamptz", "days": "int4"}
    types |= {"integer": "int4", "number": "float8", "boolean": "bool"}
    assert slots.SLOTS[kind].keys() == FIELDS[kind].keys()
    assert len(set(slots.SLOTS[kind].values())) == len(slots.SLOTS[kind])
    for name, slot in slots.SLOTS[kind].items():
        assert slots.SLOT_TYPES[slot] == types[FIELDS[kind][name].type]
        assert name in {item.name for item in FACT_TYPES[kind].__dataclass_fields__.values()}


def test_the_fields_of_the_first_release_keep_their_places_for_rows_that_wait() -> None:
    first = {
        kind: {name: place for name, place in places.items() if FIELDS[kind][name].added == 0}
        for kind, places in slots.SLOTS.items()
    }
    assert first == {
        "patient_states": {"state": "text_1", "start_date": "date_1", "reason": "text_2"},
        "visits": {
            "date_stopped": "date_1",
            "visit_type": "text_1",
            "next_appointment": "date_2",
            "date_started": "date_3",
        },
        "encounters": {"encounter_type": "text_1", "form": "text_2", "encounter_datetime": "moment_1"},
        "observations": {
            "concept_id": "whole_1",
            "value_numeric": "number_1",
            "value_text": "text_1",
            "value_coded": "text_2",
            "value_datetime": "moment_1",
            "unit": "text_3",
            "obs_datetime": "moment_2",
            "variable_name": "text_4",
        },
        "dispensations": {
            "days_supplied": "whole_1",
            "next_appointment": "date_1",
            "regimen": "text_1",
            "regimen_line": "text_2",
            "dsd_model": "text_3",
            "date_dispensed": "date_2",
            "antiretroviral": "flag_1",
        },
        "appointments": {"booked_on": "date_1", "due_date": "date_2", "status": "text_1"},
    }
