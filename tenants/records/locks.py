"""Who waits for whom when records are written.

Imports write many rows of many patients, so that locks on rows alone could be taken in different orders and end in a
deadlock. They take one lock per tenant instead, step by step; a person's change of one patient shares the tenant's
lock and takes the patient's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

# Two advisory locks that hash alike only make their holders wait, so 64 bits of a name are enough.
_EXCLUSIVE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))"


def lock_for_import(session: TenantSession) -> None:
    """Let no other import step and no person's change of this tenant write records until this transaction ends."""
    with session.cursor() as cursor:
        cursor.execute(_EXCLUSIVE, (_tenant_lock(session),))


def lock_patient(session: TenantSession, patient_uuid: UUID) -> None:
    """Let nobody else write records of this patient until this transaction ends."""
    with session.cursor() as cursor:
        cursor.execute(_SHARED, (_tenant_lock(session),))
        cursor.execute(_EXCLUSIVE, (f"records:patient:{session.tenant.schema_name}:{patient_uuid}",))


def lock_facility(session: TenantSession, facility_uuid: UUID) -> None:
    """Let nobody else give out identifiers at this facility until this transaction ends."""
    with session.cursor() as cursor:
        cursor.execute(_EXCLUSIVE, (f"records:facility:{session.tenant.schema_name}:{facility_uuid}",))


def _tenant_lock(session: TenantSession) -> str:
    return f"records:{session.tenant.schema_name}"
