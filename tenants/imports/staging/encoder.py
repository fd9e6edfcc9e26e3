"""Encode facts as rows of the staging table in COPY's binary format; identities are computed column by column."""

from __future__ import annotations

from hashlib import blake2b
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.database import binary_copy
from tenants.imports.facts import PatientFact
from tenants.imports.slots import SLOT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from core.database import TenantSession
    from tenants.imports.facts import Fact
    from tenants.imports.reading.blocks import Events, RecordNames
    from tenants.imports.staging.keys import PatientFacilities

STAGED_TYPES: dict[str, str] = {
    "import_uuid": "uuid",
    "kind": "text",
    "state": "text",
    "file": "int2",
    "label": "text",
    "patient_label": "text",
    "voided": "bool",
    "facility_name": "text",
    "digest": "bytea",
    "content": "bytea",
    "personal": "bytea",
    "seen_on": "date",
    "birthdate": "date",
    "seq": "int8",
    "line": "int8",
    "facility": "text",
    "patient_key": "bytea",
    "source_key": "bytea",
    "event_date": "date",
    "known_at": "timestamptz",
    "facility_uuid": "uuid",
    "entity_uuid": "uuid",
    "patient_uuid": "uuid",
    "row_hash": "bytea",
} | SLOT_TYPES
"""Columns of the staging table in the order in which they are copied: first those that many rows have in common."""

COPY_STAGED = f"COPY import_staging ({', '.join(STAGED_TYPES)}) FROM STDIN (FORMAT BINARY)"
_COMMON = tuple(STAGED_TYPES)[: tuple(STAGED_TYPES).index("digest")]
_NO_DOCUMENT = binary_copy.field("bytea", b"") * 2 + binary_copy.NULL * 3
"""The empty fields from digest to birth date in the row of an event, whose content has columns of its own."""
_NO_EVENT = binary_copy.NULL * (4 + len(SLOT_TYPES))
"""Identities and columns of facts that are staged as JSON."""
_ROWS_A_WRITE = 1000


class Document(NamedTuple):
    """A fact without columns of its own: a facility, a person, a status.

    Attributes:
        names: its kind, and the source's names for the patient's identifier and the day.
        body: its content, encoded by ``body_of``.
        seen_on: the day of the row that the person was read from.
        facility: DATIM id; ``facility_name`` is the row's name for the facility if it has no DATIM id, folded.
    """

    names: RecordNames
    state: str
    file: int
    line: int
    seq: int
    voided: bool
    body: bytes
    seen_on: date | None
    birthdate: date | None
    facility: str | None
    patient_key: bytes | None
    source_key: bytes
    event_date: date | None
    known_at: datetime | None
    facility_name: str | None = None


def body_of(digest: bytes, content: bytes, personal: bytes | None) -> bytes:
    """The encoded fields for a fact's digest, content and personal data. Equal facts have equal digests."""
    return binary_copy.fields(("bytea",) * 3, (digest, content, personal))


class Encoder:
    """Builds rows of the staging table in COPY's binary format.

    Args:
        session: the step's transaction.
        import_uuid: the import of the rows.
        where: the facilities of the import's patients.
        patient_key: the blind index of a patient's identifier.
    """

    def __init__(
        self, session: TenantSession, import_uuid: UUID, where: PatientFacilities, patient_key: Callable[[str], bytes]
    ) -> None:
        self._session, self._import_uuid, self._where, self._patient_key = session, import_uuid, where, patient_key
        self._beginnings: dict[tuple[object, ...], bytes] = {}

    def document(self, fact: Document) -> bytes:
        """The row of a fact without columns of its own."""
        field = binary_copy.field
        return b"".join(
            (
                self._beginning(fact.names, fact.state, fact.file, fact.facility_name, voided=fact.voided),
                fact.body,
                field("date", fact.seen_on),
                field("date", fact.birthdate),
                field("int8", fact.seq),
                field("int8", fact.line),
                field("text", fact.facility),
                field("bytea", fact.patient_key),
                field("bytea", fact.source_key),
                field("date", fact.event_date),
                field("timestamptz", fact.known_at),
                _NO_EVENT,
            )
        )

    def look_up(self, events: Sequence[Events], facts: Iterable[Fact]) -> None:
        """Load the facilities of the patients of these events and facts, in at most three statements."""
        keys: set[bytes] = set()
        places: set[str] = set()
        for fact in facts:
            if isinstance(fact, PatientFact) and fact.facility is not None:
                self._where.learn(self._patient_key(fact.patient), fact.facility)
        for one in events:
            if one.facilities is None:
                keys.update(map(self._patient_key, set(one.patients)))
                continue
            pairs = set(zip(one.patients, one.facilities, strict=True))
            keys.update(self._patient_key(patient) for patient, place in pairs if place is None)
            places.update(place for _, place in pairs if place is not None)
        self._where.look_up(self._session, keys, places)

    def events(self, events: Events, seqs: Sequence[int]) -> Iterator[bytes]:
        """The rows of events in portions, so that the server stores some while this process builds others."""
        names, file, place = events.record, events.file, events.facility_name
        beginning = self._beginning(names, "accepted", file, place, voided=events.voided) + _NO_DOCUMENT
        people = self._people(events)
        return (
            b"".join(_joined(beginning, people, events, seqs, slice(first, first + _ROWS_A_WRITE)))
            for first in range(0, len(people), _ROWS_A_WRITE)
        )

    def _beginning(
        self, names: RecordNames, state: str, file: int, facility_name: str | None, *, voided: bool
    ) -> bytes:
        """The fields that are the same in all rows of a kind."""
        beginning = self._beginnings.get((names, state, file, facility_name, voided))
        if beginning is None:
            values = (
                self._import_uuid,
                names.kind,
                state,
                file,
                names.label,
                names.patient_label,
                voided,
                facility_name,
            )
            beginning = binary_copy.row_of(len(STAGED_TYPES)) + binary_copy.fields(
                [STAGED_TYPES[name] for name in _COMMON], values
            )
            self._beginnings[names, state, file, facility_name, voided] = beginning
        return beginning

    def _people(self, events: Events) -> list[_Person]:
        where, kind = self._where, events.record.kind
        places: Iterable[str | None] = repeat(None) if events.facilities is None else events.facilities
        middle = b"\x1f" + where.source.encode() + b"\x1f"
        known: dict[tuple[str, str | None], _Person] = {}

        def person(who: tuple[str, str | None]) -> _Person:
            encoded = known.get(who)
            if encoded is None:
                key = self._patient_key(who[0])
                facility = where.facility(who[1], key)
                if facility is None:
                    encoded = _Person(binary_copy.SIXTEEN + key, binary_copy.NULL, binary_copy.NULL, b"", b"")
                else:
                    patient: UUID = where.patient(facility, key)
                    encoded = _Person(
                        binary_copy.SIXTEEN + key,
                        binary_copy.SIXTEEN + facility.bytes,
                        binary_copy.SIXTEEN + patient.bytes,
                        b'["' + str(patient).encode() + b'"',
                        kind.encode() + b"\x1f" + facility.bytes + middle,
                    )
                known[who] = encoded
            return encoded

        return list(map(person, zip(events.patients, places, strict=False)))


class _Person(NamedTuple):
    """The part of an event that depends on patient and facility: fields, and the start of fingerprints and UUIDs."""

    key: bytes
    facility: bytes
    patient: bytes
    fingerprint: bytes
    name: bytes


def _joined(
    beginning: bytes, people: list[_Person], events: Events, seqs: Sequence[int], part: slice
) -> Iterator[bytes]:
    people, blind = people[part], events.blind[part]
    keys, facilities, patients, fingerprints, names = zip(*people, strict=True)
    entities = [blake2b(name + key, digest_size=16).digest() for name, key in zip(names, blind, strict=True)]
    hashes = [
        blake2b(fingerprint + parts, digest_size=16).digest()
        for fingerprint, parts in zip(fingerprints, events.fingerprint_parts[part], strict=True)
    ]
    pieces: list[Iterable[bytes]] = [
        repeat(beginning),
        _places(seqs[part], events.lines[part]),
        repeat(binary_copy.NULL) if events.facilities is None else _texts(events.facilities[part]),
        keys,
        repeat(binary_copy.SIXTEEN),
        blind,
        events.days[part],
        repeat(binary_copy.NULL) if events.stamps is None else events.stamps[part],
        facilities,
        *_sixteen(_uuids(entities), names),
        patients,
        *_sixteen(hashes, names),
        events.content[part],
    ]
    return map(b"".join, zip(*pieces, strict=False))


def _sixteen(values: list[bytes], names: tuple[bytes, ...]) -> list[Iterable[bytes]]:
    """Return the pieces of a column of 16 bytes.

    An empty name means that the patient's facility is unknown: the field is null.
    """
    if all(names):
        return [repeat(binary_copy.SIXTEEN), values]
    return [
        [binary_copy.SIXTEEN + value if name else binary_copy.NULL for value, name in zip(values, names, strict=True)]
    ]


def _places(seqs: Sequence[int], lines: Sequence[int]) -> list[bytes]:
    """The fields of the number and the line of each row."""
    fields = np.zeros(len(seqs), dtype=[("a", ">i4"), ("seq", ">i8"), ("b", ">i4"), ("line", ">i8")])
    fields["a"] = fields["b"] = 8
    fields["seq"], fields["line"] = seqs, lines
    return _cut(fields.tobytes(), fields.itemsize)


def _uuids(digests: list[bytes]) -> list[bytes]:
    """UUIDv8s of these bytes, in the form of ``records.ids.entity_uuid``."""
    table = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16).copy()
    table[:, 6] = table[:, 6] & 0x0F | 0x80
    table[:, 8] = table[:, 8] & 0x3F | 0x80
    return _cut(table.tobytes(), 16)


def _cut(whole: bytes, size: int) -> list[bytes]:
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def _texts(values: Iterable[str | None]) -> list[bytes]:
    known: dict[str | None, bytes] = {}
    return [known.get(value) or known.setdefault(value, binary_copy.field("text", value)) for value in values]
