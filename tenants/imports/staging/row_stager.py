"""Facts on their way between the files and the records: into the staging table by COPY, and back as typed content."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from core import privacy
from core.clock import now
from tenants.imports.facts import (
    FACT_TYPES,
    DispensationFact,
    FacilityFact,
    Fact,
    PatientBound,
    PatientFact,
    Reading,
    Rejection,
    UnreadContactFact,
    VisitFact,
    unread_contact,
)
from tenants.imports.fields import FIELDS
from tenants.imports.plausibility import judged
from tenants.imports.slots import COLUMNS, EVENT_FIELD, SLOT_TYPES, SLOTS, fields_in_order
from tenants.imports.staging.keys import Whereabouts, identities
from tenants.imports.staging.named_facilities import NamedFacilities
from tenants.imports.staging.own_exports import reject_own_export

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from core.privacy.vault import Vault

STAGED_TYPES: dict[str, str] = {
    "import_uuid": "uuid",
    "kind": "text",
    "state": "text",
    "file": "int2",
    "label": "text",
    "patient_label": "text",
    "digest": "bytea",
    "content": "bytea",
    "personal": "bytea",
    "seen_on": "date",
    "birthdate": "date",
    "voided": "bool",
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
"""Columns of the staging table in the order in which they are copied: first those that a file's rows have in common."""

COPY_STAGED = f"COPY import_staging ({', '.join(STAGED_TYPES)}) FROM STDIN (FORMAT BINARY)"
_COPY_REJECTED = "COPY import_rejections (import_uuid, file, line, field, problem, remedy) FROM STDIN"
_KIND, _SEEN_ON, _SOURCE_KEY = map(list(STAGED_TYPES).index, ("kind", "seen_on", "source_key"))
_NOT_CONTENT = frozenset({"key", "facility", "known_at", "labels", "patient", "derived_on", "voided"})
PERSONAL = tuple(name for name, spec in FIELDS["patients"].items() if spec.personal)
_PLACE = ("import_staging", "personal")


@cache
def _content_fields(kind: str) -> tuple[str, ...]:
    return tuple(
        item.name for item in fields(FACT_TYPES[kind]) if item.name not in _NOT_CONTENT and item.name not in PERSONAL
    )


@dataclass(slots=True)
class Tally:
    """What became of rows of files."""

    read: int = 0
    refused: int = 0
    in_part: int = 0
    left_out: int = 0
    staged: int = 0


class Stager:
    """Brings readings into the staging table, in the session's transaction.

    Args:
        session: the step's transaction.
        import_uuid: whose rows they are; also names the key that their personal fields are encrypted with.
        data_date: nothing can have happened after it.
        next_seq: number of the last staged fact.
        where: at which facilities the import's patients are.
    """

    def __init__(
        self, session: TenantSession, import_uuid: UUID, data_date: date, next_seq: int, where: Whereabouts
    ) -> None:
        self.session = session
        self.import_uuid = import_uuid
        self._data_date = data_date
        self._today = now().date()
        self.seq = next_seq
        self.where = where
        self._zone = ZoneInfo(session.tenant.time_zone)
        self.vault: Vault = privacy.vault(session)
        self.vault.ensure_patient_keys((import_uuid,))
        self._named = NamedFacilities(where.source, self.patient_key)
        self._facilities: set[tuple[object, ...]] = set()
        self._patients: dict[str, bytes] = {}

    def take(self, readings: Iterable[Reading]) -> Tally:
        """Stage the facts of these rows and note the refusals; how many of each."""
        return self.take_at([(None, reading, True) for reading in readings])

    def take_at(self, placed: Sequence[tuple[int | None, Reading, bool]]) -> Tally:
        """As ``take``, with the number below which each row's facts begin, and whether it counts as a row."""
        tally = Tally()
        taken: list[tuple[int | None, Reading, Fact, str]] = []
        refused: list[tuple[object, ...]] = []
        for start, reading, counts in placed:
            if reading.left_out:
                tally.left_out += 1
                continue
            tally.read += counts
            facts, problems, rejected = self._judged(reading)
            if problems:
                kept = any(map(_says, facts))
                tally.in_part += kept
                tally.refused += not kept
                refused += [(self.import_uuid, reading.file, reading.line, *_clean(bad)) for bad in problems]
            gap = _gap(reading) if rejected and not any(isinstance(fact, UnreadContactFact) for fact in facts) else []
            rows = [*((fact, "accepted") for fact in facts), *((fact, "refused") for fact in gap)]
            taken += [(None if place else start, reading, *row) for place, row in enumerate(rows)]
        if self.seq == 0:
            reject_own_export(self.session, [fact for _, _, fact, _ in taken])
        self._named.place(self.session, [(reading, fact) for _, reading, fact, _ in taken])
        self._find_out([fact for _, _, fact, _ in taken])
        staged: list[tuple[object, ...]] = []
        keys: list[bytes] = []
        for start, reading, fact, state in taken:
            if start is not None:
                self.seq = start
            row = self._row(fact, reading, state)
            if row is not None:
                staged.append(row)
                if row[_KIND] != "facilities" and row[_SEEN_ON] is None:
                    keys.append(row[_SOURCE_KEY])  # type: ignore[arg-type]  # bytes, as STAGED_TYPES has it
        self.where.keys.add(keys)
        tally.staged = len(staged)
        self._copy(staged, refused)
        return tally

    def _find_out(self, facts: list[Fact]) -> None:
        """Have the facilities of these facts' patients at hand."""
        keys: set[bytes] = set()
        places: set[str] = set()
        for fact in facts:
            if isinstance(fact, PatientFact):
                if fact.facility is not None:
                    self.where.learn(self.patient_key(fact.patient), fact.facility)
            elif isinstance(fact, PatientBound) and fact.kind in SLOTS:
                if fact.facility is None:
                    keys.add(self.patient_key(fact.patient))
                else:
                    places.add(fact.facility)
        self.where.look_up(self.session, keys, places)

    def _judged(self, reading: Reading) -> tuple[list[Fact], list[Rejection], bool]:
        """The facts to take of a row, why something of it is rejected or left out, and whether any is rejected.

        A rejected event takes its whole row along, but not what says that the person was there. Where the row is a
        person, only what is wrong is rejected: a person must not be lost, with all visits, for a wrong date of death.
        """
        good: list[Fact] = []
        rejections, omissions = list(reading.rejections), list(reading.omissions)
        for fact in reading.facts:
            found = judged(fact, self._data_date, self._today)
            rejections += found.rejections
            omissions += found.omissions
            if found.fact is not None:
                good.append(found.fact)
            elif _is_contact(fact) and found.wrong == {EVENT_FIELD[fact.kind]}:
                good.append(unread_contact(fact, reading))
        missed = [fact for fact in good if isinstance(fact, UnreadContactFact)]
        if missed:
            unread = max(missed, key=lambda fact: fact.not_after or date.max)
            good = [fact for fact in good if fact is unread or not isinstance(fact, UnreadContactFact)]
        if rejections and not any(isinstance(fact, PatientFact) and fact.derived_on is None for fact in good):
            good = [fact for fact in good if isinstance(fact, UnreadContactFact)]
        # Several facts of a row may be wrong for one and the same cell.
        return good, list(dict.fromkeys(rejections + omissions)), bool(rejections)

    def _copy(self, staged: list[tuple[object, ...]], refused: list[tuple[object, ...]]) -> None:
        with self.session.cursor() as cursor:
            if staged:
                with cursor.copy(COPY_STAGED) as copy:
                    copy.set_types(list(STAGED_TYPES.values()))
                    for row in staged:
                        copy.write_row(row)
            if refused:
                with cursor.copy(_COPY_REJECTED) as copy:
                    for row in refused:
                        copy.write_row(row)

    def _row(self, fact: Fact, reading: Reading, state: str) -> tuple[object, ...] | None:
        kind = fact.kind
        if kind == "facilities":
            # Rows name the same facility over and over: one row for each way in which they do.
            named = (fact.key, fact.voided, *(getattr(fact, name) for name in _content_fields(kind)))
            if named in self._facilities:
                return None
            self._facilities.add(named)
        content: dict[str, Any] = {}
        for name in _content_fields(kind):
            value = getattr(fact, name)
            if value is not None:
                content[name] = self._zoned(value) if isinstance(value, datetime) else value
        patient_key = personal = seen_on = birthdate = None
        encoded = digest = b""
        keys: tuple[object, ...] = (None,) * 4
        slots: tuple[object, ...] = (None,) * len(COLUMNS)
        if isinstance(fact, PatientBound):
            patient_key = self.patient_key(fact.patient)
        if kind in SLOTS:
            source_key = self.vault.blind_index(f"source:{kind}", fact.key)
            slots = tuple(None if name is None else content.get(name) for name in fields_in_order(kind))
            facility = self.where.facility(fact.facility, patient_key or b"")
            if facility is not None:
                keys = identities(self.where, kind, facility, patient_key or b"", source_key, content)
        else:
            if fact.voided:
                content["voided"] = True
            encoded = orjson.dumps(content)
            if isinstance(fact, PatientFact):
                seen_on, birthdate = fact.derived_on, fact.birthdate
                told = {name: value for name in PERSONAL if (value := getattr(fact, name)) is not None}
                plain = orjson.dumps(told)
                digest = self.vault.blind_index("import:digest", (encoded + plain).hex())
                personal = (
                    self.vault.encrypt(self.import_uuid, *_PLACE, self.import_uuid, plain.decode()) if told else None
                )
                source_key = patient_key or b""
            else:
                digest = blake2b(encoded, digest_size=16).digest()
                source_key = self.vault.blind_index(f"source:{kind}", fact.key)
        self.seq += 1
        return (
            self.import_uuid,
            kind,
            state,
            reading.file,
            fact.label("patient" if kind == "patients" else EVENT_FIELD.get(kind, kind)),
            fact.label("patient"),
            digest,
            encoded,
            personal,
            seen_on,
            birthdate,
            fact.voided,
            self.seq,
            reading.line,
            fact.key if kind == "facilities" else fact.facility,
            patient_key,
            source_key,
            None if fact.voided else fact.event_date(),  # what did not happen has no day to be judged by
            None if fact.known_at is None else self._zoned(fact.known_at),
            *keys,
            *slots,
        )

    def patient_key(self, identifier: str) -> bytes:
        """The blind index of a patient's identifier. Files repeat it row after row, so those of this step are kept."""
        found = self._patients.get(identifier)
        if found is None:
            found = self._patients[identifier] = self.vault.blind_index("source:patients", identifier)
        return found

    def _zoned(self, moment: datetime) -> datetime:
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)


def _gap(reading: Reading) -> list[UnreadContactFact]:
    """Whose row it is of which something is rejected, if it can be told: staged as refused.

    What the list lacks of the person then says nothing (``applying.lists``).
    """
    bound = next((fact for fact in reading.facts if isinstance(fact, PatientBound)), None)
    patient = reading.patient if bound is None else bound.patient
    facility = reading.facility if bound is None else bound.facility
    return [] if patient is None else [UnreadContactFact(key=patient, patient=patient, facility=facility)]


def _says(fact: Fact) -> bool:
    """Whether a fact says something of a person by itself."""
    return not isinstance(fact, FacilityFact | UnreadContactFact)


def _is_contact(fact: Fact) -> bool:
    """Whether a fact is a contact of a person: other drugs than antiretrovirals are none."""
    return not fact.voided and (
        isinstance(fact, VisitFact) or (isinstance(fact, DispensationFact) and fact.antiretroviral)
    )


def _clean(bad: Rejection) -> tuple[str, str, str]:
    """The rejection as PostgreSQL's text takes it: headings come from files and may hold anything."""
    return tuple(
        "".join(c for c in part if c.isprintable())[:300].encode("utf-8", "replace").decode()
        for part in (bad.field, bad.problem, bad.remedy)
    )  # type: ignore[return-value]


def content(kind: str, encoded: bytes) -> dict[str, Any]:
    """The content of a staged fact, with its dates and times again."""
    found: dict[str, Any] = orjson.loads(encoded)
    for name, parse in _parsers(kind):
        value = found.get(name)
        if value is not None:
            found[name] = parse(value)
    return found


@cache
def _parsers(kind: str) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (name, date.fromisoformat if spec.type == "date" else datetime.fromisoformat)
        for name, spec in FIELDS[kind].items()
        if spec.type in ("date", "datetime")
    )


def personal(vault: Vault, import_uuid: UUID, data: bytes | None) -> dict[str, str | None]:
    """What names a staged patient, decrypted."""
    named = orjson.loads(vault.decrypt(import_uuid, *_PLACE, import_uuid, data)) if data is not None else {}
    return {name: named.get(name) for name in PERSONAL}
