"""The columns of every versioned table, and the constraints and indexes that enforce the rules of versions.

One entity (``uuid``) has one open version (``known_to`` empty). An update closes it and adds the next one; voiding
closes it and adds a tombstone. See README.md of this folder for the semantics in sentences.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from core.database import TenantBase
from tenants.records.ids import new_uuid

# All other columns of a table are its content, and enter ``row_hash``.
BOOKKEEPING = frozenset(
    {
        "version_id",
        "uuid",
        "facility_uuid",
        "source",
        "source_key",
        "known_from",
        "known_to",
        "known_assumed",
        "data_date",
        "import_uuid",
        "row_hash",
        "voided",
        "voided_by",
        "date_voided",
        "void_reason",
        "changed_by",
        "runs",
        "stamps",
    },
)


class Versioned(TenantBase):
    """Mixin: the times, the origin and the voiding of a row.

    Attributes:
        version_id: this version; UUIDv7, so it also says when it was written; the row's ETag.
        uuid: the entity, the same in all its versions.
        source_key: blind index of the source's identifier.
        known_from: from when the source knew this content.
        known_to: until when (exclusive); empty in the open version.
        known_assumed: ``known_from`` was computed from the event date, because the source gave no stamp.
        data_date: data date of the last run that had this content; of two, the newer wins.
        row_hash: fingerprint of the content, to detect changes.
    """

    version_id: UUID = Field(default_factory=new_uuid, primary_key=True)
    uuid: UUID = Field(default_factory=new_uuid)
    facility_uuid: UUID
    source: str = Field(sa_type=Text)
    source_key: bytes = Field(sa_type=LargeBinary)
    known_from: datetime = Field(sa_type=DateTime(timezone=True))
    known_to: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    known_assumed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    data_date: date = Field(sa_type=Date)
    import_uuid: UUID | None = None
    row_hash: bytes = Field(sa_type=LargeBinary)
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    voided_by: str | None = Field(default=None, sa_type=Text)
    date_voided: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    void_reason: str | None = Field(default=None, sa_type=Text)
    changed_by: str = Field(sa_type=Text)


class ContentRuns(Versioned):
    """Mixin: the data runs that had exactly this content. From them, the entity's chain can be rebuilt.

    Attributes:
        runs: numbers of ``record_runs``. A negative number means that the snapshots of that run contradict the content
            (a tombstone). None if a user or an earlier release wrote the row.
        stamps: the source's stamp in each of ``runs``, in the same order; None if no run has one.
    """

    # sa_type: SQLModel builds a mixin's columns again for each table
    runs: list[int] | None = Field(default=None, sa_type=ARRAY(Integer))
    stamps: list[datetime] | None = Field(default=None, sa_type=ARRAY(DateTime(timezone=True)))


def version_rules(table: str) -> tuple[CheckConstraint | Index, ...]:
    """The constraints of a versioned table: one open version of an entity, and no end before its beginning.

    The key (facility, source, source_key) needs no index of its own, because ``uuid`` is computed from it
    (``ids.entity_uuid``).
    """
    return (
        Index(f"uq_{table}_uuid_open", "uuid", unique=True, postgresql_where=text("known_to IS NULL")),
        CheckConstraint("known_to IS NULL OR known_to >= known_from", name="known_order"),
        CheckConstraint("NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name="voided"),
    )


def chain_rules(table: str) -> tuple[CheckConstraint | Index, ...]:
    """The constraints of an asserted table: those of ``version_rules``, and an index of closed versions.

    Few entities have a closed version, so the index does not slow down a first import.
    """
    return (
        *version_rules(table),
        Index(f"ix_{table}_uuid_closed", "uuid", postgresql_where=text("known_to IS NOT NULL")),
    )
