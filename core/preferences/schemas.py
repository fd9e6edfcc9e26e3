"""Answers of the API about a tenant's settings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from core.preferences.service import GroupState

_DEFAULTS: Final[dict[str, Any]] = {
    "capacity_share": 0.3,
    "training_years": 6,
    "training_units": 400000,
    "reasons": 3,
    "horizon_days": 14,
    "capacity": 20,
}
_EXAMPLE: Final[dict[str, Any]] = {
    "name": "risk",
    "title": "Rules of training, and of how scores are shown.",
    "value": {**_DEFAULTS, "capacity_share": 0.2},
    "default": _DEFAULTS,
    "set_names": ["capacity_share"],
    "permission": "risk.settings",
    "changed_at": "2026-11-28T09:30:00Z",
    "changed_by": "api_key:019c2253-7220-70a7-a610-b4172b5ebaa0",
}


class SettingsGroupOut(BaseModel):
    """A group of the tenant's settings."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    name: str = Field(description="Name of the group, as in the path.")
    title: str = Field(description="What the group is about.")
    value: dict[str, Any] = Field(description="The values in force.")
    default: dict[str, Any] = Field(description="The defaults, which apply to settings that the tenant has not set.")
    set_names: list[str] = Field(
        description="Names of the settings that the tenant has set, dotted. The others have their defaults."
    )
    permission: str = Field(description="Permission needed to change the group, besides settings.write.")
    changed_at: datetime | None = Field(description="Time of the last change.")
    changed_by: str | None = Field(description="Actor of the last change.")
    problem: str | None = Field(
        default=None,
        description="Why the stored values are not in force. The defaults apply until the group is put or reset.",
    )


class SettingsGroupDetail(SettingsGroupOut):
    """A group of settings, with the JSON schema of its value."""

    model_config = ConfigDict(json_schema_extra={"example": {**_EXAMPLE, "schema": {"type": "object"}}})

    json_schema: dict[str, Any] = Field(serialization_alias="schema", description="The JSON schema of `value`.")


def group_out(state: GroupState) -> SettingsGroupOut:
    """Return a group as the list shows it."""
    return SettingsGroupOut(**_facts(state))


def group_detail(state: GroupState) -> SettingsGroupDetail:
    """Return a group with its schema."""
    return SettingsGroupDetail(**_facts(state), json_schema=state.group.model.model_json_schema())


def _facts(state: GroupState) -> dict[str, Any]:
    return {
        "name": state.group.name,
        "title": state.group.title,
        "value": state.value.model_dump(mode="json"),
        "default": state.group.model().model_dump(mode="json"),
        "set_names": state.set_names,
        "permission": state.group.permission,
        "changed_at": state.changed_at,
        "changed_by": state.changed_by,
        "problem": state.problem,
    }
