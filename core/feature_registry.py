"""Registration of rooms with the kernel.

A feature names its routes, jobs, tables, permissions, audit actions and commands as ``"module:attribute"`` strings. So
collecting the features costs one scan of the entry points and imports nothing heavy. The kernel never imports a room by
name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

GROUP = "iit.features"

_Declared = TypeVar("_Declared")


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission that a route or a page may require, such as ``patients.read``.

    Attributes:
        name: unique among all rooms.
        description: what it lets its holder do.
        roles: the built-in roles that hold it, of ``core.identity.roles``, besides the partner's admin.
        operator: whether it concerns the installation: only operators hold it, never a tenant's people and keys.
    """

    name: str
    description: str
    roles: Sequence[str] = ()
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A click command of the ``iit`` tool, loaded only when it is called."""

    target: str
    help: str


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Rows that a room deletes after a time.

    Attributes:
        function: ``function(session, before: datetime) -> int`` removes a batch of rows older than an instant, and
            returns how many; 0 when none is left.
        days: the days for which a tenant retains them by default.
        what: what the rows are, and why they may be deleted.
    """

    function: str
    days: int
    what: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter: a room counts a tenant's use with it; see ``core.metering``.

    Attributes:
        name: unique among all rooms, such as ``import_rows``.
        unit: what one is, such as ``row``.
        description: what is counted and when, in one line.
        dimensions: names by which the use can be divided, such as ``model``. A use may have values for these only.
        gauge: its values are measurements, and only the latest counts; otherwise the values are added up.
        extra: the extra that a hard cap of this meter stops, of ``core.entitlements``; None if a cap only warns.
        unique_by: the dimension whose different values are counted in a period, such as ``person``; else empty.
    """

    name: str
    unit: str
    description: str
    dimensions: Sequence[str] = ()
    gauge: bool = False
    unique_by: str = ""
    extra: str | None = None

    @property
    def aggregation(self) -> str:
        """How uses of a period make its quantity: ``sum``, ``latest`` or ``unique:<dimension>``."""
        if self.unique_by:
            return f"unique:{self.unique_by}"
        return "latest" if self.gauge else "sum"


@dataclass(frozen=True, slots=True)
class Loop:
    """A function that workers repeat at intervals; see ``core.jobs.loops``.

    Attributes:
        name: unique among all rooms, such as ``retention``.
        function: ``"module:function"``, ``function(stopping: Event) -> None`` does one round, and ends soon after
            ``stopping`` is set. Two rounds at once must do no harm: a lock is lost with its connection.
        seconds: from the end of one round to the next. After an error the pause doubles, up to ten minutes or to
            ``seconds``, whichever is longer.
        first_seconds: from the start to the first round.
        everywhere: every worker runs it; else one worker of the installation does, and another takes over from it.
    """

    name: str
    function: str
    seconds: float
    first_seconds: float = 0.0
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work that the platform repeats for each tenant; see ``core.schedules``.

    Attributes:
        name: unique among all rooms, ``room.work``.
        cron: its times by default, in the tenant's time zone: minute, hour, day of month, month, day of week.
        function: ``"module:function"``, ``function(session, due: datetime) -> None`` enqueues the job. It runs in the
            transaction that records the run.
        description: what it does, in one line.
        active: whether it runs unless an admin of the tenant switches it on or off.
    """

    name: str
    cron: str
    function: str
    description: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event that a room publishes after its acts; see ``core.events.catalogue``.

    Attributes:
        name: unique among all rooms, such as ``imports.completed``.
        version: of the payload, from 1. A change that an old receiver cannot read needs the next one.
        description: what happened, in one line.
        subject: what a subject of this type is, such as ``the import``.
        schema: JSON Schema of the payload, an object.
        example: a payload that matches it, with invented values.
        public: whether other systems may receive it. Its payload then contains only ids and figures.
    """

    name: str
    version: int
    description: str
    subject: str
    schema: Mapping[str, Any]
    example: Mapping[str, Any]
    public: bool = False


@dataclass(frozen=True, slots=True)
class SettingsGroup:
    """One group of a tenant's settings; see ``core.preferences``.

    Attributes:
        model: ``"module:Model"``, a pydantic model in which every field has a default and a description; or
            ``"module:function"``, which gives such a model.
        title: what the group is about, in one line.
        change: the permission needed to change it, besides ``settings.write``.
        lock: ``"module:function"``, called with the session before a change reads the group. It takes locks, if changes
            must also wait for other work, such as an import.
    """

    model: str
    title: str
    change: str
    lock: str | None = None


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A page that the navigation shows to those who may open it, as the page's route says.

    Attributes:
        label: its name, as the catalogue of texts has it.
        path: of the page.
        order: entries with smaller numbers come first.
    """

    label: str
    path: str
    order: int = 0


@dataclass(frozen=True, slots=True)
class Feature:
    """A room's registration with the kernel. Every reference is a ``"module:attribute"`` or a ``"module"`` string.

    Attributes:
        name: the room's name, unique.
        routers: FastAPI routers, mounted under ``/v1``. Every route declares the permission that it needs.
        public_routers: FastAPI routers, mounted under ``/v1``, whose routes need no credential (sign-in, webhooks of
            others). They share a part of the server, and take small bodies; see ``core.app.middleware``. Each has a
            rate per address; see ``core.web.public_routes``.
        pages: FastAPI routers of pages, mounted as they are, outside /v1 and the OpenAPI document. Every route declares
            the permission that it needs; every write is a form that a page of this server sent; see ``core.app.pages``.
        public_pages: the same, for pages that need no credential (sign-in).
        sign_in: path of the page at which people sign in; at most one feature has it.
        navigation: pages that the navigation shows.
        templates: prefix -> ``"module:folder"``, the templates of its pages; see ``core.web.templates``.
        assets: prefix -> ``"module:folder"``, its static files; see ``core.web.assets``.
        credentials: kinds of credentials that requests may carry; see ``core.identity.credentials``.
        jobs: modules whose import registers jobs.
        tables: modules whose import registers tables (SQLModel classes).
        permissions: the rights that its routes ask for.
        audit_actions: the actions, ``source:subject:action``, that it writes to the audit.
        commands: name on the command line -> command.
        settings: groups of tenant settings by name.
        listeners: event -> ``"module:function"``; see ``core.events``.
        events: the types of events that it publishes after its acts; see ``core.events.catalogue``.
        subscribers: event -> ``"module:function"``, called after the act with a job's context and the event.
        facilities: ``"module:attribute"``, the directory of a tenant's facilities; exactly one feature has it; see
            ``core.identity.facilities``.
        retention: rows that it deletes after a time, by kind; see ``core.retention``. Never clinical records or audits.
        tags: tag of its operations -> what the group is about, for the OpenAPI document.
        meters: the meters of a tenant's use; see ``core.metering``.
        loops: functions that workers call at intervals; see ``core.jobs.loops``.
        schedules: work that the platform repeats for each tenant; see ``core.schedules``.
        dependencies: ``"module:attribute"`` of each other server that it calls; see ``core.resilience``.
        observers: ``"module:function"``, called with session, name and payload of every event, after its listeners.
        caches: ``"module:attribute"`` of each cache; see ``core.cache``.
        flags: ``"module:attribute"`` of each feature flag; see ``core.flags``.
        entitlements: ``"module:function"``, decides about the extras of a tenant; at most one feature has it; see
            ``core.entitlements``.
        timeline: ``"module:function"``, adds entries to a patient's timeline; see ``tenants.records.timeline``.
    """

    name: str
    routers: Sequence[str] = ()
    public_routers: Sequence[str] = ()
    pages: Sequence[str] = ()
    public_pages: Sequence[str] = ()
    sign_in: str | None = None
    navigation: Sequence[NavigationEntry] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    credentials: Sequence[str] = ()
    jobs: Sequence[str] = ()
    tables: Sequence[str] = ()
    permissions: Sequence[Permission] = ()
    audit_actions: Sequence[str] = ()
    commands: Mapping[str, Command] = field(default_factory=dict)
    settings: Mapping[str, SettingsGroup] = field(default_factory=dict)
    listeners: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[EventType] = ()
    subscribers: Mapping[str, str] = field(default_factory=dict)
    facilities: str | None = None
    retention: Mapping[str, RetentionRule] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    meters: Sequence[Meter] = ()
    loops: Sequence[Loop] = ()
    schedules: Sequence[Schedule] = ()
    dependencies: Sequence[str] = ()
    observers: Sequence[str] = ()
    caches: Sequence[str] = ()
    flags: Sequence[str] = ()
    entitlements: str | None = None
    timeline: Sequence[str] = ()


def resolve(reference: str) -> Any:  # noqa: ANN401 - what is found is as varied as what features register
    """Import ``"module"`` or ``"module:attribute"`` and return it.

    Raises:
        ImportError: the module cannot be imported.
        AttributeError: the module has no such attribute.
    """
    module, _, attribute = reference.partition(":")
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


@cache
def features() -> tuple[Feature, ...]:
    """All installed features, ordered by name.

    Raises:
        RuntimeError: two features have one name, or an entry point is not a ``Feature``.
    """
    loaded_features: dict[str, Feature] = {}
    for point in entry_points(group=GROUP):
        loaded = point.load()
        if not isinstance(loaded, Feature):
            message = f"entry point {point.name!r} of group {GROUP} gives {type(loaded).__name__}, not a Feature"
            raise RuntimeError(message)  # noqa: TRY004 - a broken installation, not a caller's type
        if loaded.name in loaded_features:
            message = f"two features are named {loaded.name!r}: rename one of them"
            raise RuntimeError(message)
        loaded_features[loaded.name] = loaded
    return tuple(loaded_features[name] for name in sorted(loaded_features))


def declared(what: str, declarations: Callable[[Feature], Iterable[tuple[str, _Declared]]]) -> dict[str, _Declared]:
    """Return what the installed features declare under each name, in the order of the features' names.

    Args:
        what: what is declared, for the error, such as ``meter``.
        declarations: gives what one feature declares, with its names.

    Raises:
        RuntimeError: a name is declared twice.
    """
    all_declared: dict[str, _Declared] = {}
    for feature in features():
        for name, declaration in declarations(feature):
            if name in all_declared:
                message = f"the {what} {name!r} is declared twice: rename the one of the feature {feature.name!r}"
                raise RuntimeError(message)
            all_declared[name] = declaration
    return all_declared


def load_tables() -> None:
    """Import every module that defines tables, so that the metadata is complete."""
    for feature in features():
        for module in feature.tables:
            resolve(module)


def load_jobs() -> None:
    """Import every module that registers jobs."""
    for feature in features():
        for module in feature.jobs:
            resolve(module)
