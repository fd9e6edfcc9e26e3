"""Payloads of jobs as operators see and edit them: personal fields and secrets are hidden."""

from __future__ import annotations

from typing import Any

from core.errors import FieldError, Invalid, phrase
from core.telemetry.redaction import HIDDEN, redact


def masked(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload with personal fields and secrets hidden, by the names of fields and the forms of texts."""
    shown: dict[str, Any] = redact(payload)
    return shown


def unmasked(edited: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Return an edited payload with the values back that the operator saw hidden and did not change.

    Args:
        edited: what the operator returned, from ``masked(stored)``.
        stored: the payload of the job.

    Raises:
        Invalid: a hidden value is where it was not before, or in an element of a list that was changed or moved, so
            that nobody can say what it hides.
    """
    merged = _merged(edited, masked(stored), stored)
    if _hides(merged) and not _hides(stored):
        problem = phrase("has {hidden} in a place where it was not before", hidden=HIDDEN)
        remedy = "Leave a hidden value where it is, or replace it by a new one."
        raise Invalid("the payload is not valid", errors=[FieldError("payload", problem, remedy)])
    result: dict[str, Any] = merged
    return result


def _merged(edited: Any, shown: Any, stored: Any) -> Any:  # noqa: ANN401 - JSON
    if edited == shown and type(edited) is type(shown):
        return stored
    if isinstance(edited, dict) and isinstance(shown, dict) and isinstance(stored, dict):
        return {
            name: _merged(value, shown[name], stored[name]) if name in shown else value
            for name, value in edited.items()
        }
    if isinstance(edited, list) and isinstance(shown, list) and len(edited) == len(shown):
        return [_merged_element(*three) for three in zip(edited, shown, stored, strict=True)]
    return edited


def _merged_element(edited: Any, shown: Any, stored: Any) -> Any:  # noqa: ANN401 - JSON
    """Merge an element of a list, which has no name: what else it has must say that it is still the same one."""
    if _hides(edited) and not _same_but_hidden(edited, shown):
        problem = phrase("has hidden values in an element of a list that was changed or moved")
        remedy = "Leave such an element as it is, or replace each of its hidden values by a new one."
        raise Invalid("the payload is not valid", errors=[FieldError("payload", problem, remedy)])
    return _merged(edited, shown, stored)


def _same_but_hidden(edited: Any, shown: Any) -> bool:  # noqa: ANN401 - JSON
    """Return whether two values are equal but for those that ``shown`` hides."""
    if isinstance(edited, dict) and isinstance(shown, dict):
        return edited.keys() == shown.keys() and all(_same_but_hidden(edited[name], shown[name]) for name in shown)
    if isinstance(edited, list) and isinstance(shown, list):
        return len(edited) == len(shown) and all(map(_same_but_hidden, edited, shown))
    return bool(edited == shown) or (isinstance(shown, str) and HIDDEN in shown)


def _hides(value: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return HIDDEN in value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_hides(item) for item in items)
