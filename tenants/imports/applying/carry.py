"""What a partial row does not say of a person, carried over from what is known of them.

Lists say different things of the same people: a pharmacy list knows only their identifiers, a RADET no names, a list
of missed appointments no start of treatment. A row of such a list must not empty what another has filled in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from tenants.records import personal as personal_fields
from tenants.records.models import Patient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession

PLAIN = (
    "sex", "birthdate", "birthdate_estimated", "state_province", "county_district", "city_village", "art_start_date",
    "transferred_in", "case_manager",
)  # fmt: skip
_TOGETHER = {"birthdate_estimated": "birthdate"}
"""Fields that mean nothing by themselves: carried only with the field they belong to."""

_SEALED = tuple(f"{name}_enc" for name in personal_fields.FIELDS)
_OPEN = sql.SQL("SELECT uuid, {columns} FROM patients WHERE uuid = ANY({uuids}) AND known_to IS NULL AND NOT voided")


def carried(
    session: TenantSession,
    uuids: Sequence[UUID],
    contents: Sequence[dict[str, Any]],
    personals: Sequence[dict[str, str | None]],
) -> None:
    """Fill what partial rows do not say from the open versions of their patients, in place.

    Args:
        session: the step's transaction.
        uuids: the patients.
        contents: their content as staged; ``partial`` and ``fallback`` are taken out of it.
        personals: what names them, in plain.
    """
    marked = [(content.pop("partial", False), content.pop("fallback", ())) for content in contents]
    wanted = [uuid for uuid, (partial, _) in zip(uuids, marked, strict=True) if partial]
    if not wanted:
        return
    known = _known(session, wanted)
    for uuid, content, named, (partial, fallback) in zip(uuids, contents, personals, marked, strict=True):
        row = known.get(uuid) if partial else None
        if row is None:
            continue
        opened = personal_fields.open_patient(session, row)
        for name in personal_fields.FIELDS:
            if not named.get(name) or (name in fallback and opened[name]):
                named[name] = opened[name]
        for name in PLAIN:
            if name in _TOGETHER:
                continue
            if content.get(name) is None or (name == "transferred_in" and row.transferred_in):
                content[name] = getattr(row, name)
                if name == "birthdate":
                    content["birthdate_estimated"] = row.birthdate_estimated


def _known(session: TenantSession, uuids: Sequence[UUID]) -> dict[UUID, Patient]:
    columns = sql.SQL(", ").join(map(sql.Identifier, (*PLAIN, *_SEALED)))
    names = ("uuid", *PLAIN, *_SEALED)
    with session.cursor() as cursor:
        rows = cursor.execute(_OPEN.format(columns=columns, uuids=list(uuids))).fetchall()
    return {row[0]: Patient(**dict(zip(names, row, strict=True))) for row in rows}
