"""The document describes everything that it names, and its examples are what the API takes and answers."""

import pytest
from jsonschema import Draft202012Validator, FormatChecker

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document(application):
    return application.openapi()


@pytest.fixture(scope="module")
def operations(document):
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def properties(schema, place):
    """Every property of a schema and of the objects inside it, with its place."""
    for name, part in schema.get("properties", {}).items():
        yield f"{place}.{name}", part
        yield from properties(part, f"{place}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from properties(schema[word], place)


def examples(operations):
    for name, operation in operations.items():
        parts = [("body", operation["requestBody"])] if "requestBody" in operation else []
        parts += list(operation["responses"].items())
        for part, value in parts:
            for media, content in value.get("content", {}).items():
                if "json" in media and "example" in content:
                    yield f"{name} {part}", content["schema"], content["example"]


def test_every_field_of_every_schema_has_a_description(document):
    bare = [
        place
        for name, schema in document["components"]["schemas"].items()
        for place, part in properties(schema, name)
        if not part.get("description")
    ]
    assert bare == []


def test_every_parameter_has_a_description(operations):
    bare = [
        f"{name} {parameter['name']}"
        for name, operation in operations.items()
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert bare == []


def test_every_example_is_valid_for_its_schema(document, operations):
    odd = [
        f"{place}: {error.json_path}: {error.message}"
        for place, schema, example in examples(operations)
        for error in _validator(document, schema).iter_errors(example)
    ]
    assert odd == []


def test_every_example_of_a_parameter_is_valid_for_its_schema(document, operations):
    odd = [
        f"{name} {parameter['name']}: {error.message}"
        for name, operation in operations.items()
        for parameter in operation.get("parameters", ())
        for example in parameter.get("examples", parameter["schema"].get("examples", ()))
        for error in _validator(document, parameter["schema"]).iter_errors(example)
    ]
    assert odd == []


def test_no_example_is_a_placeholder(operations):
    odd = [
        place
        for place, _, example in examples(operations)
        if any(value == "text" or "-0000-7000-8000-" in value for value in texts(example))
    ]
    assert odd == []


VERBS = {"Add", "Cancel", "Change", "Check", "Compare", "Count", "Create", "Download", "End", "Export", "Find", "Get"}
VERBS |= {"Import", "Issue", "List", "Make", "Merge", "Refuse", "Replace", "Revoke", "Score", "Search", "Train", "Undo"}
VERBS |= {"Delete", "Invite", "Record", "Remove", "Void"}


def test_every_summary_begins_with_a_verb(operations):
    assert [op["summary"] for op in operations.values() if op["summary"].split()[0] not in VERBS] == []


def test_every_tag_is_used_and_has_a_description(document, operations):
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert set(described) == {tag for operation in operations.values() for tag in operation["tags"]}
    assert all(described.values())
    assert len(described) == len(document["tags"])


def test_every_reference_leads_to_a_schema(document):
    names = set(document["components"]["schemas"])
    assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} <= names


def test_every_operation_states_the_same_security_where_it_takes_a_credential(document, operations):
    named = set(document["components"]["securitySchemes"])
    stated = {str(operation["security"]) for operation in operations.values() if "security" in operation}
    assert len(stated) == 1
    assert {scheme for operation in operations.values() for way in operation.get("security", ()) for scheme in way} == (
        named
    )


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def references(value):
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from references(item)


def _validator(document, schema):
    whole = {**schema, "components": document["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())
