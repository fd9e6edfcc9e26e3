"""Tables for events about people whom their own import does not name: the placements, and the events that wait."""

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
    """The place of an import's events about a person whom it does not name: a patient's record, or waiting.

    Other imports of the source may name the person. When these come or are undone, the events may belong to another
    patient or wait (``applying.placing``). If a person's events name different facilities, each facility has its own
    placement.

    Attributes:
        patient_key: blind index of the person's identifier.
        facility: the DATIM id in the rows; empty if they have none.
        facility_name: the rows' name for the facility if they have no DATIM id, folded; empty if they have neither.
        patient_uuid: the patient whose record has the events; empty while they wait.
        rows: number of rows in the import's files.
        gap: whether a row was rejected. Then the absence of an event of the person means nothing.
        label: the source's name for the field of the identifier.
        source_keys: keys of the events, if the import has several placements of the person. Empty means all events.
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
