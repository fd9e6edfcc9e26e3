"""Tables of the installation in the control database, with which processes compare their settings."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, DateTime, LargeBinary, Text, text
from sqlmodel import Field

from core.database import PlatformBase


class BlobStore(PlatformBase, table=True):
    """The mark of the installation's file store: one row, created with the first file.

    Attributes:
        single: makes the row the only one.
        mark: the content of the file ``installation`` in the store.
    """

    __tablename__: ClassVar[str] = "blob_store"
    __table_args__ = (CheckConstraint("single", name="single"), {"info": {"app": "SELECT, INSERT, UPDATE"}})

    single: bool = Field(primary_key=True, sa_type=Boolean)
    mark: UUID
    marked_at: datetime = Field(sa_type=DateTime(timezone=True), sa_column_kwargs={"server_default": text("now()")})


class MasterKeyCheck(PlatformBase, table=True):
    """A master key that this installation has used: a fixed text that only the same key opens."""

    __tablename__: ClassVar[str] = "master_key_checks"
    __table_args__ = ({"info": {"app": "SELECT, INSERT"}},)

    kid: str = Field(primary_key=True, sa_type=Text)
    sealed: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=DateTime(timezone=True), sa_column_kwargs={"server_default": text("now()")})
