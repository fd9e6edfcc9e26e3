"""Small files of an invented partner, and an import of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.database import SessionOpener, TenantRef, TenantSession, tenant_session
from tenants.imports import report, service
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.sources import from_paths
from tenants.imports.report import Summary
from tenants.imports.runner import Runner
from tenants.imports.service import GivenFile, Order

MAPPING = """
source: csv:test
data_date: 2024-06-30
files:
  patients: {name: patients.csv}
  pickups: {name: pickups.csv}
records:
  - into: patients
    file: patients
    patient: id
    facility: {datim_id: clinic, name: clinic_name}
    columns: {pepfar_id: id, given_name: name, phone: phone, sex: sex, birthdate: born, art_start_date: art_start}
  - into: patient_states
    file: patients
    patient: id
    when: {died_on: {present: true}}
    columns: {state: {constant: died}, start_date: died_on}
  - into: dispensations
    file: pickups
    patient: id
    columns: {date_dispensed: day, days_supplied: days, regimen: regimen, next_appointment: next}
"""
PATIENTS = """id,clinic,clinic_name,name,phone,sex,born,art_start,died_on
P1,C1,Clinic one,Aaa,08030000001,F,1990-05-01,2023-01-10,
P2,C1,Clinic one,Bbb,08030000002,female,1985-01-01,2023-02-01,2024-03-01
P3,C2,Clinic two,Givenname,,M,2001-12-31,2024-01-05,
"""
PICKUPS = """id,day,days,regimen,next
P1,2023-01-10,30,TDF/3TC/DTG,2023-02-09
P1,2023-02-10,90,TDF/3TC/DTG,2023-05-11
P2,2023-02-01,30,TDF/3TC/DTG,
P3,2024-01-05,30,ABC/3TC/DTG,2024-02-04
"""

RunImport = Callable[..., Summary]


def write(folder: Path, **texts: str) -> list[Path]:
    """Files by name (``__`` for the dot), gzip where the name ends so."""
    paths = []
    for name, text in texts.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        paths.append(path)
    return paths


def interrupted(
    tenant: TenantRef, paths: Sequence[Path], moment: str, mapping: str = MAPPING
) -> tuple[SessionOpener, UUID]:
    """Run an import until it reports a step, and stop there."""
    sources = from_paths(paths)

    def open_session() -> Any:
        return tenant_session(tenant, actor="cli:operator")

    def tell(_done: int, _total: int | None, note: str) -> None:
        if note.startswith(moment):
            raise KeyboardInterrupt

    order = Order([GivenFile(one.name, one.size, one.digest()) for one in sources], parse_mapping(mapping))
    with open_session() as session:
        uuid = service.begin(session, order)[0].uuid
    with pytest.raises(KeyboardInterrupt):
        Runner(open_session, uuid, sources, tell).run()
    return open_session, uuid


@pytest.fixture
def run_import() -> RunImport:
    """Imports files into a tenant and returns the summary: ``run_import(tenant, paths, mapping_text)``."""

    def run(
        tenant: TenantRef,
        paths: Sequence[Path],
        mapping: str | Mapping = MAPPING,
        *,
        data_date: date | None = None,
        strict: bool = False,
        format_name: str = "",
    ) -> Summary:
        sources = from_paths(list(paths))
        order = Order(
            files=[GivenFile(source.name, source.size, source.digest()) for source in sources],
            mapping=parse_mapping(mapping) if isinstance(mapping, str) else mapping,
            format=format_name,
            data_date=data_date,
            strict=strict,
        )

        def open_session() -> Any:
            return tenant_session(tenant, actor="cli:operator")

        with open_session() as session:
            uuid = service.begin(session, order)[0].uuid
        Runner(open_session, uuid, sources, lambda *_: None).run()
        with open_session() as session:
            return report.summary(session, service.get(session, uuid))

    return run


@pytest.fixture
def partner_files(tmp_path: Path) -> list[Path]:
    """The partner's two files."""
    return write(tmp_path, patients__csv=PATIENTS, pickups__csv=PICKUPS)


def rows(session: TenantSession, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows that a query returns."""
    with session.cursor() as cursor:
        return cursor.execute(statement, values).fetchall()


CONTENT = {
    "patients": "sex, birthdate, birthdate_estimated, datim_id, art_start_date, transferred_in, personal_hash",
    "patient_states": "patient_uuid, state, start_date",
    "visits": "patient_uuid, date_started, visit_type, next_appointment",
    "observations": "patient_uuid, obs_datetime, variable_name, value_numeric, value_text",
    "dispensations": "patient_uuid, date_dispensed, days_supplied, regimen, next_appointment",
    "appointments": "patient_uuid, booked_on, due_date, status",
}


def everything(tenant: TenantRef) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a tenant's records without version ids and times of writing; facilities by DATIM id."""
    tables: dict[str, list[tuple[Any, ...]]] = {}
    with tenant_session(tenant, actor="test:1") as session:
        for table, columns in CONTENT.items():
            statement = (
                f"SELECT t.uuid, f.datim_id, t.source, t.source_key, t.known_from, t.known_to,"  # noqa: S608 - ours
                f" t.known_assumed, t.data_date,"
                f" t.voided, {', '.join(f't.{name.strip()}' for name in columns.split(','))}"
                f" FROM {table} AS t JOIN facilities AS f ON f.uuid = t.facility_uuid"
                f" ORDER BY t.uuid, t.known_from, t.known_to"
            )
            tables[table] = rows(session, statement)
        tables["contacts"] = rows(
            session,
            "SELECT patient_uuid, contact_date, clinical, pickup, days_supplied, next_appointment, regimen, known_from,"
            " known_to"
            " FROM contacts ORDER BY patient_uuid, contact_date, known_from",
        )
        tables["transitions"] = rows(session, "SELECT * FROM status_transitions ORDER BY patient_uuid, seq")
        tables["facilities"] = rows(
            session, "SELECT datim_id, name, state_province, data_date FROM facilities ORDER BY datim_id"
        )
    return tables
