"""Whatever an operation answers with, its description says that it may."""

from uuid import uuid4
from zlib import crc32

import pytest

from tests.isolation.problems import flaws
from tests.isolation.routes import SUCCESSES, all_cases

CASES = all_cases()
NAMED = ("patient_id", "facility", "import_id")
PROTOCOL = {405}
"""A method that the path does not know is no operation, and has no description."""


@pytest.fixture(scope="module")
def paths(application):
    return application.openapi()["paths"]


def some(values, case, name):
    """Return one in two of the values, others for each parameter: each value meets a hundred operations, not all."""
    first = crc32(f"{case} {name}".encode()) % len(values)
    turned = [*values[first:], *values[:first]]
    return turned[: (len(values) + 1) // 2]


def attempts(case, world, operation):
    """Requests that go wrong in each way that the operation's own form allows."""
    call = case.prepare(world)
    made_up = {name: str(uuid4()) for name in call.path}
    path, options = case.path.format(**call.path), call.options()
    yield world.stranger, path, options
    yield world.owner, case.path.format(**made_up), options
    yield world.owner, path, options | {"headers": {}}
    yield world.owner, path, options | {"headers": {"If-Match": f'"{uuid4()}"'}}
    yield world.owner, path, options | {"json": {"surplus": 1}, "files": None, "data": None}
    yield world.owner, path, options | {"content": b"{", "json": None, "files": None, "data": None}
    for parameter in operation.get("parameters", ()):
        if parameter["name"].lower() == "idempotency-key":
            yield world.owner, path, options | {"headers": {parameter["name"]: "x" * 1000}}
        if parameter["in"] == "query":
            values = ["", "\u00e9", str(uuid4()), "20261101", "-1", "9" * 30]
            for value in some(values, case, parameter["name"]):
                yield world.owner, path, options | {"params": {**dict(call.params), parameter["name"]: value}}
    body = call.json if isinstance(call.json, dict) else {}
    for name, value in body.items():
        for other in some([None, 0, "nobody", str(uuid4()), [value]], case, name):
            yield world.owner, path, options | {"json": {**body, name: other}}
    yield world.owner, path, options
    yield world.owner, path, options  # twice: what is there already, or gone already


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_status_is_described(case, world, paths):
    operation = paths[case.path][case.method.lower()]
    described = {int(status) for status in operation["responses"]} | PROTOCOL
    met = {}
    for client, path, options in attempts(case, world, operation):
        sent = {name: value for name, value in options.items() if value is not None}
        answer = client.request(case.method, path, **sent)
        met.setdefault(answer.status_code, sent)
        assert list(flaws(answer)) == [], sent
    assert sorted(set(met) - described) == [], met
    assert not {status for status in met if status >= 500}, met
    can_be_wrong = {parameter["name"] for parameter in operation.get("parameters", ())} - {"If-None-Match"}
    assert any(status not in SUCCESSES for status in met) or case.kind == "catalogue" or not can_be_wrong


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operation_that_names_a_patient_or_facility_may_not_find_it(case, paths):
    operation = paths[case.path][case.method.lower()]
    if {parameter["name"] for parameter in operation.get("parameters", ())} & set(NAMED):
        assert "404" in operation["responses"]
