"""Sort orders and cursors: what a caller may send, and what comes of it."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Annotated
from uuid import UUID

import orjson
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from core.errors import Invalid
from core.web.cursors import Cursor, Sort, decode
from core.web.keyset import cut, keyset_sql, slice_of
from core.web.paging import PageRequest, long_pages, sorted_pages

Long = Annotated[PageRequest, Depends(long_pages({"number": int}, "-number", identity=int))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"name": str, "number": int}))]
ID = UUID("019c2291-b3a0-7768-a5f9-23774462ebfc")
TYPES = {"day": date, "at": datetime, "name": str, "number": int, "share": float, "id": UUID}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("day", date(2026, 2, 3)),
        ("at", datetime(2026, 2, 3, 8, 15, 0, 123456, UTC)),
        ("name", "Clinic \N{LATIN SMALL LETTER E WITH ACUTE}, /+"),
        ("number", -42),
        ("share", 0.1 + 0.2),
        ("share", 1.0),
        ("id", ID),
    ],
)
def test_a_cursor_comes_back_as_it_went(field, value):
    cursor = Cursor(Sort(field, descending=True), 3, (value, ID))
    text = cursor.encode()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert decode(text, cursor.sort, TYPES, UUID, 100) == cursor


def forged(*parts):
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "%%%",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
        forged("day", 2, "2026-02-03"),
        forged("day", 2, "no day", str(ID)),
        forged("day", 2, 20260203, str(ID)),
        forged("share", 2, "0.5", str(ID)),
        forged("share", 2, [0.5], str(ID)),
        forged("day", 2, "2026-02-03", "no identifier"),
        forged("day", 1, "2026-02-03", str(ID)),
        forged("day", 101, "2026-02-03", str(ID)),
    ],
)
def test_a_text_that_is_no_cursor_is_named_and_not_repeated(text):
    with pytest.raises(Invalid) as caught:
        decode(text, Sort("day"), TYPES, UUID, 100)
    assert [problem.field for problem in caught.value.errors] == ["query.after"]
    assert not text or text not in str(caught.value.errors[0].problem)


@pytest.mark.parametrize(("field", "value"), [("name", "a\x00b"), ("number", 2**63), ("at", "2026-02-03T08:15:00")])
def test_a_value_that_postgresql_cannot_hold_is_no_cursor(field, value):
    with pytest.raises(Invalid):
        decode(forged(field, 2, value, str(ID)), Sort(field), TYPES, UUID, 100)


def test_a_cursor_of_another_order_is_rejected():
    text = Cursor(Sort("day"), 2, (date(2026, 2, 3), ID)).encode()
    with pytest.raises(Invalid, match=r"query\.after"):
        decode(text, Sort("day", descending=True), TYPES, UUID, 100)


@pytest.fixture(scope="module")
def client():
    """A list of 25 numbers, which gives cursors, and one that is only sorted."""
    from core.errors.problem import problem

    app = FastAPI()

    @app.exception_handler(Invalid)
    async def _invalid(_, error):
        from fastapi.responses import JSONResponse

        return JSONResponse(problem(error, ""), status_code=422)

    @app.get("/long")
    def long(paging: Long):
        numbers = sorted(range(25), reverse=paging.sort.descending)
        if paging.key is not None:
            numbers = [n for n in numbers if (n < paging.key[0]) == paging.sort.descending and n != paging.key[0]]
        part = cut(numbers[paging.offset :][: paging.page_size + 1], paging, 25, lambda n: (n, n))
        return {"items": part.rows, **paging.head(part.total, part.last)}

    @app.get("/sorted")
    def sorted_(paging: Ordered):
        return {"sort": str(paging.sort), "offset": paging.offset, **paging.head(25)}

    return TestClient(app)


@pytest.mark.parametrize("sort", ["number", "-number", None])
def test_following_next_reads_every_row_in_order(client, sort):
    link, seen, pages = f"/long?page_size=10{'' if sort is None else f'&sort={sort}'}", [], []
    while link:
        page = client.get(link).json()
        seen += page["items"]
        pages.append(page["page"])
        link = page["next"]
        assert link is None or ("after=" in link and "&page=" not in link)
    assert seen == sorted(range(25), reverse=sort != "number")
    assert pages == [1, 2, 3]


def test_a_full_last_page_has_no_next(client):
    assert client.get("/long?page=5&page_size=5").json()["next"] is None


def test_previous_leads_back_by_the_number_of_the_page(client):
    second = client.get(client.get("/long?page_size=10&sort=number").json()["next"]).json()
    assert second["previous"] == "/long?sort=number&page=1&page_size=10"
    assert client.get(second["previous"]).json()["items"] == list(range(10))


def test_page_and_after_together_are_rejected(client):
    link = client.get("/long?page_size=10").json()["next"]
    answer = client.get(f"{link}&page=2")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["query.page"]
    assert client.get(f"{link}&page=1").json() == client.get(link).json()


def test_only_declared_fields_sort(client):
    assert client.get("/sorted").json()["sort"] == "name"
    assert client.get("/sorted?sort=-number").json()["sort"] == "-number"
    assert client.get("/sorted?sort=phone").status_code == 422
    assert client.get("/long?sort=name").status_code == 422


def test_a_list_without_cursors_links_by_page(client):
    page = client.get("/sorted?page=2&page_size=10&sort=-number").json()
    assert (page["offset"], page["next"]) == (10, "/sorted?sort=-number&page=3&page_size=10")


@pytest.mark.parametrize("descending", [False, True])
def test_rows_in_memory_are_cut_as_rows_of_a_table_are(descending):
    rows = [SimpleNamespace(id=UUID(int=n), name=f"Clinic {n % 3}") for n in range(7)]
    ordered = sorted(rows, key=lambda row: (row.name, row.id), reverse=descending)
    sort = Sort("name", descending=descending)
    page = slice_of(rows, PageRequest(1, 2, sort=sort, keyed=True), "id")
    walked = [*page.rows]
    while page.last:
        page = slice_of(rows, PageRequest(2, 2, sort=sort, key=page.last, keyed=True), "id")
        walked += page.rows
    assert walked == ordered
    assert slice_of(rows, PageRequest(3, 2, sort=sort, keyed=True), "id").rows == ordered[4:6]
    assert page.total == len(rows)


def test_plain_sql_skips_what_stands_before_the_cursor():
    request = PageRequest(2, 10, sort=Sort("name", descending=True), key=("Clinic", ID), keyed=True)
    parts = keyset_sql(request, {"name": "f.name"}, "f.uuid")
    assert parts.where == "(f.name, f.uuid) < (%(after_value)s, %(after_identity)s)"
    assert parts.order == "f.name DESC, f.uuid DESC"
    assert parts.limit == "LIMIT %(page_limit)s OFFSET %(page_offset)s"
    assert parts.values == {"page_limit": 11, "page_offset": 0, "after_value": "Clinic", "after_identity": ID}


def test_without_a_cursor_plain_sql_skips_by_offset():
    parts = keyset_sql(PageRequest(3, 10, sort=Sort("name"), keyed=True), {"name": "f.name"}, "f.uuid")
    assert (parts.where, parts.values) == ("true", {"page_limit": 11, "page_offset": 20})
