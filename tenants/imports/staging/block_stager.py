"""Blocks of rows into the staging table: identities column by column, rows put together as COPY takes them."""

from __future__ import annotations

from hashlib import blake2b
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tenants.imports import copy_format
from tenants.imports.facts import Reading
from tenants.imports.staging.row_stager import COPY_STAGED, STAGED_TYPES, Stager, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from tenants.imports.reading.column_reader import Block, Events

_COMMON = tuple(STAGED_TYPES)[: tuple(STAGED_TYPES).index("seq")]
_ROWS_A_WRITE = 1000


def take_block(stager: Stager, block: Block) -> Tally:
    """Stage a block: the rows read the fast way, and by the stager itself those that were not."""
    records = len(block.events)
    width = 1 + max([2 * records, *(len(reading.facts) + 1 for _, reading in block.odd)])
    start = stager.seq
    placed = [(start + at * width, reading, True) for at, reading in block.odd]
    for number, events in enumerate(block.events):
        placed += [
            (start + at * width + number, Reading(block.file, block.lines[at], facts=[fact]), False)
            for at, fact in events.named
        ]
    placed.sort(key=lambda one: one[0])
    tally = stager.take_at(placed)
    tally.read += block.read_fast
    tally.left_out += block.left_out
    # All that has to be asked of the database is asked before the COPY begins.
    records_rows = [
        _rows(stager, block, events, [start + at * width + number for at in events.rows])
        for number, events in enumerate(block.events, start=1 + records)
        if events.rows
    ]
    tally.staged += sum(len(events.rows) for events in block.events)
    for events in block.events:
        stager.where.keys.add(events.blind)
    with stager.session.cursor() as cursor, cursor.copy(COPY_STAGED) as copy:
        copy.write(copy_format.HEADER)
        for rows in records_rows:
            for piece in rows:
                copy.write(piece)
        copy.write(copy_format.TRAILER)
    stager.seq = start + len(block.lines) * width
    return tally


class _Person(NamedTuple):
    """What a patient at a facility adds to each event: fields, the beginning of fingerprints and of names of UUIDs."""

    key: bytes
    facility: bytes
    patient: bytes
    fingerprint: bytes
    name: bytes


def _rows(stager: Stager, block: Block, events: Events, seqs: list[int]) -> Iterator[bytes]:
    """The rows of one record as COPY takes them, so many at a time: the server takes in some while we make others."""
    beginning, people = _beginning(stager, block, events), _people(stager, events)
    return (
        b"".join(_joined(beginning, people, block.lines, events, seqs, slice(first, first + _ROWS_A_WRITE)))
        for first in range(0, len(people), _ROWS_A_WRITE)
    )


def _joined(
    beginning: bytes, people: list[_Person], lines: Sequence[int], events: Events, seqs: list[int], part: slice
) -> Iterator[bytes]:
    people, blind = people[part], events.blind[part]
    keys, facilities, patients, fingerprints, names = zip(*people, strict=True)
    entities = [blake2b(name + key, digest_size=16).digest() for name, key in zip(names, blind, strict=True)]
    hashes = [
        blake2b(fingerprint + said, digest_size=16).digest()
        for fingerprint, said in zip(fingerprints, events.said[part], strict=True)
    ]
    pieces: list[Iterable[bytes]] = [
        repeat(beginning),
        _places(seqs[part], [lines[at] for at in events.rows[part]]),
        repeat(copy_format.NULL) if events.facilities is None else _texts(events.facilities[part]),
        keys,
        repeat(copy_format.SIXTEEN),
        blind,
        events.days[part],
        repeat(copy_format.NULL) if events.stamps is None else events.stamps[part],
        facilities,
        *_sixteen(_uuids(entities), names),
        patients,
        *_sixteen(hashes, names),
        events.content[part],
    ]
    return map(b"".join, zip(*pieces, strict=False))


def _sixteen(values: list[bytes], names: tuple[bytes, ...]) -> list[Iterable[bytes]]:
    """A field of 16 bytes in each row, empty where the patient's facility is not known yet (there is no name)."""
    if all(names):
        return [repeat(copy_format.SIXTEEN), values]
    return [
        [copy_format.SIXTEEN + value if name else copy_format.NULL for value, name in zip(values, names, strict=True)]
    ]


def _places(seqs: list[int], lines: list[int]) -> list[bytes]:
    """The fields of the number and the line of each row."""
    fields = np.zeros(len(seqs), dtype=[("a", ">i4"), ("seq", ">i8"), ("b", ">i4"), ("line", ">i8")])
    fields["a"] = fields["b"] = 8
    fields["seq"], fields["line"] = seqs, lines
    return _cut(fields.tobytes(), fields.itemsize)


def _uuids(digests: list[bytes]) -> list[bytes]:
    """UUIDv8s of these bytes, as ``records.ids.entity_uuid`` makes them."""
    made = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16).copy()
    made[:, 6] = made[:, 6] & 0x0F | 0x80
    made[:, 8] = made[:, 8] & 0x3F | 0x80
    return _cut(made.tobytes(), 16)


def _cut(whole: bytes, size: int) -> list[bytes]:
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def _beginning(stager: Stager, block: Block, events: Events) -> bytes:
    """The fields that all rows of a record have in common."""
    record = events.record
    common = {
        "import_uuid": stager.import_uuid,
        "kind": record.kind,
        "state": "accepted",
        "file": block.file,
        "label": record.label,
        "patient_label": record.patient_label,
        "digest": b"",
        "content": b"",
        "voided": False,
    }
    return copy_format.row_of(len(STAGED_TYPES)) + b"".join(
        copy_format.field(STAGED_TYPES[name], common.get(name)) for name in _COMMON
    )


def _people(stager: Stager, events: Events) -> list[_Person]:
    where, kind = stager.where, events.record.kind
    keys = {identifier: stager.patient_key(identifier) for identifier in set(events.patients)}
    places: Iterable[str | None] = repeat(None) if events.facilities is None else events.facilities
    if events.facilities is None:
        where.look_up(stager.session, keys.values(), ())
    else:
        where.look_up(stager.session, (), set(events.facilities))
    middle = b"\x1f" + where.source.encode() + b"\x1f"
    found: dict[tuple[str, str | None], _Person] = {}

    def person(who: tuple[str, str | None]) -> _Person:
        made = found.get(who)
        if made is None:
            key = keys[who[0]]
            facility = where.facility(who[1], key)
            if facility is None:
                made = _Person(copy_format.SIXTEEN + key, copy_format.NULL, copy_format.NULL, b"", b"")
            else:
                patient: UUID = where.patient(facility, key)
                made = _Person(
                    copy_format.SIXTEEN + key,
                    copy_format.SIXTEEN + facility.bytes,
                    copy_format.SIXTEEN + patient.bytes,
                    b'["' + str(patient).encode() + b'"',
                    kind.encode() + b"\x1f" + facility.bytes + middle,
                )
            found[who] = made
        return made

    return list(map(person, zip(events.patients, places, strict=False)))


def _texts(values: Iterable[str]) -> list[bytes]:
    known: dict[str, bytes] = {}
    return [known.get(value) or known.setdefault(value, copy_format.field("text", value)) for value in values]
