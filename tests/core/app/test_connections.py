"""Connections cost little before a request of theirs is served, and a client that does not read is not waited for."""

import socket
import threading

import pytest
from fastapi import APIRouter, Response

from core.app.protocol import Limits, allow_open_files
from core.web.streams import StreamedResponse
from tests.core.app.wire import ask, connect, head, rest, served, status_of
from tests.core.conftest import Reader, make_toy_app
from tests.waiting import wait_until

QUICK = Limits(head_seconds=0.3, write_seconds=0.3, linger_seconds=0.3, idle=40, connections=400, sweep_seconds=0.05)
PART = b"x" * 65536
HEAD = Limits().head_bytes

ended = threading.Event()
endless = APIRouter(prefix="/v1/endless")


@endless.get("/stream")
def stream(_: Reader) -> Response:
    def parts():
        try:
            while True:
                yield PART
        finally:
            ended.set()

    return StreamedResponse(parts(), media_type="text/plain")


@pytest.fixture(scope="module")
def app(database):
    return make_toy_app(endless)


@pytest.fixture(scope="module")
def port(app):
    with served(app, Limits(sweep_seconds=0.05)) as port:
        yield port


@pytest.fixture(scope="module")
def quick(app):
    with served(app, QUICK) as port:
        yield port


def send_until_rejected(client, part):
    """Send for as long as the server takes it, and no more than a hundred megabytes."""
    try:
        for _ in range(100_000_000 // len(part)):
            client.sendall(part)
    except ConnectionError:
        return True
    return False


class TestHeads:
    @pytest.mark.parametrize(
        "beginning",
        [
            b"GET /health/live HTTP/1.1\r\nHost: test\r\nX-Endless: ",
            b"GET /health/live?endless=",
            b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"POST /health/live HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
        ],
        ids=["header", "address", "upgrade", "trailer"],
    )
    def test_one_without_an_end_is_rejected_after_some_kilobytes(self, port, beginning):
        with connect(port) as client:
            client.sendall(beginning)
            assert send_until_rejected(client, b"a" * 16384)

    def test_it_is_told_what_was_too_large(self, port):
        with connect(port) as client:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: test\r\nX-Long: " + b"a" * HEAD)
            assert status_of(client) == 431
            assert b"urn:iit:problem:head-too-large" in rest(client)

    @pytest.mark.parametrize(
        "headers", [{"X_Long": "a" * 40_000}, {f"X_{n}": "a" for n in range(101)}], ids=["long", "many"]
    )
    def test_one_that_comes_whole_has_the_same_bounds(self, port, headers):
        with connect(port) as client:
            client.sendall(head("GET", "/health/live", **headers))
            assert status_of(client) == 431

    def test_a_body_is_no_head(self, port, owner):
        with connect(port) as client:
            body = b"x" * 90_000
            client.sendall(head("POST", "/v1/toy/body", owner.api_key, Content_Length=len(body)) + body)
            assert status_of(client) == 415

    def test_one_that_does_not_come_in_time_is_rejected(self, quick):
        with connect(quick) as client:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: test\r\n")
            assert status_of(client) == 408
            rest(client)

    def test_a_connection_without_any_is_closed(self, quick):
        with connect(quick) as client:
            assert rest(client) == b""

    def test_the_second_request_of_a_connection_has_the_same_time(self, quick):
        with connect(quick) as client:
            client.sendall(head("GET", "/health/live"))
            assert status_of(client) == 200
            client.sendall(b"GET /health/live HTTP/1.1\r\n")
            assert b"408" in rest(client)

    def test_what_is_not_http_is_a_problem_document(self, port):
        with connect(port) as client:
            client.sendall(b"nonsense\r\n\r\n")
            assert status_of(client) == 400
            assert b"urn:iit:problem:bad-request" in rest(client)

    def test_requests_that_pile_up_before_the_first_is_answered_end_the_connection(self, port, owner):
        with connect(port, receives=4096) as client:
            client.sendall(head("GET", "/v1/endless/stream", owner.api_key))
            assert status_of(client) == 200
            assert send_until_rejected(client, head("GET", "/health/live") * 8)


class TestHalfOpen:
    def test_hundreds_of_them_hinder_nobody(self, quick):
        clients = []
        try:
            for _ in range(300):
                client = connect(quick)
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: t")
                clients.append(client)
            assert [ask(quick, path) for path in ("/health/live", "/docs", "/health/live")] == [200, 200, 200]
            rest(clients[0])
        finally:
            for client in clients:
                client.close()

    def test_the_oldest_goes_when_there_are_too_many(self, app):
        with served(app, Limits(idle=8, sweep_seconds=60.0)) as port:
            clients = [connect(port) for _ in range(20)]
            try:
                assert rest(clients[0]) == b""
                clients[-1].sendall(head("GET", "/health/live"))
                assert status_of(clients[-1]) == 200
            finally:
                for client in clients:
                    client.close()

    def test_one_address_has_a_part_of_all_connections(self, app):
        with served(app, Limits(of_address=8, sweep_seconds=60.0)) as port:
            clients = [connect(port) for _ in range(20)]
            try:
                assert rest(clients[0]) == b""
                clients[-1].sendall(head("GET", "/health/live"))
                assert status_of(clients[-1]) == 200
            finally:
                for client in clients:
                    client.close()

    def test_a_process_takes_no_more_connections_than_it_may_open_files(self):
        import resource

        assert allow_open_files().connections < resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class TestUnread:
    def test_an_answer_that_is_not_read_is_ended(self, quick, owner):
        ended.clear()
        with connect(quick, receives=4096) as client:
            client.sendall(head("GET", "/v1/endless/stream", owner.api_key))
            assert status_of(client) == 200
            wait_until(ended.is_set)

    def test_one_that_is_read_is_not(self, quick, owner):
        ended.clear()
        with connect(quick) as client:
            client.sendall(head("GET", "/v1/endless/stream", owner.api_key))
            got = 0
            while got < 50_000_000:
                got += len(client.recv(1 << 20))
            assert not ended.is_set()

    def test_a_connection_that_closes_does_not_wait_for_what_is_left_unread(self, quick, owner, monkeypatch):
        from core.app import protocol

        aborted = threading.Event()
        genuine = protocol.BoundedProtocol.connection_lost

        def lost(self, error):
            genuine(self, error)
            aborted.set()

        monkeypatch.setattr(protocol.BoundedProtocol, "connection_lost", lost)
        with connect(quick, receives=4096) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(head("GET", "/openapi.json") * 4)
            wait_until(aborted.is_set)

    def test_a_body_that_nobody_asked_for_is_not_read_for_ever(self, quick):
        with connect(quick) as client:
            client.sendall(head("POST", "/v1/toy/upload", Content_Length=90_000_000))
            assert status_of(client) == 401
            ends = threading.Thread(target=rest, args=(client,))
            ends.start()
            try:
                while ends.is_alive():
                    client.sendall(b"x")
                    ends.join(0.01)
            except ConnectionError:
                pass
            ends.join()
