"""Making the OpenAPI document takes seconds; nobody else waits for it, and it is made once."""

from threading import Event, Thread

import pytest

from core.app.factory import create_app
from tests.keyed import KeyedClient


@pytest.fixture
def slow(database, monkeypatch):
    """An application whose document is being made until ``release`` is set."""
    app = create_app([])
    begun, release, calls = Event(), Event(), []

    def openapi():
        calls.append(True)
        begun.set()
        assert release.wait(30)
        return {"openapi": "3.1.0", "info": {"title": "Née"}}

    monkeypatch.setattr(app, "openapi", openapi)
    yield KeyedClient(app), begun, release, calls
    release.set()


def test_a_request_is_answered_while_the_document_is_made_and_it_is_made_once(slow):
    client, begun, release, calls = slow
    answers = []
    asking = [Thread(target=lambda: answers.append(client.get("/openapi.json"))) for _ in range(2)]
    for each in asking:
        each.start()
    assert begun.wait(30)
    assert client.get("/health/live").status_code == 200
    assert answers == []
    release.set()
    for each in asking:
        each.join(30)
    assert [answer.json()["info"]["title"] for answer in answers] == ["Née", "Née"]
    assert answers[0].headers["content-type"] == "application/json"
    assert len(calls) == 1
