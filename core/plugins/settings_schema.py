"""The schema of a plugin's settings: which parts of JSON Schema it may use, which settings are secrets, and the check.

A schema is an object of flat properties, so that a form can be drawn from it: texts, numbers, yes or no, choices,
lists of texts, and texts by name.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from referencing import Registry

from core.errors import FieldError, Invalid, phrase
from core.plugins.errors import PluginFailed
from plugins.sdk import secret

MISSING: Final = phrase("is missing")
"""What is wrong with a setting that the plugin needs and that has no value."""
HOSTS: Final = "x-hosts"
"""Keyword of a schema: the hosts to which requests may go, besides those of addresses in the settings."""
MOST_SETTINGS_BYTES: Final = 32_768
_MOST_PROPERTIES: Final = 60
_MOST_LEVELS: Final = 10
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength")
_LARGEST_BOUND: Final = 10**15
"""A form shows bounds in words, and no larger whole number is exact."""
_ABOUT: Final = {"title", "description", "default", "examples", "writeOnly", "enum", "const", "format", "deprecated"}
_WORDS: Final = {
    "string": _ABOUT | {"type", "minLength", "maxLength", "pattern"},
    "integer": _ABOUT | {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": _ABOUT | {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": _ABOUT | {"type"},
    "array": _ABOUT | {"type", "items", "minItems", "maxItems", "uniqueItems"},
    "object": _ABOUT | {"type", "additionalProperties", "maxProperties"},
}
_TOP: Final = {
    "$schema",
    "type",
    "title",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "dependentRequired",
    "anyOf",
    "oneOf",
    HOSTS,
}
_FORMATS: Final = FormatChecker(formats=("uuid", "date", "email", "ipv4", "regex"))


def check_schema(plugin: str, schema: Any, *, trusted: bool) -> Mapping[str, Any]:  # noqa: ANN401 - foreign
    """Return the schema, with no property but those that it names, once the platform can use it.

    Args:
        plugin: name for the message.
        schema: what the plugin gave.
        trusted: whether the plugin is first-party; no other may use ``pattern``, which runs in this process.

    Raises:
        PluginFailed: it is no schema, or uses what the platform does not offer.
    """
    fault = next(_faults(schema, trusted=trusted), None)
    if fault is not None:
        detail = f"plugin {plugin!r}: the schema of its settings {fault}"
        raise PluginFailed(detail)
    return {**schema, "additionalProperties": False}


def secret_names(schema: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings that are secrets."""
    return [name for name, each in _properties(schema).items() if each.get("writeOnly") is True]


def with_defaults(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, with the schema's defaults for those that are missing."""
    defaults = {name: each["default"] for name, each in _properties(schema).items() if "default" in each}
    return copy.deepcopy({**defaults, **values})


def with_marks(schema: Mapping[str, Any], settings: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings as a plugin gets them: with marks in place of the secrets."""
    return with_defaults(schema, {**settings, **{name: secret(name) for name in secrets}})


def check_settings(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with defaults, once they are valid by the schema.

    Args:
        schema: of the plugin.
        values: the settings, with their secrets.

    Raises:
        Invalid: a value is not valid; the error names the field and never a secret (422).
    """
    is_deep = _is_deep(values)
    completed = with_defaults(schema, {} if is_deep else values)
    if is_deep or len(json.dumps(completed)) > MOST_SETTINGS_BYTES:
        detail = phrase("the settings have more than {most} bytes", most=MOST_SETTINGS_BYTES)
        raise Invalid(detail, errors=[FieldError("settings", detail)])
    faults = [*_missing(schema, completed), *_broken(schema, completed), *_bad_addresses(schema, completed)]
    if faults:
        errors = faults[:20]
        detail = phrase("the plugin's settings are not valid: {names}", names=", ".join(each.field for each in errors))
        raise Invalid(detail, errors=errors)
    return completed


def hosts_of(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return the hosts to which requests with these settings may go; ``*.example.org`` stands for any below it.

    They are those that the schema names, and those of the addresses in the settings.
    """
    hosts = [str(host).lower() for host in schema.get(HOSTS, ())]
    for name, each in _properties(schema).items():
        if each.get("format") == "uri" and isinstance(values.get(name), str):
            hosts += _host(values[name])
    return hosts


def _host(address: str) -> list[str]:
    try:
        host = httpx.URL(address).host.lower()
    except (httpx.InvalidURL, UnicodeError):
        return []
    return [host] if host else []


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    return properties


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    # A registry of its own: without one the library would fetch what a reference names.
    return Draft202012Validator(dict(schema), format_checker=_FORMATS, registry=Registry())


def _missing(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[FieldError]:
    for name in schema.get("required", ()):
        if name not in values:
            yield FieldError(f"settings.{name}", MISSING)


def _broken(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[FieldError]:
    for fault in _validator(schema).iter_errors(values):
        if fault.validator != "required":
            yield _field_error(schema, fault)


def _field_error(schema: Mapping[str, Any], fault: Any) -> FieldError:  # noqa: ANN401 - the library's error
    path = [str(part) for part in fault.absolute_path]
    if fault.validator in {"additionalProperties", "dependentRequired"} and not path:
        known = ", ".join(_properties(schema)) or "-"
        return FieldError(
            "settings", phrase("has a setting that the plugin does not know"), phrase("Known: {known}.", known=known)
        )
    if fault.validator in {"anyOf", "oneOf"} and not path:
        groups = "; ".join(", ".join(each.get("required", ())) for each in fault.validator_value)
        return FieldError("settings", phrase("needs one of these: {groups}", groups=groups))
    rule = phrase(
        "breaks the rule {rule}: {value}", rule=str(fault.validator), value=json.dumps(fault.validator_value)[:120]
    )
    return FieldError(".".join(["settings", *path]), rule)


def _bad_addresses(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[FieldError]:
    from core.outgoing import AddressRejected, parse_url

    for name, each in _properties(schema).items():
        if each.get("format") == "uri" and isinstance(values.get(name), str) and values[name]:
            try:
                parse_url(values[name])
            except AddressRejected:
                remedy = phrase("Begin it with https://, without a user name, a password or a fragment.")
                yield FieldError(f"settings.{name}", phrase("is not an HTTPS address"), remedy)


def _faults(schema: Any, *, trusted: bool) -> Iterator[str]:  # noqa: ANN401 - foreign
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        yield "is not that of an object"
        return
    if fault := _dialect_fault(schema):
        yield fault
        return
    if unknown := sorted(schema.keys() - _TOP):
        yield f"uses {unknown[0]!r}, which forms cannot show"
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if not isinstance(choice, dict) or choice.keys() - {"required", "title", "description"}:
            yield "may only require settings in 'anyOf' and 'oneOf'"
    properties = schema.get("properties", {})
    if len(properties) > _MOST_PROPERTIES:
        yield "is too large"
    hosts = schema.get(HOSTS, [])
    if not isinstance(hosts, list) or not all(isinstance(host, str) and host.strip("*. ") for host in hosts):
        yield f"needs a list of hosts in {HOSTS!r}"
    for name, each in properties.items():
        yield from (f"has a property {name!r} that {fault}" for fault in _property_faults(name, each, trusted=trusted))


def _dialect_fault(schema: Mapping[str, Any]) -> str:
    try:
        text = "" if _is_deep(schema) else json.dumps(schema, allow_nan=False, ensure_ascii=False)
        if not text or len(text.encode()) > MOST_SETTINGS_BYTES:
            return "is too large"
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is no JSON Schema (2020-12): {'.'.join(map(str, error.absolute_path))[:80]}"
    except RecursionError:
        return "is too large"
    except ValueError:  # such as NaN, or half of a surrogate pair: every answer that shows the schema would fail
        return "has a number or a text that no JSON can carry"
    return ""


def _is_deep(value: Any, levels: int = _MOST_LEVELS) -> bool:  # noqa: ANN401 - any JSON
    """Return whether JSON has more levels than answers can carry."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else None
    return inner is not None and (levels == 0 or any(_is_deep(each, levels - 1) for each in inner))


def _property_faults(name: str, each: Any, *, trusted: bool) -> Iterator[str]:  # noqa: ANN401 - foreign
    if not name.isidentifier() or not name.isascii():
        yield "needs a name of letters, digits and _"
    kind = each.get("type") if isinstance(each, dict) else None
    if not isinstance(kind, str) or kind not in _WORDS:
        yield f"needs one type of {', '.join(_WORDS)}"
        return
    yield from _word_faults(each, trusted=trusted)
    if each.get("writeOnly") is True and (kind != "string" or "default" in each or "enum" in each):
        yield "is a secret, so it must be a text with no default and no choices"
    inner = each.get("items" if kind == "array" else "additionalProperties")
    if kind in {"array", "object"} and (not isinstance(inner, dict) or inner.get("type") != "string"):
        yield "may contain only texts"
    elif kind in {"array", "object"}:
        yield from _word_faults(inner, trusted=trusted)


def _word_faults(each: Mapping[str, Any], *, trusted: bool) -> Iterator[str]:
    if unknown := sorted(each.keys() - _WORDS[each["type"]]):
        yield f"uses {unknown[0]!r}, which forms cannot show"
    if any(abs(each.get(bound, 0)) > _LARGEST_BOUND for bound in _BOUNDS):
        yield f"has a bound beyond {_LARGEST_BOUND:,}"
    if "pattern" in each and not trusted:
        yield "uses 'pattern': use 'enum', 'format', 'minLength' or 'maxLength'"
