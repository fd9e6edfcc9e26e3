"""Tables of results: whose rows are to be computed again, and what each size of a list would have caught."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Column, Date, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase


class PatientToLearn(TenantBase, table=True):
    """A patient of a list or an intervention whose records changed since their results were computed."""

    __tablename__ = "patients_to_learn"

    patient_uuid: UUID = Field(primary_key=True)
    changed_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class ListPlaces(TenantBase, table=True):
    """The best places of people on the lists of resolved weeks, counted; ``tenants.followup.list_size`` reads it.

    Attributes:
        first: the first and ``last`` the last of the days whose lists count; None without any.
        places: of each place, the place from 1, the pending contacts whose best one it was, and those who missed them.
        patients: the patients who interrupted, each counted once.
    """

    __tablename__ = "list_places"

    measured_at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    first: date | None = Field(default=None, sa_type=Date)
    last: date | None = Field(default=None, sa_type=Date)
    places: list[list[int]] = Field(sa_column=Column(JSONB, nullable=False))
    patients: int
