"""Pydantic's findings about a field, in the words of this project: the problem and the remedy."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from core.errors.phrases import phrase

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_THE_API = phrase("See the API's description at /docs.")
"""The remedy where no other is known. Pages leave it out."""

_REMEDIES = {
    "missing": phrase("Send it."),
    "uuid_parsing": phrase("Send a UUID, such as 019c2291-b3a0-7768-a5f9-23774462ebfc."),
    "uuid_type": phrase("Send a UUID, such as 019c2291-b3a0-7768-a5f9-23774462ebfc."),
    "date_parsing": phrase("Send a date as YYYY-MM-DD."),
    "date_from_datetime_parsing": phrase("Send a date as YYYY-MM-DD."),
    "date_from_datetime_inexact": phrase("Send a date as YYYY-MM-DD, without a time."),
    "date_type": phrase("Send a date as YYYY-MM-DD."),
    "datetime_parsing": phrase("Send a time as YYYY-MM-DDThh:mm:ssZ."),
    "datetime_from_date_parsing": phrase("Send a time as YYYY-MM-DDThh:mm:ssZ."),
    "timezone_aware": phrase("Send the time with its zone, such as 2026-03-02T08:15:00Z."),
    "int_parsing": phrase("Send a whole number."),
    "int_type": phrase("Send a whole number."),
    "int_from_float": phrase("Send a whole number."),
    "float_parsing": phrase("Send a number."),
    "float_type": phrase("Send a number."),
    "finite_number": phrase("Send a finite number."),
    "bool_parsing": phrase("Send true or false."),
    "bool_type": phrase("Send true or false."),
    "string_type": phrase("Send a text."),
    "string_too_short": phrase("Send a longer text."),
    "string_too_long": phrase("Send a shorter text."),
    "list_type": phrase("Send a list."),
    "too_long": phrase("Send fewer."),
    "too_short": phrase("Send more."),
    "dict_type": phrase("Send an object."),
    "model_type": phrase("Send an object."),
    "value_error": phrase("Correct the value as the problem says."),
    "model_attributes_type": phrase("Send an object with the fields that the API's description lists."),
}
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
"""The pattern of texts on one line; the rooms' schemas have it."""
_BOUNDS = {"ge": phrase("at least"), "gt": phrase("more than"), "le": phrase("at most"), "lt": phrase("less than")}


def problem_of(finding: Mapping[str, Any]) -> str:
    """Return what is wrong with a field.

    >>> problem_of({"type": "value_error", "msg": "Value error, needs a digit"})
    'needs a digit'
    """
    if finding["type"] in {"uuid_parsing", "uuid_type"}:
        return phrase("is not a UUID")  # Pydantic would repeat a character of the value
    if _has_controls(finding):
        return phrase("has a control character, such as a line break")
    bound = _bound(finding)
    if bound is not None and isinstance(bound[1], date):
        return phrase(
            "must be {what} {limit}", what=bound[0], limit=bound[1].isoformat()
        )  # Pydantic writes datetime.date(1900, 1, 1)
    return str(finding["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def remedy_of(finding: Mapping[str, Any]) -> str:
    """Return what to send instead.

    >>> remedy_of({"type": "less_than_equal", "msg": "", "ctx": {"le": 500}})
    'Send at most 500.'
    """
    kind, context = finding["type"], finding.get("ctx") or {}
    if kind in {"enum", "literal_error"}:
        return phrase("Send one of {listed}.", listed=context.get("expected", "the allowed values"))
    if _has_controls(finding):
        return phrase("Leave control characters out.")
    bound = _bound(finding)
    if bound is not None:
        limit = bound[1].isoformat() if isinstance(bound[1], date) else bound[1]
        return phrase("Send {what} {limit}.", what=bound[0], limit=limit)
    remedy = getattr(context.get("error"), "remedy", None)  # our validators put one on their ValueError
    return remedy or _REMEDIES.get(kind, OF_THE_API)


def _has_controls(finding: Mapping[str, Any]) -> bool:
    return (finding.get("ctx") or {}).get("pattern") == _NO_CONTROLS


def _bound(finding: Mapping[str, Any]) -> tuple[str, Any] | None:
    context = finding.get("ctx") or {}
    return next(((words, context[name]) for name, words in _BOUNDS.items() if name in context), None)
