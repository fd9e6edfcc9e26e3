"""The catalogue of events: the types that the features declare, and the check of a payload against its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator, FormatChecker

from core.feature_registry import declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.feature_registry import EventType

_FORMATS: Final = FormatChecker(formats=("uuid", "date"))
_validators: dict[str, tuple[EventType, Draft202012Validator]] = {}


def event_types() -> dict[str, EventType]:
    """Name -> type of the events that features publish after their acts.

    Raises:
        RuntimeError: two features declare one event.
    """
    return declared("event", lambda feature: ((event.name, event) for event in feature.events))


def public_types() -> dict[str, EventType]:
    """Name -> type of the events that other systems may receive."""
    return {name: event for name, event in event_types().items() if event.public}


def type_of(name: str) -> EventType:
    """Return the type of this name.

    Raises:
        LookupError: no feature declares it.
    """
    known = event_types()
    if name not in known:
        message = f"no feature declares the event {name!r}: declared are {', '.join(sorted(known))}"
        raise LookupError(message)
    return known[name]


def check_payload(event: EventType, payload: Mapping[str, Any]) -> None:
    """Check a payload against the schema of its type.

    Raises:
        ValueError: it does not match. The message names the field and the rule, never a value.
    """
    fault = next(_validator(event).iter_errors(dict(payload)), None)
    if fault is not None:
        place = "/".join(str(part) for part in fault.absolute_path) or "the whole"
        message = (
            f"the payload of {event.name!r} does not match its schema: {place} breaks the rule {fault.validator!r}"
        )
        raise ValueError(message)


def _validator(event: EventType) -> Draft202012Validator:
    known = _validators.get(event.name)
    if known is None or known[0] is not event:
        known = (event, Draft202012Validator(dict(event.schema), format_checker=_FORMATS))
        _validators[event.name] = known
    return known[1]
