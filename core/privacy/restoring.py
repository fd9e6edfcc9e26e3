"""Patients' keys of a tenant restored from an archive: new keys, or the mark of erased patients."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from core.privacy.tenant_keys import KEY_BYTES, key_ring
from core.privacy.vault import NONCE, bound_patient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession

_INSERT = """
INSERT INTO patient_keys (patient_uuid, tenant_key_version, wrapped_key, created_at, erased_at)
SELECT patient, %s, key, made::timestamptz, erased::timestamptz
FROM unnest(%s::uuid[], %s::bytea[], %s::text[], %s::text[]) AS given (patient, key, made, erased)
"""


def restore_patient_keys(session: TenantSession, rows: Sequence[tuple[UUID, str, str | None]]) -> None:
    """Insert keys for these patients.

    Args:
        session: the tenant's transaction, as its owner.
        rows: for each patient, the UUID, when the first key was created, and when the patient was erased (None if not).
        An erased patient gets no key.
    """
    ring = key_ring(session)
    version, wrapping = ring.newest, ring.data[ring.newest]
    keys: list[bytes | None] = []
    for patient, _, erased in rows:
        if erased is not None:
            keys.append(None)
            continue
        nonce = os.urandom(NONCE)
        bound_to = bound_patient(str(session.tenant.id), patient, version)
        keys.append(nonce + wrapping.encrypt(nonce, os.urandom(KEY_BYTES), bound_to))
    patients, created_at, erased_at = zip(*rows, strict=True) if rows else ((), (), ())
    with session.cursor() as cursor:
        cursor.execute(_INSERT, (version, list(patients), keys, list(created_at), list(erased_at)))
