"""The document describes everything that it names, and its examples are valid."""

from tests.core.app.documents import examples, objects, properties, references, texts, validator


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
        for error in validator(document, schema).iter_errors(example)
    ]
    assert odd == []


def test_every_example_of_a_schema_is_valid_for_it(document):
    schemas = document["components"]["schemas"]
    with_example = {name: schema for name, schema in schemas.items() if "example" in schema}
    assert {"ImportSummary", "JobOut", "Indicators"} <= set(with_example)
    odd = [
        f"{name}: {error.json_path}: {error.message}"
        for name, schema in with_example.items()
        for error in validator(document, schema).iter_errors(schema["example"])
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
        waiting = [status for status in ("429", "503") if status in answers and name.split()[1] != "/health/ready"]
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
        for error in validator(document, parameter["schema"]).iter_errors(example)
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
    "Enable",
    "Disable",
    "Fetch",
    "Give",
    "Send",
    "Retry",
    "Discard",
    "Edit",
    "Void",
    "Plan",
    "Acknowledge",
    "Snooze",
    "Resolve",
    "Reopen",
    "Propose",
    "Verify",
    "Reject",
    "Receive",
    "Approve",
    "Promote",
    "Retire",
    "Roll",
    "Apply",
    "Close",
    "Mark",
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
