"""The two reads that pages ask for all the time, one patient and a page of them, in few round trips and no ORM.

They answer exactly as ``service.shown`` does (a test compares them): columns are read with the patient's wrapped key,
in one statement, and the answer is made without a model per row. Where nothing is out of the ordinary a read is
one round trip: the statement that reads writes the audit, and goes together with its scope and COMMIT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from sqlalchemy import Table

from core import audit
from core.clock import today
from core.database import NotAtOnce, at_once, psycopg_connection
from core.privacy import vault, vault_from_memory
from core.privacy.errors import NeedsSession
from tenants.records import personal
from tenants.records.days import end_of_day
from tenants.records.models import Patient
from tenants.records.repository import completed_years, page_of_versions
from tenants.records.schemas import PatientOut

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.access import Scope
    from core.database import TenantRef, TenantSession
    from core.privacy import Vault
    from core.web.paging import PageRequest
    from tenants.records.filters import PatientFilter

READ: Final = "api:patient:read"
LIST: Final = "api:patient:list"
SUBJECT: Final = "patient"

_TABLE: Final = cast("Table", Patient.__table__)  # type: ignore[attr-defined]
_SHOWN: Final = tuple(name for name in PatientOut.model_fields if name in _TABLE.columns)
_KEY: Final = ("tenant_key_version", "wrapped_key")
_NAMES: Final = len(_SHOWN)
"""Where a row goes over from what is shown as it is to what is sealed."""

_SAID: Final = (
    f"SELECT {', '.join(f'p.{name}' for name in (*_SHOWN, *personal.SEALED))},"  # noqa: S608 - names of our own columns
    f" {', '.join(f'k.{name}' for name in _KEY)},"
    " (SELECT i.canonical_uuid FROM patient_identities AS i WHERE i.patient_uuid = p.uuid AND"
    " (i.known_to IS NULL OR i.known_to >= %(end)s::timestamptz)"
    " AND i.known_from < coalesce(%(end)s::timestamptz, 'infinity')) AS merged_into"
)
_KEYS: Final = "LEFT JOIN patient_keys AS k ON k.patient_uuid = p.uuid"
_FROM: Final = f"{_SAID} FROM patients AS p {_KEYS} WHERE NOT p.voided"
_NOW: Final = " AND p.known_to IS NULL"
_THEN: Final = " AND p.known_from < %(end)s AND (p.known_to IS NULL OR p.known_to >= %(end)s)"
_ONE: Final = f"{_FROM} AND p.uuid = %(uuid)s"
# What stands before the page is counted off before anything is joined to it.
_PAGE: Final = (
    f"{_SAID} FROM (SELECT * FROM patients AS p WHERE NOT p.voided{_NOW}"  # noqa: S608 - names of our own columns
    f" ORDER BY p.uuid LIMIT %(limit)s OFFSET %(offset)s) AS p {_KEYS} ORDER BY p.uuid"
)
_THESE: Final = f"{_FROM} AND p.version_id = ANY(%(versions)s) ORDER BY p.uuid"
_COUNT: Final = "SELECT count(*) FROM patients WHERE known_to IS NULL AND NOT voided"


def one(session: TenantSession, uuid: UUID, as_of: date | None) -> dict[str, Any] | None:
    """A patient as the API says it, now or as known at the end of a day, or None.

    Raises:
        Invalid: the day is out of range.
    """
    query, values = _one(session.tenant, uuid, as_of)
    found = _read(session, query, values, as_of)
    return found[0] if found else None


def one_at_once(scope: Scope, uuid: UUID, as_of: date | None) -> dict[str, Any] | None:
    """As ``one``, with its row in the audit, in a transaction of its own that goes in one round trip.

    Raises:
        NotAtOnce: use ``one``.
        Invalid: the day is out of range.
    """
    query, values = _one(scope.tenant, uuid, as_of)
    (rows,) = at_once(scope.tenant, audit.told(query, values, READ, SUBJECT, by=scope.by))
    found = _clear_at_once(scope.tenant, rows, as_of)
    return found[0] if found else None


def page(session: TenantSession, wanted: PatientFilter, paging: PageRequest) -> tuple[list[dict[str, Any]], int]:
    """One page of patients in the order of their UUIDs as the API says them, and how many match in all.

    Raises:
        Invalid: an identifier or phone has nothing in it to look for, or the day is out of range.
    """
    if wanted.used():
        versions, total = page_of_versions(session, wanted, paging)
        end = None if wanted.as_of is None else end_of_day(session.tenant, wanted.as_of)
        return _read(session, _THESE, {"versions": versions, "end": end}, wanted.as_of), total
    rows = _read(session, _PAGE, _of_page(paging), None)
    with session.cursor() as cursor:
        return rows, cursor.execute(_COUNT).fetchall()[0][0]


def page_at_once(scope: Scope, paging: PageRequest) -> tuple[list[dict[str, Any]], int]:
    """As ``page`` of all patients, with its rows in the audit, in a transaction of its own, in one round trip.

    Raises:
        NotAtOnce: use ``page``.
    """
    reading = audit.told(_PAGE, _of_page(paging), LIST, SUBJECT, by=scope.by, detail={"filters": []})
    rows, ((total,),) = at_once(scope.tenant, reading, (_COUNT, {}))
    return _clear_at_once(scope.tenant, rows, None), total


def encoded(answer: dict[str, Any]) -> bytes:
    """The answer as JSON, as pydantic writes it: times in UTC end in Z."""
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


def _one(tenant: TenantRef, uuid: UUID, as_of: date | None) -> tuple[str, dict[str, Any]]:
    end = None if as_of is None else end_of_day(tenant, as_of)
    return _ONE + (_NOW if as_of is None else _THEN), {"uuid": uuid, "end": end}


def _of_page(paging: PageRequest) -> dict[str, Any]:
    return {"limit": paging.limit, "offset": paging.offset, "end": None}


def _read(session: TenantSession, query: str, values: dict[str, Any], as_of: date | None) -> list[dict[str, Any]]:
    with psycopg_connection(session).cursor(binary=True) as cursor:
        rows = cursor.execute(query, values).fetchall()
    return _clear(session.tenant, vault(session), rows, as_of)


def _clear_at_once(tenant: TenantRef, rows: list[Any], as_of: date | None) -> list[dict[str, Any]]:
    try:
        return _clear(tenant, vault_from_memory(tenant), rows, as_of)
    except NeedsSession:
        raise NotAtOnce from None  # the first time that this process meets the tenant's keys


def _clear(tenant: TenantRef, safe: Vault, rows: list[Any], as_of: date | None) -> list[dict[str, Any]]:
    """Rows as the API says them."""
    day, answers = as_of or today(tenant.time_zone), []
    for row in rows:
        said = dict(zip(_SHOWN, row, strict=False))
        *sealed, version, wrapped, merged_into = row[_NAMES:]
        safe.take_patient_key(said["uuid"], version, wrapped)
        clear = personal.legible(safe, said["uuid"], sealed)
        said |= clear.fields
        said["unreadable"] = clear.unreadable
        said["merged_into"] = merged_into
        birthdate = said["birthdate"]
        said["age"] = None if birthdate is None else completed_years(birthdate, day)
        answers.append(said)
    return answers
