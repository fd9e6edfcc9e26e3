"""Tables for the events of people whom their own import does not name: their placements, and those that wait."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from core.database import TenantBase
from tenants.imports.slots import slot_columns

_EMPTY = {"server_default": text("''")}
_STAMP = DateTime(timezone=True)


class ImportPlacement(TenantBase, table=True):
    """The events of one import about a person whom it does not name: the record that has them, or that they wait.

    The person is known by other imports of the source. Whose the events are changes as these come and are undone
    (``applying.placing``). Events of one person that name different facilities are placements of their own.

    Attributes:
        patient_key: blind index of the person's identifier.
        facility: DATIM id that the rows give; empty where they give none.
        facility_name: what such rows call the facility instead, folded; empty where they do not.
        patient_uuid: the patient in whose record the events are; empty while they wait.
        rows: rows of the import's files.
        gap: one of its rows was rejected, so an event that the import lacks of the person means nothing.
        label: what the source calls the field of the identifier.
        source_keys: keys of the events, where the import has other placements of the person; else they are all.
    """

    __tablename__ = "import_placements"
    __table_args__ = (
        Index("ix_import_placements_patient_key", "patient_key"),
        {"info": {"erased_by": "patient_key"}},
    )

    import_uuid: UUID = Field(primary_key=True)
    patient_key: bytes = Field(primary_key=True, sa_type=LargeBinary)
    facility: str = Field(default="", primary_key=True, sa_type=Text, sa_column_kwargs=_EMPTY)
    facility_name: str = Field(default="", primary_key=True, sa_type=Text, sa_column_kwargs=_EMPTY)
    patient_uuid: UUID | None = None
    rows: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    gap: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    label: str = Field(default="", sa_type=Text, sa_column_kwargs=_EMPTY)
    source_keys: list[bytes] | None = Field(default=None, sa_type=ARRAY(LargeBinary))


class ImportWaitingFact(TenantBase, table=True):
    """One event that waits for its person to be named, as it was staged (``ImportStaging``, ``slots``).

    It names nobody: identifiers are blind indexes, and events have no personal fields.
    """

    __tablename__ = "import_waiting_facts"
    __table_args__ = (
        *slot_columns(),
        Index("ix_import_waiting_facts_patient_key", "patient_key"),
        {"info": {"erased_by": "patient_key"}},
    )

    import_uuid: UUID = Field(primary_key=True)
    patient_key: bytes = Field(primary_key=True, sa_type=LargeBinary)
    facility: str = Field(default="", primary_key=True, sa_type=Text, sa_column_kwargs=_EMPTY)
    facility_name: str = Field(default="", primary_key=True, sa_type=Text, sa_column_kwargs=_EMPTY)
    kind: str = Field(primary_key=True, sa_type=Text)
    source_key: bytes = Field(primary_key=True, sa_type=LargeBinary)
    known_at: datetime | None = Field(default=None, sa_type=_STAMP)
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    content: bytes = Field(sa_type=LargeBinary)
