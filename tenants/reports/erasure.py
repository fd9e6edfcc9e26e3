"""When a person is erased: files of lists that may name them are unreadable at once, and deleted by a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.jobs import enqueue
from tenants.reports.file_schemas import LISTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

DISCARD_JOB: Final = "reports.discard"
_AT_ONCE: Final = 100
_COUNT: Final = """
UPDATE report_files SET erasures = erasures + 1
WHERE kind = ANY(%s) AND (state <> 'made' OR blob IS NOT NULL)
"""
"""A job that stores a file meanwhile waits for this one's lock, or this one for it."""
_EXPIRE: Final = """
UPDATE report_files SET expires_at = now(), size = NULL
WHERE kind = ANY(%s) AND state = 'made' AND blob IS NOT NULL RETURNING uuid::text
"""


def person_erased(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Expire the files of lists in the transaction of the erasure. A list that is being made is made again.

    Every list counts: the erased person may be on it under a name that is not on record any more.
    """
    with session.cursor() as cursor:
        cursor.execute(_COUNT, (list(LISTS),))
        expired = [row[0] for row in cursor.execute(_EXPIRE, (list(LISTS),)).fetchall()]
    for start in range(0, len(expired), _AT_ONCE):
        enqueue(session, DISCARD_JOB, {"report_ids": expired[start : start + _AT_ONCE]})
