"""Lists with a cursor: the ``next`` links lead through all rows, each one time, in the order that was asked."""

import pytest

from tests.isolation.routes import all_cases

CASES = [case for case in all_cases() if case.kind == "collection" and case.method == "GET"]
ROWS = 3


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


def test_long_lists_take_a_cursor(application):
    paths = application.openapi()["paths"]
    taking = {
        path
        for path in paths
        if any(one["name"] == "after" for one in paths[path].get("get", {}).get("parameters", ()))
    }
    assert {"/v1/jobs", "/v1/audit", "/v1/worklists"} <= taking
