"""Names, phones and identifiers of the people on a list, read and decrypted in bulk for callers with the permission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import sql

from core.database.arrays import uuid_array
from core.privacy import vault
from tenants.records.personal import SEALED, UNREADABLE, legible
from tenants.records.reach import within_reach_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession

Identity = dict[str, str | None]
_PEOPLE: Final = sql.SQL(
    "SELECT p.uuid, {columns} FROM patients AS p"
    " WHERE p.uuid = ANY(%s::uuid[]) AND p.known_to IS NULL AND NOT p.voided AND {within_reach}"
)
_COLUMNS: Final = sql.SQL(", ").join(map(sql.Identifier, SEALED))


def identities_of(session: TenantSession, patients: Sequence[UUID]) -> Mapping[UUID, Identity]:
    """Return the personal identifiers of these patients within reach, in two statements.

    Erased and voided patients are left out. A damaged value is missing alone; the rest of its row and list remain.
    """
    query = _PEOPLE.format(columns=_COLUMNS, within_reach=within_reach_sql(session, "p.facility_uuid", "p.uuid"))
    with session.cursor() as cursor:
        rows = cursor.execute(query, (uuid_array(patients),)).fetchall()
    safe = vault(session)
    safe.load_patient_keys(row[0] for row in rows)
    identities: dict[UUID, Identity] = {}
    for uuid, *sealed in rows:
        identities[uuid] = legible(safe, uuid, sealed).marked(UNREADABLE)
    return identities


def full_name(identity: Mapping[str, str | None]) -> str | None:
    """Given and family name together; None where neither is recorded."""
    parts = dict.fromkeys(filter(None, (identity.get("given_name"), identity.get("family_name"))))
    return " ".join(parts) or None
