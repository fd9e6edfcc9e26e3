"""Tables of stored answers: a tenant's in its schema, those of the control database in ``platform``."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.database import PlatformBase, TenantBase

STAMP: Any = DateTime(timezone=True)


class IdempotencyAnswer(TenantBase, table=True):
    """The answer to one write of a principal, stored in the transaction of its effect.

    Attributes:
        key_digest: SHA-256 of tenant, principal and Idempotency-Key. The key itself is not stored.
        principal: who sent it, as ``kind:id``.
        operation: the name of the operation.
        fingerprint: SHA-256 of method, path, query and body.
        headers: the headers of the answer that a replay repeats.
        answer: the body, encrypted with the tenant's key and bound to this row; NULL if there is none, or it is too
            large, or a person was erased since.
        has_body: whether the answer had a body.
        location: where to read the result again, if the answer is not stored.
        request_id: the request that had the effect.
    """

    __tablename__: ClassVar[str] = "idempotency_answers"
    __table_args__ = (
        Index("ix_idempotency_answers_expires_at", "expires_at"),
        {"info": {"archive": "answers that a caller may ask for again for two days"}},
    )

    key_digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    principal: str = Field(sa_type=Text)
    operation: str = Field(sa_type=Text)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    status: int
    headers: dict[str, Any] = Field(sa_type=JSONB)
    answer: bytes | None = Field(default=None, sa_type=LargeBinary)
    has_body: bool
    location: str | None = Field(default=None, sa_type=Text)
    request_id: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    expires_at: datetime = Field(sa_type=STAMP)


class PlatformIdempotencyAnswer(PlatformBase, table=True):
    """The answer to one write whose effect is in the control database: of people, keys, sign-in, or an operator.

    Attributes:
        tenant_id: whose data the write concerns; NULL for an operator's. Its key encrypts the answer, and the
            installation's does where there is none. The other attributes are those of ``IdempotencyAnswer``.
    """

    __tablename__: ClassVar[str] = "idempotency_answers"
    __table_args__ = (Index("ix_idempotency_answers_expires_at", "expires_at"),)

    key_digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    tenant_id: UUID | None = None
    principal: str = Field(sa_type=Text)
    operation: str = Field(sa_type=Text)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    status: int
    headers: dict[str, Any] = Field(sa_type=JSONB)
    answer: bytes | None = Field(default=None, sa_type=LargeBinary)
    has_body: bool
    location: str | None = Field(default=None, sa_type=Text)
    request_id: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    expires_at: datetime = Field(sa_type=STAMP)
