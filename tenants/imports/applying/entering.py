"""Move waiting events into the record of their person, as an assertion of the import that brought them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
from psycopg import sql

from core.feature_registry import resolve
from tenants.imports.applying.apply import HANDLERS, Terms
from tenants.imports.applying.leaving import cover_people
from tenants.imports.slots import COLUMNS, EVENT_FIELD, MODELS, SLOTS
from tenants.records.known import WITHOUT_LAG
from tenants.records.upsert import staging, upsert

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession
    from tenants.records.runs import Run

_OF_ASTRAY = """
(w.import_uuid, w.patient_key, w.facility, w.facility_name)
    = (a.import_uuid, a.patient_key, a.facility, a.facility_name)
AND a.number = {number} AND a.meant IS NOT NULL
"""
_FACTS = sql.SQL(f"""
SELECT a.meant, f.uuid, a.place, w.patient_key, w.source_key, w.known_at, w.voided, w.content, {{slots}}
FROM pg_temp.astray AS a JOIN import_waiting_facts AS w ON {_OF_ASTRAY} AND w.kind = {{kind}}
JOIN facilities AS f ON f.datim_id = a.place
WHERE NOT EXISTS (SELECT FROM patient_keys AS k WHERE k.patient_uuid = a.meant AND k.wrapped_key IS NULL)
ORDER BY w.patient_key, w.source_key
""")  # noqa: S608 - a constant of this module
_DELETE = sql.SQL(f"DELETE FROM import_waiting_facts AS w USING pg_temp.astray AS a WHERE {_OF_ASTRAY}")  # noqa: S608
_COVER = """
INSERT INTO record_coverage AS c (facility_uuid, table_name, number, covers_from) VALUES (%s, %s, %s, %s)
ON CONFLICT (facility_uuid, table_name, number) DO UPDATE SET covers_from = least(c.covers_from, excluded.covers_from)
"""


def enter(session: TenantSession, run: Run, *, full: bool, covers_from: date | None) -> list[UUID]:
    """Move the events in ``pg_temp.astray`` whose person is known now into the records; return their facilities.

    Args:
        session: the step's transaction.
        run: the run that brought the events.
        full: whether the run's lists name everything.
        covers_from: the first day that they cover, if the mapping gives it.
    """
    places: set[UUID] = set()
    for kind in (*SLOTS, *HANDLERS):
        rows = _facts(session, run, kind)
        if not rows:
            continue
        firsts = (
            _enter_table(session, run, kind, rows) if kind in SLOTS else _enter_through_python(session, run, kind, rows)
        )
        places |= firsts.keys()
        with session.cursor() as cursor:
            for facility, day in firsts.items() if kind in SLOTS else ():
                cursor.execute(_COVER, (facility, kind, run.number, (covers_from or day) if full else None))
    with session.cursor() as cursor:
        cursor.execute(_DELETE.format(number=sql.Literal(run.number)))
        if places and full and covers_from is None:
            cover_people(cursor, run, places)
    return sorted(places)


def _facts(session: TenantSession, run: Run, kind: str) -> list[tuple[Any, ...]]:
    slots = sql.SQL(", ").join(sql.Identifier("w", slot) for slot in SLOTS.get(kind, {}).values() or COLUMNS[:1])
    query = _FACTS.format(slots=slots, kind=sql.Literal(kind), number=sql.Literal(run.number))
    with session.cursor() as cursor:
        return cursor.execute(query).fetchall()


def _enter_table(session: TenantSession, run: Run, kind: str, rows: list[tuple[Any, ...]]) -> dict[UUID, date | None]:
    """Move events of a table; return the day of the first one at each facility."""
    lag = timedelta(days=0 if kind in WITHOUT_LAG else run.lag_days or 0)
    zone = ZoneInfo(session.tenant.time_zone)
    firsts: dict[UUID, date | None] = {}
    with staging(session, MODELS[kind], source=run.source) as stage:
        for patient, facility, _, _, source_key, known_at, voided, _, *slots in rows:
            content = dict(zip(SLOTS[kind], slots, strict=True))
            day = content[EVENT_FIELD[kind]]
            if isinstance(day, datetime):
                day = day.astimezone(zone).date()
            first = firsts.setdefault(facility, None)
            if day is not None and not voided and (first is None or day < first):
                firsts[facility] = day
            stage.add(
                facility,
                source_key,
                content | {"patient_uuid": patient},
                known_from=known_at,
                assumed_from=None if day is None else day + lag,
                voided=voided,
            )
    upsert(session, stage, import_uuid=run.import_uuid, data_date=run.data_date)
    return firsts


def _enter_through_python(
    session: TenantSession, run: Run, kind: str, rows: list[tuple[Any, ...]]
) -> dict[UUID, date | None]:
    """Move facts of a kind that has its own function."""
    terms = Terms(run.import_uuid, run.source, run.data_date, run.lag_days or 0)
    contents = [
        orjson.loads(content) | {"patient_uuid": patient, "facility_uuid": facility}
        for patient, facility, _, _, _, _, _, content, _ in rows
    ]
    apply_rows: Any = resolve(HANDLERS[kind])
    apply_rows(session, terms, contents)
    return {row[1]: None for row in rows}
