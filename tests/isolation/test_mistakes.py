"""The same mistake has the same status and problem type in every operation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.isolation.problems import flaws
from tests.isolation.routes import Case, all_cases
from tests.keyed import KeyedClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CASES = all_cases()
OF_ONESELF = {"/v1/me"}
FORM = "multipart/form-data"
JSON = "application/json"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
LARGE = b" " * 2_000_000
"""A body larger than any but an upload may be."""

OF_THE_AUDIT = {"subject_id"}
"""The audit keeps acts on subjects that are gone: a filter by such an id is no mistake."""

OUT_OF_RANGE = {
    "date": ("1899-12-31", "2200-01-01"),
    "date-time": ("1899-12-31T00:00:00Z", "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
}
RANGES = {"date": ("2024-02-02", "2024-01-01"), "date-time": ("2024-02-02T00:00:00Z", "2024-01-01T00:00:00Z")}
RANGES |= {"integer": ("9", "3")}
"""Format or type -> a beginning and an end before it."""


@dataclass(frozen=True)
class Request:
    """A request that would succeed, and the description of its operation."""

    case: Case
    path: dict[str, object]
    options: dict[str, Any]
    operation: dict[str, Any]
    schemas: dict[str, Any]

    def fields(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and schema of each field of the JSON body."""
        content = self.operation.get("requestBody", {}).get("content", {}).get(JSON, {})
        schema = content.get("schema", {})
        component = self.schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        for name, part in component.get("properties", {}).items():
            yield name, next((one for one in part.get("anyOf", [part]) if one.get("type") != "null"), part)

    def parameters(self, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for parameter in self.operation.get("parameters", ()):
            if parameter["in"] == place:
                schema = parameter["schema"]
                branches = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
                yield parameter["name"], branches[0]

    @property
    def media(self) -> set[str]:
        return set(self.operation.get("requestBody", {}).get("content", {}))

    def with_path(self, name: str, value: str) -> Wrong:
        return Wrong({**self.path, name: value}, self.options, f"path.{name}")

    def with_query(self, name: str, value: str) -> Wrong:
        query = {**dict(self.options.get("params", {})), name: value}
        return Wrong(self.path, self.options | {"params": query}, f"query.{name}")

    def with_field(self, name: str, value: object) -> Wrong:
        """The same request with another value in its JSON body."""
        return self.with_body(f"body.{name}", json={**(self.options.get("json") or {}), name: value})

    def with_headers(self, field: str = "", **headers: str) -> Wrong:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Wrong(self.path, self.options | {"headers": {**self.options.get("headers", {}), **named}}, field)

    def with_body(self, field: str, **body: Any) -> Wrong:
        rest = {name: value for name, value in self.options.items() if name not in {"json", "data", "files"}}
        headers = {**rest.get("headers", {}), **body.pop("headers", {})}
        return Wrong(self.path, rest | body | ({"headers": headers} if headers else {}), field)


@dataclass(frozen=True)
class Wrong:
    """A request with one mistake, and the field that is to blame where one is."""

    path: dict[str, object]
    options: dict[str, Any]
    field: str = ""


Make = "Callable[[Request], Iterator[Wrong]]"
"""Makes every request of an operation that has the mistake; none where the operation cannot be asked so."""


def malformed_path_id(request: Request) -> Iterator[Wrong]:
    for name, schema in request.parameters("path"):
        if schema.get("format") == "uuid":
            yield request.with_path(name, "019c2291")


def unknown_path_id(request: Request) -> Iterator[Wrong]:
    for name, schema in request.parameters("path"):
        if schema.get("format") == "uuid":
            yield replace(request.with_path(name, str(uuid4())), field="")


def unknown_parameter(request: Request) -> Iterator[Wrong]:
    yield request.with_query("surplus", "1")


def mistyped_parameter(request: Request) -> Iterator[Wrong]:
    for name, schema in request.parameters("query"):
        if schema.get("type") in {"integer", "boolean"} or "format" in schema or "enum" in schema:
            yield request.with_query(name, "neither")


def large_page(request: Request) -> Iterator[Wrong]:
    if "page_size" in dict(request.parameters("query")):
        yield request.with_query("page_size", "501")


def page_zero(request: Request) -> Iterator[Wrong]:
    if "page" in dict(request.parameters("query")):
        yield request.with_query("page", "0")


def unknown_order(request: Request) -> Iterator[Wrong]:
    if "sort" in dict(request.parameters("query")):
        yield request.with_query("sort", "-colour")


def malformed_cursor(request: Request) -> Iterator[Wrong]:
    if "after" in dict(request.parameters("query")):
        yield request.with_query("after", "!")


def unknown_facility(request: Request) -> Iterator[Wrong]:
    if "facility" in dict(request.parameters("query")):
        yield request.with_query("facility", "nowhere")
    fields = dict(request.fields())
    if "facility" in fields:
        yield request.with_field("facility", "nowhere")
    if fields.get("facilities", {}).get("type") == "array":
        yield request.with_field("facilities", ["nowhere"])


def unknown_id(request: Request) -> Iterator[Wrong]:
    for name, schema in request.parameters("query"):
        if schema.get("format") == "uuid" and name not in OF_THE_AUDIT:
            yield request.with_query(name, str(uuid4()))
    for name, schema in request.fields():
        if schema.get("format") == "uuid" and name != "id":
            yield request.with_field(name, str(uuid4()))


def day_out_of_range(request: Request) -> Iterator[Wrong]:
    for place, make in (("path", request.with_path), ("query", request.with_query)):
        for name, schema in request.parameters(place):
            for value in OUT_OF_RANGE.get(schema.get("format", ""), ()):
                yield make(name, value)
    for name, schema in request.fields():
        for value in OUT_OF_RANGE.get(schema.get("format", ""), ()):
            yield request.with_field(name, value)


def end_of(name: str) -> str:
    """The parameter with the end of the range that begins at ``name``."""
    ends = {"since": "until", "start": "end"}
    return ends.get(name) or name.replace("_from", "_to").replace("_min", "_max")


def range_that_ends_too_early(request: Request) -> Iterator[Wrong]:
    known = dict(request.parameters("query"))
    for name, schema in known.items():
        last = end_of(name)
        if last == name or last not in known:
            continue
        low, high = RANGES[schema.get("format") or schema["type"]]
        params = {key: value for key, value in dict(request.options.get("params", {})).items() if key != "period"}
        options = request.options | {"params": {**params, name: low, last: high}}
        yield Wrong(request.path, options, f"query.{last}")


def unknown_kind(request: Request) -> Iterator[Wrong]:
    for name in {"kind", "state", "reason"} & dict(request.parameters("query")).keys():
        yield request.with_query(name, "nosuch")


def unknown_field(request: Request) -> Iterator[Wrong]:
    if JSON in request.media and isinstance(request.options.get("json"), dict):
        yield request.with_body("body.surplus", json={**request.options["json"], "surplus": 1})
    elif FORM in request.media:
        data = {**request.options.get("data", {}), "surplus": "1"}
        yield request.with_body("body.surplus", data=data, files=request.options.get("files"))


def list_for_object(request: Request) -> Iterator[Wrong]:
    if JSON in request.media:
        yield request.with_body("body", json=[1])


def no_json(request: Request) -> Iterator[Wrong]:
    if JSON in request.media:
        yield request.with_body("body", content=b"{", headers={"Content-Type": JSON})


def other_media(request: Request) -> Iterator[Wrong]:
    if request.media:
        yield request.with_body("", content=b"a,b\n", headers={"Content-Type": "text/csv"})


def no_body(request: Request) -> Iterator[Wrong]:
    if request.operation.get("requestBody", {}).get("required"):
        yield request.with_body("")


def large_body(request: Request) -> Iterator[Wrong]:
    if FORM not in request.media and request.case.method in WRITES:
        yield request.with_body("", content=LARGE, headers={"Content-Type": JSON})


def malformed_key(request: Request) -> Iterator[Wrong]:
    if request.case.method in WRITES:
        yield request.with_headers("header.idempotency-key", Idempotency_Key='"')


def malformed_version(request: Request) -> Iterator[Wrong]:
    if "if-match" in {name.lower() for name, _ in request.parameters("header")}:
        for value in ("019c2291", '"a" "b"', '"a', "*, *"):
            yield request.with_headers("header.if-match", If_Match=value)


def no_version(request: Request) -> Iterator[Wrong]:
    if "if-match" in {name.lower() for name, _ in request.parameters("header")}:
        yield Wrong(request.path, {name: value for name, value in request.options.items() if name != "headers"})


def old_version(request: Request) -> Iterator[Wrong]:
    if "if-match" in {name.lower() for name, _ in request.parameters("header")}:
        yield request.with_headers(If_Match=f'"{uuid4()}"')


MISTAKES: dict[str, tuple[int, str, Callable[[Request], Iterator[Wrong]]]] = {
    "a malformed id in the path": (422, "invalid", malformed_path_id),
    "an unknown id in the path": (404, "not-found", unknown_path_id),
    "an unknown query parameter": (422, "invalid", unknown_parameter),
    "a query parameter of another type": (422, "invalid", mistyped_parameter),
    "a page that is too large": (422, "invalid", large_page),
    "page 0": (422, "invalid", page_zero),
    "an order that the list does not have": (422, "invalid", unknown_order),
    "a malformed cursor": (422, "invalid", malformed_cursor),
    "a facility that does not exist": (422, "invalid", unknown_facility),
    "an unknown id in the query or the body": (422, "invalid", unknown_id),
    "a day out of range": (422, "invalid", day_out_of_range),
    "a range that ends before it starts": (422, "invalid", range_that_ends_too_early),
    "an unknown kind or state": (422, "invalid", unknown_kind),
    "an unknown field of the body": (422, "invalid", unknown_field),
    "a list instead of an object": (422, "invalid", list_for_object),
    "a body that is no JSON": (400, "bad-request", no_json),
    "a body of another media type": (415, "unsupported-media", other_media),
    "no body": (422, "invalid", no_body),
    "a body that is too large": (413, "too-large", large_body),
    "a malformed Idempotency-Key": (400, "bad-request", malformed_key),
    "a malformed If-Match": (422, "invalid", malformed_version),
    "no If-Match": (428, "precondition-required", no_version),
    "an If-Match of another version": (412, "precondition-failed", old_version),
}


@pytest.fixture(scope="module")
def paths(application):
    return application.openapi()["paths"]


@pytest.fixture(scope="module")
def schemas(application):
    return application.openapi()["components"]["schemas"]


@pytest.fixture(scope="module")
def bare(application, two):
    """A client without permissions."""
    from core.identity.keys import create_key

    key = create_key(two[0].ref, name="none", permissions=()).plaintext
    with KeyedClient(application, headers={"X-API-Key": key}) as client:
        yield client


@pytest.fixture(scope="module")
def nobody(application):
    """A client without a credential."""
    with KeyedClient(application) as client:
        yield client


def status_and_type(answer) -> tuple[int, str]:
    """Status and problem type."""
    kind = answer.json()["type"] if "problem" in answer.headers.get("content-type", "") else ""
    return answer.status_code, kind


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_mistake_has_the_same_status_everywhere(case, world, bare, nobody, paths, schemas):
    call = case.prepare(world)
    request = Request(case, dict(call.path), call.options(), paths[case.path][case.method.lower()], schemas)
    differing = []

    def ask(mistake, wrong, client, expected):
        answer = client.request(case.method, case.path.format(**wrong.path), **wrong.options)
        seen = status_and_type(answer)
        fields = [error["field"] for error in answer.json()["errors"]] if seen[1] else []
        if seen != (expected[0], f"urn:iit:problem:{expected[1]}"):
            differing.append((mistake, wrong.field, *seen, answer.text[:300]))
        elif wrong.field and not any(f"{field}.".startswith(f"{wrong.field}.") for field in fields):
            differing.append((mistake, wrong.field, fields))
        differing.extend((mistake, wrong.field, flaw) for flaw in flaws(answer))

    for mistake, (status, slug, make) in MISTAKES.items():
        for wrong in make(request):
            ask(mistake, wrong, world.owner, (status, slug))
    intact = Wrong(request.path, request.options)
    ask("no credential", intact, nobody, (401, "unauthenticated"))
    if case.path not in OF_ONESELF:
        ask("no permission", intact, bare, (403, "forbidden"))
    assert not differing, "\n" + "\n".join(map(str, differing))


def test_each_mistake_can_be_made(paths, schemas):
    """A mistake that no operation allows would prove nothing."""
    unmade = set(MISTAKES)
    for case in CASES:
        request = Request(case, {}, {}, paths[case.path][case.method.lower()], schemas)
        unmade -= {name for name in unmade if next(MISTAKES[name][2](request), None) is not None}
    assert unmade <= {"an unknown field of the body"}


def test_the_reference_page_has_the_status_of_each_mistake():
    page = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
    kinds = {(status, slug) for status, slug, _ in MISTAKES.values()}
    assert [kind for kind in sorted(kinds) if "| {} | `{}` |".format(*kind) not in page] == []
