"""The kinds of things that a plugin may offer: their hook, their protocol, and the types of their methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_type_hints

from plugins.sdk import AlertChannel, EventListener, Importer, RagSource, SmsGateway


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of offer.

    Attributes:
        name: such as ``alert-channel``.
        hook: the hook that returns offers of this kind.
        protocol: what an offer must implement.
    """

    name: str
    hook: str
    protocol: type

    @property
    def methods(self) -> list[str]:
        """The methods of the protocol that the platform calls, without the properties and the settings' schema."""
        names = [name for name, value in vars(self.protocol).items() if callable(value) and not name.startswith("_")]
        return [name for name in names if name != "settings_schema"]


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("alert-channel", "iit_alert_channels", AlertChannel),
        Kind("sms-gateway", "iit_sms_gateways", SmsGateway),
        Kind("event-listener", "iit_event_listeners", EventListener),
        Kind("importer", "iit_importers", Importer),
        Kind("rag-source", "iit_rag_sources", RagSource),
    )
}
"""Kinds that tenants set up as instances. Models are none of them: they have no settings of a tenant."""


@cache
def types_of(kind: str, method: str) -> tuple[Sequence[Any], Any]:
    """Return the types of a method's parameters, in order, and of what it returns.

    Raises:
        KeyError: there is no such kind, or it has no such method.
    """
    hints = get_type_hints(vars(KINDS[kind].protocol)[method])
    result = hints.pop("return")
    return tuple(hints.values()), result
