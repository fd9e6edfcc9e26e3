"""Values of the SDK's types as JSON and back, checked: what a plugin gives is foreign data."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

MOST_BYTES: Final = 1024 * 1024
"""Most bytes of one value on the wire."""
MOST_ITEMS: Final = 10_000
"""Most items of one list."""
_TAG: Final = "$"


class BadValueError(ValueError):
    """A value is not of its type. The message names the place and the type, never the value."""


def encode(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of the SDK's types as JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        encoded = {field.name: encode(getattr(value, field.name)) for field in fields(value)}
        return {_TAG: type(value).__name__, **encoded}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(name): encode(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(each) for each in value]
    return value


def decode(kind: Any, value: Any, place: str = "the answer") -> Any:  # noqa: ANN401 - a type of the SDK, and its value
    """Return a value of a type from its JSON.

    Args:
        kind: a type of the SDK, or a hint of one.
        value: JSON.
        place: of the value, for the message.

    Raises:
        BadValueError: the value is not of the type.
    """
    origin = get_origin(kind)
    if kind is Any:
        decoded = value
    elif origin in (Union, types.UnionType):
        decoded = _one_of(get_args(kind), value, place)
    elif origin is Literal:
        if value not in get_args(kind):
            raise _bad(place, "one of " + ", ".join(map(repr, get_args(kind))))
        decoded = value
    elif origin is not None:
        decoded = _container(origin, get_args(kind), value, place)
    elif is_dataclass(kind) and isinstance(kind, type):
        decoded = _dataclass(kind, value, place)
    else:
        decoded = _plain(kind, value, place)
    return decoded


def checked(kind: Any, value: object, place: str = "the answer") -> Any:  # noqa: ANN401 - as decode
    """Return a value that a plugin gave in this process, once it is of the type and within the bounds.

    Raises:
        BadValueError: it is not.
    """
    encoded = encode(value)
    try:
        size = len(json.dumps(encoded))
    except (TypeError, ValueError, RecursionError):
        raise _bad(place, "JSON") from None
    if size > MOST_BYTES:
        raise _bad(place, f"at most {MOST_BYTES} bytes")
    return decode(kind, encoded, place)


def _one_of(kinds: Sequence[Any], value: Any, place: str) -> Any:  # noqa: ANN401
    for kind in kinds:
        try:
            return decode(kind, value, place)
        except BadValueError as error:
            fault = error
            if isinstance(value, dict) and value.get(_TAG) == getattr(kind, "__name__", None):
                raise  # the one that is meant: its fault says more
    raise fault


def _container(origin: Any, inner: Sequence[Any], value: Any, place: str) -> Any:  # noqa: ANN401
    if isinstance(value, (dict, list)) and len(value) > MOST_ITEMS:
        raise _bad(place, f"at most {MOST_ITEMS} items")
    if issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _bad(place, "an object")
        return {_whole(name): decode(inner[1], each, f"{place}.{str(name)[:40]}") for name, each in value.items()}
    if not isinstance(value, list):
        raise _bad(place, "a list")
    if origin is tuple and inner[-1] is not Ellipsis:
        if len(value) != len(inner):
            raise _bad(place, f"a list of {len(inner)}")
        pairs = zip(inner, value, strict=True)
        return tuple(decode(kind, each, f"{place}[{at}]") for at, (kind, each) in enumerate(pairs))
    return [decode(inner[0], each, f"{place}[{at}]") for at, each in enumerate(value)]


def _dataclass(kind: type, value: Any, place: str) -> Any:  # noqa: ANN401
    if not isinstance(value, dict) or value.get(_TAG) != kind.__name__:
        raise _bad(place, kind.__name__)
    hints = _hints(kind)
    unknown = value.keys() - hints.keys() - {_TAG}
    if unknown:
        raise _bad(place, f"{kind.__name__} without {min(unknown)[:40]!r}")
    values = {name: decode(hints[name], each, f"{place}.{name}") for name, each in value.items() if name in hints}
    try:
        return kind(**values)
    except TypeError:
        raise _bad(place, f"{kind.__name__} with all its fields") from None


def _plain(kind: type, value: Any, place: str) -> Any:  # noqa: ANN401
    try:
        if kind is datetime and isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise _bad(place, "a time with a zone")
            return moment
        if kind is timedelta and isinstance(value, (int, float)) and not isinstance(value, bool):
            return timedelta(seconds=value)
    except (ValueError, OverflowError):
        raise _bad(place, kind.__name__) from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _bad(place, kind.__name__)
    if isinstance(value, str):
        if "\x00" in value:
            raise _bad(place, "text without the character 0")
        return _whole(value)
    return value


def _whole(text: str) -> str:
    # JSON may hold half of a surrogate pair, which neither UTF-8 nor the database can store.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _bad(place: str, wanted: str) -> BadValueError:
    return BadValueError(f"{place} must be {wanted}")
