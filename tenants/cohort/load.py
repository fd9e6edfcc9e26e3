"""Timelines from the tenant's tables, in chunks of patients: memory is bounded by the chunk, never by the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID, SafeUUID

import numpy as np
import numpy.typing as npt
from psycopg import sql

from tenants.cohort.columns import Columns, fetch, fetch_together, local_days, places
from tenants.cohort.merged import Merges
from tenants.cohort.texts import TEXTS, Texts
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import (
    ADHERENCE,
    BOOKING_STATUSES,
    NO_DAY,
    NO_WORD,
    PREGNANCY,
    STATE_CODES,
    VARIABLES,
    WORD_CODES,
    Timelines,
    to_date,
)
from tenants.records import identities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from core.database import TenantSession

CHUNK_PATIENTS: Final = 5000
_FIRST: Final = UUID(int=0)
_FEW: Final = 50
"""The most patients whose facts one statement reads: for few patients, round trips cost more than the rows."""

_CENSORED: Final = 0.999999
"""Factor for a result that was reported as below a limit (value_text '<'): it counts as just below the limit."""
_LIMIT_DIGITS: Final = 3

_PATIENTS: Final = sql.SQL(
    "SELECT p.uuid, p.facility_uuid FROM patients AS p WHERE p.known_to IS NULL AND NOT p.voided"
    " AND p.uuid > {after} {chosen} {facilities} ORDER BY p.uuid LIMIT {limit}"
)
_PROFILES: Final = sql.SQL(
    "SELECT t.uuid, (CASE t.sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 ELSE 0 END)::int2,"
    " coalesce(t.birthdate, '-infinity'), coalesce(t.art_start_date, '-infinity'), t.transferred_in,"
    " CASE WHEN t.known_assumed THEN '-infinity' ELSE t.known_from END, coalesce(t.known_to, 'infinity')"
    " FROM patients AS t WHERE NOT t.voided AND {range}"
)
_CONTACTS: Final = sql.SQL(
    "SELECT t.patient_uuid, t.contact_date,"
    " coalesce(t.days_supplied, 0)::int8 * 8 + t.clinical::int4 + 2 * t.pickup::int4 + 4 * t.known_assumed::int4,"
    " coalesce(t.next_appointment, '-infinity') {texts}, t.known_from, coalesce(t.known_to, 'infinity')"
    " FROM contacts AS t WHERE {range}"
)
_BOOKINGS: Final = sql.SQL(
    "SELECT t.patient_uuid, t.uuid, coalesce(t.booked_on, t.due_date), t.due_date,"
    " (array_position({statuses}::text[], t.status) - 1)::int2, t.known_from, coalesce(t.known_to, 'infinity')"
    " FROM appointments AS t WHERE NOT t.voided AND {range}"
)
_STATES: Final = sql.SQL(
    "SELECT t.patient_uuid, coalesce(t.start_date, '-infinity'), (CASE t.state {codes} ELSE 0 END)::int2,"
    " t.start_date IS NOT NULL, t.known_from, coalesce(t.known_to, 'infinity')"
    " FROM patient_states AS t WHERE NOT t.voided AND {range}"
)
_GAPS: Final = sql.SQL(
    "SELECT t.patient_uuid, t.list_date, (CASE t.partner_status {words} {codes} ELSE 0 END)::int2,"
    " coalesce(CASE WHEN t.partner_status = ANY({states}) THEN ("
    " SELECT min(s.data_date)::timestamp AT TIME ZONE {zone} FROM radet_snapshots AS s"
    " WHERE s.patient_uuid = t.patient_uuid AND s.source = t.source AND s.data_date > t.list_date"
    " AND s.status NOT IN ('unknown', t.partner_status)"
    " AND (t.partner_status IN ('died', 'invalid') OR s.status IN ('active', 'active_restart'))"
    ") END, 'infinity'), t.known_from, coalesce(t.known_to, 'infinity') FROM unread_contacts AS t WHERE {range}"
)
"""Query of unreadable contacts. A death or leave on a list ends when a newer list of the source contradicts it, as in
``tenants.records.chains``.
"""
_STATE_WORDS: Final = 100
"""The first code of a state: from it on, the partner's list says that the person died or left."""
_OBSERVATIONS: Final = sql.SQL(
    "SELECT t.patient_uuid, t.obs_datetime, (array_position({variables}::text[], t.variable_name) - 1)::int2,"
    " coalesce(CASE t.variable_name"
    " WHEN 'arv_adherence' THEN CASE lower(t.value_coded) {adherence} END"
    " WHEN 'pregnancy' THEN CASE lower(t.value_coded) {pregnancy} END"
    " ELSE t.value_numeric * CASE WHEN t.value_text = '<' THEN {censored} ELSE 1 END END, 'NaN')::float8,"
    " t.known_from, coalesce(t.known_to, 'infinity')"
    " FROM observations AS t WHERE NOT t.voided AND t.variable_name = ANY({variables}) AND {range}"
)
_KNOWN: Final = {"known_from": "stamp", "known_to": "stamp"}


def load_timelines(
    session: TenantSession,
    *,
    patient_uuids: Sequence[UUID] | None = None,
    facility_uuids: Sequence[UUID] | None = None,
    chunk_patients: int = CHUNK_PATIENTS,
    texts: Texts | None = None,
) -> Iterator[Timelines]:
    """Yield the timelines, with all versions, of the patients on record now, in order of their UUID.

    After a first import without stamps, a person's sex, birth and ART start count as known from the beginning. That
    shows nothing too early: sex and birth are not events, and an ART start counts from its own day on.

    Args:
        session: the tenant's transaction.
        patient_uuids: only these; None for all.
        facility_uuids: only patients of these; None for all.
        chunk_patients: patients per chunk.
        texts: the texts that earlier calls have read.
    """
    yield from _chunks(Loader(session, patient_uuids, facility_uuids, texts), chunk_patients)


def load_expectations(
    session: TenantSession,
    since: int = NO_DAY,
    *,
    patient_uuids: Sequence[UUID] | None = None,
    chunk_patients: int = CHUNK_PATIENTS,
) -> Iterator[Timelines]:
    """Timelines with only what determines expected contacts, at half the cost of all facts.

    They lack observations, regimens, and contacts before the day ``since`` (NO_DAY: all contacts).
    """
    yield from _chunks(Loader(session, patient_uuids, None, since=since), chunk_patients)


def _chunks(loader: Loader, chunk_patients: int) -> Iterator[Timelines]:
    after = _FIRST
    while True:
        chunk = loader.chunk(after, chunk_patients)
        if len(chunk) == 0:
            return
        yield chunk
        if len(chunk) < chunk_patients:
            return
        after = chunk.patient_uuid[-1]


def load_expectations_after(
    session: TenantSession, after: UUID | None, chunk_patients: int = CHUNK_PATIENTS
) -> Timelines:
    """Return one chunk of ``load_expectations``: the patients after a UUID.

    Use it for work in several transactions.
    """
    return Loader(session, None, None, since=NO_DAY).chunk(after or _FIRST, chunk_patients)


def facilities_of(session: TenantSession) -> tuple[UUID, ...]:
    """All facilities, in the order of ``Timelines.facilities``."""
    with session.cursor() as cursor:
        return tuple(row[0] for row in cursor.execute("SELECT uuid FROM facilities ORDER BY uuid").fetchall())


class Loader:
    """Loads chunks of timelines, which share the facilities, the texts read so far, and the time zone of days."""

    def __init__(
        self,
        session: TenantSession,
        patients: Sequence[UUID] | None,
        facilities: Sequence[UUID] | None,
        texts: Texts | None = None,
        since: int | None = None,
    ) -> None:
        self._session = session
        self._patient_uuids = patients
        self._within = facilities
        self._facilities = facilities_of(session)
        self._texts = texts or Texts()
        self._zone = session.tenant.time_zone
        self._since = since
        self._merges_of_chunk: Merges | None = None

    def chunk(self, after: UUID, size: int) -> Timelines:
        """The next patients after a UUID."""
        uuids, facility = self._patients(after, size)
        if uuids.size == 0:
            return make_timelines([])
        self._merges_of_chunk = self._merges(uuids)
        queries = self._questions(uuids)
        if uuids.size <= _FEW:
            columns = fetch_together(self._session, queries)
        else:
            columns = {name: fetch(self._session, *question) for name, question in queries.items()}
        return self._timelines_of(uuids, facility, columns)

    def _timelines_of(
        self, uuids: npt.NDArray[np.bytes_], facility: npt.NDArray[np.int64], columns: dict[str, Columns]
    ) -> Timelines:
        """The timelines of these patients from the columns of their facts."""
        states = self._states(uuids, columns.pop("states"))
        gaps, states_from_lists = self._gaps(uuids, columns.pop("gaps"))
        return make_timelines(
            [_uuid(value) for value in uuids.tolist()],
            facility=facility,
            facilities=self._facilities,
            profiles=self._with_patients(uuids, "profiles", columns.pop("profiles")),
            contacts=self._contacts(uuids, columns.pop("contacts")),
            bookings=self._bookings(uuids, columns.pop("bookings")),
            states=_together(
                states, {**states_from_lists, "dated": np.ones(len(states_from_lists["date"]), dtype=np.bool_)}
            ),
            gaps=gaps,
            observations=self._observations(uuids, columns.pop("observations")) if "observations" in columns else {},
            regimens=tuple(self._texts.regimens),
            lines=tuple(self._texts.lines),
        )

    def _questions(self, uuids: npt.NDArray[np.bytes_]) -> dict[str, tuple[sql.Composed, dict[str, str]]]:
        """The query of each kind of fact, and its columns."""
        bounds, own = self._range(uuids), self._own_range(uuids, "patient_uuid")  # the table of contacts follows merges
        contacts = {"date": "date", "packed": "int8", "next_appointment": "date"}
        if self._since is None:
            contact_query = _CONTACTS.format(texts=sql.SQL(", {}").format(TEXTS), range=own)
            contacts["texts"] = "int8"
        else:
            if self._since != NO_DAY:
                own = sql.SQL("{} AND t.contact_date >= {}").format(own, to_date(self._since))
            contact_query = _CONTACTS.format(texts=sql.SQL(""), range=own)
        queries = {
            "profiles": (
                _PROFILES.format(range=self._range(uuids, "uuid")),
                {"sex": "int2", "birth": "date", "art_start": "date", "transferred_in": "bool"},
            ),
            "contacts": (contact_query, contacts),
            "bookings": (
                _BOOKINGS.format(statuses=list(BOOKING_STATUSES), range=bounds),
                {"entity": "uuid", "booked": "date", "due": "date", "status": "int2"},
            ),
            "states": (
                _STATES.format(codes=_cases(STATE_CODES), range=bounds),
                {"date": "date", "code": "int2", "dated": "bool"},
            ),
            "gaps": (
                _GAPS.format(
                    words=_cases(WORD_CODES),
                    codes=_cases({word: _STATE_WORDS + code for word, code in STATE_CODES.items()}),
                    states=list(STATE_CODES),
                    zone=self._zone,
                    range=bounds,
                ),
                {"date": "date", "word": "int2", "until": "stamp"},
            ),
        }
        if self._since is None:
            query = _OBSERVATIONS.format(
                variables=list(VARIABLES),
                adherence=_cases(ADHERENCE),
                pregnancy=_cases(PREGNANCY),
                censored=_CENSORED,
                range=bounds,
            )
            queries["observations"] = (query, {"date": "stamp", "variable": "int2", "value": "float8"})
        return {name: (query, {"patient": "uuid", **kinds, **_KNOWN}) for name, (query, kinds) in queries.items()}

    def _patients(self, after: UUID, size: int) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int64]]:
        some, none = sql.SQL("AND {} = ANY({})"), sql.SQL("")
        condition = (
            none if self._patient_uuids is None else some.format(sql.Identifier("p", "uuid"), list(self._patient_uuids))
        )
        within = none if self._within is None else some.format(sql.Identifier("p", "facility_uuid"), list(self._within))
        query = _PATIENTS.format(after=after, chosen=condition, facilities=within, limit=size)
        rows = fetch(self._session, query, {"uuid": "uuid", "facility": "uuid"})
        facilities = np.array([value.bytes for value in self._facilities], dtype="S16")
        return rows["uuid"], places(facilities, rows["facility"])

    def _merges(self, uuids: npt.NDArray[np.bytes_]) -> Merges | None:
        """The merges that concern the chunk, where there are any."""
        first, last = _uuid(uuids[0]), _uuid(uuids[-1])
        identities_of_chunk = identities.between(self._session, first, last)
        return Merges(identities_of_chunk, uuids, self._zone) if identities_of_chunk else None

    def _range(self, uuids: npt.NDArray[np.bytes_], column: str = "patient_uuid") -> sql.Composable:
        """Return the condition for the chunk's rows, and for rows of patients merged into a patient of the chunk."""
        if self._merges_of_chunk is None or not self._merges_of_chunk.outside:
            return self._own_range(uuids, column)
        of_others = sql.SQL("{} = ANY({})").format(sql.Identifier("t", column), self._merges_of_chunk.outside)
        return sql.SQL("({} OR {})").format(self._own_range(uuids, column), of_others)

    def _own_range(self, uuids: npt.NDArray[np.bytes_], column: str) -> sql.Composable:
        """A list of UUIDs for few patients, otherwise a range along the index."""
        name = sql.Identifier("t", column)
        if self._patient_uuids is not None or self._within is not None:
            literals = ",".join([value.ljust(16, b"\0").hex() for value in uuids.tolist()])
            return sql.SQL("{} = ANY({}::uuid[])").format(name, f"{{{literals}}}")
        return sql.SQL("{} BETWEEN {} AND {}").format(name, _uuid(uuids[0]), _uuid(uuids[-1]))

    def _with_patients(self, uuids: npt.NDArray[np.bytes_], name: str, rows: Columns) -> Columns:
        """Columns with the patient's index and days, without the rows of patients outside the chunk."""
        rows["known_from"] = local_days(rows["known_from"], self._zone)
        rows["known_to"] = local_days(rows["known_to"], self._zone)
        if self._merges_of_chunk is not None and name != "contacts":
            rows = self._merges_of_chunk.profiles(rows) if name == "profiles" else self._merges_of_chunk.lay(rows)
        patient = places(uuids, rows.pop("patient"))
        mask = (patient >= 0) & (rows["known_to"] > rows["known_from"])
        if mask.all():
            return {"patient": patient, **rows}
        return {"patient": patient[mask], **{name: column[mask] for name, column in rows.items()}}

    def _contacts(self, uuids: npt.NDArray[np.bytes_], columns: Columns) -> Columns:
        rows = self._with_patients(uuids, "contacts", columns)
        if "texts" in rows:
            rows["regimen"], rows["line"] = self._codes(uuids, rows.pop("texts"))
        packed = rows.pop("packed")
        return rows | {"kind": packed & 3, "assumed": (packed & 4) > 0, "days_supplied": packed >> 3}

    def _codes(
        self, uuids: npt.NDArray[np.bytes_], numbers: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Codes of regimen and line for each number of texts."""
        return self._texts.codes(self._session, numbers, self._own_range(uuids, "patient_uuid"))

    def _bookings(self, uuids: npt.NDArray[np.bytes_], columns: Columns) -> Columns:
        rows = self._with_patients(uuids, "bookings", columns)
        rows["entity"] = np.unique(rows["entity"], return_inverse=True)[1]
        return rows

    def _states(self, uuids: npt.NDArray[np.bytes_], columns: Columns) -> Columns:
        rows = self._with_patients(uuids, "states", columns)
        # A state without a day counts from the day on which it was learned.
        rows["date"] = np.where(rows["date"] == NO_DAY, rows["known_from"], rows["date"])
        return rows

    def _gaps(self, uuids: npt.NDArray[np.bytes_], columns: Columns) -> tuple[Columns, Columns]:
        """Return the unreadable contacts, and, as states, those whose list says that the person died or left."""
        columns["until"] = local_days(columns["until"], self._zone)
        rows = self._with_patients(uuids, "gaps", columns)
        until = np.minimum(rows.pop("until"), rows["known_to"])
        has_left = (rows["word"] >= _STATE_WORDS) & (until > rows["known_from"])
        states = {name: column[has_left] for name, column in {**rows, "known_to": until}.items()}
        gaps = {**rows, "word": np.where(rows["word"] >= _STATE_WORDS, NO_WORD, rows["word"])}
        return gaps, {**states, "code": states.pop("word") - _STATE_WORDS}

    def _observations(self, uuids: npt.NDArray[np.bytes_], columns: Columns) -> Columns:
        rows = self._with_patients(uuids, "observations", columns)
        rows["date"] = local_days(rows["date"], self._zone)
        return rows


def _together(first: Columns, second: Columns) -> Columns:
    """The rows of both, one after the other, with the columns of the first."""
    if not second["date"].size:
        return first
    return {name: np.concatenate((column, second[name])) for name, column in first.items()}


def limit_of(value: float) -> float | None:
    """Return the limit of a result that was reported as below a limit; None for an exact number.

    Such results are loaded as ``_CENSORED`` times the limit. No laboratory reports so many digits, so it is certain.
    """
    limit = round(value / _CENSORED, _LIMIT_DIGITS)
    return limit if limit and limit * _CENSORED == value else None


def _uuid(value: bytes) -> UUID:
    """The UUID of packed bytes, built without checks, as the driver does: a nightly scoring builds very many."""
    value_object = UUID.__new__(UUID)
    object.__setattr__(value_object, "int", int.from_bytes(value.ljust(16, b"\0")))
    object.__setattr__(value_object, "is_safe", SafeUUID.unknown)
    return value_object


def _cases(codes: Mapping[str, float]) -> sql.Composed:
    return sql.SQL(" ").join(sql.SQL("WHEN {} THEN {}").format(word, code) for word, code in codes.items())
