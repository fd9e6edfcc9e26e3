"""Keyed digests of erased patients' identifiers, so that another list does not bring them back.

A digest means nothing without the tenant's index key, and is compared only with arriving patients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.database.arrays import bytea_array, uuid_array
from core.privacy.vault import vault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from core.database import TenantSession

Identifier = tuple[str, str]
"""The kind of an identifier (with its facility where other facilities reuse such identifiers), and its text."""

_REMEMBER = "INSERT INTO erased_identifiers (digest) SELECT unnest(%s::bytea[]) ON CONFLICT (digest) DO NOTHING"
_ANY = "SELECT EXISTS (SELECT FROM erased_identifiers)"
_KNOWN = "SELECT patient_uuid FROM patient_keys WHERE patient_uuid = ANY(%s::uuid[])"
_AMONG = "SELECT digest FROM erased_identifiers WHERE digest = ANY(%s::bytea[])"


def remember(session: TenantSession, identifiers: Iterable[Identifier]) -> None:
    """Remember these identifiers as those of erased patients."""
    with session.cursor() as cursor:
        cursor.execute(_REMEMBER, (bytea_array([_digest(session, one) for one in identifiers]),))


def keep_out(session: TenantSession, arriving: Mapping[UUID, list[Identifier]]) -> frozenset[UUID]:
    """Mark new patients as erased if they have an identifier of an erased patient, and return them. They get no key.

    Patients on record are never touched, so a mistyped identifier cannot destroy anybody's data.
    """
    with session.cursor() as cursor:
        if not arriving or not cursor.execute(_ANY).fetchall()[0][0]:
            return frozenset()
        known = {row[0] for row in cursor.execute(_KNOWN, (uuid_array(list(arriving)),)).fetchall()}
        digests = {uuid: [_digest(session, one) for one in arriving[uuid]] for uuid in arriving.keys() - known}
        cursor.execute(_AMONG, (bytea_array([one for each in digests.values() for one in each]),))
        erased = {bytes(row[0]) for row in cursor.fetchall()}
    returning = frozenset(uuid for uuid, each in digests.items() if not erased.isdisjoint(each))
    for uuid in returning:
        vault(session).erase_patient(uuid)
    return returning


def _digest(session: TenantSession, identifier: Identifier) -> bytes:
    kind, text = identifier
    return vault(session).blind_index(f"erased:{kind}", text)
