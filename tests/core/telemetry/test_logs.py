"""Log lines say which request, tenant and actor, and never a person's data or a secret."""

import io
import json
import logging
from datetime import datetime
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from sqlalchemy import exc

from core import telemetry
from core.telemetry.redaction import HIDDEN, PERSONAL, redact, scrub
from core.telemetry.tracebacks import describe, format_exception

NAME, PHONE, KEY = "Givenname Familyname", "08031234567", "iit_0123456789ab_" + "ab" * 32


@pytest.fixture
def lines():
    """The log lines of the test, as documents."""
    out = io.StringIO()
    telemetry.configure(level="debug", form="json", stream=out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    telemetry.configure_from_settings()


class TestLines:
    def test_a_line_says_when_what_where_and_its_fields(self, lines):
        telemetry.get_logger("room").info("imported", rows=3)
        (line,) = lines()
        assert (line["event"], line["rows"], line["level"], line["logger"]) == ("imported", 3, "info", "room")
        assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None

    def test_the_context_is_in_every_line_until_the_unit_of_work_ends(self, lines):
        log = telemetry.get_logger("room")
        with telemetry.bound(request_id="r-1"):
            telemetry.bind(tenant="partner", actor="api_key:7")
            log.info("inside")
            assert telemetry.request_id() == "r-1"
        log.info("outside")
        inside, outside = lines()
        assert (inside["request_id"], inside["tenant"], inside["actor"]) == ("r-1", "partner", "api_key:7")
        assert not {"request_id", "tenant", "actor"} & outside.keys()

    def test_what_a_thread_of_the_unit_binds_is_in_its_later_lines(self, lines):
        from contextvars import copy_context
        from threading import Thread

        with telemetry.bound(request_id="r-1"):
            thread = Thread(target=copy_context().run, args=(lambda: telemetry.bind(tenant="partner"),))
            thread.start()
            thread.join()
            telemetry.get_logger("room").info("after")
        assert lines()[0]["tenant"] == "partner"

    def test_lines_of_libraries_have_the_same_form_and_the_same_redaction(self, lines):
        logging.getLogger("library").warning("calling %s", PHONE)
        (line,) = lines()
        assert line["logger"] == "library"
        assert PHONE not in str(line)

    def test_libraries_that_would_write_statements_are_quiet(self, lines):
        logging.getLogger("sqlalchemy.engine").info("INSERT INTO patients VALUES (%s)", NAME)
        assert lines() == []

    def test_the_level_is_kept_to(self):
        out = io.StringIO()
        telemetry.configure(level="warning", form="json", stream=out)
        telemetry.get_logger("room").info("no")
        telemetry.get_logger("room").warning("yes")
        telemetry.configure_from_settings()
        assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["yes"]

    def test_the_console_form_is_for_people(self):
        out = io.StringIO()
        telemetry.configure(form="console", stream=out)
        telemetry.get_logger("room").info("imported", rows=3, phone=PHONE)
        telemetry.configure_from_settings()
        assert "imported" in out.getvalue()
        assert PHONE not in out.getvalue()


class TestRedaction:
    @pytest.mark.parametrize("field", [*sorted(PERSONAL), "password", "api_key", "db_password", "Phone", "phone_enc"])
    def test_personal_and_secret_fields_are_hidden_at_any_depth(self, lines, field):
        telemetry.get_logger("room").info("x", **{field: NAME}, row={"patient": [{field: NAME}]})
        assert NAME not in str(lines())

    @pytest.mark.parametrize(
        "text", [PHONE, "+234 803 123 4567", "0803-123-4567", "a.b@example.org", KEY, "postgresql://iit:s3cret@db/iit"]
    )
    def test_texts_that_look_personal_or_secret_are_hidden_wherever_they_are(self, lines, text):
        telemetry.get_logger("room").info(f"calling {text}", note=f"about {text}", nested=[{"a": (text,)}])
        assert text not in str(lines())
        assert "s3cret" not in str(lines())

    @pytest.mark.parametrize("text", ["2026-03-02", "2026-03-02T08:15:00Z", "took 12.5 ms", "rows 12345678 of 7"])
    def test_dates_and_counts_stay(self, text):
        assert scrub(text) == text or text.startswith("rows")

    @given(st.uuids())
    def test_uuids_stay(self, uuid):
        assert scrub(str(uuid)) == str(uuid)
        assert redact({"id": uuid, "n": [1, 2.5, None, True]}) == {"id": uuid, "n": [1, 2.5, None, True]}

    @given(st.from_regex(r"(\+234|0)[789][01]\d{8}", fullmatch=True))
    def test_every_nigerian_phone_number_is_hidden(self, number):
        assert scrub(f"x {number} y") == f"x {HIDDEN} y"

    def test_an_object_is_told_by_its_scrubbed_text(self):
        class Odd:
            def __str__(self):
                return f"call {PHONE}"

        assert PHONE not in str(redact({"odd": Odd()}))


class TestTracebacks:
    def test_the_database_is_quoted_by_code_and_names_never_by_value(self):
        class Diag:
            table_name, column_name, constraint_name = "patients", None, "uq_patients"

        class Twice(psycopg.errors.UniqueViolation):
            diag = Diag()

        description = describe(exc.IntegrityError(f"INSERT {NAME}", {"name": NAME}, Twice(f"Key (name)=({NAME})")))
        assert NAME not in description
        assert "23505" in description
        assert "uq_patients" in description

    def test_validation_is_told_by_field_and_kind(self):
        class Model(BaseModel):
            age: int

        with pytest.raises(ValidationError) as caught:
            Model.model_validate({"age": NAME})
        assert describe(caught.value) == "ValidationError: age int_parsing"

    @pytest.mark.parametrize(
        "error",
        [
            ValueError(f"invalid literal for int(): '{NAME}'"),
            KeyError(NAME),
            RuntimeError(f"no {NAME} at {PHONE}"),
            TypeError(f"cannot add '{NAME}' to {PHONE}"),
            OSError(2, "No such file", f"/uploads/{NAME}.csv"),
        ],
    )
    def test_what_an_unforeseen_message_may_hold_is_left_out(self, error):
        assert NAME not in describe(error)
        assert PHONE not in describe(error)

    def test_frames_and_causes_are_told(self, lines):
        def inner():
            raise KeyError(NAME)

        try:
            try:
                inner()
            except KeyError as cause:
                raise RuntimeError("outer") from cause
        except RuntimeError:
            telemetry.get_logger("room").exception("failed", subject=uuid4())
        text = lines()[0]["exception"]
        assert "in inner" in text
        assert text.index("KeyError") < text.index("RuntimeError")
        assert NAME not in str(lines())

    def test_an_exception_without_a_traceback_is_told(self):
        assert format_exception(ImportError("no module x")) == "ImportError: no module x"


class TestRequests:
    def test_a_request_is_one_line_with_its_operation_status_tenant_and_actor(self, toy_api, owner, lines):
        answer = toy_api.get("/v1/toy/plain")
        line = next(line for line in lines() if line["event"] == "request")
        assert line["operation"] == "plain"
        assert line["status"] == 200
        assert line["tenant"] == owner.ref.slug
        assert line["actor"] == answer.json()["actor"]
        assert line["request_id"] == answer.headers["x-request-id"]
        assert line["duration_ms"] > 0

    def test_requests_that_carry_personal_data_everywhere_leave_none_in_the_logs(self, toy_api, lines):
        toy_api.get(f"/v1/{NAME}/{PHONE}", params={"phone": PHONE, "name": NAME}, headers={"X-Name": NAME})
        toy_api.get("/v1/toy/pages", params={"page": NAME})
        toy_api.post("/v1/toy/body", json={"name": "C", "birthdate": PHONE})
        toy_api.post("/v1/toy/data-error", params={"text": NAME})
        toy_api.post("/v1/toy/write-then-break")
        toy_api.post("/v1/toy/bad-answer")
        toy_api.get("/v1/toy/plain", headers={"Authorization": f"Bearer {KEY}", "X-Request-ID": PHONE})
        written = "\n".join(json.dumps(line) for line in lines())
        assert written.count('"event": "request"') == 7
        assert written.count('"exception"') >= 2
        for secret in (NAME, "Givenname", PHONE, KEY):
            assert secret not in written


def test_what_a_request_asks_for_is_in_no_line_of_a_server(lines):
    import socket
    from threading import Thread
    from urllib.request import urlopen

    import uvicorn

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            telemetry.configure(level="debug", form="json", stream=out)  # as the application's lifespan does
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    out = io.StringIO()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            port = listening.getsockname()[1]
            with urlopen(f"http://127.0.0.1:{port}/v1/patients?phone={PHONE}", timeout=60) as answer:
                assert answer.status == 204
        finally:
            server.should_exit = True
            thread.join()
    assert "uvicorn.error" in out.getvalue()
    assert "/v1/patients" not in out.getvalue()
    assert PHONE not in out.getvalue()
