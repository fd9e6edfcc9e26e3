"""Names, phones and identifiers of the people on a list, for those who may see them: read and opened in bulk."""

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
    """What names each of these patients, in two statements; nothing of who was erased or voided.

    One damaged value costs itself, not the row and not the list.
    """
    with session.cursor() as cursor:
        rows = cursor.execute(_PEOPLE, (uuid_array(patients),)).fetchall()
    safe = vault(session)
    safe.load_patient_keys(row[0] for row in rows)
    found: dict[UUID, Identity] = {}
    for uuid, *sealed in rows:
        found[uuid] = legible(safe, uuid, sealed).marked(UNREADABLE)
    return found


def full_name(identity: Mapping[str, str | None]) -> str | None:
    """Given and family name in one; None where neither is recorded."""
    parts = dict.fromkeys(filter(None, (identity.get("given_name"), identity.get("family_name"))))
    return " ".join(parts) or None
