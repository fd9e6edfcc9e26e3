"""The patient of a staged event, and its identities: computed while it is read, corrected before it counts.

An event's UUID, its patient's and its fingerprint depend on its facility. That is certain only after all rows are read
and checked, but nearly always known while they are read. So the stager assumes it then, and ``settle`` corrects the
rows with a wrong facility or with none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.database import set_local
from core.database.arrays import bytea_array
from tenants.imports.slots import COLUMNS, MODELS, SLOT_TYPES, SLOTS
from tenants.imports.staging.key_count import KeyCount
from tenants.records.ids import entity_uuid
from tenants.records.upsert_stage import content_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from core.database import TenantSession

MOST_REMEMBERED = 100_000
"""Most patients whose facility is kept in memory; then the memory is cleared."""

_FACILITIES = "SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)"

_HOMES = """
SELECT patient_key, min(facility) FROM import_staging
WHERE import_uuid = %(import)s AND kind = 'patients' AND state = 'accepted' AND patient_key = ANY(%(keys)s::bytea[])
GROUP BY patient_key
"""

_KNOWN_HOMES = """
SELECT source_key, min(datim_id) FROM patients
WHERE source_key = ANY(%(keys)s::bytea[]) AND source = %(source)s AND known_to IS NULL AND NOT voided
GROUP BY source_key
"""


def facility_to_be(import_uuid: UUID, source: str, datim_id: str) -> UUID:
    """The UUID that a facility gets if this import is the first to name it."""
    return entity_uuid("facilities", import_uuid, source, datim_id.encode())


class PatientFacilities:
    """The facilities of an import's patients, as far as they are known while the files are read.

    It works over any number of transactions, also after a rollback, since ``settle`` corrects its answers.

    Attributes:
        keys: keys of the staged rows, without those of facilities and of people from event rows.
    """

    def __init__(self, import_uuid: UUID, source: str) -> None:
        self._import = import_uuid
        self.source = source
        self.keys = KeyCount()
        self._homes: dict[bytes, str | None] = {}
        self._facilities: dict[str, UUID] = {}
        self._patients: dict[tuple[UUID, bytes], UUID] = {}

    def learn(self, patient_key: bytes, datim_id: str) -> None:
        """Add the facility of a patient from a row."""
        self._homes[patient_key] = datim_id

    def look_up(self, session: TenantSession, patient_keys: Collection[bytes], datim_ids: Collection[str]) -> None:
        """Load the known facilities of these patients, in at most three statements."""
        if len(self._homes) + len(patient_keys) > MOST_REMEMBERED:
            self._homes.clear()
        if len(self._patients) > MOST_REMEMBERED:
            self._patients.clear()
        missing = [key for key in patient_keys if key not in self._homes]
        with session.cursor() as cursor:
            if missing:
                self._homes |= dict.fromkeys(missing)
                values: dict[str, Any] = {"import": self._import, "source": self.source, "keys": bytea_array(missing)}
                cursor.execute(_HOMES, values)
                self._homes |= dict(cursor.fetchall())
                unknown = [key for key in missing if self._homes[key] is None]
                if unknown:
                    values["keys"] = bytea_array(unknown)
                    cursor.execute(_KNOWN_HOMES, values)
                    self._homes |= dict(cursor.fetchall())
            homes = (self._homes.get(key) for key in patient_keys)
            places = {place for place in chain(datim_ids, homes) if place is not None and place not in self._facilities}
            if places:
                for place in places:
                    self._facilities[place] = facility_to_be(self._import, self.source, place)
                cursor.execute(_FACILITIES, (list(places),))
                self._facilities |= dict(cursor.fetchall())

    def facility(self, datim_id: str | None, patient_key: bytes) -> UUID | None:
        """The facility of an event: the one it names, else its patient's; None where that is not known yet."""
        place = self._homes.get(patient_key) if datim_id is None else datim_id
        return None if place is None else self._facilities.get(place)

    def patient(self, facility_uuid: UUID, patient_key: bytes) -> UUID:
        """The UUID of a patient at a facility."""
        facility_key = self._patients.get((facility_uuid, patient_key))
        if facility_key is None:
            facility_key = entity_uuid("patients", facility_uuid, self.source, patient_key)
            self._patients[facility_uuid, patient_key] = facility_key
        return facility_key


_HOMES_AS_CHECKED = """
homes AS (
    SELECT DISTINCT ON (patient_key) patient_key, facility FROM import_staging
    WHERE import_uuid = %(import)s AND kind = 'patients' AND state IN ('accepted', 'known')
    ORDER BY patient_key, state
)
"""

# One pass over the rows, and then only patients with differences.
_SURVEY = f"""
WITH groups AS MATERIALIZED (
    SELECT kind, patient_key, facility, facility_uuid, max(seq) AS last FROM import_staging
    WHERE import_uuid = %(import)s AND state = 'accepted' GROUP BY kind, patient_key, facility, facility_uuid
),
{_HOMES_AS_CHECKED}
SELECT EXISTS (
           SELECT FROM groups AS g
           LEFT JOIN homes AS h ON h.patient_key = g.patient_key AND g.facility IS NULL
           JOIN facilities AS f ON f.datim_id = coalesce(g.facility, h.facility)
           WHERE g.kind = ANY(%(kinds)s) AND g.facility_uuid IS DISTINCT FROM f.uuid
       ),
       (SELECT coalesce(json_object_agg(kind, last), '{{}}')
        FROM (SELECT kind, max(last) AS last FROM groups GROUP BY kind) AS k)
"""  # noqa: S608 - constants of this module

_UNSETTLED = sql.SQL(
    f"""
WITH {_HOMES_AS_CHECKED}
SELECT s.seq, s.kind, f.uuid, s.patient_key, s.source_key, {{slots}}
FROM import_staging AS s
LEFT JOIN homes AS h ON h.patient_key = s.patient_key AND s.facility IS NULL
JOIN facilities AS f ON f.datim_id = coalesce(s.facility, h.facility)
WHERE s.import_uuid = %(import)s AND s.state = 'accepted' AND s.kind = ANY(%(kinds)s)
  AND s.facility_uuid IS DISTINCT FROM f.uuid
ORDER BY s.seq LIMIT %(rows)s
"""  # noqa: S608 - constants of this module
).format(slots=sql.SQL(", ").join(sql.Identifier("s", name) for name in COLUMNS))

_KEYS = {"facility_uuid": "uuid", "entity_uuid": "uuid", "patient_uuid": "uuid", "row_hash": "bytea"} | SLOT_TYPES
_TEMPORARY = sql.SQL("CREATE TEMPORARY TABLE settled_rows (seq int8, {}) ON COMMIT DROP").format(
    sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in _KEYS.items())
)
_COPY = sql.SQL("COPY settled_rows (seq, {}) FROM STDIN (FORMAT BINARY)").format(
    sql.SQL(", ").join(map(sql.Identifier, _KEYS))
)
_SETTLE = sql.SQL(
    "UPDATE import_staging AS s SET {} FROM settled_rows AS t WHERE s.import_uuid = %s AND s.seq = t.seq"
).format(sql.SQL(", ").join(sql.SQL("{0} = t.{0}").format(sql.Identifier(name)) for name in (*_KEYS,)))
_BY_HASH = {"enable_nestloop": "off", "work_mem": "64MB"}
_BY_KEY = {"enable_nestloop": "on", "enable_hashjoin": "off", "enable_mergejoin": "off"}


@dataclass(frozen=True, slots=True)
class KeySurvey:
    """The rows to apply.

    Attributes:
        astray: some rows have a wrong facility: ``settle`` them first.
        ends: the last accepted row of each kind.
    """

    astray: bool
    ends: dict[str, int]


def survey(session: TenantSession, import_uuid: UUID) -> KeySurvey:
    """Survey the rows to apply, after all rows are checked and the facilities exist.

    Args:
        session: a transaction of its own, because this sets the planner's options for joins.
        import_uuid: the import.
    """
    with session.cursor() as cursor:
        set_local(cursor, **_BY_HASH, enable_sort="off")
        ((astray, ends),) = cursor.execute(_SURVEY, {"import": import_uuid, "kinds": list(SLOTS)}).fetchall()
        set_local(cursor, enable_sort="on")
    return KeySurvey(astray, ends)


def settle(session: TenantSession, import_uuid: UUID, source: str, rows: int) -> int:
    """Correct the identities of accepted events with a wrong facility.

    Args:
        session: a transaction of its own, because this sets the planner's options for joins.
        import_uuid: the import.
        source: the import's source.
        rows: the largest number to correct.

    Returns:
        The number of corrected events; fewer than ``rows`` when none are left.
    """
    values = {"import": import_uuid, "kinds": list(SLOTS), "rows": rows}
    where = PatientFacilities(import_uuid, source)
    with session.cursor() as cursor:
        set_local(cursor, **_BY_HASH)
        unsettled = cursor.execute(_UNSETTLED, values).fetchall()
        if not unsettled:
            return 0
        cursor.execute(_TEMPORARY)
        with cursor.copy(_COPY) as copy:
            copy.set_types(["int8", *_KEYS.values()])
            for row in unsettled:
                copy.write_row(_settled(where, row))
        cursor.execute("ANALYZE settled_rows")
        set_local(cursor, **_BY_KEY)
        cursor.execute(_SETTLE, (import_uuid,))
    return len(unsettled)


def _settled(where: PatientFacilities, row: tuple[Any, ...]) -> tuple[Any, ...]:
    seq, kind, facility, patient_key, source_key, *slots = row
    columns = {name: slots[COLUMNS.index(slot)] for name, slot in SLOTS[kind].items()}
    return (seq, *identities(where, kind, facility, patient_key, source_key, columns), *slots)


def identities(
    where: PatientFacilities,
    kind: str,
    facility_uuid: UUID,
    patient_key: bytes,
    source_key: bytes,
    content: Mapping[str, object],
) -> tuple[UUID, UUID, UUID, bytes]:
    """Facility, UUID, patient's UUID and fingerprint of an event at a facility."""
    patient = where.patient(facility_uuid, patient_key)
    _, fingerprint = content_values(MODELS[kind], {**content, "patient_uuid": patient})
    return facility_uuid, entity_uuid(kind, facility_uuid, where.source, source_key), patient, fingerprint
