"""The YAML of a mapping as people mean it, within bounds: expensive or unstorable parts are errors."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from core.errors import phrase

MAX_DEPTH = 32
MAX_NUMBER = 40
WHOLE = 1 << 63
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_DROPPED = ("bool", "int", "float", "timestamp")


class _Loader(yaml.SafeLoader):
    """A loader that reads ``yes``, ``no``, ``on``, dates and ``1:30`` as texts.

    Repeated keys, aliases and deep nesting are errors.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Reject aliases (a few lines of them expand to gigabytes) and nesting that no mapping has."""
        if self.check_event(yaml.AliasEvent):
            message = "aliases (*name) are not taken: write the part out"
            raise yaml.composer.ComposerError(None, None, message, self.get_mark())
        if self.depth >= MAX_DEPTH:
            message = phrase("it is nested more than {most} levels deep", most=MAX_DEPTH)
            raise yaml.composer.ComposerError(None, None, message, self.get_mark())
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[-1] not in _DROPPED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", "tTfF"),
    ("int", r"[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _rejection(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    if _UNFIT.search(text):
        problem = "a text holds a character that cannot be stored (NUL or half of a pair)"
        raise _rejection(problem, node)
    return text


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    if len(node.value) > MAX_NUMBER or ":" in node.value:
        problem = "this is not a number that a mapping needs; quote it if it is a text"
        raise _rejection(problem, node)
    try:
        whole = node.tag.endswith(":int")
        number: int | float = loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)
    except (ValueError, LookupError, OverflowError) as error:
        problem = "this is not a number; quote it if it is a text"
        raise _rejection(problem, node) from error
    if not math.isfinite(number) or (whole and not -WHOLE <= number < WHOLE):
        problem = "the number is out of range; quote it if it is a text"
        raise _rejection(problem, node)
    return number


def _mapping_without_repeats(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[object] = set()
    content: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool):
            problem = "a key must be a plain text or number"
            raise _rejection(problem, key_node)
        if key in seen:
            problem = phrase("the key {key!r} is given twice", key=key)
            raise _rejection(problem, key_node)
        seen.add(key)
        name = str(key).lower() if isinstance(key, bool) else str(key)
        content[name] = loader.construct_object(value_node, deep=True)
    return content


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repeats)
_Loader.add_constructor("tag:yaml.org,2002:str", _text)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def load(text: str | bytes) -> object:
    """The parsed text.

    Raises:
        yaml.YAMLError: it is not readable, or has parts that no mapping has.
        ValueError: from the library, for values that it cannot build (also RecursionError, OverflowError).
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with stricter rules
