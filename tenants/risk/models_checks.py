"""Table of what is measured about models between two trainings: drift, bias, distributions of features, parity."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, DateTime, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid

KINDS = ("drift", "bias", "features", "parity", "explanations", "snapshot", "sums")


class ModelCheck(TenantBase, table=True):
    """A measurement as of a day. Measured again, it replaces the earlier one.

    Attributes:
        kind: ``drift``, ``bias``, ``features`` (their distributions), ``parity`` (online and offline values),
            ``explanations`` (what moves the risk, and how stable reasons are), ``snapshot`` (the values of all
            patients, in a stored file), or ``sums`` (noisy ones, which the operator may read for a base model).
        as_of: the day.
        model_version: the model whose scores it looked at; None if it looked at none.
        passed: whether nothing was found.
        patients: patients that it looked at.
        figures: its figures; no ids of patients.
        blob_key, blob_sha256: the stored file of a snapshot.
    """

    __tablename__ = "model_checks"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name="kind"),
        CheckConstraint("(blob_key IS NULL) = (blob_sha256 IS NULL)", name="blob"),
        UniqueConstraint("kind", "as_of", name="uq_model_checks_kind_as_of"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    kind: str = Field(sa_type=Text)
    as_of: date = Field(sa_type=Date)
    model_version: str | None = Field(default=None, sa_type=Text)
    passed: bool
    patients: int
    figures: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    blob_key: str | None = Field(default=None, sa_type=Text)
    blob_sha256: str | None = Field(default=None, sa_type=Text)
    measured_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    measured_by: str = Field(sa_type=Text)
