"""The parts of an archive: see docs/reference/archive-format.md."""

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
"""The size in bytes after which the writer begins a new part of a table or file."""

LARGEST_PART = 64 << 20
"""The upper limit of a part in bytes: one enormous row may exceed ``PART``, but never this."""

_NAME = r"^[a-z][a-z0-9_]{0,62}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ColumnInfo(_Part):
    """A column of a table.

    Attributes:
        type: its type, as PostgreSQL writes it.
        opened_as: for an encrypted column, the key in each row's line that holds the plain text.
    """

    name: str = Field(pattern=_NAME)
    type: str
    opened_as: str | None = None


class TableInfo(_Part):
    """A table: its columns in the order of a line's keys, and the columns that sort the lines.

    Attributes:
        patient: for a table with encrypted columns, the column with the patient whose key encrypts them.
        row: the column with the row that the ciphertexts are bound to.
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
        """The encrypted columns."""
        return [column for column in self.columns if column.opened_as is not None]


class TenantInfo(_Part):
    """The tenant that the archive holds."""

    id: UUID
    slug: str
    name: str
    time_zone: str
    created_at: datetime


class OmittedPart(_Part):
    """A part of the tenant that the archive lacks, and why."""

    what: str
    why: str


class Header(_Part):
    """The archive's first member: facts that a reader needs before the rows."""

    format: Literal["iit-tenant-archive"]
    format_version: int
    application: str
    revision: str
    made_at: datetime
    tenant: TenantInfo
    tables: list[TableInfo]
    left_out: list[OmittedPart]


class Keys(_Part):
    """The key of the tenant's blind indexes, as hexadecimal. With it, later imports still match its rows."""

    index: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)


class TableChecksum(_Part):
    """The number of a table's rows, and the SHA-256 over its lines with their newlines."""

    rows: int
    sha256: str


class BlobInfo(_Part):
    """A stored file: its key, and the size and SHA-256 of its plain bytes."""

    key: str
    size: int
    sha256: str


class AuditHead(_Part):
    """The last seal of the audit's chain."""

    seal: int
    digest: str


class Manifest(Header):
    """The archive's last member: the header again, and the counts and checksums of all members before it."""

    contents: dict[str, TableChecksum]
    blobs: list[BlobInfo]
    audit: AuditHead | None
