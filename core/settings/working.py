"""The settings of work in the background: imports, jobs, searches, the audit's seals."""

from datetime import timedelta

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class WorkingSettings(BaseSettings):
    """How much the workers do at a time, how often, and how long they remember it."""

    import_folders: str = Field(default="", description="Folders, with one of each tenant's name, that importers read.")
    import_max_bytes: int = Field(
        default=8_589_934_592, ge=1024, description="Most data of one import, in bytes, after decompression."
    )
    import_reader_max_bytes: int = Field(
        default=2_147_483_648,
        ge=268_435_456,
        description="Memory of the process that reads an import's files, in bytes.",
    )
    import_reader_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Seconds without progress after which the process that reads an import's files is stopped.",
    )
    knowledge_folder: str = Field(
        default="",
        description="Folder whose documents all tenants may search, with folders en, fr and pt for those languages.",
    )
    jobs_threads: int = Field(default=4, ge=1, le=64, description="Jobs that one `iit worker` runs at a time.")
    jobs_window: int = Field(
        default=64,
        ge=1,
        description="Jobs that may wait for a worker's thread at once. Other due jobs wait their turn.",
    )
    jobs_per_tenant: int = Field(
        default=8, ge=1, description="Jobs of one tenant that are under way or running at once."
    )
    jobs_poll_seconds: float = Field(default=0.5, gt=0, description="Seconds between two searches for due jobs.")
    jobs_resend_after: timedelta = Field(
        default=timedelta(seconds=30),
        description="Seconds after which the message of a job that no thread took is sent again.",
    )
    jobs_grace_seconds: float = Field(
        default=25.0, ge=0, description="Seconds that a stopping worker gives its running jobs to end their step."
    )
    inbox_keep_days: int = Field(
        default=30, ge=4, description="Days for which a message from elsewhere is known, so that it takes effect once."
    )
    jobs_keep_days: int = Field(default=30, ge=1, description="Days after which jobs that ended are removed.")
    quality_link_after_minutes: float = Field(
        default=15.0,
        ge=0,
        description="Minutes between an import and the search for people recorded twice. One search serves all"
        " imports of that time.",
    )
    audit_seal_seconds: float = Field(
        default=10.0, gt=0, description="Seconds between two searches for audit events without a seal."
    )
    audit_anchor_seconds: float = Field(
        default=60.0, ge=0, description="Fewest seconds between two anchors of one tenant's audit."
    )

    @field_validator("jobs_resend_after", mode="before")
    @classmethod
    def _seconds(cls, value: object) -> object:
        """Read a bare number as seconds, as everywhere in the settings."""
        return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value
