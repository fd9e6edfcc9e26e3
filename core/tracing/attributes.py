"""The attributes that a span may have, and the form of each value. The exporter drops all others.

No form admits a name, a phone number or an identifier of a person: paths are templates of routes, statements have no
values, and words are those of our own code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from core.tracing import statements

Value = str | int | bool

_ROUTE: Final = re.compile(r"none|/|(?:/(?:[a-z][a-z_.-]*|v[0-9]|\{[a-z_]+(?::path)?\})){1,12}/?")
_WORD: Final = re.compile(r"[a-z][a-z_]*(?:\.[a-z_]+){0,3}")
_KIND_OF_ERROR: Final = re.compile(r"[A-Z][A-Za-z]{1,60}|[45][0-9]{2}")
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SLUG: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_METHOD: Final = re.compile(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|other")
_OPERATION: Final = re.compile(r"[A-Z]{2,12}")
_NAME: Final = re.compile(
    r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|other) (?P<route>\S+)|(?:job|call|plugin) (?P<word>\S+)"
    r"|[A-Z]{2,12}(?: [a-z_]{1,63})?"
)
_VERBS: Final = frozenset(
    [
        "ALTER",
        "ANALYZE",
        "BEGIN",
        "CLOSE",
        "COMMIT",
        "COPY",
        "CREATE",
        "DECLARE",
        "DELETE",
        "DROP",
        "EXPLAIN",
        "FETCH",
        "INSERT",
        "LISTEN",
        "LOCK",
        "NOTIFY",
        "RELEASE",
        "ROLLBACK",
        "SAVEPOINT",
        "SELECT",
        "SET",
        "TRUNCATE",
        "UPDATE",
        "WITH",
    ]
)
"""How a statement begins."""

_MOST: Final = 10**9
UNNAMED: Final = "unnamed"


def _text(form: re.Pattern[str], most: int = 200) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, str) and len(value) <= most and form.fullmatch(value) is not None


def _figure(value: Value) -> bool:
    return isinstance(value, int) and 0 <= value < _MOST


def _statement(value: Value) -> bool:
    plain = isinstance(value, str) and statements.normalised(value) == value
    return plain and statements.summary(str(value)).partition(" ")[0] in _VERBS


ALLOWED: Final[Mapping[str, Callable[[Value], bool]]] = {
    "db.namespace": _text(_WORD),
    "db.operation.name": _text(_OPERATION),
    "db.query.text": _statement,
    "db.system.name": _text(_WORD),
    "error.type": _text(_KIND_OF_ERROR),
    "http.request.method": _text(_METHOD),
    "http.response.status_code": _figure,
    "http.route": _text(_ROUTE),
    "iit.dependency": _text(_WORD),
    "iit.job.attempt": _figure,
    "iit.job.id": _text(_UUID),
    "iit.job.kind": _text(_WORD),
    "iit.job.outcome": _text(_WORD),
    "iit.kept": _text(_WORD),
    "iit.plugin": _text(_WORD),
    "iit.plugin.operation": _text(_WORD),
    "iit.request_id": _text(_UUID),
    "iit.spans_left_out": _figure,
    "iit.tenant": _text(_SLUG),
    "server.address": _text(_HOST, 253),
    "server.port": _figure,
}
"""Name of an attribute -> whether a value has its form."""


def cleaned(attributes: Mapping[str, Value]) -> dict[str, Value]:
    """Return the attributes that a span may have."""
    return {
        name: value for name, value in attributes.items() if (allows := ALLOWED.get(name)) is not None and allows(value)
    }


def cleaned_name(name: str) -> str:
    """Return the name of a span; ``unnamed`` if it has another form than ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return UNNAMED
    route, word = match["route"], match["word"]
    fits = (route is None or _ROUTE.fullmatch(route)) and (word is None or _WORD.fullmatch(word))
    return name if fits else UNNAMED
