"""Statements of people, and the columns that a statement and a patient share."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, DateTime, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from core.database import TenantBase
from tenants.records.ids import new_uuid


class PatientContent(TenantBase):
    """Mixin: who a person is. What names the person is encrypted (``_enc``) and found by keyed blind index (``_bidx``).

    Attributes:
        personal_hash: keyed digests of the encrypted fields, one after the other, so that ``row_hash`` sees them change
            without holding them.
        datim_id: the facility's, repeated here for filters.
        art_start_date: start of antiretroviral treatment.
    """

    pepfar_id_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    pepfar_id_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    hospital_number_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    hospital_number_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    given_name_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    family_name_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    phone_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    phone_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    personal_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    sex: str | None = Field(default=None, sa_type=Text)
    birthdate: date | None = Field(default=None, sa_type=Date)
    birthdate_estimated: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    datim_id: str = Field(sa_type=Text)
    state_province: str | None = Field(default=None, sa_type=Text)
    county_district: str | None = Field(default=None, sa_type=Text)
    city_village: str | None = Field(default=None, sa_type=Text)
    art_start_date: date | None = Field(default=None, sa_type=Date)
    transferred_in: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    case_manager: str | None = Field(default=None, sa_type=Text)


class PatientStatement(PatientContent, table=True):
    """What runs, or a person, say of one patient, by attribute; ``patients`` is folded from these (``people``).

    Attributes:
        statement_hash: keyed digest of the whole statement; the same statement of several runs is one row.
        runs: numbers of ``record_runs``; empty where a person wrote it, or an earlier release did: then
            ``data_date`` is its day, and ``stamps`` has the moment.
        stamps: the source's stamp in each of ``runs``, in the same order; None where none has one.
        attributes: those that the statement is about (column ``said``); one without a value is empty by it.
        fallback: attributes that count only where no other statement has them.
        voided: the source has withdrawn the patient, or a person has voided the record (``runs`` empty).
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
