"""Bodies and answers of the API about plugins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.database import TenantRef
from core.plugins.catalogue import InstalledPlugin, find_offer
from core.plugins.instance_models import PluginInstance
from core.plugins.instances import InstanceState, set_secrets, shown_settings, state_of

Kind = Literal["alert-channel", "sms-gateway", "event-listener", "importer", "rag-source"]
_SCHEMA = {"type": "object", "properties": {"token": {"type": "string", "writeOnly": True}}}


class OfferOut(BaseModel):
    """One thing that an installed plugin offers."""

    kind: Kind = Field(description="What it is.")
    name: str = Field(description="Its name, unique in its kind.", examples=["slack"])
    title: str = Field(description="Its name for people.", examples=["Slack"])
    version: str = Field(description="Version of its code.", examples=["1"])
    settings_schema: dict[str, Any] = Field(
        description="JSON Schema (2020-12) of its settings; secrets are `writeOnly`.", examples=[_SCHEMA]
    )


class PluginOut(BaseModel):
    """An installed plugin."""

    name: str = Field(description="Its name.", examples=["slack"])
    distribution: str = Field(description="The package that it comes from.", examples=["iit-platform"])
    version: str = Field(description="Version of the package.", examples=["1.0.0"])
    state: Literal["ready", "broken", "other-version", "not-confined"] = Field(
        description="Whether it can be used. `other-version`: it is written for other hooks. `not-confined`: this"
        " system cannot confine it, and the operator has not named it."
    )
    reason: str = Field(description="Why it cannot be used; empty if it can.", examples=[""])
    offers: list[OfferOut] = Field(description="What it offers besides models.")

    @classmethod
    def of(cls, plugin: InstalledPlugin) -> PluginOut:
        """Return the answer for a plugin."""
        offers = [
            OfferOut(
                kind=offer.kind,  # type: ignore[arg-type]  # the catalogue checked it
                name=offer.name,
                title=offer.title,
                version=offer.version,
                settings_schema=dict(offer.schema),
            )
            for offer in plugin.offers
        ]
        return cls(
            name=plugin.name,
            distribution=plugin.distribution,
            version=plugin.version,
            state=plugin.state,
            reason=plugin.reason,
            offers=offers,
        )


class PluginsOut(BaseModel):
    """The installed plugins."""

    plugins: list[PluginOut] = Field(description="Those that come with the platform first.")


class PluginInstanceChange(BaseModel):
    """What a person chooses of an instance."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)] = Field(
        description="Unique among the instances of its kind.", examples=["Nights"]
    )
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="By the plugin's schema. A secret that is missing or null stays as it is; an empty one is removed.",
        examples=[{"token": "xoxb-1"}],
    )
    enabled: bool = Field(default=True, description="Whether the platform uses it.")


class PluginInstanceIn(PluginInstanceChange):
    """An instance to set up."""

    kind: Kind = Field(description="What it is.")
    plugin: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(
        description="The name of the offer.", examples=["slack"]
    )


class PluginInstanceOut(BaseModel):
    """An instance of a plugin, without its secrets."""

    id: UUID = Field(description="The instance.")
    kind: Kind = Field(description="What it is.")
    plugin: str = Field(description="The name of the offer.", examples=["slack"])
    name: str = Field(description="Its name.", examples=["Nights"])
    enabled: bool = Field(description="Whether the platform uses it.")
    state: InstanceState = Field(
        description="`failing`: it is used, and fails again and again. `missing`: no installed plugin that is ready"
        " offers it. `needs-secrets`: it was restored from an archive, which carries no secrets."
    )
    failing_since: datetime | None = Field(description="When it began to fail again and again; null if it does not.")
    last_success_at: datetime | None = Field(description="When it last worked, to the minute; null if it never did.")
    last_failure_at: datetime | None = Field(description="When it last failed; null if it never did.")
    last_failure_reason: str | None = Field(description="A short code of that failure.", examples=["channel_not_found"])
    settings: dict[str, Any] = Field(description="Without the secrets.", examples=[{"room": "nights"}])
    secrets_set: list[str] = Field(description="The secrets that are set.", examples=[["token"]])
    created_at: datetime = Field(description="When it was set up.")
    updated_at: datetime = Field(description="When it was changed last.")

    @classmethod
    def of(cls, row: PluginInstance, tenant: TenantRef) -> PluginInstanceOut:
        """Return the answer for an instance."""
        offer = find_offer(row.kind, row.plugin, tenant)
        schema = {} if offer is None else offer.schema
        return cls(
            id=row.id,
            kind=row.kind,  # type: ignore[arg-type]  # the table holds nothing else
            plugin=row.plugin,
            name=row.name,
            enabled=row.enabled,
            state=state_of(row, tenant),
            failing_since=row.failing_since,
            last_success_at=row.last_success_at,
            last_failure_at=row.last_failure_at,
            last_failure_reason=row.last_failure_reason,
            settings=shown_settings(row, schema),
            secrets_set=set_secrets(row, schema),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class PluginAddress(BaseModel):
    """Where the vendor sends its requests."""

    address: str = Field(
        description="Whoever knows it may send reports: give it to the vendor alone.",
        examples=["https://care.example.org/v1/plugin-hooks/0197/0198/secret"],
    )


class PluginFailureOut(BaseModel):
    """One failure of an instance, for the plugin's author."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime = Field(description="When it failed.")
    operation: str = Field(description="The method that was called, or `request`.", examples=["requests"])
    reason: str = Field(description="What went wrong.", examples=["host_not_allowed"])
    output: str = Field(description="The end of what the plugin wrote; empty if nothing.", examples=[""])


class PluginTest(BaseModel):
    """The result of a test."""

    state: Literal["sent", "retry", "failed", "unknown"] = Field(description="What became of the test message.")
    reason: str = Field(description="A short code; empty if it was sent.", examples=["channel_not_found"])
