"""References in planned calls: ``{kind|own_id}`` stands for the id of our object at the provider."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REFERENCE: Final = re.compile(r"\{([a-z_]+)\|([^{}|]+)\}")


def reference(kind: str, own_id: object) -> str:
    """Return the reference to an object."""
    return f"{{{kind}|{own_id}}}"


def references(value: object) -> Iterator[tuple[str, str]]:
    """Yield kind and own id of every reference in a text, a list or a mapping."""
    if isinstance(value, str):
        yield from ((match[1], match[2]) for match in _REFERENCE.finditer(value))
    elif isinstance(value, dict):
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def resolved(value: Any, ids: Mapping[tuple[str, str], str]) -> Any:  # noqa: ANN401 - as deep as the body
    """Return the value with each reference replaced by its id.

    Raises:
        KeyError: an id is missing.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: ids[match[1], match[2]], value)
    if isinstance(value, dict):
        return {name: resolved(each, ids) for name, each in value.items()}
    if isinstance(value, list):
        return [resolved(each, ids) for each in value]
    return value
