"""What an archive says of itself: see docs/reference/archive-format.md."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

FORMAT = "iit-tenant-archive"
VERSION = 1

HEADER = "header.json"
KEYS = "keys.json"
MANIFEST = "manifest.json"
TABLE_PART = re.compile(r"tables/([a-z][a-z0-9_]{0,62})/(\d{6})\.ndjson", re.ASCII)
BLOB_PART = re.compile(r"blobs/(keep/[0-9a-f]{32}-[a-z0-9][a-z0-9._-]{0,39})/(\d{6})", re.ASCII)

PART = 4 << 20
"""Bytes after which a new part of a table or blob is begun."""

LARGEST_PART = 64 << 20
"""A part with one enormous row may be larger than ``PART``, never than this."""

_NAME = r"^[a-z][a-z0-9_]{0,62}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ColumnInfo(_Part):
    """A column.

    Attributes:
        type: as PostgreSQL writes it.
        opened_as: of an encrypted column: the key under which rows carry its plain text instead.
    """

    name: str = Field(pattern=_NAME)
    type: str
    opened_as: str | None = None


class TableInfo(_Part):
    """A table: its columns in the order of each row's keys, and the columns that rows are in the order of.

    Attributes:
        patient: of a table with encrypted columns: the column that says whose key they are encrypted with.
        row: the column that says which row they are bound to.
    """

    name: str = Field(pattern=_NAME)
    columns: list[ColumnInfo]
    key: list[str]
    patient: str | None = None
    row: str | None = None

    @property
    def plain(self) -> list[ColumnInfo]:
        """The columns that are not encrypted."""
        return [column for column in self.columns if column.opened_as is None]

    @property
    def sealed(self) -> list[ColumnInfo]:
        """The columns that are."""
        return [column for column in self.columns if column.opened_as is not None]


class TenantInfo(_Part):
    """Whose archive it is."""

    id: UUID
    slug: str
    name: str
    time_zone: str
    created_at: datetime


class LeftOut(_Part):
    """What of the tenant is not in the archive, and why."""

    what: str
    why: str


class Header(_Part):
    """The archive's first member: what a reader must know before the rows come."""

    format: Literal["iit-tenant-archive"]
    format_version: int
    application: str
    revision: str
    made_at: datetime
    tenant: TenantInfo
    tables: list[TableInfo]
    left_out: list[LeftOut]


class Keys(_Part):
    """The key of the tenant's blind indexes, hexadecimal: with it, files imported later still find their rows."""

    index: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)


class Counted(_Part):
    """How many rows a table has, and the SHA-256 over its lines, each with its newline."""

    rows: int
    sha256: str


class BlobInfo(_Part):
    """A stored file: its key, bytes before encryption, and their SHA-256."""

    key: str
    size: int
    sha256: str


class AuditHead(_Part):
    """The last seal of the audit's chain."""

    seal: int
    digest: str


class Manifest(Header):
    """The archive's last member: all that the header says, and the counts and checksums of what came between."""

    contents: dict[str, Counted]
    blobs: list[BlobInfo]
    audit: AuditHead | None
