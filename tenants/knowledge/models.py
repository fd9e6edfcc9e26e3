"""Tables of knowledge: documents and their passages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid

STAMP: Any = DateTime(timezone=True)
DIMENSIONS: Final = 384
"""Of all vectors: what both packaged models give, and what a model at an address is asked for."""


class KnowledgeDocument(TenantBase, table=True):
    """One version of a document. A later version of the same name supersedes it.

    Attributes:
        source_id: the instance of the plugin that named it; None: uploaded.
        name: unique in its source; versions share it.
        version: from 1.
        title: empty until it is read, where nobody gave one.
        digest: SHA-256 of the file; empty if it was never stored.
        blob_key: where the file is stored; None if it was rejected before.
        mark: size, time and tag under which its source listed it; empty if a change cannot be seen by them.
        language: ISO 639, such as ``en``; empty until it is read, where nobody gave one.
        valid_from: the first day on which it applies; None: always did.
        superseded_at: when another version, or nothing, took its place.
        valid_until: the first day on which it no longer applies, of a version that was superseded ahead of that day.
        state: ``waiting`` until it is read, then ``searchable`` or ``unreadable``.
        failure: code of why it cannot be read, see ``reading.reasons``.
        searchable_at: when its passages were stored.
        models: by which its passages are embedded.
    """

    __tablename__: ClassVar[str] = "knowledge_documents"
    __table_args__ = (
        UniqueConstraint("source_id", "name", "version", postgresql_nulls_not_distinct=True),
        CheckConstraint("state IN ('waiting', 'searchable', 'unreadable')", name="state"),
        CheckConstraint("(failure IS NOT NULL) = (state = 'unreadable')", name="failure"),
        Index(
            "uq_knowledge_documents_current",
            "source_id",
            "name",
            unique=True,
            postgresql_where=text("superseded_at IS NULL AND state = 'searchable'"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    source_id: UUID | None = None
    name: str = Field(sa_type=Text)
    version: int = Field(sa_type=Integer)
    title: str = Field(sa_type=Text)
    url: str = Field(default="", sa_type=Text)
    language: str = Field(sa_type=Text)
    media_type: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    size: int = Field(sa_type=BigInteger)
    blob_key: str | None = Field(default=None, sa_type=Text)
    mark: str = Field(default="", sa_type=Text)
    state: str = Field(default="waiting", sa_type=Text)
    failure: str | None = Field(default=None, sa_type=Text)
    passages: int = Field(default=0, sa_type=Integer)
    valid_from: date | None = Field(default=None, sa_type=Date)
    superseded_at: datetime | None = Field(default=None, sa_type=STAMP)
    valid_until: date | None = Field(default=None, sa_type=Date)
    searchable_at: datetime | None = Field(default=None, sa_type=STAMP)
    models: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'::jsonb"))
    )
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)


CONFIGURATIONS: Final = {"en": "english", "fr": "french", "pt": "portuguese"}
"""PostgreSQL's text search by language. Words of others are searched as they are written."""

_LEXEMES = (
    "to_tsvector(CASE language "
    + " ".join(f"WHEN '{language}' THEN '{name}'::regconfig" for language, name in CONFIGURATIONS.items())
    + " ELSE 'simple'::regconfig END, searched)"
)


class KnowledgePassage(TenantBase, table=True):
    """A passage with its vector by one model; while a new model takes over, each passage has a row of both.

    The table and its first five columns have the names under which llama-index's ``PGVectorStore`` reads them.

    Attributes:
        node_id: the passage's id, the same by each model.
        text: what is quoted.
        metadata_: nothing; what is known of a passage has columns of its own.
        embedding: by ``model``.
        number: its place in the document, from 1.
        section: the headings above it, in one line.
        page: on which it begins; None where the document has no pages.
        searched: the title, the section and the text, in which words are searched.
        words: of ``searched``.
    """

    __tablename__: ClassVar[str] = "data_passages"
    __table_args__ = (
        UniqueConstraint("document_uuid", "number", "model"),
        Index("ix_data_passages_node_id", "node_id"),
        Index("ix_data_passages_lexemes", "lexemes", postgresql_using="gin"),
        Index(
            "ix_data_passages_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_cosine_ops"},
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    node_id: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    metadata_: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    embedding: Any = Field(sa_type=Vector(DIMENSIONS))
    model: str = Field(sa_type=Text)
    document_uuid: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("knowledge_documents.uuid", ondelete="CASCADE"), nullable=False)
    )
    number: int = Field(sa_type=Integer)
    section: str = Field(sa_type=Text)
    page: int | None = Field(default=None, sa_type=Integer)
    language: str = Field(sa_type=Text)
    searched: str = Field(sa_type=Text)
    words: int = Field(sa_type=Integer)
    lexemes: Any = Field(default=None, sa_column=Column(TSVECTOR, Computed(_LEXEMES, persisted=True)))
