"""The locks that writers of records take.

An import writes many rows of many patients. Two imports that lock rows in different orders would deadlock. So each step
of an import takes one lock of the whole tenant. A person's change of one patient shares the tenant's lock and takes the
patient's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.database import lock_own

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

_RECORDS = "records"


def lock_for_import(session: TenantSession) -> None:
    """Lock the tenant's records against other import steps and people's changes until this transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, _RECORDS)


def lock_patient(session: TenantSession, patient_uuid: UUID) -> None:
    """Lock the records of a patient against imports and other people until this transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, _RECORDS, shared=True)
        lock_own(cursor, f"records:patient:{patient_uuid}")


def lock_facility(session: TenantSession, facility_uuid: UUID) -> None:
    """Lock the assignment of patients' identifiers at a facility until this transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, f"records:facility:{facility_uuid}")
