"""Every error is problem+json, says what to do, and tells nothing that is not the caller's."""

import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import exc

from core.errors import AppError, FieldError, Invalid, Unavailable
from core.errors.database import as_app_error
from core.errors.family import BY_STATUS, FAMILY
from core.errors.problem import MEDIA_TYPE, SCHEMA, headers, problem, responses

PERSON = "Givenname"
MEMBERS = {"type", "title", "status", "detail", "instance", "remedy", "errors"}


def is_problem(answer, status):
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    document = answer.json()
    assert set(document) == MEMBERS == set(SCHEMA["required"])
    assert document["status"] == status
    assert document["instance"] == f"urn:iit:request:{answer.headers['x-request-id']}"
    assert document["remedy"]
    return document


class TestFamily:
    @pytest.mark.parametrize("kind", FAMILY)
    def test_each_kind_has_its_own_type_status_title_and_remedy(self, kind):
        document = problem(kind("what"), "r")
        assert document["type"].startswith("urn:iit:problem:")
        assert document["title"]
        assert document["remedy"]
        assert BY_STATUS[kind.status] is kind

    def test_types_do_not_repeat(self):
        assert len({kind.slug for kind in FAMILY}) == len(FAMILY)

    def test_fields_and_the_given_remedy_are_in_the_document(self):
        error = Invalid("no", remedy="do", errors=[FieldError("body.a", "bad", "good")])
        document = problem(error)
        assert document["remedy"] == "do"
        assert document["errors"] == [{"field": "body.a", "problem": "bad", "remedy": "good"}]

    def test_when_to_try_again_is_a_header(self):
        assert headers(Unavailable("no", retry_after=7)) == {"Retry-After": "7"}

    def test_errors_document_themselves_in_openapi(self):
        documented = responses(Invalid, Unavailable)
        assert set(documented) == {422, 503}
        assert set(documented[422]["content"][MEDIA_TYPE]["example"]) == MEMBERS

    def test_the_family_loads_no_heavy_library(self):
        heavy = {"fastapi", "pydantic", "psycopg", "sqlalchemy", "structlog"}
        code = f"import core.errors, sys; print(sorted({heavy} & set(sys.modules)))"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "[]"


class TestDatabase:
    @pytest.mark.parametrize(
        ("error", "status", "again"),
        [
            (psycopg.errors.SerializationFailure("x"), 503, True),
            (psycopg.errors.DeadlockDetected("x"), 503, True),
            (psycopg.errors.LockNotAvailable("x"), 503, True),
            (psycopg.errors.QueryCanceled("x"), 503, True),
            (psycopg.errors.AdminShutdown("x"), 503, True),
            (psycopg.errors.TooManyConnections("x"), 503, True),
            (psycopg.OperationalError("connection refused"), 503, True),
            (exc.TimeoutError("pool"), 503, True),
            (psycopg.errors.UniqueViolation("x"), 409, False),
            (psycopg.errors.InvalidDatetimeFormat("x"), 422, False),
            (psycopg.errors.NumericValueOutOfRange("x"), 422, False),
            (psycopg.errors.CheckViolation("x"), 422, False),
            (psycopg.errors.ForeignKeyViolation("x"), 422, False),
            (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), 422, False),
            (psycopg.errors.UndefinedTable("x"), 500, False),
            (psycopg.errors.InsufficientPrivilege("x"), 500, False),
            (ValueError("x"), 500, False),
        ],
    )
    def test_what_the_database_raises_has_its_status(self, error, status, again):
        for raised in (error, exc.DBAPIError("SELECT", None, error)):
            if isinstance(error, (exc.SQLAlchemyError, ValueError)) and raised is not error:
                continue
            app_error = as_app_error(raised)
            assert app_error.status == status
            assert (app_error.retry_after is not None) == again

    def test_an_error_of_the_family_stays_as_it_is(self):
        error = Invalid("x")
        assert as_app_error(error) is error

    def test_no_message_of_the_database_is_passed_on(self):
        for error in (psycopg.errors.UniqueViolation(PERSON), psycopg.OperationalError(PERSON), ValueError(PERSON)):
            assert PERSON not in str(problem(as_app_error(error)))


class TestOverTheApi:
    def test_an_unknown_path(self, toy_api):
        assert is_problem(toy_api.get("/v1/nothing"), 404)["type"] == "urn:iit:problem:not-found"
        is_problem(toy_api.get("/nothing"), 404)

    def test_a_method_that_the_path_does_not_know(self, toy_api):
        answer = toy_api.delete("/v1/toy/plain")
        is_problem(answer, 405)
        assert "GET" in answer.headers["allow"]

    def test_no_credential(self, toy_app, client_for):
        is_problem(client_for(toy_app, None).get("/v1/toy/plain"), 401)

    def test_a_field_that_is_not_valid_is_named_with_its_remedy_and_not_repeated(self, toy_api):
        document = is_problem(toy_api.post("/v1/toy/body", json={"name": "C", "birthdate": 7}), 422)
        assert [error["field"] for error in document["errors"]] == ["body.name", "body.birthdate"]
        assert all(error["problem"] and error["remedy"] for error in document["errors"])

    def test_a_missing_field_is_named(self, toy_api):
        document = is_problem(toy_api.post("/v1/toy/body", json={}), 422)
        assert document["errors"] == [{"field": "body.name", "problem": "Field required", "remedy": "Send it."}]

    def test_a_body_that_is_no_json(self, toy_api):
        answer = toy_api.post("/v1/toy/body", content=b'{"name": ', headers={"Content-Type": "application/json"})
        assert is_problem(answer, 400)["errors"][0]["field"] == "body"

    def test_a_body_that_is_no_text(self, toy_api):
        answer = toy_api.post("/v1/toy/body", content=b"\xff\xfe\x00", headers={"Content-Type": "application/json"})
        is_problem(answer, 400)

    def test_a_value_that_the_database_rejects(self, toy_api):
        answer = toy_api.post("/v1/toy/data-error", params={"text": PERSON})
        assert PERSON not in answer.text
        is_problem(answer, 422)

    def test_what_nobody_foresaw_is_a_problem_without_its_text(self, toy_api):
        answer = toy_api.post("/v1/toy/write-then-break")
        assert is_problem(answer, 500)["detail"] == "an unexpected error occurred"
        assert PERSON not in answer.text
        assert "Traceback" not in answer.text

    def test_an_answer_that_does_not_fit_its_schema_is_a_problem_without_its_text(self, toy_api):
        answer = toy_api.post("/v1/toy/bad-answer")
        is_problem(answer, 500)
        assert PERSON not in answer.text

    def test_a_database_that_is_away_is_503_with_a_time_to_try_again(self, toy_api, monkeypatch):
        from core.identity import keys

        def away(key):
            raise AssertionError if not key else exc.OperationalError("x", None, psycopg.OperationalError(PERSON))

        monkeypatch.setattr(keys, "verify_key", away)
        answer = toy_api.get("/v1/toy/plain")
        is_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert PERSON not in answer.text


def test_an_error_raised_on_the_way_keeps_its_status(toy_api, monkeypatch):
    from core.identity import keys

    class OddError(AppError):
        status = 418
        slug = "teapot"

    def odd(key):
        raise OddError("short and stout")

    monkeypatch.setattr(keys, "verify_key", odd)
    assert is_problem(toy_api.get("/v1/toy/plain"), 418)["type"] == "urn:iit:problem:teapot"
