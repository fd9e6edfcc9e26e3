"""Lists: each takes a page and an order, and long ones a cursor, whose ``next`` links lead through all rows."""

import re
from pathlib import Path

import pytest

from tests.isolation.routes import all_cases

CASES = [case for case in all_cases() if case.kind == "collection" and case.method == "GET"]
ROWS = 3

PAGE, ORDER, CURSOR = {"page", "page_size"}, {"sort"}, {"after"}

SHORT = {
    "GET /v1/keys": "People create each key by hand.",
    "GET /v1/people": "They are the staff of one tenant.",
    "GET /v1/roles": "A tenant has at most 100 roles of its own.",
    "GET /v1/webhooks": "A tenant has at most 20.",
    "GET /v1/plugin-instances": "A tenant has at most 100.",
    "GET /v1/sso/domains": "A tenant claims at most 50 domains.",
    "GET /v1/quality/trend": "A page is cut from all points, which are computed anew: as few as imports or quarters.",
    "GET /v1/alerts/{alert_id}/people": "A page is cut from the people of one alert, of one facility.",
    "GET /v1/patients/{patient_id}/timeline": "A page is cut from one patient's care, merged from seven tables.",
    "GET /v1/billing/invoices": "A partner gets one or two documents a period.",
    "GET /v1/operators/billing/invoices": "A page is cut from one or two documents a period of each partner.",
    "GET /v1/billing/invoices/{invoice_id}/lines/{position}/uses": "A page is cut from the uses of one line.",
}
"""Lists that have pages and an order, and need no cursor."""

WHOLE = {
    "GET /v1/schedules": "The schedules that features declare.",
    "GET /v1/settings": "One row for each group of settings that features declare.",
    "GET /v1/attempts/outcomes": "The outcomes that the code knows.",
    "GET /v1/imports/formats": "The formats that the code knows.",
    "GET /v1/imports/held-facilities": "At most 200, until somebody confirms them.",
    "GET /v1/import-sources": "One row for each instance of an importer that the partner has set up.",
    "GET /v1/quality/measures": "The measures that the code knows.",
    "GET /v1/assignments/{patient_id}/assignees": "The staff of one tenant who reach the patient.",
    "GET /v1/officers": "The staff of one tenant who record attempts.",
    "GET /v1/alert-rules": "The rules that the code knows.",
    "GET /v1/alert-routes": "At most 100.",
    "GET /v1/alert-policies": "At most 100.",
    "GET /v1/alert-silences": "At most 100 that have not ended.",
    "GET /v1/on-call": "At most 100.",
    "GET /v1/on-call/{rota_id}/overrides": "At most 100 that have not ended.",
    "GET /v1/plugin-instances/{instance_id}/failures": "The newest 50.",
    "GET /v1/incoming-messages": "The oldest 200 that wait for a person.",
    "GET /v1/risk/accuracy": "One row for each month of decisions.",
    "GET /v1/risk/drift": "The newest 100.",
    "GET /v1/risk/bias": "The newest 100.",
    "GET /v1/risk/feature-snapshots": "The newest 100.",
    "GET /v1/risk/models/{model_id}/events": "The newest 500 of one model.",
    "GET /v1/knowledge/sources": "One row for each source that the partner has set up, or the operator shares.",
    "GET /v1/knowledge/documents/{document_id}/passages": "The passages of one document, which has a largest size.",
    "GET /v1/operators/ai-use": "One row for each tenant that asked.",
    "GET /v1/billing/credits": "Operators grant each by hand.",
    "GET /v1/operators/billing/tenants/{slug}/credits": "Operators grant each by hand.",
    "GET /v1/operators/billing/plans": "Operators write each by hand.",
    "GET /v1/operators/billing/tenants/{slug}/subscriptions": "A tenant has one at a time.",
    "GET /v1/billing/notices": "At most one for each step of an overdue invoice.",
    "GET /v1/cohort/radets": "One row for each RADET that a tenant imported: one a quarter.",
}
"""Lists that come whole: they are short by construction."""

BY_TIME = {"GET /v1/billing/invoices/{invoice_id}/lines/{position}/uses"}
"""Lists whose only order is that of time."""

FIRST = {"POST /v1/worklists": "It answers with the first page of the list that it creates; `next` leads on."}
"""Operations that answer with a page of another operation's list."""


@pytest.fixture(scope="module")
def lists(application):
    """The query parameters of each operation that answers with a list: an array, ``items``, or what has pages."""
    document = application.openapi()
    return {
        f"{method.upper()} {path}": parameters
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for parameters in [{parameter["name"] for parameter in operation.get("parameters", ())}]
        if "page" in parameters or any(map(is_list, answers(operation, document["components"]["schemas"])))
    }


def answers(operation, schemas):
    """The schemas of the successful JSON answers of an operation."""
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2") and schema:
            for option in schema.get("anyOf", [schema]):
                yield schemas[option["$ref"].rsplit("/", 1)[-1]] if "$ref" in option else option


def is_list(schema):
    return schema.get("type") == "array" or "items" in schema.get("properties", {})


def test_every_list_has_pages_an_order_and_a_cursor(lists):
    lacking = {
        name: sorted(missing)
        for name, parameters in lists.items()
        if name not in WHOLE.keys() | FIRST.keys()
        for missing in [
            (PAGE | (set() if name in BY_TIME else ORDER) | (set() if name in SHORT else CURSOR)) - parameters
        ]
        if missing
    }
    assert not lacking, (
        f"give them what they lack (core.web.paging), or say in SHORT or WHOLE why they need none: {lacking}"
    )


def test_every_exception_is_one(lists):
    assert SHORT.keys() | WHOLE.keys() | FIRST.keys() <= lists.keys()
    assert not [name for name in SHORT if lists[name] & CURSOR], "it has a cursor: it is not in SHORT"
    assert not [name for name in WHOLE if lists[name] & (PAGE | ORDER | CURSOR)], "it has pages: it is not in WHOLE"
    assert not [name for name in FIRST if lists[name] >= PAGE | ORDER], "it has pages and an order: it is not in FIRST"


def test_the_reference_names_every_exception():
    reference = (Path(__file__).resolve().parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
    section = reference.partition("## Lists")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(GET /v1/[^`]+)`", section)) == SHORT.keys() | WHOLE.keys()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_next_links_lead_through_the_rows_in_order(case, world, application):
    operation = application.openapi()["paths"][case.path]["get"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation.get("parameters", ())}
    if "after" not in schemas:
        return
    assert "sort" in schemas, "a cursor belongs to an order"
    for _ in range(ROWS):
        call = case.prepare(world)
    path = case.path.format(**call.path)
    for order in (name for name in schemas["sort"]["enum"] if not name.startswith("-")):
        # Ascending: what is written while the pages are read comes after them.
        query = {**call.params, "sort": order}
        whole = world.json("GET", path, params={**query, "page_size": ROWS})["items"]
        page = world.json("GET", path, params={**query, "page_size": 1})
        rows = page["items"]
        while len(rows) < len(whole):
            assert "after=" in page["next"]
            page = world.json("GET", page["next"])
            rows += page["items"]
        assert rows == whole
