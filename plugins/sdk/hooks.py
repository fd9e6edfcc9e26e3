"""The hooks that a plugin may implement, and the version of this list.

A plugin is a module, found by an entry point of the group ``iit.plugins``, that states the major version it was
written for (``IIT_SDK = 1``) and implements any of these functions under the mark :data:`hookimpl`. Each gets one
context object; more fields may be added to it in minor versions, none is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pluggy

from plugins.sdk.contract import ModelPlugin
from plugins.sdk.json_types import Json

PROJECT = "iit"
ENTRY_POINT_GROUP = "iit.plugins"
SPEC_VERSION = (1, 0)
VERSION_ATTRIBUTE = "IIT_SDK"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class PluginContext:
    """All that a plugin is told. It can be written as JSON; there is no database, no key and no patient in it.

    Attributes:
        spec_version: version of the hooks that the platform offers.
        settings: the plugin's own settings, already validated; empty when it has none.
    """

    spec_version: tuple[int, int] = SPEC_VERSION
    settings: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """The context as a JSON object."""
        return {"spec_version": list(self.spec_version), "settings": dict(self.settings)}


@hookspec
def iit_models(context: PluginContext) -> list[ModelPlugin]:  # type: ignore[empty-body]
    """Give the kinds of model that this plugin can fit."""
