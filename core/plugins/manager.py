"""The installed plugins and their models. A plugin that fails is counted and left out; the others still work.

First-party plugins (of our own distribution) are imported and score in this process. All others run only in processes
of their own (:mod:`core.plugins.remote`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import structlog

from core.database import require_none
from core.errors import AppError, NotFound
from core.plugins.errors import PluginFailed
from core.plugins.hook_calls import call_hook
from plugins.sdk import ENTRY_POINT_GROUP, ModelPlugin

if TYPE_CHECKING:
    from core.database import TenantRef

GROUP = ENTRY_POINT_GROUP
DISTRIBUTION = "iit-platform"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)

log = structlog.get_logger("core.plugins")
_lock = RLock()
_models: dict[str, ModelPlugin] | None = None
_origins: dict[str, EntryPoint] = {}
_failures: Counter[tuple[str, str]] = Counter()


def models(tenant: TenantRef | None = None) -> Mapping[str, ModelPlugin]:
    """Return the kinds of model of the installed plugins, by name. The first call searches for them.

    Args:
        tenant: only those that this tenant may use, whose third-party ones run in its own processes; all if None.

    Raises:
        TransactionOpenError: it must search while a transaction is open, and there are third-party plugins.
    """
    global _models  # noqa: PLW0603 - one set per process
    with _lock:
        if _models is None:
            _models = _discover()
        every, origins = dict(_models), dict(_origins)
    if tenant is None:
        return MappingProxyType(every)
    return {name: each for name, model in every.items() if (each := _for(tenant, model, origins[name])) is not None}


def model(name: str) -> ModelPlugin:
    """One kind of model.

    Raises:
        NotFound: no installed plugin gives it.
    """
    plugin = models().get(name)
    if plugin is None:
        detail = f"there is no model named {name!r}"
        raise NotFound(detail, remedy=f"Choose one of: {', '.join(sorted(models()))}.")
    return plugin


def origin(name: str) -> EntryPoint:
    """Return the entry point of the plugin that offers the model of this name.

    Raises:
        KeyError: no installed plugin offers it.
    """
    models()
    return _origins[name]


def reload() -> None:
    """Forget the discovered plugins, so that the next call searches again."""
    global _models  # noqa: PLW0603
    with _lock:
        _models = None
        _origins.clear()


def failures() -> Mapping[tuple[str, str], int]:
    """The number of failures of each plugin in this process, by (plugin, operation)."""
    with _lock:
        return dict(_failures)


def count_failure(plugin: str, doing: str, error: BaseException) -> None:
    """Count and log a failure by its kind, without the plugin's text."""
    with _lock:
        _failures[plugin, doing] += 1
    log.warning("plugin_failed", plugin=plugin, doing=doing, error=type(error).__name__)


def call_iit_models(point: EntryPoint) -> list[Any]:
    """Import a plugin and call its ``iit_models`` in this process.

    Raises:
        PluginFailed: it was written for another version of the hooks, implements an unknown hook, or gives no list.
        Exception: whatever the plugin raises.
    """
    return call_hook(point, "iit_models")


def is_first_party(point: EntryPoint) -> bool:
    """Return whether the plugin comes with the platform's own distribution."""
    return point.dist is not None and point.dist.name == DISTRIBUTION


def _discover() -> dict[str, ModelPlugin]:
    from core.plugins.confinement import may_run
    from core.plugins.remote import describe

    by_name: dict[str, ModelPlugin] = {}
    # Ours first, so that no other plugin can take the name of a first-party model.
    points = sorted(entry_points(group=GROUP), key=lambda point: (not is_first_party(point), point.name))
    if not all(is_first_party(point) for point in points):
        # Each third-party plugin runs in a process of its own, which needs that no transaction is open.
        require_none("plugins discovered")
        _warn_of_gaps()
    for point in points:
        try:
            if not is_first_party(point) and not may_run(point.name):
                detail = f"this system cannot confine plugin {point.name!r}, and the operator has not named it"
                raise PluginFailed(detail)  # noqa: TRY301 - counted below as any other
            offered = call_iit_models(point) if is_first_party(point) else describe(point)
            for each in offered:
                _check(point, each, by_name)
                by_name[each.name] = each
                _origins[each.name] = point
        except (Exception, SystemExit) as error:  # noqa: BLE001 - one bad plugin must not stop the others
            count_failure(point.name, "iit_models", error)
            if isinstance(error, AppError):
                log.warning("plugin_left_out", plugin=point.name, reason=error.detail)
    return by_name


def _for(tenant: TenantRef, model: ModelPlugin, point: EntryPoint) -> ModelPlugin | None:
    """Return the model for a tenant; None if it may not use it."""
    if is_first_party(point):
        return model
    from core.plugins.permissions import is_allowed
    from core.plugins.remote import RemoteModel

    if not isinstance(model, RemoteModel) or not is_allowed(point.name, tenant.id):
        return None
    return replace(model, tenant_id=tenant.id)


def _warn_of_gaps() -> None:
    """Log which rights third-party plugins keep on this system."""
    from core.plugins.confinement import gaps

    left = gaps()
    if left:
        log.warning(
            "plugins_not_confined", gaps="; ".join(left), remedy="see SECURITY.md: run as root, on Linux >= 6.7"
        )


def _check(point: EntryPoint, candidate: object, by_name: Mapping[str, ModelPlugin]) -> None:
    if not isinstance(candidate, ModelPlugin) or not NAME.fullmatch(str(candidate.name)) or not str(candidate.version):
        detail = f"plugin {point.name!r} gives something that is not a model with a name, a version, fit and load"
        raise PluginFailed(detail)
    if candidate.name in by_name:
        detail = f"plugin {point.name!r} gives a model named {candidate.name!r}, which is taken"
        raise PluginFailed(detail)
