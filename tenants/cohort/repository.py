"""All SQL of the cohort, except that which loads timelines (``load``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from psycopg import sql
from sqlmodel import col, select

from core.database.arrays import uuid_array
from core.web.keyset import Slice, read_slice
from tenants.cohort.columns import Columns, fetch, places, stamp_of
from tenants.cohort.indicators import People
from tenants.cohort.load import facilities_of
from tenants.cohort.status import REASONS, STATUSES, Transitions
from tenants.cohort.timelines import NO_DAY, CodeArray, DayArray, IntArray, day_number, offsets_of, to_date
from tenants.records.days import start_of_day
from tenants.records.models import Facility
from tenants.records.reach import whole_facility_within_reach, whole_facility_within_reach_sql, within_reach_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from core.database import TenantRef, TenantSession
    from core.web.paging import PageRequest

CHUNK_PATIENTS: Final = 20_000
_FEBRUARY: Final = 2
_NO_DAY = sql.SQL("'-2147483648'::int4")

_PEOPLE = sql.SQL(
    "SELECT p.uuid, p.facility_uuid, (CASE p.sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 ELSE 0 END)::int2,"
    " coalesce(p.birthdate - DATE '1970-01-01', {no_day}), coalesce(p.art_start_date - DATE '1970-01-01', {no_day})"
    " FROM patients AS p WHERE p.known_to IS NULL AND NOT p.voided AND p.uuid > {after} AND {within_reach}"
    " ORDER BY p.uuid LIMIT {limit}"
)
_TRANSITIONS = sql.SQL(
    "SELECT patient_uuid, date - DATE '1970-01-01', ({before} * 256 + {after} * 16 + {reason})::int2"
    " FROM status_transitions AS t WHERE {chunk} ORDER BY patient_uuid, seq"
)
"""The three words as one number: packing a column costs more than reading it."""
_VIRAL_LOADS = sql.SQL(
    "SELECT {who}, o.obs_datetime, (o.value_numeric * CASE WHEN o.value_text = '<' THEN 0.999999 ELSE 1 END)::float8"
    " FROM observations AS o {merged} WHERE o.known_to IS NULL AND NOT o.voided AND o.variable_name = 'viral_load'"
    " AND o.value_numeric IS NOT NULL AND ({chunk} OR o.patient_uuid = ANY({others}))"
    " AND o.obs_datetime >= {begin} AND o.obs_datetime < {end}"
)
_MERGED = sql.SQL("LEFT JOIN patient_identities AS i ON i.patient_uuid = o.patient_uuid AND i.known_to IS NULL")
_MEMBERS = sql.SQL(
    "SELECT p.uuid, i.canonical_uuid, (CASE p.sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 ELSE 0 END)::int2,"
    " coalesce(p.birthdate - DATE '1970-01-01', {no_day}), coalesce(p.art_start_date - DATE '1970-01-01', {no_day})"
    " FROM patients AS p JOIN patient_identities AS i ON i.patient_uuid = p.uuid AND i.known_to IS NULL"
    " WHERE p.known_to IS NULL AND NOT p.voided AND {chunk} ORDER BY p.uuid"
)


@dataclass(frozen=True, slots=True)
class FacilityVolume:
    """Contacts (or decided bookings) per facility and day, and the day to which each facility's data run."""

    facilities: tuple[UUID, ...]
    data_day: IntArray
    facility: IntArray
    day: DayArray
    count: DayArray


@dataclass(frozen=True, slots=True, eq=False)
class IndicatorChunk:
    """Some people with their transitions.

    Attributes:
        uuids: bytes of the UUIDs; :func:`uuid_of` reads them.
        moves: status transitions.
        people: the people at the end of each period, in the order of the periods.
    """

    uuids: npt.NDArray[np.bytes_]
    moves: Transitions
    people: tuple[People, ...]


@dataclass(frozen=True, slots=True)
class FacilityRow:
    """The columns of a facility that completeness uses."""

    uuid: UUID
    datim_id: str
    name: str
    complete_through: date | None
    data_date: date | None


def replace_transitions(
    session: TenantSession, patients: Sequence[UUID], uuids: npt.NDArray[np.object_], moves: Transitions
) -> None:
    """Replace the transitions of these patients. A patient without a row in ``uuids`` ends up without transitions."""
    owner = moves.owner
    seq = np.arange(len(moves)) - moves.offsets[owner]
    with session.cursor() as cursor:
        cursor.execute("DELETE FROM status_transitions WHERE patient_uuid = ANY(%s::uuid[])", (uuid_array(patients),))
        with cursor.copy(
            "COPY status_transitions (patient_uuid, seq, from_status, to_status, date, reason) FROM STDIN"
        ) as copy:
            for row in zip(
                uuids[owner].tolist(),
                seq.tolist(),
                moves.before.tolist(),
                moves.after.tolist(),
                moves.date.tolist(),
                moves.reason.tolist(),
                strict=True,
            ):
                copy.write_row((row[0], row[1], STATUSES[row[2]], STATUSES[row[3]], to_date(row[4]), REASONS[row[5]]))


def forget_strangers(session: TenantSession) -> None:
    """Delete the transitions of patients who are no longer on record."""
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM status_transitions AS s WHERE NOT EXISTS"
            " (SELECT FROM patients AS p WHERE p.uuid = s.patient_uuid AND p.known_to IS NULL AND NOT p.voided)"
        )


def indicator_chunks(session: TenantSession, ends: Sequence[date]) -> Iterator[IndicatorChunk]:
    """Yield the people within reach, one chunk after another.

    Args:
        session: the tenant's transaction.
        ends: the last days of the periods, for the latest viral loads.
    """
    facilities_known = np.array([value.bytes for value in _facilities_within_reach(session)], dtype="S16")
    within = within_reach_sql(session, "p.facility_uuid", "p.uuid")
    after = UUID(int=0)
    while True:
        query = _PEOPLE.format(no_day=_NO_DAY, after=after, within_reach=within, limit=CHUNK_PATIENTS)
        form = {"uuid": "uuid", "facility": "uuid", "sex": "int2", "birth": "int4", "art_start": "int4"}
        rows = fetch(session, query, form)
        if rows["uuid"].size == 0:
            return
        after = uuid_of(rows["uuid"][-1])
        members = _fill_from_members(session, rows)
        viral_loads = _viral_loads(session, rows["uuid"], members, ends)
        facility, sex = places(facilities_known, rows["facility"]), rows["sex"].astype(np.int64)
        yield IndicatorChunk(
            uuids=rows["uuid"],
            moves=_transitions(session, rows["uuid"]),
            people=tuple(People(facility, sex, rows["birth"], rows["art_start"], latest) for latest in viral_loads),
        )
        if rows["uuid"].size < CHUNK_PATIENTS:
            return


def _facilities_within_reach(session: TenantSession) -> tuple[UUID, ...]:
    if session.reach.everything:
        return facilities_of(session)
    return tuple(sorted((row.uuid for row in facilities(session)), key=lambda uuid: uuid.bytes))


def _of_chunk(session: TenantSession, column: str, uuids: npt.NDArray[np.bytes_]) -> sql.Composable:
    """Return the condition for a chunk's patients: a range of the index; a list if other patients lie between them."""
    name = sql.Identifier(*column.split("."))
    if session.reach.everything:
        return sql.SQL("{} BETWEEN {} AND {}").format(name, uuid_of(uuids[0]), uuid_of(uuids[-1]))
    return sql.SQL("{} = ANY({}::uuid[])").format(name, uuid_array(map(uuid_of, uuids.tolist())))


def uuid_of(value: bytes) -> UUID:
    """The UUID of its bytes as numpy has them, without zeros at the end."""
    return UUID(bytes=bytes(value).ljust(16, b"\0"))


def _transitions(session: TenantSession, uuids: npt.NDArray[np.bytes_]) -> Transitions:
    chunk = _of_chunk(session, "t.patient_uuid", uuids)
    query = _TRANSITIONS.format(
        before=_code_of("from_status", STATUSES),
        after=_code_of("to_status", STATUSES),
        reason=_code_of("reason", REASONS),
        chunk=chunk,
    )
    form = {"patient": "uuid", "date": "int4", "words": "int2"}
    rows = fetch(session, query, form)
    owner = places(uuids, rows["patient"])
    of_chunk = owner >= 0
    words = rows["words"][of_chunk]

    def codes(place: int) -> CodeArray:
        return (words >> place & 15).astype(np.int8)

    return Transitions(
        offsets=offsets_of(owner[of_chunk], uuids.size),
        date=rows["date"][of_chunk],
        before=codes(8),
        after=codes(4),
        reason=codes(0),
    )


def _code_of(column: str, words: Sequence[str]) -> sql.Composed:
    """The place of a column's word; NULL, which ``fetch`` rejects, for any other. There are at most 16 words."""
    cases = [sql.SQL("WHEN {} THEN {}").format(word, place) for place, word in enumerate(words)]
    return sql.SQL("CASE {} {} END").format(sql.Identifier(column), sql.SQL(" ").join(cases))


def _fill_from_members(session: TenantSession, rows: Columns) -> list[UUID]:
    """Fill gaps of merged people from the records merged into them, as ``merged`` does; return the members."""
    form = {"uuid": "uuid", "canonical": "uuid", "sex": "int2", "birth": "int4", "art_start": "int4"}
    chunk = _of_chunk(session, "i.canonical_uuid", rows["uuid"])
    members = fetch(session, _MEMBERS.format(no_day=_NO_DAY, chunk=chunk), form)
    place = places(rows["uuid"], members["canonical"])
    for member in np.flatnonzero(place >= 0).tolist():
        at = place[member]
        if rows["sex"][at] == 0:
            rows["sex"][at] = members["sex"][member]
        if rows["birth"][at] == NO_DAY:
            rows["birth"][at] = members["birth"][member]
        starts_of_art = [day for day in (rows["art_start"][at], members["art_start"][member]) if day != NO_DAY]
        rows["art_start"][at] = min(starts_of_art, default=NO_DAY)
    return [uuid_of(value) for value in members["uuid"].tolist()]


def _viral_loads(
    session: TenantSession, uuids: npt.NDArray[np.bytes_], members: list[UUID], ends: Sequence[date]
) -> list[npt.NDArray[np.float64]]:
    """The latest result of the twelve months to each of these days; the lowest where a moment has several.

    Results of ``members`` count for the canonical patient.
    """
    spans = [_year_to(session.tenant, end) for end in ends]
    query = _VIRAL_LOADS.format(
        who=sql.SQL("coalesce(i.canonical_uuid, o.patient_uuid)" if members else "o.patient_uuid"),
        merged=_MERGED if members else sql.SQL(""),
        others=members,
        chunk=_of_chunk(session, "o.patient_uuid", uuids),
        begin=min(begin for begin, _end in spans),
        end=max(end for _begin, end in spans),
    )
    rows = fetch(session, query, {"patient": "uuid", "moment": "stamp", "value": "float8"})
    owner = places(uuids, rows["patient"])
    # The last one that is assigned to a patient stays: the latest, and of one moment the lowest.
    order = np.lexsort((-rows["value"], rows["moment"]))
    order = order[owner[order] >= 0]
    owner, moment, value = owner[order], rows["moment"][order], rows["value"][order]
    results = []
    for begin, end in spans:
        latest = np.full(uuids.size, np.nan)
        within = slice(*np.searchsorted(moment, [stamp_of(begin), stamp_of(end)]).tolist())
        latest[owner[within]] = value[within]
        results.append(latest)
    return results


def _year_to(tenant: TenantRef, end: date) -> tuple[datetime, datetime]:
    """The twelve months to the end of a day, in the tenant's time zone."""
    after = end + timedelta(days=1)
    before = date(after.year - 1, after.month, min(after.day, 28) if after.month == _FEBRUARY else after.day)
    return start_of_day(tenant, before), start_of_day(tenant, after)


def has_transitions(session: TenantSession) -> bool:
    """Whether the status table has rows."""
    with session.cursor() as cursor:
        return cursor.execute("SELECT 1 FROM status_transitions LIMIT 1").fetchone() is not None


def patient_transitions(session: TenantSession, patient: UUID) -> list[dict[str, Any]]:
    """The transitions of one patient, in order."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT from_status, to_status, date, reason FROM status_transitions WHERE patient_uuid = %s ORDER BY seq",
            (patient,),
        )
        names = ("from_status", "to_status", "date", "reason")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def on_record(session: TenantSession, patient: UUID) -> bool:
    """Whether the patient is on record now, at a facility within reach."""
    query = sql.SQL(
        "SELECT 1 FROM patients AS p WHERE p.uuid = %s AND p.known_to IS NULL AND NOT p.voided AND {}"
    ).format(within_reach_sql(session, "p.facility_uuid", "p.uuid"))
    with session.cursor() as cursor:
        return cursor.execute(query, (patient,)).fetchone() is not None


def facilities(session: TenantSession) -> list[FacilityRow]:
    """All facilities within reach, by DATIM id."""
    query = sql.SQL(
        "SELECT f.uuid, f.datim_id, f.name, f.complete_through, f.data_date FROM facilities AS f WHERE {}"
        " ORDER BY f.datim_id"
    ).format(whole_facility_within_reach_sql(session, "f.uuid"))
    with session.cursor() as cursor:
        cursor.execute(query)
        return [FacilityRow(*row) for row in cursor.fetchall()]


def latest_data_date(session: TenantSession) -> date | None:
    """The latest data date of all facilities of the tenant, within reach or not; None where none has one."""
    with session.cursor() as cursor:
        row = cursor.execute("SELECT max(data_date) FROM facilities").fetchone()
    return None if row is None else row[0]


def facility_order(rows: Sequence[FacilityRow]) -> list[str]:
    """The DATIM ids of all facilities within reach, in the order of the codes of ``People.facility``."""
    return [row.datim_id for row in sorted(rows, key=lambda row: row.uuid.bytes)]


def page_of_facilities(session: TenantSession, paging: PageRequest) -> Slice[Facility]:
    """One page of the facilities within reach."""
    columns = {"facility": col(Facility.datim_id), "name": col(Facility.name)}
    statement = select(Facility).where(whole_facility_within_reach(session, Facility.uuid))
    return read_slice(session, statement, paging, columns, col(Facility.uuid))


def volume(session: TenantSession, *, bookings: bool, today: date) -> FacilityVolume:
    """The volume of each facility by day. A facility without a data date counts as having data up to today."""
    source = (
        "SELECT facility_uuid, due_date AS day FROM appointments"
        " WHERE known_to IS NULL AND NOT voided AND status IN ('kept', 'missed')"
        if bookings
        else "SELECT facility_uuid, contact_date AS day FROM contacts WHERE known_to IS NULL"
    )
    query = sql.SQL(
        "SELECT v.facility_uuid, v.day - DATE '1970-01-01', count(*)::int4 FROM ({}) AS v GROUP BY 1, 2"
    ).format(sql.SQL(source))
    rows = fetch(session, query, {"facility": "uuid", "day": "int4", "count": "int4"})
    with session.cursor() as cursor:
        facility_rows = cursor.execute(
            "SELECT uuid, coalesce(data_date, %s) FROM facilities ORDER BY uuid", (today,)
        ).fetchall()
    facility_uuids = np.array([row[0].bytes for row in facility_rows], dtype="S16")
    place = places(facility_uuids, rows["facility"])
    has_facility = place >= 0
    return FacilityVolume(
        facilities=tuple(row[0] for row in facility_rows),
        data_day=np.array([day_number(row[1]) for row in facility_rows], dtype=np.int64),
        facility=place[has_facility],
        day=rows["day"][has_facility],
        count=rows["count"][has_facility],
    )


def store_complete_through(session: TenantSession, uuids: Sequence[UUID], through: DayArray) -> int:
    """Write the dates that changed; return how many."""
    days = [to_date(day) for day in through.tolist()]
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE facilities AS f SET complete_through = v.day"
            " FROM unnest(%s::uuid[], %s::date[]) AS v (uuid, day)"
            " WHERE f.uuid = v.uuid AND f.complete_through IS DISTINCT FROM v.day",
            (list(uuids), days),
        )
        return cursor.rowcount


def complete_days(session: TenantSession) -> DayArray:
    """The complete-through day of each facility, in the order of ``Timelines.facilities``; NO_DAY where unknown."""
    with session.cursor() as cursor:
        rows = cursor.execute("SELECT complete_through FROM facilities ORDER BY uuid").fetchall()
    return np.array([NO_DAY if row[0] is None else day_number(row[0]) for row in rows], dtype=np.int32)
