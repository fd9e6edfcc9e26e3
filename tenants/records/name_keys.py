"""Adds the keys of names to rows that an earlier release wrote: the search by name finds these people then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import sql

from core import telemetry
from core.database import tenant_session
from core.database.arrays import uuid_array
from core.jobs import enqueue
from core.privacy import vault
from core.tenancy.rounds import for_each_tenant
from tenants.records.locks import lock_for_import
from tenants.records.models import WITHOUT_NAME_KEYS
from tenants.records.names import keys_of
from tenants.records.personal import NAMES, legible_texts

if TYPE_CHECKING:
    from threading import Event
    from uuid import UUID

    from core.database import TenantRef, TenantSession

log = telemetry.get_logger(__name__)

JOB: Final = "records.index_names"
ACTOR: Final = "system:names"
STEP: Final = 500
"""Patients whose rows get their keys in one transaction."""

_TABLES: Final = {"patients": ("version_id", "uuid"), "patient_statements": ("statement_id", "patient_uuid")}
"""Table -> the columns of its row and of its patient."""
_SEALED: Final = tuple(f"{name}_enc" for name in NAMES)
_ANY: Final = sql.SQL("SELECT EXISTS (SELECT FROM patients WHERE {})").format(sql.SQL(WITHOUT_NAME_KEYS))
_NEXT: Final = sql.SQL(
    "SELECT DISTINCT uuid FROM patients WHERE ({}) AND (%(after)s::uuid IS NULL OR uuid > %(after)s)"
    " ORDER BY uuid LIMIT %(rows)s"
).format(sql.SQL(WITHOUT_NAME_KEYS))
_ROWS: Final = sql.SQL(
    "SELECT {row}, {patient}, given_name_enc, family_name_enc FROM {table}"
    " WHERE {patient} = ANY(%s::uuid[]) AND ({without})"
)
_KEYS: Final = sql.SQL("UPDATE {table} SET given_name_bidx = %s, family_name_bidx = %s WHERE {row} = %s")


def step(session: TenantSession, after: UUID | None) -> UUID | None:
    """Add the keys of the next patients; return the last one, or None where none is left.

    A name that cannot be decrypted gets no key, and is not tried again.
    """
    lock_for_import(session)
    with session.cursor() as cursor:
        patients: list[UUID] = [row[0] for row in cursor.execute(_NEXT, {"after": after, "rows": STEP}).fetchall()]
        if not patients:
            return None
        safe = vault(session)
        safe.load_patient_keys(patients)
        for table, (row, patient) in _TABLES.items():
            parts = {
                "table": sql.Identifier(table),
                "row": sql.Identifier(row),
                "patient": sql.Identifier(patient),
                "without": sql.SQL(WITHOUT_NAME_KEYS),
            }
            rows = cursor.execute(_ROWS.format(**parts), (uuid_array(patients),)).fetchall()
            values = [(*_keys(session, whose, sealed), uuid) for uuid, whose, *sealed in rows]
            cursor.executemany(_KEYS.format(**parts), values)
    return patients[-1]


def _keys(session: TenantSession, patient: UUID, sealed: list[bytes | None]) -> list[list[int] | None]:
    safe = vault(session)
    texts = legible_texts(safe, patient, _SEALED, sealed)
    return [None if data is None else keys_of(safe.maker, text or "") for data, text in zip(sealed, texts, strict=True)]


def enqueue_where_missing(stopping: Event) -> None:
    """Ask for the keys of each tenant that has names without them: a round of the loop ``names``."""
    failed = for_each_tenant(stopping, _enqueue_if_missing)
    if failed:
        log.warning("names without keys could not be looked for", tenants=failed)


def _enqueue_if_missing(tenant: TenantRef) -> None:
    with tenant_session(tenant, actor=ACTOR) as session:
        if _missing(session):
            enqueue(session, JOB, {}, dedupe_key=JOB)


def _missing(session: TenantSession) -> bool:
    with session.cursor() as cursor:
        ((missing,),) = cursor.execute(_ANY).fetchall()
    return bool(missing)
