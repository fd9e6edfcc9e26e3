"""The tables of wrapped keys, in the tenant's own schema. No key is ever stored in the clear."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, LargeBinary, Text, text
from sqlmodel import Field

from core.database import TenantBase


class TenantKey(TenantBase, table=True):
    """One of the tenant's keys, wrapped by a master key.

    ``data`` wraps patients' keys, ``index`` keys the blind indexes, and the keys of blobs derive from ``blob``.
    """

    __tablename__: ClassVar[str] = "tenant_keys"
    __table_args__ = (CheckConstraint("purpose IN ('data', 'index', 'blob')", name="purpose"),)

    purpose: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    master_kid: str = Field(
        sa_type=Text, description="Which master key wraps it: the first 16 hex digits of its SHA-256."
    )
    wrapped_key: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": text("now()")},
    )


class PatientKey(TenantBase, table=True):
    """A patient's data key, wrapped by the tenant's. Erasing removes the key; the row stays as a mark."""

    __tablename__: ClassVar[str] = "patient_keys"
    __table_args__ = (CheckConstraint("(wrapped_key IS NULL) = (erased_at IS NOT NULL)", name="erased"),)

    patient_uuid: UUID = Field(primary_key=True)
    tenant_key_version: int
    wrapped_key: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = Field(
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": text("now()")},
    )
    erased_at: datetime | None = Field(
        default=None,
        sa_type=DateTime(timezone=True),
    )


class ErasedIdentifier(TenantBase, table=True):
    """A keyed digest of an erased patient's identifier, so that another source's list does not bring them back."""

    __tablename__: ClassVar[str] = "erased_identifiers"
    __table_args__ = ({"info": {"append_only": True}},)

    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    erased_at: datetime = Field(
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": text("now()")},
    )
