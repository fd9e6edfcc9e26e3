"""Moves old observations to the tenant's encrypted blobs, year by year, and restores them.

Features and reports read only a patient's latest results (the last two weights), so older ones can be moved. An
observation of a year before ``before`` is archived if at least ``LATER_RESULTS`` later results of the same patient and
variable stay in the table. Those results must be dated before ``before``, and known before it. Answers as of 1 January
of ``before`` or later do not change. Answers as of earlier days do change, until the years are restored.

All versions of an observation are archived together, and are restored exactly.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from psycopg import sql
from pydantic import BaseModel

from core import audit, blobs
from core.blobs.errors import BlobDamaged
from core.clock import now, today
from core.database import psycopg_connection, tenant_session
from core.errors import Conflict, FieldError, Invalid, NotFound
from core.tenancy import settings as tenant_settings
from core.web.days import FIRST_YEAR
from tenants.records.days import start_of_day
from tenants.records.locks import lock_for_import

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

    from core.database import TenantRef, TenantSession
    from core.telemetry.progress import ProgressCallback

LATER_RESULTS: Final = 2
"""Later results of the same kind that must stay: no feature reads more (tenants/risk/model_inputs.py)."""
YEARS_KEPT: Final = 5
"""Number of whole years before this one that are never archived."""
PART_ROWS: Final = 50_000

_OLD = """
SELECT o.version_id, row_to_json(o)::text FROM observations AS o
WHERE o.uuid IN (
    SELECT e.uuid FROM observations AS e
    WHERE e.known_to IS NULL AND e.obs_datetime >= %(first)s AND e.obs_datetime < %(last)s
        AND NOT EXISTS (SELECT FROM observations AS v WHERE v.uuid = e.uuid AND v.obs_datetime >= %(before)s)
        AND (
            SELECT count(*) FROM (
                SELECT FROM observations AS l
                WHERE l.patient_uuid = e.patient_uuid AND l.variable_name = e.variable_name AND l.uuid <> e.uuid
                    AND l.obs_datetime > e.obs_datetime AND l.obs_datetime < %(before)s
                    AND l.known_from < %(before)s AND l.known_to IS NULL AND NOT l.voided
                    AND (l.value_numeric IS NOT NULL OR l.value_coded IS NOT NULL OR l.value_text IS NOT NULL)
                LIMIT %(kept)s
            ) AS later
        ) = %(kept)s
    ORDER BY e.uuid LIMIT %(rows)s
)
ORDER BY o.uuid, o.version_id
"""
_FIRST_YEAR = (
    "SELECT extract(year FROM min(obs_datetime) AT TIME ZONE 'UTC')::int FROM observations WHERE known_to IS NULL"
)
_BACK = """
INSERT INTO observations ({columns}) SELECT {values} FROM unnest(%s::text[]) AS line,
    json_populate_record(NULL::observations, line::json) AS r
WHERE NOT EXISTS (SELECT FROM observations AS o WHERE o.uuid = r.uuid)
"""
_COLUMNS = (
    "SELECT attname FROM pg_attribute WHERE attrelid = 'observations'::regclass AND attnum > 0"
    " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
)


class Part(BaseModel):
    """A stored blob with some of a year's observations: one version a line, as JSON, compressed."""

    year: int
    key: str
    rows: int
    sha256: str
    made_at: datetime


class ObservationArchives(BaseModel):
    """The list of the tenant's archived parts."""

    settings_key: ClassVar[str] = "observation_archives"

    parts: list[Part] = []


@dataclass(frozen=True, slots=True)
class ArchivedVersions:
    """The number of moved versions by year."""

    rows: dict[int, int]


def archived(session: TenantSession) -> list[Part]:
    """The archived parts, oldest year first."""
    return sorted(tenant_settings.get(session, ObservationArchives).parts, key=lambda part: (part.year, part.made_at))


def archive(
    tenant: TenantRef, before: int, *, actor: str, progress: ProgressCallback = lambda _done, _total, _year: None
) -> ArchivedVersions:
    """Archive the observations of all years before ``before`` that no present answer reads, part by part.

    Each part is read back before its rows are deleted. A kill in between leaves all rows in the table, and a stored
    part that the list of parts does not have.

    Raises:
        Invalid: ``before`` would archive one of the last ``YEARS_KEPT`` years.
        Conflict: rows changed while they were being stored. Run it again.
    """
    newest = today(tenant.time_zone).year - YEARS_KEPT
    if before > newest:
        remedy = f"give {newest} or an earlier year"
        problem = FieldError("before", f"the last {YEARS_KEPT} whole years stay in the table", remedy)
        raise Invalid("these years cannot be archived", remedy=remedy, errors=[problem])
    with tenant_session(tenant, actor=actor, readonly=True) as session:
        first: int | None = psycopg_connection(session).execute(_FIRST_YEAR).fetchall()[0][0]
    moved: dict[int, int] = {}
    for year in range(before if first is None else max(first - 1, FIRST_YEAR), before):
        while rows := _archive_part(tenant, year, before, actor):
            moved[year] = moved.get(year, 0) + rows
            progress(sum(moved.values()), None, str(year))
    return ArchivedVersions(moved)


def _archive_part(tenant: TenantRef, year: int, before: int, actor: str) -> int:
    bounds = {
        "first": _start(tenant, year), "last": _start(tenant, year + 1), "before": _start(tenant, before),
        "kept": LATER_RESULTS, "rows": PART_ROWS,
    }  # fmt: skip
    with tenant_session(tenant, actor=actor, readonly=True) as session:
        rows: list[tuple[UUID, str]] = psycopg_connection(session).execute(_OLD, bounds).fetchall()
    if not rows:
        return 0
    plain = b"".join(text.encode() + b"\n" for _, text in rows)
    stored = blobs.put(tenant, f"observations-{year}.ndjson.gz", gzip.compress(plain, 6, mtime=0))
    digest = hashlib.sha256(plain).hexdigest()
    part = Part(year=year, key=stored.key, rows=len(rows), sha256=digest, made_at=now())
    _lines(tenant, part)
    with tenant_session(tenant, actor=actor) as session:
        lock_for_import(session)
        versions = [version for version, _ in rows]
        again = psycopg_connection(session).execute(_OLD, bounds).fetchall()
        deleted = psycopg_connection(session).execute(
            "DELETE FROM observations WHERE version_id = ANY(%s)", (versions,)
        )
        if again != rows or deleted.rowcount != len(rows):
            session.rollback()
            detail = "observations changed while they were being archived"
            raise Conflict(detail, remedy="run the command again; no row of this part was deleted")
        known = tenant_settings.get(session, ObservationArchives)
        tenant_settings.put(session, ObservationArchives(parts=[*known.parts, part]))
        audit.record(session, "cli:observations:archive", "observations", None, {"year": year, "rows": len(rows)})
    return len(rows)


def restore(tenant: TenantRef, year: int, *, actor: str) -> ArchivedVersions:
    """Restore the archived observations of a year. An observation that an import has brought back meanwhile stays.

    Raises:
        NotFound: the year has no archived observations.
        BlobDamaged: a stored part was altered.
    """
    with tenant_session(tenant, actor=actor, readonly=True) as session:
        parts = [part for part in archived(session) if part.year == year]
    if not parts:
        detail = f"nothing of {year} is archived"
        raise NotFound(detail, command=f"see iit observations list {tenant.slug}")
    back = 0
    for part in parts:
        lines = _lines(tenant, part)
        with tenant_session(tenant, actor=actor) as session:
            lock_for_import(session)
            known = tenant_settings.get(session, ObservationArchives)
            if part.key not in {one.key for one in known.parts}:
                continue  # another restore has restored this part
            rows = _put_back(psycopg_connection(session), lines)
            back += rows
            left = [one for one in known.parts if one.key != part.key]
            tenant_settings.put(session, ObservationArchives(parts=left))
            facts = {"year": year, "rows": rows}
            audit.record(session, "cli:observations:restore", "observations", None, facts)
        blobs.delete(tenant, part.key)
    return ArchivedVersions({year: back})


def _put_back(connection: psycopg.Connection[Any], lines: list[str]) -> int:
    """Insert the lines of a part. Columns that were added to the table since get their defaults."""
    stored = json.loads(lines[0])
    names = [sql.Identifier(name) for (name,) in connection.execute(_COLUMNS).fetchall() if name in stored]
    query = sql.SQL(_BACK).format(
        columns=sql.SQL(", ").join(names),
        values=sql.SQL(", ").join(sql.SQL("r.{}").format(name) for name in names),
    )
    return connection.execute(query, (lines,)).rowcount


def _lines(tenant: TenantRef, part: Part) -> list[str]:
    """The lines of a stored part.

    Raises:
        BlobDamaged: the part was altered.
    """
    plain = gzip.decompress(blobs.get(tenant, part.key))
    if hashlib.sha256(plain).hexdigest() != part.sha256:
        detail = f"the archived observations of {part.year} are not what was stored"
        raise BlobDamaged(detail)
    return plain.decode().removesuffix("\n").split("\n")  # not splitlines: in JSON, U+2028 or U+0085 ends no line


def _start(tenant: TenantRef, year: int) -> datetime:
    return start_of_day(tenant, date(year, 1, 1))
