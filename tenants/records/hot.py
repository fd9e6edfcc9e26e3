"""Fast versions of the two most frequent reads, one patient and a page of patients: few round trips, no ORM.

Their answers equal those of ``service.shown`` (a test compares them). One statement reads the columns together with the
patient's wrapped key, and no model is built per row. In the usual case a read is one round trip: the statement that
reads also writes the audit, and is sent together with its scope and COMMIT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from sqlalchemy import Table

from core import audit
from core.clock import today
from core.database import RoundTripError, at_once, psycopg_connection
from core.privacy import vault, vault_from_memory
from core.privacy.errors import NeedsSession
from core.web.keyset import Slice, keyset_sql
from tenants.records import personal
from tenants.records.days import end_of_day
from tenants.records.models import Patient
from tenants.records.reach import patients_within_reach
from tenants.records.repository import completed_years, page_of_versions, patient_as_of
from tenants.records.schemas import PatientOut

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.access import Scope
    from core.database import TenantRef, TenantSession
    from core.privacy import Vault
    from core.web.cursors import Key
    from core.web.paging import PageRequest
    from tenants.records.filters import PatientFilter

READ: Final = "api:patient:read"
LIST: Final = "api:patient:list"
SUBJECT: Final = "patient"

_TABLE: Final = cast("Table", Patient.__table__)  # type: ignore[attr-defined]
_COLUMNS: Final = {name: {"id": "uuid", "facility": "datim_id"}.get(name, name) for name in PatientOut.model_fields}
_SHOWN: Final = tuple(name for name, column in _COLUMNS.items() if column in _TABLE.columns)
_KEY: Final = ("tenant_key_version", "wrapped_key")
_NAMES: Final = len(_SHOWN)
"""Number of a row's columns that are shown as they are; the encrypted ones follow."""

_SELECT: Final = (
    f"SELECT {', '.join(f'p.{name}' for name in (*map(_COLUMNS.__getitem__, _SHOWN), *personal.SEALED))},"  # noqa: S608 - names of our own columns
    f" {', '.join(f'k.{name}' for name in _KEY)},"
    " (SELECT i.canonical_uuid FROM patient_identities AS i WHERE i.patient_uuid = p.uuid AND"
    " (i.known_to IS NULL OR i.known_to >= %(end)s::timestamptz)"
    " AND i.known_from < coalesce(%(end)s::timestamptz, 'infinity')) AS canonical"
)
_KEYS: Final = "LEFT JOIN patient_keys AS k ON k.patient_uuid = p.uuid"
_FROM: Final = f"{_SELECT} FROM patients AS p {_KEYS} WHERE NOT p.voided"
_NOW: Final = " AND p.known_to IS NULL"
_THEN: Final = " AND p.known_from < %(end)s AND (p.known_to IS NULL OR p.known_to >= %(end)s)"
_ONE: Final = f"{_FROM} AND p.uuid = %(uuid)s"
_ORDERS: Final = {"id": "p.uuid", "known_from": "p.known_from"}
_THESE: Final = f"{_FROM} AND p.version_id = ANY(%(versions)s) ORDER BY p.uuid"
_COUNT: Final = "SELECT count(*) FROM patients WHERE known_to IS NULL AND NOT voided"


def one(session: TenantSession, uuid: UUID, as_of: date | None) -> dict[str, Any] | None:
    """A patient as the API shows it, as known now or at the end of a day; None if there is none.

    Raises:
        Invalid: the day is out of range.
    """
    if not session.reach.everything and patient_as_of(session, uuid, as_of) is None:
        return None
    query, values = _one(session.tenant, uuid, as_of)
    rows = _read(session, query, values, as_of)
    return rows[0] if rows else None


def one_at_once(scope: Scope, uuid: UUID, as_of: date | None) -> dict[str, Any] | None:
    """Do the same as ``one``, and write the audit, in one transaction and one round trip.

    Raises:
        RoundTripError: the read needs several round trips; use ``one``.
        Invalid: the day is out of range.
    """
    _require_whole_tenant(scope)
    safe = _vault_at_once(scope.tenant)
    query, values = _one(scope.tenant, uuid, as_of)
    (rows,) = at_once(scope.tenant, audit.audited_query(query, values, READ, SUBJECT, by=scope.by))
    patients = _clear(scope.tenant, safe, rows, as_of)
    return patients[0] if patients else None


def page(session: TenantSession, wanted: PatientFilter, paging: PageRequest) -> Slice[dict[str, Any]]:
    """One page of patients as the API shows them.

    Raises:
        Invalid: an identifier or phone has nothing in it to look for, or the day is out of range.
    """
    if wanted.used() or not session.reach.everything:
        part = page_of_versions(session, wanted, paging)
        rows = versions(session, [row.version_id for row in part.rows], wanted.as_of)
        return Slice(_in_order(list(rows.values()), paging), part.total, part.last)
    query, values = page_query(paging)
    with psycopg_connection(session).cursor(binary=True) as cursor:
        rows_read = cursor.execute(query, values).fetchall()
        ((total,),) = cursor.execute(_COUNT).fetchall()
    return _slice(session.tenant, vault(session), rows_read, total, paging)


def versions(session: TenantSession, ids: Sequence[UUID], as_of: date | None) -> dict[UUID, dict[str, Any]]:
    """The patients of these versions as the API says them, by the version's identifier."""
    end = None if as_of is None else end_of_day(session.tenant, as_of)
    rows = _read(session, _THESE, {"versions": list(ids), "end": end}, as_of)
    return {row["version_id"]: row for row in rows}


def page_at_once(scope: Scope, paging: PageRequest) -> Slice[dict[str, Any]]:
    """Do the same as ``page`` for all patients, and write the audit, in one transaction and one round trip.

    Raises:
        RoundTripError: the read needs several round trips; use ``page``.
    """
    _require_whole_tenant(scope)
    safe = _vault_at_once(scope.tenant)
    query, values = page_query(paging)
    reading = audit.audited_query(query, values, LIST, SUBJECT, by=scope.by, detail={"filters": []})
    rows, ((total,),) = at_once(scope.tenant, reading, (_COUNT, {}))
    return _slice(scope.tenant, safe, rows, total, paging)


def _require_whole_tenant(scope: Scope) -> None:
    """Check that the caller reaches the whole tenant: these reads do not filter by facility.

    Raises:
        RoundTripError: the caller reaches only some facilities.
    """
    if not scope.principal.reach.everything:
        raise RoundTripError


def encoded(answer: dict[str, Any]) -> bytes:
    """The answer as JSON, in the form that pydantic writes: times in UTC end in Z."""
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


def _one(tenant: TenantRef, uuid: UUID, as_of: date | None) -> tuple[str, dict[str, Any]]:
    end = None if as_of is None else end_of_day(tenant, as_of)
    return _ONE + (_NOW if as_of is None else _THEN), {"uuid": uuid, "end": end}


def page_query(paging: PageRequest) -> tuple[str, dict[str, Any]]:
    """The query of one page. Its last column says whether another row follows, without reading that row."""
    parts = keyset_sql(paging, _ORDERS, "p.uuid")
    query = (
        f"{_SELECT}, p.followed FROM (SELECT *, lead(p.uuid) OVER (ORDER BY {parts.order}) IS NOT NULL AS followed"  # noqa: S608 - names of our own columns
        f" FROM (SELECT * FROM patients AS p WHERE NOT p.voided{_NOW} AND {parts.where}"
        f" ORDER BY {parts.order} {parts.limit}) AS p ORDER BY {parts.order} LIMIT %(page_size)s) AS p {_KEYS}"
        " ORDER BY p.uuid"
    )
    return query, {**parts.values, "page_size": paging.page_size, "end": None}


def _slice(tenant: TenantRef, safe: Vault, rows: list[Any], total: int, paging: PageRequest) -> Slice[dict[str, Any]]:
    """The page from the rows of ``page_query``."""
    answers = _in_order(_clear(tenant, safe, [row[:-1] for row in rows], None), paging)
    full = bool(rows) and all(row[-1] for row in rows)
    return Slice(answers, total, _key(answers[-1], paging) if full else None)


def _in_order(answers: list[dict[str, Any]], paging: PageRequest) -> list[dict[str, Any]]:
    """The rows of a page in the requested order. The audited statement returns them by identifier."""
    descending = paging.sort is not None and paging.sort.descending
    return sorted(answers, key=lambda answer: _key(answer, paging), reverse=descending)


def _key(answer: dict[str, Any], paging: PageRequest) -> Key:
    return answer[paging.sort.field if paging.sort else "id"], answer["id"]


def _read(session: TenantSession, query: str, values: dict[str, Any], as_of: date | None) -> list[dict[str, Any]]:
    with psycopg_connection(session).cursor(binary=True) as cursor:
        rows = cursor.execute(query, values).fetchall()
    answers = _clear(session.tenant, vault(session), rows, as_of)
    if not session.reach.everything:
        within = patients_within_reach(session, {row["canonical_id"] for row in answers} - {None})
        for row in answers:
            row["canonical_id"] = row["canonical_id"] if row["canonical_id"] in within else None
    return answers


def _vault_at_once(tenant: TenantRef) -> Vault:
    """The vault that decrypts the rows. Get it before the read, because the read writes the audit.

    Raises:
        RoundTripError: this process does not know the tenant's keys yet.
    """
    try:
        return vault_from_memory(tenant)
    except NeedsSession:
        raise RoundTripError from None  # the first time that this process meets the tenant's keys


def _clear(tenant: TenantRef, safe: Vault, rows: list[Any], as_of: date | None) -> list[dict[str, Any]]:
    """Rows as the API shows them, decrypted."""
    day, answers = as_of or today(tenant.time_zone), []
    for row in rows:
        answer = dict(zip(_SHOWN, row, strict=False))
        *sealed, version, wrapped, canonical = row[_NAMES:]
        safe.take_patient_key(answer["id"], version, wrapped)
        clear = personal.legible(safe, answer["id"], sealed)
        answer |= clear.fields
        answer["unreadable"] = clear.unreadable
        answer["canonical_id"] = canonical
        birthdate = answer["birthdate"]
        answer["age"] = None if birthdate is None else completed_years(birthdate, day)
        answers.append(answer)
    return answers
