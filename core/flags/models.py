"""Tables of flags, in the control database."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class FeatureFlag(PlatformBase, table=True):
    """How a flag is set. A flag without a row has its declared default.

    Attributes:
        definition: a ``core.flags.definition.Definition``.
        change: number of its last change.
    """

    __tablename__: ClassVar[str] = "feature_flags"

    name: str = Field(primary_key=True, sa_type=Text)
    definition: dict[str, Any] = Field(sa_type=JSONB)
    change: int = Field(sa_type=BigInteger)


class FlagChange(PlatformBase, table=True):
    """A change of a flag; rows are only added.

    Attributes:
        number: grows with each change of any flag.
        definition: how it was set; None if it was given back to its default.
    """

    __tablename__: ClassVar[str] = "flag_changes"
    __table_args__ = (Index("ix_flag_changes_name_number", "name", "number"), {"info": {"app": "SELECT, INSERT"}})

    number: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger, sa_column_args=(Identity(always=True),)
    )
    name: str = Field(sa_type=Text)
    definition: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    reason: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    changed_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
