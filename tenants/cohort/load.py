"""Timelines from the tenant's tables, in chunks of patients: memory is bounded by the chunk, never by the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from psycopg import sql

from tenants.cohort.columns import Columns, fetch, places
from tenants.cohort.timelines import (
    ADHERENCE,
    BOOKING_STATUSES,
    NO_DAY,
    OPEN_DAY,
    PREGNANCY,
    STATE_CODES,
    VARIABLES,
    Timelines,
    make_timelines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from core.database import TenantSession

CHUNK_PATIENTS: Final = 5000
_FIRST: Final = UUID(int=0)

_CENSORED: Final = 0.999999
"""A result below a limit (value_text '<') counts as just below it."""

_PATIENTS = sql.SQL(
    "SELECT p.uuid, p.facility_uuid FROM patients AS p WHERE p.known_to IS NULL AND NOT p.voided"
    " AND p.uuid > {after} {chosen} {facilities} ORDER BY p.uuid LIMIT {limit}"
)
_PROFILES = sql.SQL(
    "SELECT t.uuid, (CASE t.sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 ELSE 0 END)::int2, {birth}, {art_start},"
    " t.transferred_in, CASE WHEN t.known_assumed THEN {no_day} ELSE {known_from} END, {known_to}"
    " FROM patients AS t WHERE NOT t.voided AND {range}"
)
_CONTACTS = sql.SQL(
    "SELECT t.patient_uuid, {date}, (t.clinical::int4 + 2 * t.pickup::int4)::int2, coalesce(t.days_supplied, 0),"
    " {next_appointment}, coalesce(array_position({regimens}::text[], t.regimen), 0) - 1,"
    " coalesce(array_position({lines}::text[], t.regimen_line), 0) - 1, t.known_assumed, {known_from}, {known_to}"
    " FROM contacts AS t WHERE {range}"
)
_BOOKINGS = sql.SQL(
    "SELECT t.patient_uuid, t.uuid, {booked}, {due}, (array_position({statuses}::text[], t.status) - 1)::int2,"
    " {known_from}, {known_to} FROM appointments AS t WHERE NOT t.voided AND {range}"
)
_STATES = sql.SQL(
    "SELECT t.patient_uuid, {date}, (CASE t.state {codes} ELSE 0 END)::int2, {known_from}, {known_to}"
    " FROM patient_states AS t WHERE NOT t.voided AND {range}"
)
_OBSERVATIONS = sql.SQL(
    "SELECT t.patient_uuid, {date}, (array_position({variables}::text[], t.variable_name) - 1)::int2,"
    " coalesce(CASE t.variable_name"
    " WHEN 'arv_adherence' THEN CASE lower(t.value_coded) {adherence} END"
    " WHEN 'pregnancy' THEN CASE lower(t.value_coded) {pregnancy} END"
    " ELSE t.value_numeric * CASE WHEN t.value_text = '<' THEN {censored} ELSE 1 END END, 'NaN')::float8,"
    " {known_from}, {known_to}"
    " FROM observations AS t WHERE NOT t.voided AND t.variable_name = ANY({variables}) AND {range}"
)


def load_timelines(
    session: TenantSession,
    *,
    patient_uuids: Sequence[UUID] | None = None,
    facility_uuids: Sequence[UUID] | None = None,
    chunk_patients: int = CHUNK_PATIENTS,
) -> Iterator[Timelines]:
    """The timelines, all versions, of the patients who are on record now, in order of their UUID.

    What the tenant's history assumes of who a person is (a first import without stamps) counts as known from the start:
    sex and birth are no events, and an ART start shows from its own day on.

    Args:
        session: the tenant's transaction.
        patient_uuids: only these; None for all.
        facility_uuids: only patients of these; None for all.
        chunk_patients: patients per chunk.
    """
    loader = _Loader(session, patient_uuids, facility_uuids)
    after = _FIRST
    while True:
        chunk = loader.chunk(after, chunk_patients)
        if len(chunk) == 0:
            return
        yield chunk
        if len(chunk) < chunk_patients:
            return
        after = chunk.patient_uuid[-1]


def load_after(session: TenantSession, after: UUID | None, chunk_patients: int = CHUNK_PATIENTS) -> Timelines:
    """One chunk of all patients, those after a UUID, for work whose steps are transactions of their own."""
    return _Loader(session, None, None).chunk(after or _FIRST, chunk_patients)


def facilities_of(session: TenantSession) -> tuple[UUID, ...]:
    """All facilities, in the order of ``Timelines.facilities``."""
    with session.cursor() as cursor:
        return tuple(row[0] for row in cursor.execute("SELECT uuid FROM facilities ORDER BY uuid").fetchall())


def vocabulary(session: TenantSession, column: str, patient_uuids: Sequence[UUID] | None = None) -> list[str]:
    """The different texts of a column of ``contacts``, sorted."""
    chosen = (
        sql.SQL("") if patient_uuids is None else sql.SQL(" AND patient_uuid = ANY({})").format(list(patient_uuids))
    )
    query = sql.SQL("SELECT DISTINCT {name} FROM contacts WHERE {name} IS NOT NULL {chosen} ORDER BY 1").format(
        name=sql.Identifier(column), chosen=chosen
    )
    with session.cursor() as cursor:
        return [row[0] for row in cursor.execute(query).fetchall()]


class _Loader:
    """What is the same for all chunks: vocabularies, facilities, and the expressions that make days of dates."""

    def __init__(
        self, session: TenantSession, patients: Sequence[UUID] | None, facilities: Sequence[UUID] | None
    ) -> None:
        self._session = session
        self._chosen = patients
        self._within = facilities
        self._facilities = facilities_of(session)
        self._regimens = vocabulary(session, "regimen", patients)
        self._lines = vocabulary(session, "regimen_line", patients)
        self._zone = session.tenant.time_zone

    def chunk(self, after: UUID, size: int) -> Timelines:
        """The next patients after a UUID."""
        uuids, facility = self._patients(after, size)
        if uuids.size == 0:
            return make_timelines([])
        bounds = self._range(uuids)
        return make_timelines(
            [_uuid(value) for value in uuids.tolist()],
            facility=facility,
            facilities=self._facilities,
            profiles=self._profiles(uuids),
            contacts=self._contacts(uuids, bounds),
            bookings=self._bookings(uuids, bounds),
            states=self._states(uuids, bounds),
            observations=self._observations(uuids, bounds),
            regimens=self._regimens,
            lines=self._lines,
        )

    def _patients(self, after: UUID, size: int) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int64]]:
        some, none = sql.SQL("AND {} = ANY({})"), sql.SQL("")
        chosen = none if self._chosen is None else some.format(sql.Identifier("p", "uuid"), list(self._chosen))
        within = none if self._within is None else some.format(sql.Identifier("p", "facility_uuid"), list(self._within))
        query = _PATIENTS.format(after=after, chosen=chosen, facilities=within, limit=size)
        found = fetch(self._session, query, {"uuid": "uuid", "facility": "uuid"})
        known = np.array([value.bytes for value in self._facilities], dtype="S16")
        return found["uuid"], places(known, found["facility"])

    def _range(self, uuids: npt.NDArray[np.bytes_], column: str = "patient_uuid") -> sql.Composable:
        """The condition that finds the chunk's rows: a list where few were asked for, else a range along the index."""
        name = sql.Identifier("t", column)
        if self._chosen is not None or self._within is not None:
            return sql.SQL("{} = ANY({})").format(name, [_uuid(value) for value in uuids.tolist()])
        return sql.SQL("{} BETWEEN {} AND {}").format(name, _uuid(uuids[0]), _uuid(uuids[-1]))

    def _day(self, name: str, missing: int | None = None) -> sql.Composed:
        day = sql.SQL("{} - DATE '1970-01-01'").format(sql.Identifier("t", name))
        return day if missing is None else sql.SQL("coalesce({}, {})").format(day, _int4(missing))

    def _moment(self, name: str, missing: int | None = None) -> sql.Composed:
        day = sql.SQL("({} AT TIME ZONE {})::date - DATE '1970-01-01'").format(sql.Identifier("t", name), self._zone)
        return day if missing is None else sql.SQL("coalesce({}, {})").format(day, _int4(missing))

    def _read(
        self, uuids: npt.NDArray[np.bytes_], query: sql.SQL, columns: Mapping[str, str], parts: Mapping[str, Any]
    ) -> Columns:
        """Columns of a kind of row, the patient's index among them; rows of nobody in the chunk are dropped."""
        known = {"known_from": self._moment("known_from"), "known_to": self._moment("known_to", OPEN_DAY)}
        made = query.format(**known, **parts)
        found = fetch(self._session, made, {"patient": "uuid", **columns, "known_from": "int4", "known_to": "int4"})
        patient = places(uuids, found.pop("patient"))
        kept = (patient >= 0) & (found["known_to"] > found["known_from"])
        return {"patient": patient[kept], **{name: column[kept] for name, column in found.items()}}

    def _profiles(self, uuids: npt.NDArray[np.bytes_]) -> Columns:
        return self._read(
            uuids,
            _PROFILES,
            {"sex": "int2", "birth": "int4", "art_start": "int4", "transferred_in": "bool"},
            {
                "birth": self._day("birthdate", NO_DAY),
                "art_start": self._day("art_start_date", NO_DAY),
                "no_day": _int4(NO_DAY),
                "range": self._range(uuids, "uuid"),
            },
        )

    def _contacts(self, uuids: npt.NDArray[np.bytes_], bounds: sql.Composable) -> Columns:
        return self._read(
            uuids,
            _CONTACTS,
            {
                "date": "int4",
                "kind": "int2",
                "days_supplied": "int4",
                "next_appointment": "int4",
                "regimen": "int4",
                "line": "int4",
                "assumed": "bool",
            },
            {
                "date": self._day("contact_date"),
                "next_appointment": self._day("next_appointment", NO_DAY),
                "regimens": self._regimens,
                "lines": self._lines,
                "range": bounds,
            },
        )

    def _bookings(self, uuids: npt.NDArray[np.bytes_], bounds: sql.Composable) -> Columns:
        booked = sql.SQL("coalesce(t.booked_on, t.due_date) - DATE '1970-01-01'")
        found = self._read(
            uuids,
            _BOOKINGS,
            {"entity": "uuid", "booked": "int4", "due": "int4", "status": "int2"},
            {"booked": booked, "due": self._day("due_date"), "statuses": list(BOOKING_STATUSES), "range": bounds},
        )
        found["entity"] = np.unique(found["entity"], return_inverse=True)[1]
        return found

    def _states(self, uuids: npt.NDArray[np.bytes_], bounds: sql.Composable) -> Columns:
        return self._read(
            uuids,
            _STATES,
            {"date": "int4", "code": "int2"},
            {"date": self._day("start_date"), "codes": _cases(STATE_CODES), "range": bounds},
        )

    def _observations(self, uuids: npt.NDArray[np.bytes_], bounds: sql.Composable) -> Columns:
        return self._read(
            uuids,
            _OBSERVATIONS,
            {"date": "int4", "variable": "int2", "value": "float8"},
            {
                "date": self._moment("obs_datetime"),
                "variables": list(VARIABLES),
                "adherence": _cases(ADHERENCE),
                "pregnancy": _cases(PREGNANCY),
                "censored": _CENSORED,
                "range": bounds,
            },
        )


def _uuid(value: bytes) -> UUID:
    return UUID(bytes=value.ljust(16, b"\0"))


def _int4(value: int) -> sql.Composed:
    return sql.SQL("{}::int4").format(str(value))


def _cases(codes: Mapping[str, float]) -> sql.Composed:
    return sql.SQL(" ").join(sql.SQL("WHEN {} THEN {}").format(word, code) for word, code in codes.items())
