"""Pydantic's findings about a field, in the words of this project: the problem and the remedy."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_THE_API = "See the API's description at /docs."
"""The remedy where no other is known. Pages leave it out."""

_REMEDIES = {
    "missing": "Send it.",
    "uuid_parsing": "Send a UUID, such as 019c2291-b3a0-7768-a5f9-23774462ebfc.",
    "uuid_type": "Send a UUID, such as 019c2291-b3a0-7768-a5f9-23774462ebfc.",
    "date_parsing": "Send a date as YYYY-MM-DD.",
    "date_from_datetime_parsing": "Send a date as YYYY-MM-DD.",
    "date_from_datetime_inexact": "Send a date as YYYY-MM-DD, without a time.",
    "date_type": "Send a date as YYYY-MM-DD.",
    "datetime_parsing": "Send a time as YYYY-MM-DDThh:mm:ssZ.",
    "datetime_from_date_parsing": "Send a time as YYYY-MM-DDThh:mm:ssZ.",
    "timezone_aware": "Send the time with its zone, such as 2026-03-02T08:15:00Z.",
    "int_parsing": "Send a whole number.",
    "int_type": "Send a whole number.",
    "int_from_float": "Send a whole number.",
    "float_parsing": "Send a number.",
    "float_type": "Send a number.",
    "finite_number": "Send a finite number.",
    "bool_parsing": "Send true or false.",
    "bool_type": "Send true or false.",
    "string_type": "Send a text.",
    "string_too_short": "Send a longer text.",
    "string_too_long": "Send a shorter text.",
    "list_type": "Send a list.",
    "too_long": "Send fewer.",
    "too_short": "Send more.",
    "dict_type": "Send an object.",
    "model_type": "Send an object.",
    "value_error": "Correct the value as the problem says.",
    "model_attributes_type": "Send an object with the fields that the API's description lists.",
}
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
"""The pattern of texts on one line; the rooms' schemas have it."""
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def problem_of(finding: Mapping[str, Any]) -> str:
    """Return what is wrong with a field.

    >>> problem_of({"type": "value_error", "msg": "Value error, needs a digit"})
    'needs a digit'
    """
    if finding["type"] in {"uuid_parsing", "uuid_type"}:
        return "is not a UUID"  # Pydantic would repeat a character of the value
    if _has_controls(finding):
        return "has a control character, such as a line break"
    bound = _bound(finding)
    if bound is not None and isinstance(bound[1], date):
        return f"must be {bound[0]} {bound[1].isoformat()}"  # Pydantic writes datetime.date(1900, 1, 1)
    return str(finding["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def remedy_of(finding: Mapping[str, Any]) -> str:
    """Return what to send instead.

    >>> remedy_of({"type": "less_than_equal", "msg": "", "ctx": {"le": 500}})
    'Send at most 500.'
    """
    kind, context = finding["type"], finding.get("ctx") or {}
    if kind in {"enum", "literal_error"}:
        return f"Send one of {context.get('expected', 'the allowed values')}."
    if _has_controls(finding):
        return "Leave control characters out."
    bound = _bound(finding)
    if bound is not None:
        return f"Send {bound[0]} {bound[1].isoformat() if isinstance(bound[1], date) else bound[1]}."
    remedy = getattr(context.get("error"), "remedy", None)  # our validators put one on their ValueError
    return remedy or _REMEDIES.get(kind, OF_THE_API)


def _has_controls(finding: Mapping[str, Any]) -> bool:
    return (finding.get("ctx") or {}).get("pattern") == _NO_CONTROLS


def _bound(finding: Mapping[str, Any]) -> tuple[str, Any] | None:
    context = finding.get("ctx") or {}
    return next(((words, context[name]) for name, words in _BOUNDS.items() if name in context), None)
