"""The schema of a plugin's settings: third-party ones run nothing in the platform's process."""

import pytest

from core.errors import Invalid
from core.plugins.errors import PluginFailed
from core.plugins.settings_schema import check_schema, check_settings

PATTERN = {"type": "string", "pattern": "^(a+)+$"}


def nested(depth):
    schema = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def with_property(schema):
    return {"type": "object", "properties": {"each": schema}}


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (PATTERN, "pattern"),
        ({"type": "array", "items": PATTERN}, "pattern"),
        ({"type": "object", "additionalProperties": PATTERN}, "pattern"),
        ({"type": "array", "items": {"type": "string", "$ref": "#/properties/each/items"}}, r"\$ref"),
        ({"type": "array", "items": {"type": "string", "not": PATTERN}}, "not"),
        ({"type": ["string", "null"]}, "one type"),
        ({"type": "array", "items": nested(2_000)}, "too large|texts"),
        ({"type": "string", "default": nested(3_000)}, "too large"),
        ({"type": "string", "default": nested(50_000)}, "too large"),
        ({"type": "string", "default": nested(300)}, "too large"),
        ({"type": "number", "default": float("nan")}, "no JSON can carry"),
        ({"type": "string", "title": "\ud800"}, "no JSON can carry"),
        ({"type": "integer", "minimum": 10**400}, "bound"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_foreign_schema_with_what_could_stop_the_platform_is_rejected(schema, fault):
    with pytest.raises(PluginFailed, match=fault):
        check_schema("foreign", with_property(schema), trusted=False)


def test_a_first_party_plugin_may_use_a_pattern_in_a_list():
    assert check_schema("own", with_property({"type": "array", "items": PATTERN}), trusted=True)


def test_settings_of_more_levels_than_answers_carry_are_rejected():
    schema = check_schema("own", with_property({"type": "array", "items": {"type": "string"}}), trusted=True)
    with pytest.raises(Invalid, match="bytes"):
        check_settings(schema, {"each": nested(900)})
