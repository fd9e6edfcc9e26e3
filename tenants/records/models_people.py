"""The table of statements about patients, and the columns that it shares with ``patients``."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, DateTime, Index, Integer, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from core.database import TenantBase
from tenants.records.care_fields import PatientDetails
from tenants.records.ids import new_uuid

_UNHASHED: dict[str, Any] = {"info": {"unhashed": True}}
"""Columns that ``row_hash`` leaves out: ``personal_hash`` covers the names, and new keys of names change no content."""


class _Person(TenantBase):
    """Mixin: who a person is. Names and identifiers are encrypted (``_enc``) and blind-indexed (``_bidx``).

    Attributes:
        given_name_bidx, family_name_bidx: keys of the words of the names (``names``); None also where an earlier
            release wrote the row: the job ``records.index_names`` adds them.
        personal_hash: keyed digests of the encrypted fields; through it, ``row_hash`` changes when a field does.
        datim_id: DATIM id of the facility, repeated here for filters.
    """

    pepfar_id_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    pepfar_id_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    hospital_number_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    hospital_number_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    given_name_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    given_name_bidx: list[int] | None = Field(default=None, sa_type=ARRAY(SmallInteger), sa_column_kwargs=_UNHASHED)
    family_name_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    family_name_bidx: list[int] | None = Field(default=None, sa_type=ARRAY(SmallInteger), sa_column_kwargs=_UNHASHED)
    phone_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    phone_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    personal_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    sex: str | None = Field(default=None, sa_type=Text)
    birthdate: date | None = Field(default=None, sa_type=Date)
    birthdate_estimated: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    datim_id: str = Field(sa_type=Text)


class PatientContent(PatientDetails, _Person):
    """Mixin: the attributes of a person."""


class PatientStatement(PatientContent, table=True):
    """A statement of runs, or of a user, about one patient. ``people`` computes ``patients`` from all statements.

    Attributes:
        statement_hash: keyed digest of the whole statement; the same statement of several runs is one row.
        runs: numbers of ``record_runs``; empty if a user or an earlier release wrote the statement. Then
            ``data_date`` is its day, and ``stamps`` has its time.
        stamps: the source's stamp in each of ``runs``, in the same order; None if no run has one.
        attributes: the attributes that it states (column ``said``). One of them without a value is stated to be empty.
        fallback: the attributes that count only if no other statement has a value.
        wrong_phone_bidx: the phone that a user marked as wrong and replaced; empty bytes if there was none.
        voided: the source has withdrawn the patient, or a user has voided the record (``runs`` empty).
    """

    __tablename__ = "patient_statements"
    __table_args__ = (
        CheckConstraint("(runs IS NULL) = (data_date IS NOT NULL)", name="dated"),
        Index("ix_patient_statements_patient_uuid", "patient_uuid"),
        {"info": {"sealed_as": "patients"}},  # ciphertexts are copied into the patient's versions as they are
    )

    statement_id: UUID = Field(default_factory=new_uuid, primary_key=True)
    patient_uuid: UUID
    facility_uuid: UUID
    source: str = Field(sa_type=Text)
    source_key: bytes = Field(sa_type=LargeBinary)
    statement_hash: bytes = Field(sa_type=LargeBinary)
    runs: list[int] | None = Field(default=None, sa_column=Column(ARRAY(Integer)))
    stamps: list[datetime | None] | None = Field(default=None, sa_column=Column(ARRAY(DateTime(timezone=True))))
    data_date: date | None = Field(default=None, sa_type=Date)
    attributes: list[str] = Field(sa_column=Column("said", ARRAY(Text), nullable=False))
    fallback: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'")))
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    voided_by: str | None = Field(default=None, sa_type=Text)
    date_voided: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    void_reason: str | None = Field(default=None, sa_type=Text)
    changed_by: str = Field(sa_type=Text)
    wrong_phone_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
