"""For how long a tenant keeps what is not its record."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Retention(BaseModel):
    """Days by kind; a kind that is not named has the days that its room gives it.

    The clinical record and the audit are no kinds: retention never touches them.
    """

    model_config = ConfigDict(extra="forbid")

    settings_key: ClassVar[str] = "retention"

    days: dict[str, int] = Field(default_factory=dict, description="Days by kind, 30 at least.")


class RetentionRun(BaseModel):
    """When retention last ran for the tenant."""

    settings_key: ClassVar[str] = "retention_run"

    day: date | None = None
