"""Names, phones and identifiers of the people on a list, for those who may see them: read and opened in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from psycopg import sql

from core.database.arrays import uuid_array
from core.privacy import vault
from core.privacy.errors import CannotDecrypt
from tenants.records.personal import FIELDS, SEALED, open_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession

Identity = dict[str, str | None]
UNREADABLE: Final = "(cannot be read)"
"""In place of every field of a person whose stored values do not open."""
_PEOPLE: Final = sql.SQL(
    "SELECT uuid, {columns} FROM patients WHERE uuid = ANY(%s::uuid[]) AND known_to IS NULL AND NOT voided"
).format(columns=sql.SQL(", ").join(map(sql.Identifier, SEALED)))

log = structlog.get_logger("tenants.risk")


def identities_of(session: TenantSession, patients: Sequence[UUID]) -> Mapping[UUID, Identity]:
    """What names each of these patients, in two statements; nothing of who was erased or voided.

    One damaged value costs that person's row, not the list.
    """
    with session.cursor() as cursor:
        rows = cursor.execute(_PEOPLE, (uuid_array(patients),)).fetchall()
    safe = vault(session)
    safe.load_patient_keys(row[0] for row in rows)
    found: dict[UUID, Identity] = {}
    for uuid, *sealed in rows:
        try:
            found[uuid] = open_sealed(safe, uuid, sealed)
        except CannotDecrypt:
            log.warning("identity_does_not_open", patient=str(uuid))
            found[uuid] = dict.fromkeys(FIELDS, UNREADABLE)
    return found


def full_name(identity: Mapping[str, str | None]) -> str | None:
    """Given and family name in one; None where neither is recorded."""
    parts = dict.fromkeys(filter(None, (identity.get("given_name"), identity.get("family_name"))))
    return " ".join(parts) or None
