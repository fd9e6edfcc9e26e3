"""Benchmark of a versioned upsert of visits, compared with a bare COPY into a temporary table and one INSERT."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from benchmarks.measure import Ratio, compare
from core.clock import now
from core.database import TenantSession, tenant_session
from core.tenancy import create_tenant
from tenants.records import contacts
from tenants.records.ids import new_uuid
from tenants.records.models import Visit
from tenants.records.upsert import staging, upsert

_ROWS = 20_000
_PER_PATIENT = 10
_ROUNDS = 5
_ACTOR = "cli:benchmark"
_SOURCE = "csv:benchmark"
_DATA_DATE = date(2024, 6, 1)
_COLUMNS = {
    "version_id": "uuid",
    "uuid": "uuid",
    "facility_uuid": "uuid",
    "source": "text",
    "source_key": "bytea",
    "known_from": "timestamptz",
    "known_assumed": "bool",
    "data_date": "date",
    "row_hash": "bytea",
    "voided": "bool",
    "changed_by": "text",
    "patient_uuid": "uuid",
    "date_started": "date",
    "visit_type": "text",
}

Rows = list[tuple[bytes, dict[str, Any]]]


def run() -> Iterator[Ratio]:
    """Compare on a new tenant. Each call is rolled back, so that all find the same table."""
    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
    facility, rows = new_uuid(), _rows()

    def rolled_back(write: Any) -> Any:  # noqa: ANN401 - a function of a session, and its way
        def way() -> None:
            with tenant_session(tenant, actor=_ACTOR) as session:
                write(session, facility, rows)
                session.rollback()

        return way

    name = f"upsert of {_ROWS:,} new visits, over COPY and INSERT"
    yield compare(name, rolled_back(_upsert), rolled_back(_bare), calls=1, rounds=_ROUNDS)
    name = f"the same with contacts of {_ROWS // _PER_PATIENT:,} patients, over COPY and INSERT"
    yield compare(name, rolled_back(_with_contacts), rolled_back(_bare), calls=1, rounds=_ROUNDS)
    with tenant_session(tenant, actor=_ACTOR) as session:
        _upsert(session, facility, rows)
    name = f"upsert of {_ROWS:,} visits that are there unchanged, over COPY and INSERT"
    yield compare(name, rolled_back(_upsert), rolled_back(_bare), calls=1, rounds=_ROUNDS)


def _rows() -> Rows:
    patients = [new_uuid() for _ in range(_ROWS // _PER_PATIENT)]
    first = date(2023, 1, 1)
    return [
        (
            number.to_bytes(16, "big"),
            {
                "patient_uuid": patients[number // _PER_PATIENT],
                "date_started": first + timedelta(30 * (number % _PER_PATIENT)),
                "visit_type": "clinical",
            },
        )
        for number in range(_ROWS)
    ]


def _upsert(session: TenantSession, facility: UUID, rows: Rows) -> list[UUID]:
    with staging(session, Visit, source=_SOURCE) as stage:
        for key, content in rows:
            stage.add(facility, key, content, assumed_from=content["date_started"])
    return upsert(session, stage, import_uuid=new_uuid(), data_date=_DATA_DATE).patients


def _with_contacts(session: TenantSession, facility: UUID, rows: Rows) -> None:
    contacts.refresh(session, _upsert(session, facility, rows))


def _bare(session: TenantSession, facility: UUID, rows: Rows) -> None:
    names, moment = ", ".join(_COLUMNS), now()
    with session.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bare (LIKE visits) ON COMMIT DROP")
        with cursor.copy(f"COPY bare ({names}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(list(_COLUMNS.values()))
            for key, content in rows:
                bookkeeping = (_SOURCE, key, moment, False, _DATA_DATE, key, False, _ACTOR)
                copy.write_row((new_uuid(), new_uuid(), facility, *bookkeeping, *content.values()))
        cursor.execute(f"INSERT INTO visits ({names}) SELECT {names} FROM bare")  # noqa: S608 - constants
