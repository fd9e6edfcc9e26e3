"""The hooks that a plugin may implement, and the version of this list.

A plugin is a module. The platform finds it by an entry point of the group ``iit.plugins``. The module states the major
version that it is written for (``IIT_SDK = 1``) and implements any of these functions, marked with :data:`hookimpl`.
Each function gets one context object. Minor versions may add fields to it, and never remove one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pluggy

from plugins.sdk.channel import AlertChannel
from plugins.sdk.contract import ModelPlugin
from plugins.sdk.gateway import SmsGateway
from plugins.sdk.importer import Importer
from plugins.sdk.json_types import Json
from plugins.sdk.listener import EventListener
from plugins.sdk.source import RagSource

PROJECT = "iit"
ENTRY_POINT_GROUP = "iit.plugins"
SPEC_VERSION = (1, 1)
VERSION_ATTRIBUTE = "IIT_SDK"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class PluginContext:
    """The context that every hook gets. It can be written as JSON, and contains no database, no key and no patient.

    Attributes:
        spec_version: version of the hooks that the platform offers.
        settings: the plugin's own settings, validated; empty if it has none.
    """

    spec_version: tuple[int, int] = SPEC_VERSION
    settings: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """The context as a JSON object."""
        return {"spec_version": list(self.spec_version), "settings": dict(self.settings)}


@hookspec
def iit_models(context: PluginContext) -> list[ModelPlugin]:  # type: ignore[empty-body]
    """Return the kinds of model that this plugin can fit."""


@hookspec
def iit_alert_channels(context: PluginContext) -> list[AlertChannel]:  # type: ignore[empty-body]
    """Return the kinds of alert channel that this plugin offers."""


@hookspec
def iit_sms_gateways(context: PluginContext) -> list[SmsGateway]:  # type: ignore[empty-body]
    """Return the kinds of SMS gateway that this plugin offers."""


@hookspec
def iit_event_listeners(context: PluginContext) -> list[EventListener]:  # type: ignore[empty-body]
    """Return the kinds of event listener that this plugin offers."""


@hookspec
def iit_importers(context: PluginContext) -> list[Importer]:  # type: ignore[empty-body]
    """Return the kinds of importer that this plugin offers."""


@hookspec
def iit_rag_sources(context: PluginContext) -> list[RagSource]:  # type: ignore[empty-body]
    """Return the kinds of knowledge source that this plugin offers."""
