"""Asking for a flag, from the memory of this process: no query and no call in the way of a request.

The memory is read again when Redis says that a flag changed, and every 15 seconds in any case. While it cannot be read,
the last one holds; in a process that has never read it, the declared defaults hold.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from core import telemetry
from core.clock import now
from core.events.listening import listen, listening_client
from core.flags.declaration import find_flag
from core.flags.repository import CHANNEL, stored_definitions
from core.flags.source import EngineSource, UnleashSource
from core.settings import get_settings
from core.telemetry.tracebacks import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.database import TenantRef
    from core.flags.declaration import Flag
    from core.flags.source import Source

SECONDS: Final = 15.0
"""Longest age of the memory while the database answers."""

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom a flag is asked.

    Attributes:
        tenant: the tenant, for the fields ``tenant`` (its short name) and ``tenantId``.
        person: id of the person or key that acts, the field ``userId``.
        address: of the caller, the field ``remoteAddress``.
        more: further fields.
    """

    tenant: TenantRef | None = None
    person: str | None = None
    address: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def context(self) -> dict[str, Any]:
        """Return the context as Unleash names it. Without a person, what sticks to ``default`` sticks to the tenant."""
        properties = dict(self.more)
        if self.tenant is not None:
            properties |= {"tenant": self.tenant.slug, "tenantId": str(self.tenant.id)}
        context: dict[str, Any] = {
            "appName": "iit",
            "environment": get_settings().environment,
            "currentTime": now().isoformat(),
            "properties": properties,
        }
        session = None if self.tenant is None else str(self.tenant.id)
        who = {"userId": self.person, "sessionId": session, "remoteAddress": self.address}
        return context | {name: value for name, value in who.items() if value is not None}


class Memory:
    """The flags of this process, and the thread that reads them again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: Source | None = None
        self._changed = threading.Event()
        self._process = 0

    def source(self) -> Source | None:
        """Return what answers about flags; None while the first read fails."""
        if self._source is None or self._process != os.getpid():
            with self._lock:
                if self._source is None or self._process != os.getpid():
                    self._begin()
        return self._source

    def read(self) -> None:
        """Read the flags again. If they cannot be read, the old ones stay, and the log has why."""
        try:
            settings = get_settings()
            if settings.unleash_url is None:
                self._source = EngineSource(stored_definitions())
            elif not isinstance(self._source, UnleashSource):
                token = "" if settings.unleash_token is None else settings.unleash_token.get_secret_value()
                self._source = UnleashSource(settings.unleash_url, token, settings.environment, int(SECONDS))
        except Exception as error:  # noqa: BLE001 - whatever it is, a flag never stops the work that asks for it
            log.warning("flags were not read; what was read before holds, or the defaults", error=describe(error))

    def forget(self) -> None:
        """Forget the flags, as in a new process (tests)."""
        with self._lock:
            self._source = None
            self._process = 0

    def _begin(self) -> None:
        self._process = os.getpid()
        self.read()
        for work in (self._follow, self._listen):
            threading.Thread(target=work, args=(self._process,), daemon=True, name="flags").start()

    def _follow(self, process: int) -> None:
        """Read again after each change, and when the time is up, until the memory is another's."""
        while self._process == process:
            self._changed.wait(SECONDS)
            self._changed.clear()
            if self._process == process:
                self.read()

    def _listen(self, process: int) -> None:
        listen(listening_client, CHANNEL, lambda _: self._changed.set(), _Until(lambda: self._process != process))


class _Until(threading.Event):
    """An event that is set once a condition holds."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        super().__init__()
        self._condition = condition

    def is_set(self) -> bool:
        """Return whether the condition holds."""
        return self._condition()


memory = Memory()


def is_on(flag: Flag | str, subject: Subject | None = None) -> bool:
    """Return whether a flag is on for a subject. It never fails and never waits, but for the first call of a process.

    Args:
        flag: the declaration, or its name.
        subject: for whom; nobody in particular when None.

    Raises:
        NotFound: no feature declares a flag of this name.
    """
    return answer_for(flag, subject)[0]


def variant_of(flag: Flag | str, subject: Subject | None = None) -> str:
    """Return the name of the flag's variant for a subject: the first declared one while it is off.

    Raises:
        NotFound: no feature declares a flag of this name.
        ValueError: it has no variants.
    """
    declared = find_flag(flag) if isinstance(flag, str) else flag
    if not declared.variants:
        message = f"{declared.name} has no variants: ask is_on"
        raise ValueError(message)
    on, variant = answer_for(declared, subject)
    return variant if on and variant in declared.variants else declared.variants[0]


def answer_for(flag: Flag | str, subject: Subject | None) -> tuple[bool, str | None]:
    """Return whether a flag is on for a subject, and the name of its variant, if it has one.

    Raises:
        NotFound: no feature declares a flag of this name.
    """
    declared = find_flag(flag) if isinstance(flag, str) else flag
    source = memory.source()
    if source is None:
        return declared.default, None
    answer = source.ask(declared.name, (subject or Subject()).context(), variants=bool(declared.variants))
    return (answer.on, answer.variant) if answer.known else (declared.default, None)
