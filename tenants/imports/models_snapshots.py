"""The tables of partners' own statuses, from their lists, on the days to which the lists run."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, Index, Integer, Text
from sqlmodel import Field

from core.database import TenantBase
from tenants.imports.fields import SNAPSHOT_STATUSES


class RadetSnapshot(TenantBase, table=True):
    """One patient on one RADET. Kept for each day to which a list ran; the same day again replaces it.

    The partner states the status, and the platform does not compute it. ``tenants.cohort.radet`` compares it with the
    platform's own.

    Attributes:
        data_date: the day to which the list runs.
        status: the partner's status of the person on that day.
        status_date: the first day of the status, from the list.
        previous_status: the status before, where the list has it.
        last_pickup: the last pick-up on the list.
        days_supplied: what that pick-up handed out, in days.
    """

    __tablename__ = "radet_snapshots"
    __table_args__ = (
        CheckConstraint(f"status IN ({', '.join(repr(status) for status in SNAPSHOT_STATUSES)})", name="status"),
        Index("ix_radet_snapshots_data_date", "data_date", "facility_uuid"),
        Index("ix_radet_snapshots_import_uuid", "import_uuid"),
    )

    patient_uuid: UUID = Field(primary_key=True)
    data_date: date = Field(primary_key=True, sa_type=Date)
    facility_uuid: UUID
    source: str = Field(sa_type=Text)
    import_uuid: UUID
    status: str = Field(sa_type=Text)
    status_date: date | None = Field(default=None, sa_type=Date)
    previous_status: str | None = Field(default=None, sa_type=Text)
    previous_date: date | None = Field(default=None, sa_type=Date)
    last_pickup: date | None = Field(default=None, sa_type=Date)
    days_supplied: int | None = Field(default=None, sa_type=Integer)


class RadetListRow(TenantBase, table=True):
    """The row of one run's list about one patient; ``radet_snapshots`` has, for each day, the list that counts."""

    __tablename__ = "radet_list_rows"
    __table_args__ = (
        CheckConstraint(f"status IN ({', '.join(repr(status) for status in SNAPSHOT_STATUSES)})", name="status"),
        Index("ix_radet_list_rows_number", "number"),
    )

    patient_uuid: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    facility_uuid: UUID
    status: str = Field(sa_type=Text)
    status_date: date | None = Field(default=None, sa_type=Date)
    previous_status: str | None = Field(default=None, sa_type=Text)
    previous_date: date | None = Field(default=None, sa_type=Date)
    last_pickup: date | None = Field(default=None, sa_type=Date)
    days_supplied: int | None = Field(default=None, sa_type=Integer)
