"""The installed plugins and what they offer. A plugin that is broken is listed as such, and hurts no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog

from core.database import require_none
from core.errors import NotFound
from core.plugins import manager, permissions
from core.plugins.errors import OtherVersionError, PluginFailed
from core.plugins.filling import storable
from core.plugins.hook_calls import call_hook, facts_of
from core.plugins.kinds import KINDS
from core.plugins.settings_schema import check_schema

if TYPE_CHECKING:
    from core.database import TenantRef

State = Literal["ready", "broken", "other-version", "not-confined"]
MOST_OFFERS: Final = 50
_LONGEST_TITLE: Final = 80
_MOST_PER_MINUTE: Final = 100_000

log = structlog.get_logger("core.plugins")
_lock = RLock()
_installed: list[InstalledPlugin] | None = None


class NotConfinedError(PluginFailed):
    """A third-party plugin that this system cannot confine, and that the operator has not named."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that an installed plugin offers.

    Attributes:
        kind: a name of ``KINDS``.
        name: unique in its kind, such as ``slack``.
        title: its name for people.
        version: of its code.
        schema: of its settings; see ``core.plugins.settings_schema``.
        point: the entry point of its plugin.
        first_party: whether it comes with the platform, and runs in its process.
        per_minute: most requests in a minute from one instance; 0 if it says none.
        events: the events that it listens to.
        implementation: the object, of a first-party plugin.
    """

    kind: str
    name: str
    title: str
    version: str
    schema: Mapping[str, Any]
    point: EntryPoint
    first_party: bool
    per_minute: int = 0
    events: tuple[str, ...] = ()
    implementation: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """One installed plugin.

    Attributes:
        name: of its entry point.
        distribution: the package that it comes from, with its version.
        state: ``ready``; ``broken``; ``other-version``: written for other hooks; ``not-confined``: it may not run,
            because this system cannot confine it and the operator has not named it.
        reason: why it is not ready; empty if it is.
        offers: what it offers besides models.
    """

    name: str
    distribution: str
    version: str
    first_party: bool
    state: State
    reason: str = ""
    offers: Sequence[Offer] = ()


def installed(tenant: TenantRef | None = None) -> list[InstalledPlugin]:
    """Return the installed plugins, first-party ones first. The first call searches for them.

    Args:
        tenant: only those that this tenant may use; all if None.

    Raises:
        TransactionOpenError: it must search while a transaction is open, and there are third-party plugins.
    """
    global _installed  # noqa: PLW0603 - one list per process
    with _lock:
        if _installed is None:
            _installed = _discover()
        plugins = list(_installed)
    return plugins if tenant is None else [plugin for plugin in plugins if may_use(tenant, plugin)]


def reload() -> None:
    """Forget the installed plugins, so that the next call searches again."""
    global _installed  # noqa: PLW0603
    with _lock:
        _installed = None
        permissions.forget()


def may_use(tenant: TenantRef, plugin: InstalledPlugin) -> bool:
    """Return whether a tenant may use a plugin: it comes with the platform, or an operator allows it for the tenant."""
    return plugin.first_party or permissions.is_allowed(plugin.name, tenant.id)


def offers(kind: str | None = None, tenant: TenantRef | None = None) -> list[Offer]:
    """Return what the plugins that are ready offer, of one kind or of all; to one tenant or to any."""
    return [offer for plugin in installed(tenant) for offer in plugin.offers if kind in {None, offer.kind}]


def find_offer(kind: str, name: str, tenant: TenantRef | None = None) -> Offer | None:
    """Return the offer of this kind and name; None if no plugin that is ready offers it, or not to this tenant."""
    return next((offer for offer in offers(kind, tenant) if offer.name == name), None)


def get_offer(kind: str, name: str, tenant: TenantRef) -> Offer:
    """Return the offer of this kind and name.

    Raises:
        NotFound: no plugin that is ready offers it to this tenant (404).
    """
    offer = find_offer(kind, name, tenant)
    if offer is None:
        names = ", ".join(sorted(offer.name for offer in offers(kind, tenant))) or "-"
        detail = f"no installed plugin offers {kind} {name!r}"
        raise NotFound(detail, remedy=f"Choose one of: {names}.")
    return offer


def _discover() -> list[InstalledPlugin]:
    points = sorted(
        entry_points(group=manager.GROUP), key=lambda point: (not manager.is_first_party(point), point.name)
    )
    if not all(map(manager.is_first_party, points)):
        require_none("plugins discovered")
        permissions.read_now()
    taken: set[tuple[str, str]] = set()
    return [_look_at(point, taken) for point in points]


def _look_at(point: EntryPoint, taken: set[tuple[str, str]]) -> InstalledPlugin:
    first_party, reason = manager.is_first_party(point), ""
    state: State = "ready"
    offered: list[Offer] = []
    try:
        offered = _offers_of(point, first_party=first_party, taken=taken)
        taken.update((offer.kind, offer.name) for offer in offered)
    except NotConfinedError as error:
        state, reason = "not-confined", error.detail
    except OtherVersionError as error:
        state, reason = "other-version", error.detail
    except PluginFailed as error:
        state, reason = "broken", error.detail
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one bad plugin must not stop the others
        state, reason = "broken", f"plugin {point.name!r} raised {type(error).__name__}"
    reason = storable(reason)  # a plugin chose some of it
    if reason:
        manager.count_failure(point.name, "offers", PluginFailed(reason))
        log.warning("plugin_left_out", plugin=point.name, reason=reason)
    distribution, version = ("", "") if point.dist is None else (point.dist.name, point.dist.version)
    return InstalledPlugin(point.name, distribution, version, first_party, state, reason, offered)


def _offers_of(point: EntryPoint, *, first_party: bool, taken: set[tuple[str, str]]) -> list[Offer]:
    if not first_party:
        from core.plugins.confinement import may_run
        from core.plugins.remote import describe_elsewhere

        if not may_run(point.name):
            detail = (
                f"this system cannot confine plugin {point.name!r}: set IIT_PLUGINS_UNCONFINED to run it all the same"
            )
            raise NotConfinedError(detail)

        return _checked(point, [(facts, None) for facts in describe_elsewhere(point)], taken)
    candidates = []
    for kind in KINDS.values():
        for candidate in call_hook(point, kind.hook):
            if not isinstance(candidate, kind.protocol):
                detail = f"plugin {point.name!r}: {kind.hook} gives something that is no {kind.protocol.__name__}"
                raise PluginFailed(detail)
            candidates.append(({"kind": kind.name, **facts_of(candidate)}, candidate))
    return _checked(point, candidates, taken)


def _checked(
    point: EntryPoint, candidates: Sequence[tuple[Mapping[str, Any], Any]], taken: set[tuple[str, str]]
) -> list[Offer]:
    """Check the facts of offers, which are foreign."""
    result: list[Offer] = []
    if len(candidates) > MOST_OFFERS:
        detail = f"plugin {point.name!r} offers more than {MOST_OFFERS} things"
        raise PluginFailed(detail)
    for facts, implementation in candidates:
        offer = _offer(point, facts, implementation)
        if (offer.kind, offer.name) in taken | {(each.kind, each.name) for each in result}:
            detail = f"plugin {point.name!r} offers {offer.kind} {offer.name!r}, a name that is taken"
            raise PluginFailed(detail)
        result.append(offer)
    return result


def _offer(point: EntryPoint, facts: Mapping[str, Any], implementation: Any) -> Offer:  # noqa: ANN401
    texts = [facts.get(part) for part in ("kind", "name", "title", "version")]
    events = facts.get("events")
    if (
        not all(isinstance(text, str) and 0 < len(text) <= _LONGEST_TITLE and text.isprintable() for text in texts)
        or texts[0] not in KINDS
        or not manager.NAME.fullmatch(str(texts[1]))
    ):
        detail = f"plugin {point.name!r} offers something without a plain name, a title or a version"
        raise PluginFailed(detail)
    if not isinstance(events, list) or not all(
        isinstance(event, str) and len(event) <= _LONGEST_TITLE for event in events
    ):
        detail = f"plugin {point.name!r} gives no list of events for {texts[1]!r}"
        raise PluginFailed(detail)
    per_minute = facts.get("per_minute")
    if not isinstance(per_minute, int) or not 0 <= per_minute <= _MOST_PER_MINUTE:
        detail = f"plugin {point.name!r} gives no number of requests a minute for {texts[1]!r}"
        raise PluginFailed(detail)
    first_party = manager.is_first_party(point)
    schema = check_schema(point.name, facts.get("schema"), trusted=first_party)
    kind, name, title, version = map(str, texts)
    return Offer(kind, name, title, version, schema, point, first_party, per_minute, tuple(events), implementation)
