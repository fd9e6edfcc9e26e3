"""Settings of retention: how long a tenant retains rows that are not part of its records."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from core.feature_registry import declared

if TYPE_CHECKING:
    from core.feature_registry import RetentionRule

FEWEST_DAYS: Final = 30
MOST_DAYS: Final = 36_500


class RetentionRun(BaseModel):
    """The day on which retention last ran for the tenant."""

    settings_key: ClassVar[str] = "retention_run"

    day: date | None = None


class RetentionSettings(BaseModel):
    """The base of ``retention_model``: its name and its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings_key: ClassVar[str] = "retention"


@cache
def kinds() -> dict[str, RetentionRule]:
    """Every kind of rows that a room registered, by name.

    Raises:
        RuntimeError: two rooms register one kind.
    """
    return declared("kind of retention", lambda feature: feature.retention.items())


@cache
def retention_model() -> type[RetentionSettings]:
    """The settings of retention: days by kind, one field per registered kind.

    The clinical record and the audit are not kinds: retention never touches them.
    """
    fields: dict[str, Any] = {
        name: (int, Field(default=kind.days, ge=FEWEST_DAYS, le=MOST_DAYS, description=f"Days. {kind.what}"))
        for name, kind in sorted(kinds().items())
    }
    return create_model("Retention", __base__=RetentionSettings, **fields)
