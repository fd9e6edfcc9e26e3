"""The table of API keys. It is in the control schema, because a key is read before its tenant is known."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, ForeignKey, LargeBinary, Text, text
from sqlmodel import Field

from core.database import PlatformBase


class ApiKey(PlatformBase, table=True):
    """An API key of a tenant.

    Only the secret's SHA-256 is stored. The secret has 256 random bits, so it needs no salt.

    ``permissions`` NULL means every permission that the installed features declare.
    """

    __tablename__: ClassVar[str] = "api_keys"
    __table_args__: ClassVar[dict[str, Any]] = {"info": {"app": "SELECT, INSERT, UPDATE"}}

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(sa_column=Column(ForeignKey("platform.tenants.id"), nullable=False, index=True))
    prefix: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    secret_hash: bytes = Field(sa_type=LargeBinary)
    name: str = Field(sa_type=Text)
    permissions: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text), nullable=True))
    created_at: datetime = Field(
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": text("now()")},
    )
    created_by: str = Field(sa_type=Text)
    expires_at: datetime | None = Field(
        default=None,
        sa_type=DateTime(timezone=True),
    )
    revoked_at: datetime | None = Field(
        default=None,
        sa_type=DateTime(timezone=True),
    )
    last_used_at: datetime | None = Field(
        default=None,
        sa_type=DateTime(timezone=True),
    )
