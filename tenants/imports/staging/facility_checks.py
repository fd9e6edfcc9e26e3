"""The check that a partner may ask for: only facilities that are known.

A mistyped DATIM id makes a facility of its own, with people of its own. Where the mapping lists the facilities
(``known_facilities``), or asks for those on record (``registered``), rows of any other are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

REGISTERED = "registered"

_REFUSE = """
WITH refused AS (
    UPDATE import_staging AS s SET state = 'refused'
    WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.facility IS NOT NULL
      AND CASE WHEN %(registered)s
          THEN NOT EXISTS (SELECT FROM facilities AS f WHERE f.datim_id = s.facility)
          ELSE s.facility <> ALL(%(known)s::text[]) END
    RETURNING s.kind, s.file, s.line
)
INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)
SELECT DISTINCT %(import)s::uuid, file, line, 'facility', 'the facility is not among those known',
       'correct the DATIM id, or add it to known_facilities in the mapping'
FROM refused WHERE kind <> 'facilities'
"""


def run(session: TenantSession, import_uuid: UUID, known: list[str] | str | None) -> bool:
    """Refuse the staged facts of facilities that are not known; whether any were looked for.

    Args:
        session: the step's transaction.
        import_uuid: whose staged facts.
        known: DATIM ids, ``registered`` for those on record, or None where any will do.
    """
    if known is None:
        return False
    listed = [] if isinstance(known, str) else known
    with session.cursor() as cursor:
        cursor.execute(_REFUSE, {"import": import_uuid, "registered": known == REGISTERED, "known": listed})
    return True
