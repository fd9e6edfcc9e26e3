"""One request is one transaction: committed before the answer is sent, rolled back when anything fails."""

import pytest


def test_what_a_route_wrote_is_kept(toy_api, written, owner):
    answer = toy_api.post("/v1/toy/write")
    assert (answer.status_code, answer.json()) == (200, {"tenant": owner.ref.slug})
    assert written() == 1


def test_a_commit_that_fails_is_answered_as_an_error_and_nothing_is_kept(toy_api, written):
    answer = toy_api.post("/v1/toy/commit-fails")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert written() == 0


def test_a_connection_lost_at_the_commit_is_answered_as_an_error(toy_api, monkeypatch):
    import psycopg
    from sqlalchemy.exc import OperationalError

    from core.database import TenantSession

    def lost(self):
        raise OperationalError("COMMIT", None, psycopg.OperationalError("server closed the connection"))

    monkeypatch.setattr(TenantSession, "commit", lost)
    answer = toy_api.post("/v1/toy/write")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("route", "status"), [("write-then-fail", 409), ("write-then-break", 500), ("bad-answer", 500)]
)
def test_an_exception_or_an_answer_that_cannot_be_serialised_rolls_back(toy_api, written, route, status):
    assert toy_api.post(f"/v1/toy/{route}").status_code == status
    assert written() == 0


def test_the_credential_is_looked_up_once_per_request(toy_api, monkeypatch):
    from core.identity import keys

    calls = []
    genuine = keys.verify_key
    monkeypatch.setattr(keys, "verify_key", lambda key: calls.append(key) or genuine(key))
    assert toy_api.get("/v1/toy/one").status_code == 200
    assert len(calls) == 1
