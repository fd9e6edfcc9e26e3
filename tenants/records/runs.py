"""Data runs: their numbers, what their lists cover, and the people of whom they had a rejected row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from core.database.arrays import uuid_array
from tenants.records.locks import lock_for_import

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from core.database import TenantSession

ADHOC = "records"
"""The kind of a run that was not registered before its first rows: it counts as a full list."""

_COLUMNS = "number, import_uuid, source, kind, data_date, precedence, digest, lag_days, undone"
_FIND = f"SELECT {_COLUMNS} FROM record_runs WHERE import_uuid = %s"  # noqa: S608 - a constant of this module
_REGISTER = f"""
INSERT INTO record_runs ({_COLUMNS}, created_at)
SELECT coalesce(max(number), 0) + 1, %(import_uuid)s, %(source)s, %(kind)s, %(data_date)s, %(precedence)s, %(digest)s,
       %(lag_days)s, false, now()
FROM record_runs
RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant of this module
_COVER = """
INSERT INTO record_coverage AS c (facility_uuid, table_name, number, covers_from)
SELECT facility_uuid, %(table)s, %(number)s, %(covers_from)s::date
FROM unnest(%(facilities)s::uuid[]) AS f (facility_uuid)
ON CONFLICT (facility_uuid, table_name, number) DO NOTHING
"""
_GAPS = """
INSERT INTO record_gaps (patient_uuid, number)
SELECT DISTINCT patient_uuid, %s::int FROM unnest(%s::uuid[]) AS p (patient_uuid) ON CONFLICT DO NOTHING
"""
_SAME_KIND = """
SELECT coalesce(array_agg(number), '{}') FROM record_runs
WHERE source = %s AND kind = %s AND data_date = %s AND NOT undone AND number <> %s
"""
_OTHERS = """
SELECT coalesce(bool_or(true), false), coalesce(bool_or(o.data_date > r.data_date), false)
FROM record_runs AS r JOIN record_runs AS o ON o.source = r.source AND o.number <> r.number AND NOT o.undone
WHERE r.number = %(number)s AND EXISTS (
    SELECT FROM record_coverage AS mine JOIN record_coverage AS theirs USING (facility_uuid)
    WHERE mine.number = r.number AND theirs.number = o.number
)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A row of ``record_runs``."""

    number: int
    import_uuid: UUID
    source: str
    kind: str
    data_date: date
    precedence: int
    digest: str
    lag_days: int | None
    undone: bool


@dataclass(frozen=True, slots=True)
class OtherRuns:
    """Whether other runs of the same source have rows at a run's facilities, and whether one has a later data date."""

    exist: bool
    are_later: bool


def find(session: TenantSession, import_uuid: UUID) -> Run | None:
    """The run of an import; None before it is registered."""
    with session.cursor() as cursor:
        row = cursor.execute(_FIND, (import_uuid,)).fetchone()
    return None if row is None else Run(*row)


def register(
    session: TenantSession,
    import_uuid: UUID,
    *,
    source: str,
    data_date: date,
    kind: str = ADHOC,
    precedence: int = 0,
    digest: str = "",
    lag_days: int | None = None,
) -> Run:
    """Give an import a run with a number of its own, and return it. A repeated call returns the same run.

    Args:
        session: the tenant's transaction. It takes the lock of imports.
        import_uuid: the import.
        source: the system whose people these are.
        data_date: the day to which its data run.
        kind: the import's format.
        precedence: of two runs of one day without stamps, the one with the higher precedence counts.
        digest: digest of the files; empty if there are none: then the import's identifier replaces it.
        lag_days: the source's usual lag; None if facts without a stamp are known at the data date.
    """
    lock_for_import(session)
    known = find(session, import_uuid)
    if known is not None:
        return known
    values = {
        "import_uuid": import_uuid,
        "source": source,
        "kind": kind,
        "data_date": data_date,
        "precedence": precedence,
        "digest": digest or import_uuid.hex,
        "lag_days": lag_days,
    }
    with session.cursor() as cursor:
        return Run(*cursor.execute(_REGISTER, values).fetchall()[0])


def cover(session: TenantSession, run: Run, table: str, starts: Mapping[UUID, date | None] | Collection[UUID]) -> None:
    """Record that a run has rows for a table at facilities, and from which day on they are complete.

    Args:
        session: the tenant's transaction.
        run: the run.
        table: name of the table.
        starts: facility -> the first day from which on its rows are complete; None if they are only some of the rows. A
        collection of facilities instead means that their rows are complete from the beginning.
    """
    days: dict[date | str | None, list[UUID]] = {}
    if isinstance(starts, dict):
        for facility, day in starts.items():
            days.setdefault(day, []).append(facility)
    else:
        days["-infinity"] = list(starts)
    with session.cursor() as cursor:
        for day, facilities in days.items():
            values = {
                "table": table,
                "number": run.number,
                "covers_from": day,
                "facilities": uuid_array(sorted(facilities)),
            }
            cursor.execute(_COVER, values)


def note_gaps(session: TenantSession, run: Run, patients: Collection[UUID]) -> None:
    """Record the patients of whom a run had a rejected row."""
    if patients:
        with session.cursor() as cursor:
            cursor.execute(_GAPS, (run.number, uuid_array(set(patients))))


def of_one_kind(session: TenantSession, run: Run) -> list[int]:
    """The numbers of the other runs with this run's source, kind and data date."""
    with session.cursor() as cursor:
        numbers: list[int] = cursor.execute(_SAME_KIND, (run.source, run.kind, run.data_date, run.number)).fetchall()[
            0
        ][0]
        return numbers


def others(session: TenantSession, run: Run) -> OtherRuns:
    """Whether this run's facilities have other runs of its source."""
    with session.cursor() as cursor:
        return OtherRuns(*cursor.execute(_OTHERS, {"number": run.number}).fetchall()[0])
