"""One naming rule for the whole API: ``id``, ``<thing>_id``, and ``facility`` for the DATIM id of a facility."""

from collections.abc import Iterator
from typing import Any

import pytest

OTHER_PATH_PARAMETERS = {
    "data_date": "the day of a partner's list",
    "code": "code of a plan",
    "call_id": "number of a write to the payment provider",
    "effective_on": "the first day of prices",
    "event_id": "the payment provider's name of a message",
    "flag": "name of a feature flag",
    "group": "name of a group of settings",
    "indicator": "name of an indicator",
    "name": "name of a schedule",
    "position": "position of a line in its invoice",
    "role_name": "name of a role",
    "rule": "kind of a rule of alerts",
    "slug": "short name of a tenant, for operators",
    "token": "secret part of an address that a vendor calls",
}
"""Path parameters that are no identifiers of records, with what they are."""

OF_ANOTHER_THING = {
    "/v1/assignments/{patient_id}": "the colleague to whom a patient is assigned",
    "/v1/quality/imports/{import_id}": "the report on an import",
}
"""Reads that are addressed by the identifier of something else than the answer, with what the answer is."""

FACILITIES = "/v1/facilities"


def references(part: Any) -> Iterator[str]:
    """The names of the schemas to which a part of the document refers."""
    if isinstance(part, list):
        for item in part:
            yield from references(item)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rsplit("/", 1)[1]
        for item in part.values():
            yield from references(item)


def properties(part: Any, schemas: dict[str, Any], seen: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a body or an answer, in all schemas below it."""
    if isinstance(part, list):
        for item in part:
            yield from properties(item, schemas, seen)
    elif isinstance(part, dict):
        yield from part.get("properties", {}).items()
        for name, item in part.items():
            if name not in {"example", "examples"}:
                yield from properties(item, schemas, seen)
        for name in references(part.get("$ref") and part):
            if name not in seen:
                seen.add(name)
                yield from properties(schemas[name], schemas, seen)


@pytest.fixture(scope="module")
def operations(application):
    """Path, method, operation and its properties, of each operation."""
    document = application.openapi()
    schemas = document["components"]["schemas"]
    return [
        (path, method, operation, list(properties(operation, schemas, set())))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_no_name_says_uuid(operations):
    wrong = {
        f"{method} {path}: {name}"
        for path, method, operation, fields in operations
        for name in (path, *(item["name"] for item in operation.get("parameters", ())), *(name for name, _ in fields))
        if "uuid" in name.lower()
    }
    assert sorted(wrong) == []


def test_examples_say_no_uuid(operations):
    from json import dumps

    assert sorted(path for path, _, operation, _ in operations if '_uuid"' in dumps(operation)) == []


def test_a_path_names_records_by_their_identifiers(operations):
    wrong = {
        f"{path}: {item['name']}"
        for path, _, operation, _ in operations
        for item in operation.get("parameters", ())
        if item["in"] == "path" and item["name"] not in OTHER_PATH_PARAMETERS
        if not item["name"].endswith("_id") or item["schema"].get("format") != "uuid"
    }
    assert sorted(wrong) == []


def test_a_thing_calls_its_own_identifier_id(application, operations):
    schemas, wrong = application.openapi()["components"]["schemas"], []
    for path, method, operation, _ in operations:
        parameter = path.rpartition("/")[2]
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        name = next(references(content.get("schema", {})), None)
        if method == "get" and parameter.endswith("_id}") and path not in OF_ANOTHER_THING and name is not None:
            own = schemas[name]["properties"].keys()
            if "id" not in own or parameter.strip("{}") in own:
                wrong.append(f"{path}: {name}")
    assert wrong == []


def test_only_facilities_themselves_have_a_datim_id(operations):
    wrong = {
        f"{method} {path}"
        for path, method, operation, fields in operations
        for name in (*(item["name"] for item in operation.get("parameters", ())), *(name for name, _ in fields))
        if name == "datim_id" and not path.startswith(FACILITIES)
    }
    assert sorted(wrong) == []


def test_a_facility_is_its_datim_id(operations):
    wrong = {
        f"{method} {path}"
        for path, method, operation, fields in operations
        for name, schema in (*((item["name"], item["schema"]) for item in operation.get("parameters", ())), *fields)
        if name == "facility" and not {"string"} >= types(schema) - {"null"}
    }
    assert sorted(wrong) == []


def types(schema):
    """The JSON types that a schema, or each item of its list, allows; ``identifier`` for a UUID."""
    if "anyOf" in schema:
        return {kind for part in schema["anyOf"] for kind in types(part)}
    if schema.get("type") == "array":
        return types(schema["items"])
    return {"identifier" if schema.get("format") == "uuid" else schema.get("type")}


def test_personal_identifiers_are_in_no_path_and_no_query(operations):
    personal = {"pepfar_id", "hospital_number", "phone", "given_name", "family_name", "patient"}
    wrong = {
        f"{method} {path}: {item['name']}"
        for path, method, operation, _ in operations
        for item in operation.get("parameters", ())
        if item["in"] in {"path", "query"} and item["name"] in personal
    }
    assert sorted(wrong) == []
