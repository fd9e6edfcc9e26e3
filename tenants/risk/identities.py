"""Names, phones and identifiers of the people on a list, read and decrypted in bulk for callers with the permission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import sql

from core.database.arrays import uuid_array
from core.privacy import vault
from tenants.records.personal import SEALED, UNREADABLE, legible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession

Identity = dict[str, str | None]
_PEOPLE: Final = sql.SQL(
    "SELECT uuid, {columns} FROM patients WHERE uuid = ANY(%s::uuid[]) AND known_to IS NULL AND NOT voided"
).format(columns=sql.SQL(", ").join(map(sql.Identifier, SEALED)))


def identities_of(session: TenantSession, patients: Sequence[UUID]) -> Mapping[UUID, Identity]:
    """The personal identifiers of these patients, in two statements, without erased and voided patients.

    A damaged value is missing alone; the rest of its row and list remain.
    """
    with session.cursor() as cursor:
        rows = cursor.execute(_PEOPLE, (uuid_array(patients),)).fetchall()
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
