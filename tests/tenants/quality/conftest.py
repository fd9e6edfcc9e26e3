"""Records written as imports write them, people with names among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from core.events import publish
from core.privacy import vault
from tenants.records.ids import entity_uuid, new_uuid
from tenants.records.models import Patient
from tenants.records.personal import seal_patient
from tenants.records.upsert import staging, upsert
from tests.tenants.cohort.conftest import Store

DATA_DATE = date(2026, 6, 30)


@dataclass
class People(Store):
    """Adds patients with what names them."""

    def person(self, facility: UUID, number: int, **facts: Any) -> UUID:
        """A patient; what is not given is empty."""
        key = number.to_bytes(16, "big")
        uuid = entity_uuid("patients", facility, "csv:a", key)
        plain = {name: facts.pop(name, None) for name in ("given_name", "family_name", "phone", "pepfar_id")}
        plain["hospital_number"] = facts.pop("hospital_number", None)
        content = {"datim_id": "FAC1", "birthdate_estimated": False, "transferred_in": False, **facts}
        with self.session() as session:
            vault(session).ensure_patient_keys([uuid])
            with staging(session, Patient, source="csv:a") as stage:
                stage.add(facility, key, content | seal_patient(session, uuid, plain), assumed_from=date(2024, 1, 1))
            done = upsert(session, stage, import_uuid=new_uuid(), data_date=self.data_date)
            publish(session, "records.changed", {"patient_ids": done.patients})
        return uuid

    def pickups(self, facility: UUID, patient: UUID, *days: date, start: int = 1, **more: Any) -> None:
        rows = [
            {"number": start + place, "date_dispensed": day, "days_supplied": 30, "assumed": day, **more}
            for place, day in enumerate(days)
        ]
        self.dispense(facility, patient, *rows)


@pytest.fixture
def people(owner: Any) -> People:
    """Records of the tenant that ``api`` speaks for."""
    return People(owner.ref, data_date=DATA_DATE)
