"""Tables of fetching: the terms and state of each source, and the files that it had."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, DateTime, ForeignKey, Text, UniqueConstraint, Uuid
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import TenantBase

STAMP: Any = DateTime(timezone=True)
DEFAULT_CRON = "30 0 * * *"
"""Nightly, before the night's scoring."""
_LOCAL: dict[str, Any] = {"info": {"archive": "they belong to the instances of importers, which send from here"}}


def _instance(*, primary_key: bool = False) -> Column[Any]:
    key = ForeignKey("plugin_instances.id", ondelete="CASCADE")
    return Column(Uuid, key, primary_key=primary_key, nullable=False)


class ImportSource(TenantBase, table=True):
    """How the files of an importer's instance are imported, when they are fetched, and how the last fetch ended.

    Attributes:
        instance_id: the instance; without a row its defaults apply.
        mapping: the mapping (YAML); empty if the format needs none.
        dates: what comes first in numeric dates: ``day-first`` or ``month-first``; None to detect it.
        strict: import nothing of a file if any row is rejected.
        cron: times of fetches, in the tenant's time zone.
        active: whether the schedule runs.
        basis: times and time zone from which ``next_run`` was computed. It is computed again when they differ.
        next_run: when the next fetch is due.
        job_id: the job of the last fetch.
        began_at, ended_at: of the last fetch; it runs while it has begun and not ended.
        outcome: ``done`` or ``failed``, of the last fetch that ended.
        problem: code of what was wrong; empty if nothing.
        failures: fetches in a row that failed.
        files_seen, files_fetched, files_waiting: of the last fetch: files that the plugin chose, new ones that were
            fetched, and those left for the next time.
        new_file_at: when a new file was last fetched.
        changed_by, changed_at: who last changed the terms, and when.
    """

    __tablename__: ClassVar[str] = "import_sources"
    __table_args__ = (CheckConstraint("outcome IN ('done', 'failed')", name="outcome"), _LOCAL)

    instance_id: UUID = Field(sa_column=_instance(primary_key=True))
    mapping: str = Field(default="", sa_type=Text)
    dates: str | None = Field(default=None, sa_type=Text)
    strict: bool = False
    cron: str = Field(default=DEFAULT_CRON, sa_type=Text)
    active: bool = True
    basis: str = Field(sa_type=Text)
    next_run: datetime = Field(sa_type=STAMP)
    job_id: UUID | None = None
    began_at: datetime | None = Field(default=None, sa_type=STAMP)
    ended_at: datetime | None = Field(default=None, sa_type=STAMP)
    outcome: str | None = Field(default=None, sa_type=Text)
    problem: str = Field(default="", sa_type=Text)
    failures: int = 0
    files_seen: int = 0
    files_fetched: int = 0
    files_waiting: int = 0
    new_file_at: datetime | None = Field(default=None, sa_type=STAMP)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    changed_by: str | None = Field(default=None, sa_type=Text)
    changed_at: datetime | None = Field(default=None, sa_type=STAMP)


class FetchedFile(TenantBase, table=True):
    """A file of a source, as it was when it was last fetched. It keeps the file from being imported twice.

    Attributes:
        name: unique in its source.
        size, modified_at, etag: as the source listed it then.
        sha256: of the content; empty if it was rejected before it was fetched as a whole.
        import_uuid: the import of the content; None if the file was rejected.
        problem: code of why it was rejected; empty if it was not.
        detail: what the import found wrong before it began; empty otherwise.
        basis: the settings and terms of the rejection: with others the file is tried again.
        seen_on: the last day on which the source listed it.
    """

    __tablename__: ClassVar[str] = "fetched_files"
    __table_args__ = (UniqueConstraint("instance_id", "name"), _LOCAL)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    instance_id: UUID = Field(sa_column=_instance())
    name: str = Field(sa_type=Text)
    size: int = Field(sa_type=BigInteger)
    modified_at: datetime | None = Field(default=None, sa_type=STAMP)
    etag: str = Field(default="", sa_type=Text)
    sha256: str = Field(default="", sa_type=Text)
    import_uuid: UUID | None = None
    problem: str = Field(default="", sa_type=Text)
    detail: str = Field(default="", sa_type=Text)
    basis: str = Field(default="", sa_type=Text)
    fetched_at: datetime = Field(default_factory=now, sa_type=STAMP)
    seen_on: date = Field(sa_type=Date)
