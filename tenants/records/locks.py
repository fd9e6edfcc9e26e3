"""Who waits for whom when records are written.

Imports write many rows of many patients, so that locks on rows alone could be taken in different orders and end in a
deadlock. They take one lock per tenant instead, step by step; a person's change of one patient shares the tenant's
lock and takes the patient's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.database import lock_own

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

_RECORDS = "records"


def lock_for_import(session: TenantSession) -> None:
    """Let no other import step and no person's change of this tenant write records until this transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, _RECORDS)


def lock_patient(session: TenantSession, patient_uuid: UUID) -> None:
    """Let nobody else write records of this patient until this transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, _RECORDS, shared=True)
        lock_own(cursor, f"records:patient:{patient_uuid}")


def lock_facility(session: TenantSession, facility_uuid: UUID) -> None:
    """Let nobody else give out identifiers at this facility until this transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, f"records:facility:{facility_uuid}")
