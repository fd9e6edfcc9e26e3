"""The checks of the facilities that an import names, before any other check.

A mistyped DATIM id would add a new facility with new people. If the mapping lists the facilities (its
``known_facilities``), or requires those on record (``registered``), rows of any other are rejected. If a facility is
not on record but resembles one that is, the import holds it back until somebody confirms it (``settings``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from core.errors import counted_phrase, phrase
from core.tenancy import settings
from tenants.imports.settings import FacilitySettings
from tenants.imports.staging import people_checks
from tenants.imports.staging.likeness import KnownFacilities
from tenants.imports.staging.stager import content

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession
    from tenants.imports.mapping import Mapping

REGISTERED = "registered"

# The name of an alias in the file does not rename the facility that is meant.
_ALIASES = """
UPDATE import_staging AS s
SET facility = f.datim_id, state = CASE WHEN s.kind = 'facilities' THEN 'merged' ELSE s.state END
FROM unnest(%(codes)s::text[], %(meant)s::text[]) AS a (code, meant) JOIN facilities AS f ON f.datim_id = a.meant
WHERE s.import_uuid = %(import)s AND s.facility = a.code
  AND NOT EXISTS (SELECT FROM facilities AS o WHERE o.datim_id = a.code)
"""

# The heading of the file's column of facilities, where the staged facility has it as its label.
_HEADINGS = """LEFT JOIN (
    SELECT facility, min(label) AS heading FROM rejected WHERE kind = 'facilities' AND label <> 'facilities'
    GROUP BY facility
) AS h USING (facility)"""

_REJECT = f"""
WITH rejected AS (
    UPDATE import_staging AS s SET state = 'refused'
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.facility IS NOT NULL
      AND CASE WHEN %(registered)s
          THEN NOT EXISTS (SELECT FROM facilities AS f WHERE f.datim_id = s.facility)
          ELSE s.facility <> ALL(%(known)s::text[]) END
    RETURNING s.kind, s.file, s.line, s.facility, s.label
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT DISTINCT %(import)s::uuid, file, line, coalesce(h.heading, 'facility'), %(problem)s::text, %(remedy)s::text
FROM rejected {_HEADINGS} WHERE kind <> 'facilities'
"""  # noqa: S608 - a constant of this module

_UNKNOWN = """
SELECT s.facility, s.content FROM import_staging AS s
WHERE s.import_uuid = %(import)s AND s.kind = 'facilities' AND s.state = 'accepted'
  AND NOT EXISTS (SELECT FROM facilities AS f WHERE f.datim_id = s.facility)
"""

_HOLD = f"""
WITH rejected AS (
    UPDATE import_staging AS s SET state = 'refused'
    FROM unnest(%(codes)s::text[], %(problems)s::text[], %(remedies)s::text[]) AS h (code, problem, remedy)
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.facility = h.code
    RETURNING s.kind, s.file, s.line, s.facility, s.label, h.problem, h.remedy
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT DISTINCT %(import)s::uuid, file, line, coalesce(h.heading, 'facility'), problem, remedy
FROM rejected {_HEADINGS} WHERE kind <> 'facilities'
"""  # noqa: S608 - a constant of this module

_TELL = "UPDATE imports SET notes = notes || %(notes)s, held_facilities = %(facilities)s WHERE uuid = %(import)s"
HELD_MOST = 200
"""The most held-back facilities that an import names. A file with more of them needs a correction."""

_LONGEST = 200

NOT_KNOWN = {
    "problem": phrase("the facility is not among those known"),
    "remedy": phrase("correct the DATIM id, or add it to known_facilities in the mapping"),
}
LIKE = {
    "code": phrase("the facility is not known, and its code is like that of a known one"),
    "name": phrase("the facility is not known, and its name is like that of a known one"),
}


def run(session: TenantSession, import_uuid: UUID, source: str, mapping: Mapping) -> bool:
    """Check the facilities that the staged facts name, and whether the people there are known.

    Args:
        session: the step's transaction.
        import_uuid: the import.
        source: the import's source.
        mapping: the import's mapping. Its ``known_facilities`` (DATIM ids, ``registered`` for those on record, or None
            for any) and ``new_people`` apply.

    Returns:
        Whether facts may have been rejected.

    Raises:
        Invalid: no person of a facility is known, although many should be.
    """
    confirmed = settings.get(session, FacilitySettings)
    known = mapping.known_facilities
    listed = known if isinstance(known, list) else []
    values: dict[str, Any] = {"import": import_uuid, "registered": known == REGISTERED, "known": listed}
    with session.cursor() as cursor:
        if confirmed.aliases:
            codes, meant = list(confirmed.aliases), list(confirmed.aliases.values())
            cursor.execute(_ALIASES, values | {"codes": codes, "meant": meant})
        if known is not None:
            cursor.execute(_REJECT, values | NOT_KNOWN)
        facilities, notes = _hold_back(cursor, values, {*listed, *confirmed.confirmed})
        notes += people_checks.run(session, cursor, import_uuid, source, expected=mapping.new_people)
        if notes:
            cursor.execute(_TELL, values | {"notes": Jsonb(notes), "facilities": Jsonb(facilities[:HELD_MOST])})
    return known is not None or bool(facilities)


def _hold_back(
    cursor: Cursor[Any], values: dict[str, Any], confirmed: set[str]
) -> tuple[list[dict[str, str]], list[str]]:
    """Reject the facts of unknown facilities that resemble a known one; return these facilities, and notes."""
    unknown: dict[str, set[str]] = {}
    for code, encoded in cursor.execute(_UNKNOWN, values).fetchall():
        name = content("facilities", encoded).get("name")
        unknown.setdefault(code, set()).update([name] if name else [])
    on_record = dict(cursor.execute("SELECT datim_id, name FROM facilities").fetchall()) if unknown else {}
    if not on_record:
        return [], []
    known, held_back, facilities = KnownFacilities(on_record), [], []
    for code, names in unknown.items():
        for what, like in (("code", known.like_code(code)), ("name", known.like_name(names))):
            if like is not None and code not in confirmed:
                remedy = phrase(
                    "correct the code; or confirm it, as a new facility or as another spelling of {known}; then import"
                    " the file again",
                    known=like,
                )
                held_back.append((code, LIKE[what], remedy))
                facilities.append({"code": code[:_LONGEST], "name": min(names, default="")[:_LONGEST], "like": like})
                break
    notes = []
    if added := len(unknown) - len(held_back):
        notes.append(
            counted_phrase(
                "{count} facility was not known before and was added",
                "{count} facilities were not known before and were added",
                added,
            )
        )
    if held_back:
        codes, problems, remedies = map(list, zip(*held_back, strict=True))
        cursor.execute(_HOLD, values | {"codes": codes, "problems": problems, "remedies": remedies})
        notes.append(
            counted_phrase(
                "{count} facility was not known before and was held back: the rejected rows say what to do",
                "{count} facilities were not known before and were held back: the rejected rows say what to do",
                len(held_back),
            )
        )
    return facilities, notes
