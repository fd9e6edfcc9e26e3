"""The document describes everything that it names, and its examples are what the API takes and answers."""

import math
from itertools import pairwise

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


def test_every_example_of_a_schema_is_valid_for_it(document):
    schemas = document["components"]["schemas"]
    with_example = {name: schema for name, schema in schemas.items() if "example" in schema}
    assert {"ImportSummary", "JobOut", "Indicators"} <= set(with_example)
    odd = [
        f"{name}: {error.json_path}: {error.message}"
        for name, schema in with_example.items()
        for error in _validator(document, schema).iter_errors(schema["example"])
    ]
    assert odd == []


def test_every_schema_and_every_answer_says_what_it_is(document, operations):
    assert [name for name, schema in document["components"]["schemas"].items() if not schema.get("description")] == []
    plain = [
        f"{name} {status}"
        for name, operation in operations.items()
        for status, answer in operation["responses"].items()
        if answer["description"] in {"", "Successful Response", "The answer."}
    ]
    assert plain == []


def test_a_schema_has_keywords_of_json_schema_only(document):
    """Pydantic keeps a bound that JSON Schema cannot express, such as a day, as ``ge``."""
    bounds = {"ge", "gt", "le", "lt"}
    odd = [sorted(part) for part in objects(document) if bounds & part.keys() and "type" in part]
    assert odd == []


def test_an_answer_has_the_media_types_that_it_is_sent_in(operations):
    for name, operation in operations.items():
        for status, answer in operation["responses"].items():
            empty = [media for media, content in answer.get("content", {}).items() if not content.get("schema")]
            assert empty == [], (name, status)
        if name.endswith("/export"):
            assert set(operation["responses"]["200"]["content"]) == {"application/x-ndjson"}, name


def test_the_headers_that_clients_read_and_send_are_declared(operations):
    for name, operation in operations.items():
        answers, parameters = operation["responses"], operation.get("parameters", ())
        sent = {parameter["name"].lower(): parameter for parameter in parameters if parameter["in"] == "header"}
        json = "application/json" in answers.get("200", {}).get("content", {})
        if name.startswith("GET /v1/") and json:
            assert {"ETag", "Cache-Control"} <= answers["200"]["headers"].keys(), name
            assert "if-none-match" in sent, name
            assert "ETag" in answers["304"]["headers"], name
        if "428" in answers:
            assert sent["if-match"]["required"], name
        waiting = [status for status in ("429", "503") if status in answers and name.split()[1] != "/readyz"]
        assert all("Retry-After" in answers[status]["headers"] for status in waiting), name


def test_no_write_takes_a_free_text_in_its_address(operations):
    """Addresses are logged."""
    free = [
        (name, parameter["name"])
        for name, operation in operations.items()
        if not name.startswith("GET ")
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and parameter["name"] != "after"
        for schema in parameter["schema"].get("anyOf", [parameter["schema"]])
        if schema.get("type") == "string" and not {"enum", "format", "const"} & schema.keys()
    ]
    assert free == []


def test_what_has_few_values_is_an_enumeration(document):
    schemas = document["components"]["schemas"]
    for name, field in (
        ("ImportSummary", "state"),
        ("PatientStatus", "status"),
        ("TransitionOut", "to_status"),
        ("RiskOut", "status"),
        ("Me", "kind"),
    ):
        assert len(schemas[name]["properties"][field]["enum"]) >= 3, (name, field)


def test_the_statuses_of_the_document_are_those_of_the_code():
    from typing import get_args

    from tenants.cohort.schemas import StatusName
    from tenants.cohort.status import STATUSES
    from tenants.imports.models import STATES
    from tenants.imports.schemas import ImportState

    assert get_args(StatusName) == STATUSES
    assert get_args(ImportState) == (*STATES, "stalled")


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
        or any(part.keys() == {"name"} for part in objects(example))
    ]
    assert odd == []


ENDED = {"done", "failed", "cancelled", "undone", "discarded"}


def objects(value):
    """Every object of an example."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)


def test_what_is_accepted_is_not_done_yet(operations):
    accepted = {place: example for place, _, example in examples(operations) if place.endswith(" 202")}
    assert len(accepted) >= 5
    odd = [
        place
        for place, example in accepted.items()
        if example.get("state") in ENDED or (example.get("finished_at") and example.get("state") != "undoing")
    ]
    assert odd == []


def test_an_example_has_an_end_if_and_only_if_its_state_is_an_end(operations):
    stateful = [
        (place, part)
        for place, _, example in examples(operations)
        for part in objects(example)
        if {"state", "finished_at"} <= part.keys()
    ]
    assert {part["state"] for _, part in stateful} >= {"pending", "running", "done", "cancelled", "undoing"}
    odd = [
        place
        for place, part in stateful
        if (part["finished_at"] is not None) != (part["state"] in ENDED | {"undoing"})
        or (part["started_at"] is None and part["state"] in {"running", "done", "undoing"})
    ]
    assert odd == []


ORDER = ("created_at", "started_at", "finished_at", "expires_at")
SPANS = (("start", "end"), ("known_from", "known_to"), ("trained_through", "trained_at"), ("risk_low", "risk_high"))
SPANS += (("done", "total"), ("first_contact", "last_contact"), ("page", "total"))


def test_examples_are_in_the_order_of_time_and_number(operations):
    pairs = [*pairwise(ORDER), ("created_at", "finished_at"), ("created_at", "expires_at"), *SPANS]
    odd = [
        (place, earlier, later)
        for place, _, example in examples(operations)
        for part in objects(example)
        for earlier, later in pairs
        if part.get(earlier) is not None and part.get(later) is not None and part[earlier] > part[later]
    ]
    assert odd == []


def test_the_rows_of_every_import_add_up(operations):
    imports = [part for _, _, example in examples(operations) for part in objects(example) if "rows_waiting" in part]
    assert len(imports) >= 4
    for part in imports:
        assert part["rows_read"] == part["rows_accepted"] + part["rows_rejected"] + part["rows_waiting"]
        assert part["rows_rejected"] == sum(problem["count"] for problem in part["problems"])
        assert part["rows_waiting"] == sum(reason["rows"] for reason in part["waiting"])
        assert part["people"] == sum(part["counts"].get("patients", {}).values())
        assert bool(part["failure"]) == bool(part["error"]) == (part["state"] in {"failed", "stalled"})


def test_the_numbers_of_a_list_are_those_of_its_facilities_and_people(operations):
    lists = [part for _, _, example in examples(operations) for part in objects(example) if "entries" in part]
    assert len(lists) >= 3
    for part in lists:
        assert part["candidates"] == sum(place["candidates"] for place in part["facilities"])
        assert part["entries"] == sum(place["listed"] for place in part["facilities"]) <= part["candidates"]
        assert part["capacity"] >= max(place["listed"] for place in part["facilities"])
        assert len(part.get("people", [])) <= part["entries"]


def parts_with(operations, *names):
    """Every object of an example that has these fields."""
    parts = [part for _, _, example in examples(operations) for part in objects(example) if set(names) <= part.keys()]
    assert parts, names
    return parts


def test_people_by_status_add_up(operations):
    for part in parts_with(operations, "patients", "statuses"):
        assert part["patients"] == sum(part["statuses"].values())
    for part in parts_with(operations, "compared", "counts"):
        assert part["compared"] == sum(row["people"] for row in part["counts"])
        assert part["agreed"] == sum(row["people"] for row in part["counts"] if row["agree"])
        assert part["compared"] - part["agreed"] == sum(row["people"] for row in part["reasons"])


def test_a_status_is_that_of_the_last_change(operations):
    for part in parts_with(operations, "status", "transitions"):
        assert part["status"] == part["transitions"][-1]["to_status"]


def test_a_report_has_facilities_if_and_only_if_it_is_of_no_one_facility(operations):
    for part in parts_with(operations, "facility", "facilities", "measures"):
        assert (part["facility"] is None) == bool(part["facilities"])


def test_what_is_written_over_the_api_has_it_as_its_source(operations):
    for name in ("POST /v1/patients", "POST /v1/facilities", "POST /v1/visits"):
        answer = operations[name]["responses"]["201"]["content"]["application/json"]["example"]
        assert answer["source"] == "api", name


def test_the_figures_of_a_model_are_shown(operations):
    for name in ("gates", "card", "when_trained", "features"):
        assert all(part[name] for part in parts_with(operations, "trained_at", name))


def test_the_reasons_of_a_risk_add_up(operations):
    risks = [part for _, _, example in examples(operations) for part in objects(example) if "raw_log_odds" in part]
    assert risks
    for part in risks:
        total = part["base"] + sum(each["contribution"] for each in part["reasons"]) + part["other_contribution"]
        assert total == pytest.approx(part["raw_log_odds"], abs=0.02)
        for name, odds in (("raw_score", "raw_log_odds"), ("usual_risk", "base")):
            assert 1 / (1 + math.exp(-part[odds])) == pytest.approx(part[name], abs=0.01)


def test_a_page_leads_on_only_where_there_is_more(operations):
    pages = [part for _, _, example in examples(operations) for part in objects(example) if "page_size" in part]
    assert len(pages) >= 10
    for part in pages:
        total, shown = part.get("total", part.get("entries")), part.get("items", part.get("people"))
        more = total is not None and total > part["page"] * part["page_size"]
        assert bool(part["next"]) == more
        assert bool(part["previous"]) == (part["page"] > 1)
        assert len(shown) <= part["page_size"]
        assert total is None or len(shown) <= total


def test_an_identifier_stands_for_one_thing(operations):
    """A patient that has the identifier of its facility or its job cannot be."""
    things = {}
    for _, _, example in examples(operations):
        for part in objects(example):
            for name, value in part.items():
                others = {"canonical_id": "patient", "subject_id": part.get("subject_type")}
                thing = others.get(name, name.removesuffix("_id"))
                if name.endswith("_id") and isinstance(value, str):
                    things.setdefault(value, set()).add(thing)
    shared = {value: sorted(names) for value, names in things.items() if len(names) > 1}
    assert shared == {}


def test_the_answer_to_a_write_repeats_its_body(operations):
    odd = []
    for name, operation in operations.items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        answers = [value for status, value in operation["responses"].items() if status in {"200", "201"}]
        for answer in answers:
            shown = answer.get("content", {}).get("application/json", {}).get("example")
            if isinstance(shown, dict) and isinstance(content.get("example"), dict):
                sent = {key: value for key, value in content["example"].items() if value is not None}
                odd += [(name, key) for key in sent.keys() & shown.keys() if shown[key] != sent[key]]
    assert odd == []


VERBS = {"Add", "Cancel", "Change", "Check", "Compare", "Count", "Create", "Download", "End", "Export", "Find", "Get"}
VERBS |= {"Import", "Issue", "List", "Make", "Merge", "Refuse", "Replace", "Revoke", "Score", "Search", "Train", "Undo"}
VERBS |= {
    "Assign",
    "Claim",
    "Confirm",
    "Deactivate",
    "Delete",
    "Invite",
    "Look",
    "Reactivate",
    "Record",
    "Remove",
    "Set",
    "Test",
    "Void",
}


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
