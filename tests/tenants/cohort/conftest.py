"""Records written as imports write them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from core.database import TenantRef, TenantSession, tenant_session
from core.events import publish
from tenants.records import contacts
from tenants.records.facilities import FacilityFacts, ensure
from tenants.records.ids import new_uuid
from tenants.records.models import Appointment, Dispensation, Observation, Patient, PatientState, Versioned, Visit
from tenants.records.upsert import staging, upsert

STAMP = datetime(2020, 1, 1, 12, tzinfo=UTC)


@dataclass
class Store:
    """Adds rows of one tenant; what ``number`` a row has is its identity."""

    tenant: TenantRef
    data_date: date = date(2026, 6, 30)
    numbers: dict[tuple[type, int], UUID] = field(default_factory=dict)

    def session(self) -> AbstractContextManager[TenantSession]:
        return tenant_session(self.tenant, actor="test:1")

    def facility(self, datim_id: str = "FAC1") -> UUID:
        with self.session() as session:
            facts = FacilityFacts(datim_id=datim_id, name=f"Clinic {datim_id}")
            return ensure(session, [facts], source="csv:a", data_date=self.data_date)[datim_id]

    def rows(self, model: type[Versioned], facility: UUID, *rows: dict[str, Any], **stage: Any) -> list[UUID]:
        """Upsert rows, bring contacts in line and tell the listeners, in one transaction."""
        with self.session() as session:
            uuids = []
            with staging(session, model, source="csv:a") as staged:
                for row in rows:
                    content = dict(row)
                    key = content.pop("number").to_bytes(16, "big")
                    options = {"assumed_from": content.pop("assumed", None), "known_from": content.pop("stamp", None)}
                    voided = content.pop("voided", False)
                    uuids.append(staged.add(facility, key, content, voided=voided, **options, **stage))
            done = upsert(session, staged, import_uuid=new_uuid(), data_date=self.data_date)
            contacts.refresh(session, done.patients)
            publish(session, "records.changed", {"patient_ids": done.patients})
        return uuids

    def patient(self, facility: UUID, number: int = 1, **facts: Any) -> UUID:
        content = {"datim_id": "FAC1", "number": number, "birthdate_estimated": False, "transferred_in": False, **facts}
        return self.rows(Patient, facility, content)[0]

    def visits(self, facility: UUID, patient: UUID, *days: date, start: int = 1, **more: Any) -> None:
        rows = [
            {"number": start + place, "patient_uuid": patient, "date_started": day, "visit_type": "clinical", **more}
            for place, day in enumerate(days)
        ]
        self.rows(Visit, facility, *[{"assumed": row["date_started"], **row} for row in rows])

    def dispense(self, facility: UUID, patient: UUID, *rows: dict[str, Any]) -> None:
        self.rows(Dispensation, facility, *[{"patient_uuid": patient, **row} for row in rows])

    def state(self, facility: UUID, patient: UUID, number: int, state: str, day: date | None, **more: Any) -> None:
        content = {"number": number, "patient_uuid": patient, "state": state, "start_date": day, **more}
        self.rows(PatientState, facility, content)

    def observe(self, facility: UUID, patient: UUID, *rows: dict[str, Any]) -> None:
        self.rows(Observation, facility, *[{"patient_uuid": patient, **row} for row in rows])

    def book(self, facility: UUID, patient: UUID, *rows: dict[str, Any]) -> None:
        self.rows(Appointment, facility, *[{"patient_uuid": patient, **row} for row in rows])


@pytest.fixture
def store(owner: Any) -> Store:
    """A store of the tenant that ``api`` speaks for."""
    return Store(owner.ref)


@pytest.fixture
def make_store(make_tenant: Callable[..., Any]) -> Callable[..., Store]:
    def make(**options: str) -> Store:
        return Store(make_tenant(**options).ref)

    return make
