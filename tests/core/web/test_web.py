"""What routes share: pages, ETags, streams, limits of bodies."""

import asyncio
import json

import pytest

from core.web.paging import PAGE_SIZE_MAX, PageRequest


class TestPages:
    def test_pages_follow_each_other_without_gap_or_overlap(self, toy_api):
        seen = [
            item
            for page in (1, 2, 3, 4)
            for item in toy_api.get("/v1/toy/pages", params={"page": page, "page_size": 30}).json()["items"]
        ]
        assert seen == list(range(100))

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"page": 0}, "query.page"),
            ({"page_size": PAGE_SIZE_MAX + 1}, "query.page_size"),
            ({"page": "x"}, "query.page"),
        ],
    )
    def test_a_page_that_cannot_be_is_rejected_with_its_field(self, toy_api, query, field):
        answer = toy_api.get("/v1/toy/pages", params=query)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]

    def test_the_links_lead_through_all_pages_and_back(self, toy_api):
        page, seen = toy_api.get("/v1/toy/pages", params={"page_size": 30}).json(), []
        assert page["previous"] is None
        while True:
            seen += page["items"]
            if page["next"] is None:
                break
            page = toy_api.get(page["next"]).json()
        assert seen == list(range(100))
        while page["previous"] is not None:
            page = toy_api.get(page["previous"]).json()
        assert (page["page"], page["items"][0]) == (1, 0)

    def test_links_repeat_the_other_parameters(self):
        others = (("kind", "visit"), ("kind", "state"), ("facility", "a b/c"))
        assert PageRequest(2, 10, "/v1/x", others).head(30) == {
            "page": 2,
            "page_size": 10,
            "total": 30,
            "next": "/v1/x?kind=visit&kind=state&facility=a+b%2Fc&page=3&page_size=10",
            "previous": "/v1/x?kind=visit&kind=state&facility=a+b%2Fc&page=1&page_size=10",
        }

    @pytest.mark.parametrize(
        ("page", "total", "following", "before"),
        [
            (1, 0, None, None),
            (1, 10, None, None),
            (1, 11, 2, None),
            (2, 11, None, 1),
            (9, 11, None, 2),
            (2, 0, None, 1),
        ],
    )
    def test_there_is_no_link_to_a_page_without_rows(self, page, total, following, before):
        def link(number):
            return None if number is None else f"/v1/x?page={number}&page_size=10"

        head = PageRequest(page, 10, "/v1/x").head(total)
        assert (head["next"], head["previous"]) == (link(following), link(before))

    def test_the_first_page_begins_at_the_first_row(self):
        assert (PageRequest(1, 20).offset, PageRequest(3, 20).offset) == (0, 40)


class TestETag:
    TAG = '"0197c1f0-0000-7000-8000-000000000001"'

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (TAG, 200),
            (f'"0197c1f0-0000-7000-8000-00000000ffff", {TAG}', 200),
            ("*", 200),
            (None, 428),
            ("", 428),
            ('"0197c1f0-0000-7000-8000-00000000ffff"', 412),
            (f"W/{TAG}", 412),
        ],
    )
    def test_a_change_needs_the_version_that_was_read(self, toy_api, sent, status):
        answer = toy_api.put("/v1/toy/versioned", headers={} if sent is None else {"If-Match": sent})
        assert answer.status_code == status
        assert status != 200 or answer.headers["etag"] == self.TAG


class TestStream:
    def test_lines_come_in_order_and_every_step_is_recorded(self, toy_api, written):
        answer = toy_api.get("/v1/toy/stream")
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line)["n"] for line in answer.text.splitlines()] == [0, 1, 2, 3, 4, 5]
        assert written() == 3

    def test_an_error_in_the_first_step_is_answered_as_any_error(self, toy_api, written):
        answer = toy_api.get("/v1/toy/stream", params={"fail_at": 0})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert written() == 0

    def test_a_stream_that_breaks_ends_with_a_broken_connection(self, toy_api):
        with pytest.raises(ValueError, match="Givenname"):  # the server's side of a broken connection
            toy_api.get("/v1/toy/stream", params={"fail_at": 2})

    def test_a_step_that_failed_is_a_problem_in_the_last_line_and_its_rows_are_not_sent(self, toy_app, owner, written):
        sent = asyncio.run(_raw(toy_app, "/v1/toy/stream", b"fail_at=2", owner.api_key))
        lines = [json.loads(line) for line in b"".join(sent).splitlines()]
        assert lines[:2] == [{"n": 0}, {"n": 1}]
        assert lines[2]["type"] == "urn:iit:problem:internal"
        assert "Givenname" not in str(lines)
        assert written() == 1


async def _raw(app, path, query, key):
    """The bytes that the application sends before the connection breaks."""
    sent = []
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        return next(asked, None) or await asyncio.Event().wait()

    async def send(message):
        sent.append(message.get("body", b""))

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(b"x-api-key", key.encode())],
        "server": ("test", 80),
        "client": ("test", 1),
    }
    with pytest.raises(ValueError, match="Givenname"):
        await app(scope, receive, send)
    return sent


class TestBodies:
    def test_a_body_over_the_limit_is_rejected(self, toy_api):
        from core.settings import get_settings

        answer = toy_api.post("/v1/toy/body", content=b'{"name": "' + b"x" * get_settings().body_max_bytes + b'"}')
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:iit:problem:too-large"
        assert answer.headers["x-request-id"]

    def test_a_body_over_the_limit_without_its_length_is_rejected(self, toy_api):
        from core.settings import get_settings

        def chunks():
            for _ in range(get_settings().body_max_bytes // 65536 + 2):
                yield b"x" * 65536

        answer = toy_api.post("/v1/toy/body", content=chunks(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"

    def test_an_upload_has_the_limit_that_its_route_says(self, toy_api):
        assert toy_api.post("/v1/toy/upload", files={"file": b"x" * 50_000}).json() == {"size": 50_000}
        assert toy_api.post("/v1/toy/upload", files={"file": b"x" * 150_000}).status_code == 413

    def test_an_anonymous_caller_with_a_large_body_gets_a_problem_too(self, toy_app, client_for):
        answer = client_for(toy_app, None).post("/v1/toy/body", content=b"x" * 2_000_000)
        assert answer.status_code in {401, 413}
        assert answer.headers["content-type"] == "application/problem+json"

    def test_the_limit_of_uploads_is_a_setting(self):
        from core.settings import get_settings
        from core.web.uploads import upload_limit

        assert upload_limit() == get_settings().upload_max_bytes > get_settings().body_max_bytes


class TestUploads:
    @pytest.fixture
    def uploads(self, client_for, owner):
        from fastapi import APIRouter, FastAPI

        from core.app.routing import lay_flat
        from core.feature import feature
        from core.web.uploads import UploadRoute
        from tests.core.conftest import Reader, upload

        router = APIRouter(prefix="/up", route_class=UploadRoute)
        router.post("/load", max_body_size=200_000_000)(upload)
        assert Reader

        from core.app.factory import create_app

        app: FastAPI = create_app([feature])
        lay_flat(app, router, "/v1")
        return client_for(app, owner.api_key)

    def test_files_are_taken(self, uploads):
        assert uploads.post("/v1/up/load", files={"file": b"x" * 50_000}).json() == {"size": 50_000}

    @pytest.mark.parametrize("form", ["multipart", "urlencoded"])
    def test_many_fields_are_not_held_in_memory(self, uploads, form):
        fields = {f"field{number}": "x" * 1000 for number in range(30)}
        files = {"file": b"x"} if form == "multipart" else None
        answer = uploads.post("/v1/up/load", data=fields, files=files)
        assert answer.status_code == 400
        assert "Too many fields" in answer.json()["detail"]

    def test_a_document_nested_without_end_is_rejected(self, toy_api):
        answer = toy_api.post("/v1/toy/body", content=b"[" * 900_000, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
