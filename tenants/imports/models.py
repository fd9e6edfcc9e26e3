"""Tables of the room ``imports``: imports, their files, their rejected rows, and their staged rows."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.imports.slots import slot_columns
from tenants.records.ids import new_uuid

STATES = ("pending", "reading", "checking", "applying", "done", "failed", "cancelled", "undoing", "undone")
UNFINISHED = ("pending", "reading", "checking", "applying")

_STAMP = DateTime(timezone=True)
_ZERO = {"server_default": text("0")}


class Import(TenantBase, table=True):
    """One import: its order, its progress and its outcome.

    Attributes:
        content_hash: hash of the files' contents and names, and of the order. A new order with the hash of an
            unfinished import resumes that import.
        runner: the process that works on it. A process that takes over writes its own name, and the earlier one stops.
        cursor_file: number of the file that is being read; ``cursor_line`` is the last line taken.
        cursor_seq: while reading, the number of the last staged row; while applying, the last row applied in ``step``.
        staged: while reading, the number of staged facts; from the checks on, the number of facts to write.
        counts: per kind of record: inserted, updated, unchanged, superseded.
        failure: if the import failed as a whole: the field, the problem and the remedy.
        people_first: always true, for workers of the previous release, which read it. A later release drops the column.
        held_facilities: facilities whose rows were held back because they are like a known one, at most 200: ``code``,
            ``name``, and ``like``, the DATIM id of the known one.
        notes: sentences for the report, such as the origin of the data date.
    """

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        Index("ix_imports_created_at", "created_at"),
        Index("ix_imports_content_hash", "content_hash"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    state: str = Field(default="pending", sa_type=Text)
    step: str = Field(default="", sa_type=Text)
    format: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    mapping: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    data_date: date | None = Field(default=None, sa_type=Date)
    strict: bool = False
    content_hash: str = Field(sa_type=Text)
    runner: UUID | None = None
    job_uuid: UUID | None = None
    cursor_file: int = Field(default=0, sa_column_kwargs=_ZERO)
    cursor_line: int = Field(default=0, sa_column_kwargs=_ZERO)
    cursor_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    staged: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    rows_read: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    rows_rejected: int = Field(
        default=0, sa_column=Column("rows_refused", BigInteger, nullable=False, server_default=text("0"))
    )
    rows_in_part: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    rows_left_out: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    rows_repeated: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    counts: dict[str, Any] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")), default_factory=dict
    )
    notes: list[str] = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")), default_factory=list)
    held_facilities: list[dict[str, str]] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")), default_factory=list
    )
    people_first: bool = Field(default=True, sa_column_kwargs={"server_default": text("false")})
    error: str | None = Field(default=None, sa_type=Text)
    failure: list[dict[str, str]] | None = Field(default=None, sa_type=JSONB)
    requested_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    started_at: datetime | None = Field(default=None, sa_type=_STAMP)
    finished_at: datetime | None = Field(default=None, sa_type=_STAMP)


class ImportFile(TenantBase, table=True):
    """One file of an import. ``blob_key`` is the blob of an uploaded file."""

    __tablename__ = "import_files"

    import_uuid: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=SmallInteger, sa_column_kwargs={"autoincrement": False})
    name: str = Field(sa_type=Text)
    size: int = Field(sa_type=BigInteger)
    sha256: str = Field(sa_type=Text)
    blob_key: str | None = Field(default=None, sa_type=Text)


class ImportRejection(TenantBase, table=True):
    """One reason why a row, or a part of it, was rejected, without any value of the row.

    Attributes:
        row_accepted: whether the rest of the row was accepted; known when the rows are counted.
    """

    __tablename__ = "import_rejections"
    __table_args__ = (Index("ix_import_rejections_import_uuid", "import_uuid", "file", "line"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    import_uuid: UUID
    file: int = Field(sa_type=SmallInteger)
    line: int = Field(sa_type=BigInteger)
    field: str = Field(sa_type=Text)
    problem: str = Field(sa_type=Text)
    remedy: str = Field(sa_type=Text)
    row_accepted: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class ImportStaging(TenantBase, table=True):
    """A staged fact, on its way from the file to the records. It is deleted when its import ends.

    Identifiers are blind indexes here. The import's own key encrypts personal data, and is destroyed at the end. The
    fields of an event are in typed columns (``slots``), those of other kinds in ``content``.

    Attributes:
        state: accepted; rejected; merged (another row of this import has the same fact, or a later version of it);
            known (a patient already on record, added here so that events find their facility); waiting (an event
            of a person whom no import has named).
        facility_name: the row's name for the facility of an event without a DATIM id, folded.
        digest: digest of the content, to distinguish a repeated row from a conflicting one; empty for typed columns.
        event_date: the day of the event; of a patient, the start of ART.
        first_event: of a patient, the earliest day of the import's facts about the person.
        label: the source's name for the field of the event's date; ``patient_label``, for the patient's identifier.
        seen_on: of a patient read from an event's row, the day of that row.
        facility_uuid: the facility that the stager assumed. ``entity_uuid``, ``patient_uuid`` and ``row_hash`` depend
            on it. ``keys.settle`` corrects all four if the assumption was wrong.
        voided: the source has voided the record.
    """

    __tablename__ = "import_staging"
    __table_args__ = (
        *slot_columns(),
        CheckConstraint("state IN ('accepted', 'refused', 'merged', 'known', 'waiting')", name="state"),
        Index(
            "ix_import_staging_patient_key", "import_uuid", "patient_key", postgresql_where=text("kind = 'patients'")
        ),
        {
            "info": {
                "archive": "rows on their way into the records: an import under way is given up, import it again",
                "emptied": True,
            }
        },
    )

    import_uuid: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(sa_type=Text)
    state: str = Field(default="accepted", sa_type=Text)
    file: int = Field(sa_type=SmallInteger)
    line: int = Field(sa_type=BigInteger)
    facility: str | None = Field(default=None, sa_type=Text)
    facility_name: str | None = Field(default=None, sa_type=Text)
    patient_key: bytes | None = Field(default=None, sa_type=LargeBinary)
    source_key: bytes = Field(sa_type=LargeBinary)
    digest: bytes = Field(sa_type=LargeBinary)
    event_date: date | None = Field(default=None, sa_type=Date)
    first_event: date | None = Field(default=None, sa_type=Date)
    seen_on: date | None = Field(default=None, sa_type=Date)
    birthdate: date | None = Field(default=None, sa_type=Date)
    known_at: datetime | None = Field(default=None, sa_type=_STAMP)
    label: str = Field(sa_type=Text)
    patient_label: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    content: bytes = Field(sa_type=LargeBinary)
    personal: bytes | None = Field(default=None, sa_type=LargeBinary)
    facility_uuid: UUID | None = None
    entity_uuid: UUID | None = None
    patient_uuid: UUID | None = None
    row_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class ImportTouched(TenantBase, table=True):
    """A patient whose rows in one table a running import has changed.

    It stays until later features learn of the change.
    """

    __tablename__ = "import_touched"

    import_uuid: UUID = Field(primary_key=True)
    patient_uuid: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True, sa_type=Text)
