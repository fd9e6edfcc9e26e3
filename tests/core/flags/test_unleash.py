"""An installation that follows an Unleash server has the flags that its API gives, and its own defaults without it.

The server is a stand-in of the client API as Unleash documents it: ``GET /api/client/features`` with a client token in
``Authorization``, an ``ETag``, and 304 for ``If-None-Match``.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from core.flags import Flag, Subject, asking, declaration, is_on, service
from core.flags.editing import Choices, definition_of
from core.flags.source import UnleashSource
from tests.waiting import wait_until

TOKEN = "iit:production.secret"
NEW = Flag("tests.new", "Something new", "tests", kind="operational")
USUAL = Flag("tests.usual", "Something usual", "tests", kind="operational", default=True)
NORTH = Subject(SimpleNamespace(slug="north", id=UUID(int=1)))
SOUTH = Subject(SimpleNamespace(slug="south", id=UUID(int=2)))


class Server(ThreadingHTTPServer):
    """The stand-in."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.features: list[dict[str, Any]] = []
        self.asked: list[tuple[str, int]] = []
        self.away = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api"

    def put(self, flag: Flag, choices: Choices) -> None:
        definition = definition_of(flag.name, choices).model_dump(by_alias=True, exclude_none=True, mode="json")
        self.features = [{"name": flag.name, "type": "release", **definition}]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        body = json.dumps({"version": 2, "features": self.server.features}).encode()
        etag = f'"{hash(body)}"'
        status = 200
        if self.server.away:
            status = 503
        elif self.headers["Authorization"] != TOKEN:
            status = 401
        elif not self.path.startswith("/api/client/features"):
            status = 404
        elif self.headers["If-None-Match"] == etag:
            status = 304
        self.server.asked.append((self.path, status))
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if status == 200 else 0))
        self.end_headers()
        if status == 200:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch, settings_of):
    monkeypatch.setattr(declaration, "flags", lambda: {flag.name: flag for flag in (NEW, USUAL)})
    monkeypatch.setattr(asking, "SECONDS", 1.0)
    stand_in = Server()
    asking.memory.forget()
    settings_of(unleash_url=stand_in.url, unleash_token=TOKEN)
    yield stand_in
    source = asking.memory._source
    if isinstance(source, UnleashSource):
        source._client.destroy()
    asking.memory.forget()
    stand_in.shutdown()
    stand_in.server_close()


def test_its_flags_hold_for_whom_the_server_says_and_follow_its_changes(server):
    server.put(NEW, Choices(tenants=("north",)))
    assert (is_on(NEW, NORTH), is_on(NEW, SOUTH)) == (True, False)
    assert is_on(USUAL, NORTH)  # the server does not know it: the declared default
    server.put(NEW, Choices(tenants=("south",)))
    wait_until(lambda: is_on(NEW, SOUTH) and not is_on(NEW, NORTH), "the change is followed")
    wait_until(lambda: 304 in {status for _, status in server.asked}, "what is unchanged is not sent again")


def test_while_it_is_away_what_it_said_last_holds(server):
    server.put(NEW, Choices(tenants=("north",)))
    assert is_on(NEW, NORTH)
    server.away = True
    before = len(server.asked)
    wait_until(lambda: len(server.asked) > before, "it was asked again")
    assert (is_on(NEW, NORTH), is_on(NEW, SOUTH)) == (True, False)


def test_a_server_that_does_not_answer_at_the_start_stops_nothing_and_is_followed_later(server):
    server.away = True
    server.put(NEW, Choices(tenants=("north",)))
    assert (is_on(NEW, NORTH), is_on(USUAL, NORTH)) == (False, True)
    server.away = False
    wait_until(lambda: is_on(NEW, NORTH), "the flags come later")


def test_a_flag_of_the_server_is_changed_there(server):
    with pytest.raises(Exception, match="Unleash server"):
        service.set_flag(NEW.name, None, reason="here", actor="test:1")
