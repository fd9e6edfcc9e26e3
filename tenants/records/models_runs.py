"""Tables of data runs: the imports behind the records, what their lists cover, and the gaps in them.

The records follow from the set of runs that are not undone; README.md of this folder has the rules in sentences.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, DateTime, Index, Integer, SmallInteger, Text, text
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase


class RecordRun(TenantBase, table=True):
    """An import as a run of the records.

    Attributes:
        number: the run's number in ``ContentRuns.runs``; it is never used again.
        kind: the import's format: lists of one source and kind are compared with each other.
        data_date: the day to which its data run.
        precedence: of two runs of one day, without stamps, the one with the higher precedence counts.
        digest: digest of the files; it decides if precedences are equal.
        lag_days: the source's usual lag; empty if facts without a stamp are known at the data date.
        undone: the run no longer counts.
    """

    __tablename__ = "record_runs"
    __table_args__ = (Index("uq_record_runs_import_uuid", "import_uuid", unique=True),)

    number: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    import_uuid: UUID
    source: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    data_date: date = Field(sa_type=Date)
    precedence: int = Field(default=0, sa_type=SmallInteger)
    digest: str = Field(sa_type=Text)
    lag_days: int | None = Field(default=None, sa_type=Integer)
    undone: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class RecordCoverage(TenantBase, table=True):
    """The coverage of a run: it has rows for one table at one facility.

    Attributes:
        covers_from: from this day to its data date the run has every fact; empty if it has only some.
    """

    __tablename__ = "record_coverage"
    __table_args__ = (Index("ix_record_coverage_number", "number"),)

    facility_uuid: UUID = Field(primary_key=True)
    table_name: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    covers_from: date | None = Field(default=None, sa_type=Date)


class RecordGap(TenantBase, table=True):
    """A patient of whom a run had a rejected row. A fact of theirs that the run lacks may still exist."""

    __tablename__ = "record_gaps"

    patient_uuid: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
