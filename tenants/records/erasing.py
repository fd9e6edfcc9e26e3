"""Erase a person: destroy their key, and delete the values that it encrypted and the blind indexes that find them.

No import brings the person back. The clinical record stays without a name, so that counts and reports do not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from core import audit
from core.database import TenantBase
from core.errors import NotFound
from core.events import publish
from core.feature_registry import load_tables
from core.privacy import erased, vault
from core.privacy.errors import CannotDecrypt, PatientErased
from tenants.records.locks import lock_for_import
from tenants.records.personal import TABLE
from tenants.records.repository import as_uuid
from tenants.records.service import find_patient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from core.database import TenantSession

NAMING = ("_enc", "_bidx")
"""Endings of the columns that store or find a person's names, phone and identifiers."""

_SAME = """
WITH canonical AS (
    SELECT coalesce((SELECT canonical_uuid FROM patient_identities
                     WHERE patient_uuid = %(uuid)s AND known_to IS NULL), %(uuid)s) AS uuid
)
SELECT uuid FROM canonical UNION
SELECT i.patient_uuid FROM patient_identities AS i JOIN canonical AS c ON i.canonical_uuid = c.uuid
WHERE i.known_to IS NULL
"""
_KEYS = "SELECT DISTINCT source_key, datim_id FROM patients WHERE uuid = ANY(%s)"
_NAMED = """
SELECT DISTINCT uuid, facility_uuid, pepfar_id_enc, hospital_number_enc FROM patients
WHERE uuid = ANY(%s) AND num_nonnulls(pepfar_id_enc, hospital_number_enc) > 0
"""


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The result of erasing a person.

    Attributes:
        patients: the person's records; several if they were merged.
        rows: number of emptied rows in all tables. ``versions`` of them are versions of the person's records, and
            ``entries`` are statements of imports and people about the person.
        already: the person had been erased before, and nothing was left to do.
    """

    patients: tuple[UUID, ...]
    rows: int
    already: bool
    versions: int = 0
    entries: int = 0


def find(session: TenantSession, text: str) -> UUID:
    """The UUID of the person with this UUID (voided or not), programme identifier or hospital number.

    Raises:
        NotFound: no person of this tenant has it.
        Conflict: several patients have this identifier.
    """
    uuid = as_uuid(text)
    if uuid is None:
        return find_patient(session, text).uuid
    with session.cursor() as cursor:
        if not cursor.execute("SELECT EXISTS (SELECT FROM patients WHERE uuid = %s)", (uuid,)).fetchall()[0][0]:
            detail = "no patient of this tenant has this UUID"
            raise NotFound(detail, remedy="give the UUID, the programme identifier or the hospital number")
    return uuid


def erase_person(session: TenantSession, patient: UUID, *, reason: str) -> ErasureResult:
    """Erase a person, with all records that were merged with theirs, in the session's transaction.

    Args:
        session: the tenant's transaction.
        patient: one of the person's records.
        reason: why, for the audit. It must name nobody.
    """
    lock_for_import(session)  # no import writes the person while they are erased
    with session.cursor() as cursor:
        patients = sorted(row[0] for row in cursor.execute(_SAME, {"uuid": patient}).fetchall())
        named = cursor.execute(_NAMED, (patients,)).fetchall()
    erased.remember(session, _identifiers(session, named))
    _forget(session, patients)
    new = [vault(session).erase_patient(uuid) for uuid in patients]
    emptied = dict(_empty(session, patients))
    rows = sum(emptied.values())
    for uuid in patients:
        audit.record(session, "cli:patient:erase", "patient", uuid, {"reason": reason})
    publish(session, "person.erased", {"patient_ids": patients})
    return ErasureResult(
        tuple(patients),
        rows,
        already=not any(new) and not rows,
        versions=emptied.get(TABLE, 0),
        entries=emptied.get("patient_statements", 0),
    )


def _forget(session: TenantSession, patients: list[UUID]) -> None:
    """Delete rows that only the person's identifiers find, from the tables that declare ``erased_by``."""
    load_tables()
    with session.cursor() as cursor:
        known = cursor.execute(_KEYS, (patients,)).fetchall()
        for table in TenantBase.metadata.sorted_tables:
            column = table.info.get("erased_by")
            if column is None:
                continue
            query = sql.SQL("DELETE FROM {} WHERE {} = %s AND facility IN ('', %s)").format(
                sql.Identifier(table.name), sql.Identifier(column)
            )
            if "patient_uuid" in table.columns:
                query += sql.SQL(" AND patient_uuid IS NULL")
            cursor.executemany(query, known)


def identifiers_of(facility_uuid: UUID, pepfar_id: str | None, hospital_number: str | None) -> list[tuple[str, str]]:
    """The identifiers by which an import recognises a person. A hospital number belongs to one facility."""
    identifiers = (("pepfar_id", pepfar_id), (f"hospital_number:{facility_uuid}", hospital_number))
    return [(kind, text) for kind, text in identifiers if text and text.strip()]


def _identifiers(
    session: TenantSession, named: list[tuple[UUID, UUID, bytes | None, bytes | None]]
) -> Iterator[tuple[str, str]]:
    for uuid, facility, *sealed in named:
        texts = []
        for column, data in zip(("pepfar_id_enc", "hospital_number_enc"), sealed, strict=True):
            try:
                texts.append(None if data is None else vault(session).decrypt(uuid, TABLE, column, uuid, data))
            except (PatientErased, CannotDecrypt):
                texts.append(None)  # an unreadable value cannot be recognised later; it is emptied like the others
        yield from identifiers_of(facility, *texts)


def _empty(session: TenantSession, patients: list[UUID]) -> Iterator[tuple[str, int]]:
    """Empty the columns that name the person, in every table and version; yield each table with its number of rows."""
    load_tables()
    for table in TenantBase.metadata.sorted_tables:
        whose = "patient_uuid" if "patient_uuid" in table.columns else "uuid" if table.name == TABLE else None
        names = [one.name for one in table.columns if one.name.endswith(NAMING) or one.name == "personal_hash"]
        if whose is None or not names:
            continue
        columns = [sql.Identifier(name) for name in names]
        query = sql.SQL("UPDATE {} SET {} WHERE {} = ANY(%s) AND num_nonnulls({}) > 0").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(sql.SQL("{} = NULL").format(column) for column in columns),
            sql.Identifier(whose),
            sql.SQL(", ").join(columns),
        )
        with session.cursor() as cursor:
            yield table.name, cursor.execute(query, (patients,)).rowcount
