"""Calls of a plugin's hooks in the process that runs the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pluggy

from core.plugins.errors import OtherVersionError, PluginFailed
from core.plugins.kinds import KINDS, types_of
from core.plugins.wire import checked, decode, encode
from plugins.sdk import PROJECT, SPEC_VERSION, PluginContext, hooks


def call_hook(point: EntryPoint, hook: str) -> list[Any]:
    """Import a plugin and call one of its hooks in this process. Return all that it offers.

    Raises:
        OtherVersionError: it was written for another version of the hooks.
        PluginFailed: it implements an unknown hook, or gives no list.
        Exception: whatever the plugin raises.
    """
    plugin = point.load()
    version = getattr(plugin, hooks.VERSION_ATTRIBUTE, None)
    if version != SPEC_VERSION[0]:
        detail = (
            f"plugin {point.name!r} is written for version {version} of the hooks, the platform offers "
            f"{SPEC_VERSION[0]}: run the contract tests of that version, then set {hooks.VERSION_ATTRIBUTE}"
        )
        raise OtherVersionError(detail)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(plugin, name=point.name)
    manager.check_pending()
    offered: list[Any] = []
    for group in getattr(manager.hook, hook)(context=PluginContext()):
        if not isinstance(group, (list, tuple)):
            detail = f"plugin {point.name!r}: {hook} gives {type(group).__name__}, not a list"
            raise PluginFailed(detail)
        offered.extend(group)
    return offered


def describe_offers(point: EntryPoint) -> list[dict[str, Any]]:
    """Import a plugin in this process and return what it offers besides models, as JSON."""
    return [
        {"kind": kind.name, **facts_of(candidate)}
        for kind in KINDS.values()
        for candidate in call_hook(point, kind.hook)
    ]


def facts_of(candidate: Any) -> dict[str, Any]:  # noqa: ANN401 - foreign until checked
    """Return what an offer says of itself, unchecked."""
    return {
        "name": candidate.name,
        "title": candidate.title,
        "version": candidate.version,
        "schema": candidate.settings_schema(),
        "per_minute": getattr(candidate, "per_minute", 0),
        "events": list(getattr(candidate, "events", ())),
    }


def call_method(implementation: Any, kind: str, method: str, arguments: Sequence[Any]) -> Any:  # noqa: ANN401 - foreign
    """Call a method of an offer in this process with arguments as JSON, and return its checked result as JSON.

    Raises:
        BadValueError: it gave something of another type.
        Exception: whatever the plugin raises.
    """
    takes, gives = types_of(kind, method)
    values = [decode(each, value, "the argument") for each, value in zip(takes, arguments, strict=True)]
    return encode(checked(gives, getattr(implementation, method)(*values)))


def find_candidate(point: EntryPoint, kind: str, name: str) -> Any:  # noqa: ANN401 - foreign
    """Import a plugin in this process and return one of its offers.

    Raises:
        LookupError: it offers no such thing.
    """
    for candidate in call_hook(point, KINDS[kind].hook):
        if candidate.name == name:
            return candidate
    message = f"the plugin offers no {kind} {name!r}"
    raise LookupError(message)
