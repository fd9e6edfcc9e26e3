"""What is full or away is said honestly to the caller, and once to the operator."""

import errno
import io
import json
import logging

import psycopg
import pytest
from sqlalchemy import exc

from core.app import errors as handlers
from core.errors.database import as_app_error
from core.telemetry.logs import configure
from core.telemetry.repeated import RepeatFilter

FULL = psycopg.errors.DiskFull("could not extend file")


@pytest.fixture
def lines(monkeypatch):
    """The lines at error level, as written."""
    written = io.StringIO()
    configure(level="error", form="json", stream=written)
    monkeypatch.setattr(handlers, "_logged", RepeatFilter(1000.0))
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    for handler in [one for one in logging.getLogger().handlers if getattr(one, "iit", False)]:
        logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    "error",
    [FULL, exc.OperationalError("INSERT", None, FULL), OSError(errno.ENOSPC, "x"), OSError(errno.EDQUOT, "x")],
)
def test_a_full_disk_is_507_and_nobody_is_told_to_try_again_in_a_few_seconds(error):
    app_error = as_app_error(error)
    assert (app_error.status, app_error.slug, app_error.retry_after) == (507, "storage-full", None)
    assert "seconds" not in app_error.remedy
    assert "operator" in app_error.remedy


@pytest.mark.parametrize("place", ["spool", "route"])
def test_a_disk_that_fills_up_under_an_upload_is_507(toy_api, monkeypatch, place):
    from tempfile import SpooledTemporaryFile

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SpooledTemporaryFile, "write" if place == "spool" else "read", full)
    answer = toy_api.post("/v1/toy/upload", files={"file": b"x" * 50_000})
    assert answer.status_code == 507
    assert answer.json()["type"] == "urn:iit:problem:storage-full"


@pytest.mark.parametrize("error", [FULL, psycopg.OperationalError("connection refused")])
def test_what_every_request_meets_is_one_line_without_a_traceback(toy_api, monkeypatch, lines, error):
    from core.identity import keys

    def fails(key):
        raise error

    monkeypatch.setattr(keys, "verify_key", fails)
    assert len({toy_api.get("/v1/toy/plain").status_code for _ in range(20)}) == 1
    (line,) = lines()
    assert line["problem"] in {"storage-full", "unavailable"}
    assert "exception" not in line


def test_what_nobody_foresaw_keeps_its_traceback(toy_api, lines):
    for _ in range(2):
        toy_api.post("/v1/toy/write-then-break")
    assert len(lines()) == 2
    assert all("exception" in line for line in lines())
