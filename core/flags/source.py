"""Where flags come from: the control database, or a server of Unleash where ``IIT_UNLEASH_URL`` names one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yggdrasil_engine.engine import UnleashEngine


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source says of a flag for one subject.

    Attributes:
        known: whether the source has the flag; otherwise its declared default holds.
        variant: name of the variant; None if the flag has none.
    """

    known: bool
    on: bool = False
    variant: str | None = None


class Source(Protocol):
    """Answers about flags, from memory."""

    def ask(self, name: str, context: Mapping[str, Any], *, variants: bool = True) -> Answer:
        """Return whether a flag is on in a context, and its variant if the code declares some."""


class EngineSource:
    """Unleash's engine over definitions in memory.

    Args:
        definitions: name -> definition.
    """

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        self._engine: UnleashEngine | None = None
        if definitions:
            from yggdrasil_engine.engine import UnleashEngine

            self._engine = UnleashEngine()
            features = [{"name": name, **definition} for name, definition in definitions.items()]
            self._engine.take_state(json.dumps({"version": 2, "features": features}))

    def ask(self, name: str, context: Mapping[str, Any], *, variants: bool = True) -> Answer:
        """Return whether a flag is on in a context, and its variant if the code declares some."""
        if self._engine is None:
            return Answer(known=False)
        toggle = self._engine.check_enabled(name, dict(context))
        if not toggle.is_found:
            return Answer(known=False)
        if not variants:
            return Answer(known=True, on=toggle.is_enabled)
        variant = self._engine.check_variant(name, dict(context)).variant
        return Answer(known=True, on=toggle.is_enabled, variant=variant.name if variant.enabled else None)


class UnleashSource:
    """Unleash's own client, which fetches the flags of its server.

    Args:
        url: address of its API, such as ``https://unleash.example.org/api``.
        token: a client token.
        environment: name of this installation's environment.
        seconds: between two fetches.
    """

    def __init__(self, url: str, token: str, environment: str, seconds: int) -> None:
        from UnleashClient import UnleashClient  # type: ignore[attr-defined]  # not named as exported
        from UnleashClient.cache import BaseCache

        class Memory(BaseCache):
            """The client's cache in memory: processes with a read-only root have no folder for its files."""

            def __init__(self) -> None:
                self._values: dict[str, Any] = {}

            def set(self, key: str, value: Any) -> None:  # noqa: ANN401 - the client's
                self._values[key] = value

            def mset(self, data: dict[str, Any]) -> None:
                self._values.update(data)

            def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - the client's
                return self._values.get(key, default)

            def exists(self, key: str) -> bool:
                return key in self._values

            def destroy(self) -> None:
                self._values.clear()

        self._client = UnleashClient(
            url,
            "iit",
            environment=environment,
            custom_headers={"Authorization": token},
            refresh_interval=seconds,
            disable_metrics=True,
            disable_registration=True,
            cache=Memory(),
        )
        self._client.initialize_client()

    def ask(self, name: str, context: Mapping[str, Any], *, variants: bool = True) -> Answer:
        """Return whether a flag is on in a context, and its variant if the code declares some."""
        unknown: list[str] = []

        def fallback(missing: str, _: object) -> bool:
            unknown.append(missing)
            return False

        on = bool(self._client.is_enabled(name, dict(context), fallback_function=fallback))
        if unknown:
            return Answer(known=False)
        if not variants:
            return Answer(known=True, on=on)
        variant = self._client.get_variant(name, dict(context))
        return Answer(known=True, on=on, variant=variant["name"] if variant.get("enabled") else None)
