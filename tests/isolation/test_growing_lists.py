"""Lists with a cursor: the ``next`` links give every row one time while rows are added."""

import pytest

from tests.isolation.routes import all_cases

CASES = [case for case in all_cases() if case.kind == "collection" and case.method == "GET"]
ROWS = 4


def takes_a_cursor(application, case):
    operation = application.openapi()["paths"][case.path]["get"]
    return any(parameter["name"] == "after" for parameter in operation.get("parameters", ()))


def identity(row):
    return row.get("id") or row["facility"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_row_comes_one_time_while_rows_are_added(case, world, application):
    if not takes_a_cursor(application, case):
        return
    for _ in range(ROWS):
        call = case.prepare(world)
    path = case.path.format(**call.path)
    needed = {name: value for name, value in call.params.items() if name in ("meter", "period", "retired")}
    page = world.json("GET", path, params={**needed, "page_size": 500})
    before = [identity(row) for row in page["items"]]
    assert page["next"] is None
    assert len(before) >= ROWS
    page = world.json("GET", path, params={**needed, "page_size": max(1, len(before) // ROWS)})
    walked = [identity(row) for row in page["items"]]
    while page["next"]:
        if len(walked) < len(before):
            case.prepare(world)
        page = world.json("GET", page["next"])
        walked += [identity(row) for row in page["items"]]
    assert len(set(walked)) == len(walked)
    assert set(before) <= set(walked)
