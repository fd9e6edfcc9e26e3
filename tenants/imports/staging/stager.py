"""Write facts into the staging table by COPY, and decode the content of staged facts again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from functools import cache
from hashlib import blake2b
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from core import privacy
from core.clock import now
from core.database import binary_copy
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
from tenants.imports.plausibility import doubtful, judged
from tenants.imports.reading.blocks import RecordNames
from tenants.imports.slots import EVENT_FIELD, SLOTS
from tenants.imports.staging.encoder import COPY_STAGED, Document, Encoder, body_of
from tenants.imports.staging.fact_columns import FactColumns, PlacedFact, day_of, named_place
from tenants.imports.staging.own_exports import reject_own_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from core.privacy.vault import Vault
    from tenants.imports.reading.blocks import Block, Events
    from tenants.imports.staging.keys import PatientFacilities

_COPY_REJECTED = "COPY import_rejections (import_uuid, file, line, field, problem, remedy) FROM STDIN"
_NOT_CONTENT = frozenset({"key", "facility", "known_at", "labels", "patient", "derived_on", "voided", "supply_unread"})
PERSONAL = tuple(name for name, spec in FIELDS["patients"].items() if spec.personal)
_PERSONAL_OF = attrgetter(*PERSONAL)
_PLACE = ("import_staging", "personal")
_NUMBER = "number"
"""Key of an encrypted identifier that is a number, and so may have lost leading zeros."""


@cache
def _content_fields(kind: str) -> tuple[str, ...]:
    return tuple(
        item.name for item in fields(FACT_TYPES[kind]) if item.name not in _NOT_CONTENT and item.name not in PERSONAL
    )


@cache
def _content_of(kind: str) -> Callable[[Fact], tuple[object, ...]]:
    names = _content_fields(kind)
    return attrgetter(*names) if len(names) > 1 else lambda fact: (getattr(fact, names[0]),)


@dataclass(slots=True)
class Tally:
    """The number of rows by outcome, and of staged facts."""

    read: int = 0
    rejected: int = 0
    in_part: int = 0
    left_out: int = 0
    staged: int = 0


class Stager:
    """Stages blocks of rows in the session's transaction, for all formats.

    Args:
        session: the step's transaction.
        import_uuid: the import. Its UUID also names the key that encrypts the personal fields.
        data_date: no event can be later.
        next_seq: number of the last staged fact.
        where: the facilities of the import's patients.
    """

    def __init__(
        self, session: TenantSession, import_uuid: UUID, data_date: date, next_seq: int, where: PatientFacilities
    ) -> None:
        self.session = session
        self.import_uuid = import_uuid
        self._data_date = data_date
        self._today = now().date()
        self.seq = next_seq
        self.where = where
        self.vault: Vault = privacy.vault(session)
        self.vault.ensure_patient_keys((import_uuid,))
        self._facilities: set[tuple[object, ...]] = set()
        self._patients: dict[str, bytes] = {}
        self._known: dict[tuple[object, ...], bytes] = {}
        self._keys: list[bytes] = []
        self._columns = FactColumns(ZoneInfo(session.tenant.time_zone))
        self._encoder = Encoder(session, import_uuid, where, self.patient_key)

    def take(self, block: Block) -> Tally:
        """Stage the facts of a block and store its rejections; return the numbers."""
        tally = Tally(read=block.by_column, left_out=block.left_out)
        taken, rejected = self._taken(block, tally)
        if self.seq == 0:
            reject_own_export(self.session, (one.fact for one in taken))
        events = self._columns.events(one for one in taken if one.fact.kind in SLOTS)
        events += [(columns, seqs) for columns, seqs in self._numbered(block) if columns.rows]
        for columns, _ in events:
            columns.make_blind(self.vault.maker)
            self.where.keys.add(columns.blind)
        self._encoder.look_up([columns for columns, _ in events], (one.fact for one in taken))
        documents = [row for one in taken if one.fact.kind not in SLOTS if (row := self._document(one)) is not None]
        self.where.keys.add(self._keys)
        self._keys.clear()
        tally.staged = len(documents) + sum(len(seqs) for _, seqs in events)
        # Run all queries before the COPY begins: the connection cannot run one during it.
        pieces = [self._encoder.events(columns, seqs) for columns, seqs in events]
        with self.session.cursor() as cursor:
            if tally.staged:
                with cursor.copy(COPY_STAGED) as copy:
                    binary_copy.write(copy, chain([b"".join(documents)], *pieces))
            if rejected:
                with cursor.copy(_COPY_REJECTED) as copy:
                    for bad in rejected:
                        copy.write_row(bad)
        self.seq = self._after(block, taken)
        return tally

    @staticmethod
    def _width(block: Block) -> int:
        """The count of numbers to reserve for each row of a block: for its facilities and events, or for its facts."""
        return max([2 * len(block.events), *(len(reading.facts) + 1 for _, reading in block.readings)])

    def _numbered(self, block: Block) -> list[tuple[Events, list[int]]]:
        """The columns of a block, each with the numbers of its events."""
        width, records = self._width(block), len(block.events)
        return [
            (events, [self.seq + 1 + at * width + number for at in events.rows])
            for number, events in enumerate(block.events, start=records)
        ]

    def _after(self, block: Block, taken: Sequence[PlacedFact]) -> int:
        """The last number that a block may have used."""
        if block.events:
            return self.seq + len(block) * self._width(block)
        return self.seq + len(taken)

    def _taken(self, block: Block, tally: Tally) -> tuple[list[PlacedFact], list[tuple[object, ...]]]:
        """The facts to stage from rows that were read one by one, in order, and the rejections of these rows."""
        doubtful = self._doubtful(reading for _, reading in block.readings)
        width = self._width(block) if block.events else 0
        taken: list[PlacedFact] = []
        rejected: list[tuple[object, ...]] = []
        for at, reading in block.readings:
            if reading.left_out:
                tally.left_out += 1
                continue
            tally.read += 1
            facts, gaps = reading.facts, []
            if reading.rejections or reading.omissions or not doubtful.isdisjoint(map(id, facts)):
                facts, problems, is_rejected = self._judged(reading)
                if is_rejected and not any(isinstance(fact, UnreadContactFact) for fact in facts):
                    gaps = _gap(reading)
                if problems:
                    says_something = any(map(_says, facts))
                    tally.in_part += says_something
                    tally.rejected += not says_something
                    rejected += [(self.import_uuid, reading.file, reading.line, *_clean(bad)) for bad in problems]
            first = self.seq + 1 + (at * width if width else len(taken))
            taken += [PlacedFact(seq, reading, fact) for seq, fact in enumerate(facts, start=first)]
            taken += [
                PlacedFact(seq, reading, gap, "refused") for seq, gap in enumerate(gaps, start=first + len(facts))
            ]
        for number, events in enumerate(block.events):
            taken += [
                PlacedFact(self.seq + 1 + at * width + number, Reading(block.file, line, facts=[fact]), fact)
                for at, line, fact in events.named
            ]
        if block.events:
            taken.sort(key=lambda one: one.seq)
        return taken, rejected

    def _doubtful(self, readings: Iterable[Reading]) -> set[int]:
        """The ``id`` of each fact that may be wrong, and so must be judged by itself."""
        by_kind: dict[str, list[Fact]] = {}
        for reading in readings:
            for fact in reading.facts:
                by_kind.setdefault(fact.kind, []).append(fact)
        return {
            id(facts[at])
            for kind, facts in by_kind.items()
            for at in doubtful(kind, facts, self._data_date, self._today)
        }

    def _judged(self, reading: Reading) -> tuple[list[Fact], list[Rejection], bool]:
        """The facts to stage from a row, why parts of it are rejected or left out, and whether any part is rejected.

        A rejected event rejects its whole row, except that an unread contact stays: it shows that the person came. If
        the row is a person, only the wrong part is rejected: a wrong date of death must not lose a person's visits.
        """
        good: list[Fact] = []
        rejections, omissions = list(reading.rejections), list(reading.omissions)
        for fact in reading.facts:
            judgement = judged(fact, self._data_date, self._today)
            rejections += judgement.rejections
            omissions += judgement.omissions
            if judgement.fact is not None:
                good.append(judgement.fact)
                good += _unread_supply(judgement.fact, reading)
            elif _is_contact(fact) and judgement.wrong == {EVENT_FIELD[fact.kind]}:
                good.append(unread_contact(fact, reading))
        missed = [fact for fact in good if isinstance(fact, UnreadContactFact)]
        if missed:
            unread = max(missed, key=lambda fact: fact.not_after or date.max)
            good = [fact for fact in good if fact is unread or not isinstance(fact, UnreadContactFact)]
        if rejections and not any(isinstance(fact, PatientFact) and fact.derived_on is None for fact in good):
            good = [fact for fact in good if isinstance(fact, UnreadContactFact)]
        # One wrong cell may be the problem of several facts: report it once.
        return good, list(dict.fromkeys(rejections + omissions)), bool(rejections)

    def _document(self, one: PlacedFact) -> bytes | None:
        """The encoded row of a fact without columns of its own; None if the same fact was staged before."""
        fact, kind = one.fact, one.fact.kind
        if kind == "facilities":
            # Many rows name the same facility: stage each distinct description once.
            named = (fact.key, fact.voided, *_content_of(kind)(fact))
            if named in self._facilities:
                return None
            self._facilities.add(named)
        patient_key = self.patient_key(fact.patient) if isinstance(fact, PatientBound) else None
        person = fact if isinstance(fact, PatientFact) else None
        # The key of a person is the identifier that the person's other facts have.
        source_key = patient_key if person is not None and patient_key else self._source_key(kind, fact.key)
        if kind != "facilities" and (person is None or person.derived_on is None):
            self._keys.append(source_key)
        return self._encoder.document(
            Document(
                RecordNames(kind, fact.label("patient"), fact.label("patient" if person is not None else kind)),
                one.state,
                one.reading.file,
                one.reading.line,
                one.seq,
                fact.voided,
                self._body(fact),
                None if person is None else person.derived_on,
                None if person is None else person.birthdate,
                fact.key if kind == "facilities" else fact.facility,
                patient_key,
                source_key,
                day_of(fact),
                None if fact.known_at is None else self._columns.zoned(fact.known_at),
                named_place(fact, one.reading),
            )
        )

    def _body(self, fact: Fact) -> bytes:
        """The encoded content of a fact. Rows repeat people, so each person is encoded once."""
        content = (fact.kind, fact.voided, *_content_of(fact.kind)(fact))
        if isinstance(fact, PatientFact):
            content += (*_PERSONAL_OF(fact), _bare(fact.patient))
        known = self._known.get(content)
        if known is None:
            known = self._known[content] = body_of(*self._encoded(fact))
        return known

    def _encoded(self, fact: Fact) -> tuple[bytes, bytes, bytes | None]:
        """Digest, content, and a person's encrypted personal fields."""
        content: dict[str, Any] = {}
        for name in _content_fields(fact.kind):
            value = getattr(fact, name)
            if value is not None:
                content[name] = self._columns.zoned(value) if isinstance(value, datetime) else value
        if fact.voided:
            content["voided"] = True
        encoded = orjson.dumps(content)
        if not isinstance(fact, PatientFact):
            return blake2b(encoded, digest_size=16).digest(), encoded, None
        named = {name: value for name in PERSONAL if (value := getattr(fact, name)) is not None}
        plain = orjson.dumps(named)
        digest = self.vault.blind_index("import:digest", (encoded + plain).hex())
        if (number := _bare(fact.patient)) is not None:
            named[_NUMBER] = number
            plain = orjson.dumps(named)
        sealed = self.vault.encrypt(self.import_uuid, *_PLACE, self.import_uuid, plain.decode()) if named else None
        return digest, encoded, sealed

    def _source_key(self, kind: str, key: str) -> bytes:
        return self.vault.blind_index(f"source:{kind}", key)

    def patient_key(self, identifier: str) -> bytes:
        """The blind index of a patient's identifier, cached for this step, because rows repeat identifiers."""
        key = self._patients.get(identifier)
        if key is None:
            key = self._patients[identifier] = self.vault.blind_index("source:patients", identifier)
        return key


def _gap(reading: Reading) -> list[UnreadContactFact]:
    """An unread contact for the person of a row with a rejected part, to be staged as rejected; empty if unknown.

    It marks a gap: a fact of the person that the list lacks may then still exist (``applying.lists``).
    """
    bound = next((fact for fact in reading.facts if isinstance(fact, PatientBound)), None)
    patient = reading.patient if bound is None else bound.patient
    facility = reading.facility if bound is None else bound.facility
    if patient is None or not patient.strip():
        return []
    return [UnreadContactFact(key=patient, patient=patient, facility=facility)]


def _says(fact: Fact) -> bool:
    """Whether a fact has data about a person. A facility and an unread contact have none."""
    return not isinstance(fact, FacilityFact | UnreadContactFact)


def _is_contact(fact: Fact) -> bool:
    """Whether a fact is a contact of a person. Dispensing other drugs than antiretrovirals is not."""
    return not fact.voided and (
        isinstance(fact, VisitFact) or (isinstance(fact, DispensationFact) and fact.antiretroviral)
    )


def _unread_supply(fact: Fact, reading: Reading) -> list[UnreadContactFact]:
    """An unread contact for a pick-up with an unreadable supply: until the next contact, nobody knows when it ends."""
    if not isinstance(fact, DispensationFact) or not (fact.supply_unread and _is_contact(fact)):
        return []
    if fact.days_supplied is not None or fact.next_appointment is not None:
        return []
    return [unread_contact(fact, reading, fact.date_dispensed + timedelta(days=1))]


def _bare(identifier: str) -> str | None:
    """The identifier if it is a number that may have lost leading zeros, else None."""
    return identifier if identifier.isdecimal() and identifier[:1] != "0" else None


def _clean(bad: Rejection) -> tuple[str, str, str]:
    """A rejection's texts, made safe for PostgreSQL: headings come from files and may have any character."""
    return tuple(
        "".join(c for c in part if c.isprintable())[:300].encode("utf-8", "replace").decode()
        for part in (bad.field, bad.problem, bad.remedy)
    )  # type: ignore[return-value]


def content(kind: str, encoded: bytes) -> dict[str, Any]:
    """The decoded content of a staged fact, with dates and times parsed."""
    content_fields: dict[str, Any] = orjson.loads(encoded)
    for name, parse in _parsers(kind):
        value = content_fields.get(name)
        if value is not None:
            content_fields[name] = parse(value)
    return content_fields


@cache
def _parsers(kind: str) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (name, date.fromisoformat if spec.type == "date" else datetime.fromisoformat)
        for name, spec in FIELDS[kind].items()
        if spec.type in ("date", "datetime")
    )


def personal(vault: Vault, import_uuid: UUID, data: bytes | None) -> dict[str, str | None]:
    """The personal fields of a staged patient, decrypted."""
    named = orjson.loads(vault.decrypt(import_uuid, *_PLACE, import_uuid, data)) if data is not None else {}
    return {name: named.get(name) for name in PERSONAL}


def bare_number(vault: Vault, import_uuid: UUID, data: bytes) -> str | None:
    """The decrypted identifier of a staged patient if it is a number without leading zeros, else None."""
    number: str | None = orjson.loads(vault.decrypt(import_uuid, *_PLACE, import_uuid, data)).get(_NUMBER)
    return number
