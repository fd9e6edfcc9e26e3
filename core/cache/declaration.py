"""The declaration of a cache: what it stores, for how long, and which events make its answers old."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import TypeAdapter

from core.feature_registry import declared, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

V = TypeVar("V")

NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,19}\.[a-z][a-z0-9_]{1,29}")
ALWAYS: Final = ("person.erased", "tenant.restored")
"""Events after which no cache of the tenant keeps an answer."""


@dataclass(frozen=True)
class Cache(Generic[V]):
    """A cache of one kind of answer. A feature names it under ``caches``.

    Attributes:
        name: ``room.thing``, unique among all rooms.
        about: what it stores, in one line; operators read it.
        value: the type of an answer: a pydantic model, a dataclass, or a type of the standard library. It is stored as
            JSON, and a change of the type starts the cache anew.
        changed_by: events for listeners after which its answers may differ; see ``core.events``.
        version: the next number where the same type means something else, or is computed differently.
        seconds: longest life of an answer, whether or not anything changed.
        largest_bytes: an answer that is larger as JSON is not stored.
        most_values: answers of one tenant; one more drops the one that was stored first.
        wait_seconds: how long a reader waits for another one who computes the same answer, before it computes too.

    Raises:
        ValueError: the name or a bound makes no sense.
    """

    name: str
    about: str
    value: type[V]
    changed_by: tuple[str, ...]
    version: int = 1
    seconds: float = 3600.0
    largest_bytes: int = 2_000_000
    most_values: int = 500
    wait_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            message = f"{self.name!r} is not the name of a cache: write room.thing, in lower-case letters, digits and _"
            raise ValueError(message)
        if min(self.seconds, self.largest_bytes, self.most_values) <= 0 or self.wait_seconds < 0:
            message = f"the bounds of {self.name} must be above 0"
            raise ValueError(message)

    @cached_property
    def adapter(self) -> TypeAdapter[V]:
        """The reader and writer of the answer's JSON."""
        return TypeAdapter(self.value)

    @cached_property
    def schema(self) -> str:
        """A digest of all that an answer's meaning follows from: the type, the version, and the platform's version."""
        facts = [version("iit-platform"), self.version, self.adapter.json_schema(mode="serialization")]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def is_changed_by(self, event: str) -> bool:
        """Return whether the event makes the stored answers old."""
        return event in self.changed_by or event in ALWAYS


@cache
def caches() -> Mapping[str, Cache[Any]]:
    """Return the caches of all installed features, by name.

    Raises:
        RuntimeError: two have one name.
    """
    return declared("cache", lambda feature: ((each.name, each) for each in map(resolve, feature.caches)))
