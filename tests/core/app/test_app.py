"""The rules of every request; health checks, documentation and the OpenAPI document."""

import re
from uuid import UUID, uuid4

import pytest

SECURE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

KEY = [(b"x-api-key", b"iit_" + b"0" * 12 + b"_" + b"0" * 64)]


@pytest.fixture
def anonymous(toy_app, client_for):
    return client_for(toy_app, None)


class TestBoundary:
    @pytest.mark.parametrize("path", ["/health/live", "/v1/toy/plain", "/v1/nothing", "/docs", "/openapi.json"])
    def test_every_answer_has_the_security_headers_and_a_request_id(self, anonymous, path):
        answer = anonymous.get(path)
        assert {name: answer.headers.get(name) for name in SECURE} == SECURE
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert UUID(answer.headers["x-request-id"])

    def test_only_https_is_told_to_stay_https(self, anonymous):
        assert "strict-transport-security" not in anonymous.get("/health/live").headers
        assert "strict-transport-security" in anonymous.get("https://testserver/health/live").headers

    def test_a_request_id_that_is_a_uuid_is_taken_over(self, anonymous):
        sent = str(uuid4())
        assert anonymous.get("/health/live", headers={"X-Request-ID": sent}).headers["x-request-id"] == sent

    @pytest.mark.parametrize("sent", ["08030000000", "a name", "x" * 500, "0197c1f0-0000-7000-8000-000000000001x", ""])
    def test_any_other_request_id_is_replaced(self, anonymous, sent):
        answer = anonymous.get("/health/live", headers={"X-Request-ID": sent})
        assert answer.headers["x-request-id"] != sent
        assert UUID(answer.headers["x-request-id"])

    def test_request_ids_do_not_repeat(self, anonymous):
        assert len({anonymous.get("/health/live").headers["x-request-id"] for _ in range(20)}) == 20

    def test_more_requests_than_connections_wait_for_their_turn_and_all_are_served(self, toy_api):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(40) as pool:
            statuses = list(pool.map(lambda _: toy_api.post("/v1/toy/write").status_code, range(120)))
        assert set(statuses) == {200}

    def test_a_request_whose_turn_does_not_come_is_answered_503(self, keys):
        import asyncio

        keys.add(0)
        from core.app.middleware import RequestBoundary

        async def ask():
            entered, leave = asyncio.Event(), asyncio.Event()

            async def slow(scope, receive, send):
                entered.set()
                await leave.wait()

            boundary = RequestBoundary(slow, concurrency=1, patience=0.01)
            sent = []
            scope = {"type": "http", "method": "GET", "path": "/v1/x", "headers": KEY, "scheme": "http"}

            async def keep(message):
                sent.append(message)

            first = asyncio.create_task(boundary(scope, None, keep))
            await entered.wait()
            await boundary(dict(scope), None, keep)
            leave.set()
            await first
            return sent

        start, body = asyncio.run(ask())
        assert start["status"] == 503
        assert b"retry-after" in dict(start["headers"])
        assert b"urn:iit:problem:unavailable" in body["body"]

    @pytest.mark.parametrize(
        ("path", "fields"),
        [
            ("/v1/toy/plain?name=a%00b&other=x", ["query.name"]),
            ("/v1/toy/plain?%00=a&one=%00&two=%00", ["query", "query.one", "query.two"]),
            ("/v1/toy/%00", ["path"]),
            ("/docs/%00", ["path"]),
        ],
    )
    def test_a_nul_in_the_path_or_the_query_is_rejected_by_name(self, toy_api, path, fields):
        answer = toy_api.get(path)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == fields


class TestHealth:
    def test_the_process_is_alive_without_a_credential(self, anonymous):
        answer = anonymous.get("/health/live")
        assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


class TestHome:
    def test_a_program_gets_links_that_lead_somewhere(self, anonymous):
        answer = anonymous.get("/")
        assert answer.status_code == 200
        assert answer.json()["links"].keys() >= {"docs", "openapi", "health"}
        for path in answer.json()["links"].values():
            assert anonymous.get(path).status_code in {200, 503}  # not ready is an answer too

    def test_a_browser_gets_a_page_with_the_same_links(self, anonymous):
        links = set(anonymous.get("/").json()["links"].values())
        page = anonymous.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert set(re.findall(r'href="([^"]+)"', page.text)) == links
        assert page.headers["vary"] == "Accept"


class TestDocumentation:
    def test_the_page_uses_only_its_own_files_and_no_inline_script(self, anonymous):
        page = anonymous.get("/docs")
        used = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(used) == 4
        for path in used:
            assert path.startswith("/docs/")
            assert anonymous.get(path).status_code == 200
        assert not re.search(r"<script[^>]*>[^<]", page.text)
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert "http" not in page.text.replace("http-equiv", "")

    def test_files_that_the_page_does_not_use_are_not_served(self, anonymous):
        for name in ("index.html", "..%2f__init__.py", "swagger-ui.js.map"):
            assert anonymous.get(f"/docs/{name}").status_code == 404

    def test_the_page_reads_the_document_that_everybody_reads(self, anonymous):
        (address,) = re.findall(r'url: "([^"]+)"', anonymous.get("/docs/start.js").text)
        assert anonymous.get(address).json()["openapi"].startswith("3.1.")

    def test_the_script_is_a_swagger_ui_that_reads_31(self, anonymous):
        answer = anonymous.get("/docs/swagger-ui-bundle.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "OpenAPI31" in answer.text


@pytest.fixture(scope="module")
def operations(application):
    document = application.openapi()
    return {(path, method): item for path, methods in document["paths"].items() for method, item in methods.items()}


class TestDescription:
    def test_operations_have_names_of_their_own_summaries_and_tags(self, operations):
        names = [item["operationId"] for item in operations.values()]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
        assert all(item.get("summary") and item.get("tags") for item in operations.values())

    def test_operations_say_which_permission_they_need_and_which_problems_they_answer_with(self, operations):
        for (path, _), item in operations.items():
            if path.startswith("/v1/"):
                if path == "/v1/sso/back-channel/{tenant_id}" or path.startswith(("/v1/plugin-hooks/", "/v1/hooks/")):
                    continue  # the sender's signature or the secret address is the credential
                assert item["x-permissions"] or path == "/v1/me"
                assert {"401", "403", "500", "503"} <= set(item["responses"])
                assert item["security"]

    def test_bodies_and_answers_have_examples_with_the_fields_of_their_schema(self, operations, application):
        schemas = application.openapi()["components"]["schemas"]
        odd = []
        for (path, method), item in operations.items():
            for content in _json_contents(item):
                schema = content["schema"]
                named = schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
                if "example" not in content or not all(
                    name in content["example"] for name in named.get("required", ())
                ):
                    odd.append(f"{method} {path}")
        assert odd == []

    @pytest.mark.parametrize(
        ("schema", "example"),
        [
            ({"type": "string", "format": "date"}, "2026-02-03"),
            ({"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]}, 3),
            ({"$ref": "#/components/schemas/Node"}, {"name": "a", "next": None}),
            ({"type": "array", "items": {"type": "boolean"}}, [True]),
            ({"type": "object", "additionalProperties": {"type": "integer"}}, {"name": 1}),
            ({"enum": ["x", "y"]}, "x"),
            ({"type": "string", "default": "d"}, "d"),
        ],
    )
    def test_an_example_is_made_of_the_schema(self, schema, example):
        from core.app.examples import example_of

        node = {
            "type": "object",
            "properties": {"name": {"type": "string", "examples": ["a"]}, "next": {"type": "null"}},
        }
        assert example_of(schema, {"Node": node}) == example

    def test_a_schema_that_refers_to_itself_ends(self):
        from core.app.examples import example_of

        tree = {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Tree"}}}
        assert "child" in example_of(tree, {"Tree": tree})

    def test_a_function_name_used_twice_is_rejected(self):
        from core.app.openapi import _reject_twins

        with pytest.raises(LookupError, match="twin"):
            _reject_twins({"paths": {"/a": {"get": {"operationId": "twin"}}, "/b": {"get": {"operationId": "twin"}}}})


def _json_contents(item):
    bodies = [item["requestBody"]] if "requestBody" in item else []
    answers = [answer for status, answer in item["responses"].items() if status.startswith("2")]
    for part in bodies + answers:
        if part.get("content", {}).get("application/json", {}).get("schema"):
            yield part["content"]["application/json"]
