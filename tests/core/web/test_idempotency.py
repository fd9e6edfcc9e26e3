"""The form of Idempotency-Key; what it does is said elsewhere."""

import pytest

from core.errors import BadRequest
from core.web.idempotency import KEY_MAX, parse

WRONG = ["", '""', '"', '"a', 'a"', '"a"b', '"a" ;x', '"a\\b"', "\u00e9", "a\tb", "x" * (KEY_MAX + 1), f'"{"x" * 256}"']


class TestParse:
    @pytest.mark.parametrize(
        ("value", "key"),
        [
            ("8e03978e", "8e03978e"),
            ('"8e03978e"', "8e03978e"),
            ('"a b"', "a b"),
            ("a b", "a b"),
            (r'"a\"b\\c"', 'a"b\\c'),
            ("x" * KEY_MAX, "x" * KEY_MAX),
            (f'"{"x" * KEY_MAX}"', "x" * KEY_MAX),
        ],
    )
    def test_quoted_and_bare_are_the_same_key(self, value, key):
        assert parse(value) == key

    @pytest.mark.parametrize("value", WRONG)
    def test_what_is_no_key_is_rejected_and_not_repeated(self, value):
        with pytest.raises(BadRequest) as rejected:
            parse(value)
        assert len(value) < 10 or value not in str(rejected.value.errors)


class TestHeader:
    @pytest.mark.parametrize("value", [None, "8e03978e", '"8e03978e"'])
    def test_a_write_takes_it_or_none(self, toy_api, value):
        headers = {} if value is None else {"Idempotency-Key": value}
        assert toy_api.post("/v1/toy/write", headers=headers).status_code == 200

    @pytest.mark.parametrize("value", ['"', "x" * 256])
    def test_a_write_rejects_what_is_no_key(self, toy_api, value, written):
        answer = toy_api.post("/v1/toy/write", headers={"Idempotency-Key": value})
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == ["header.idempotency-key"]
        assert written() == 0

    def test_two_keys_are_rejected(self, toy_api):
        headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        assert toy_api.post("/v1/toy/write", headers=headers).status_code == 400


def test_every_write_declares_it_and_no_read(application):
    for path, methods in application.openapi()["paths"].items():
        for method, operation in methods.items():
            declared = {one["name"].lower() for one in operation.get("parameters", ()) if one["in"] == "header"}
            assert ("idempotency-key" in declared) == (method != "get"), f"{method} {path}"
