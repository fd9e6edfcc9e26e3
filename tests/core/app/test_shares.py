"""Nobody takes the API from the others: not without a key, not with a slow body, not with many requests."""

import logging
import threading
from contextlib import ExitStack

import pytest
from fastapi import APIRouter, Response, UploadFile

from core.app import bodies, callers
from core.identity.keys import create_key
from core.web.client_address import address_of
from core.web.ndjson import ndjson
from tests.core.app.wire import ask, connect, head, rest, served, status_of
from tests.core.conftest import Reader, TenantScope, make_toy_app
from tests.waiting import wait_until

FAKE = f"iit_{'0' * 12}_{'0' * 64}"
LARGE = 900_000
STEPS = 200

hanging = APIRouter(prefix="/v1/hanging")


class Gate:
    """Routes that wait until they are let go."""

    def __init__(self):
        self.open = threading.Event()
        self.inside = 0

    def wait(self):
        self.inside += 1
        self.open.wait(60)


gate = Gate()


@hanging.get("/wait")
def wait(_: Reader) -> dict[str, str]:
    gate.wait()
    return {}


@hanging.get("/stream")
def stream(_: Reader, scope: TenantScope, rows: int = 1) -> Response:
    def step(session, cursor):
        if cursor is not None and rows == 1:
            gate.wait()
        at = (cursor or 0) + 1
        return [{"text": "x" * 1000}] * rows, at if at < STEPS else None

    return ndjson(scope, step)


@hanging.post("/upload", max_body_size=10 * LARGE)
def upload(_: Reader, file: UploadFile) -> dict[str, int]:
    return {"size": len(file.file.read())}


@pytest.fixture
def port(database, settings_of):
    settings_of(database_pool_size=6, database_pool_overflow=6, database_pool_timeout=20)
    gate.__init__()
    with served(make_toy_app(hanging)) as port:
        yield port
        gate.open.set()


@pytest.fixture
def other(make_tenant):
    return make_tenant().api_key


def upload_head(key, length=LARGE, path="/v1/hanging/upload"):
    return head("POST", path, key, Content_Length=length, Content_Type="multipart/form-data; boundary=b")


def document(port, path):
    with connect(port) as client:
        client.sendall(head("GET", path, Connection="close"))
        return rest(client)


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'


class TestBeforeTheBody:
    def test_uploads_with_a_fake_key_are_rejected_before_they_are_read_and_hinder_nobody(
        self, port, owner, monkeypatch
    ):
        from tempfile import SpooledTemporaryFile

        written = []
        monkeypatch.setattr(SpooledTemporaryFile, "write", lambda _, data: written.append(len(data)))
        with ExitStack() as stack:
            clients = [stack.enter_context(connect(port)) for _ in range(9)]
            for client in clients:
                client.sendall(upload_head(FAKE) + PART)
            assert [status_of(client) for client in clients] == [401] * 9
            assert ask(port, "/v1/toy/one", owner.api_key) == 200
        assert written == []

    def test_a_key_without_the_permission_is_rejected_before_its_body_is_read(self, port, owner):
        limited = create_key(owner.ref, name="limited", permissions=())
        with connect(port) as client:
            client.sendall(upload_head(limited.plaintext))
            assert status_of(client) == 403

    def test_a_suspended_tenant_is_rejected_before_its_body_is_read(self, port, owner):
        from core.tenancy import suspend_tenant

        suspend_tenant(owner.ref.slug)
        with connect(port) as client:
            client.sendall(upload_head(owner.api_key))
            assert status_of(client) == 403

    def test_a_key_that_was_accepted_before_is_asked_for_again_for_a_body(self, port, owner):
        from core.identity.keys import revoke_key

        key = create_key(owner.ref, name="short-lived")
        assert ask(port, "/v1/toy/one", key.plaintext) == 200
        revoke_key(owner.ref, str(key.id))
        with connect(port) as client:
            client.sendall(upload_head(key.plaintext))
            assert status_of(client) == 401

    def test_a_whole_upload_is_taken(self, port, owner):
        body = PART + b"x" * 500_000 + b"\r\n--b--\r\n"
        with connect(port) as client:
            client.sendall(upload_head(owner.api_key, len(body)) + body)
            assert status_of(client) == 200

    @pytest.mark.parametrize("length", [1000, LARGE])
    def test_a_body_that_trickles_is_cut_off(self, port, owner, monkeypatch, length):
        monkeypatch.setattr(bodies, "IDLE", 0.3)
        with connect(port) as client:
            client.sendall(upload_head(owner.api_key, length) + PART)
            answers = []
            reader = threading.Thread(target=lambda: answers.append(status_of(client)))
            reader.start()
            try:
                while reader.is_alive():
                    client.sendall(b"x")
                    reader.join(0.02)
            except ConnectionError:
                pass
            reader.join()
        assert answers == [408]

    def test_what_came_fast_earns_nobody_the_right_to_trickle(self, port, owner, monkeypatch):
        monkeypatch.setattr(bodies, "IDLE", 0.3)
        with connect(port) as client:
            client.sendall(upload_head(owner.api_key) + PART + b"x" * 400_000)
            assert status_of(client) == 408


class TestGuesses:
    def test_an_address_whose_keys_are_rejected_is_not_asked_for_more(self, port, owner, monkeypatch):
        monkeypatch.setattr(callers, "GUESSES", 3)
        monkeypatch.setattr(callers, "GUESSES_A_SECOND", 0.001)
        looked_up = []
        genuine = callers.verify
        monkeypatch.setattr(callers, "verify", lambda it: looked_up.append(it.secret) or genuine(it))
        assert ask(port, "/v1/toy/one", owner.api_key) == 200
        guesses = [f"iit_{n:012x}_{'0' * 64}" for n in range(6)]
        assert [ask(port, "/v1/toy/one", key) for key in guesses] == [401] * 3 + [429] * 3
        assert looked_up == [owner.api_key, *guesses[:3]]
        assert ask(port, "/v1/toy/one", owner.api_key) == 200  # whose key is known is not hindered

    @pytest.mark.parametrize(("proxies", "statuses"), [("", [401, 429, 429]), ("127.0.0.1", [401, 401, 429])])
    def test_the_address_is_the_one_that_a_declared_proxy_names(self, database, monkeypatch, proxies, statuses):
        monkeypatch.setattr(callers, "GUESSES", 1)
        monkeypatch.setattr(callers, "GUESSES_A_SECOND", 0.001)
        met = []
        with served(make_toy_app(hanging), proxies=proxies) as port:
            for client in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
                with connect(port) as proxy:
                    proxy.sendall(head("GET", "/v1/toy/one", FAKE, X_Forwarded_For=client))
                    met.append(status_of(proxy))
        assert met == statuses

    @pytest.mark.parametrize(
        ("host", "address"),
        [("10.0.0.1", "10.0.0.1"), ("2001:db8::1:2", "2001:db8::/64"), ("fe80::1%eth0", "fe80::/64"), ("odd:", "odd:")],
    )
    def test_of_an_ipv6_address_the_network_counts(self, host, address):
        assert address_of({"client": (host, 1)}) == address

    def test_the_key_that_a_route_rejects_is_not_counted_to_its_tenant_any_more(self, port, owner):
        from core.identity.keys import revoke_key

        key = create_key(owner.ref, name="short-lived")
        assert ask(port, "/v1/toy/one", key.plaintext) == 200
        revoke_key(owner.ref, str(key.id))
        assert [ask(port, "/v1/toy/one", key.plaintext) for _ in range(3)] == [401] * 3


class TestShares:
    def test_a_tenant_with_many_requests_leaves_turns_to_the_others(self, port, owner, other):
        with ExitStack() as stack:
            clients = [stack.enter_context(connect(port)) for _ in range(19)]
            for client in clients:
                client.sendall(head("GET", "/v1/hanging/wait", owner.api_key))
            wait_until(lambda: gate.inside >= 3)
            assert ask(port, "/v1/toy/one", other) == 200
            assert gate.inside == 3  # a third of nine
            gate.open.set()
            assert [status_of(client) for client in clients] == [200] * 19

    def test_exports_that_are_not_read_leave_turns_to_everybody(self, port, owner, other):
        with ExitStack() as stack:
            clients = [stack.enter_context(connect(port, receives=4096)) for _ in range(19)]
            for client in clients:
                client.sendall(head("GET", "/v1/hanging/stream?rows=500", owner.api_key))
            assert [status_of(client) for client in clients] == [200] * 19
            assert ask(port, "/v1/toy/one", other) == 200
            assert ask(port, "/v1/toy/one", owner.api_key) == 200

    def test_slow_uploads_leave_turns_to_their_own_tenant(self, port, owner, other):
        with ExitStack() as stack:
            for _ in range(9):
                client = stack.enter_context(connect(port))
                client.sendall(upload_head(owner.api_key) + PART + b"x" * 100_000)
            assert ask(port, "/v1/toy/one", owner.api_key) == 200
            assert ask(port, "/v1/toy/one", other) == 200

    def test_a_tenant_with_too_many_requests_is_told_so(self, port, owner, other, monkeypatch):
        monkeypatch.setattr("core.app.admission.WAITING", 3)
        assert ask(port, "/v1/toy/one", other) == 200
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(connect(port)).sendall(head("GET", "/v1/hanging/wait", owner.api_key))
            wait_until(lambda: gate.inside == 3)
            assert ask(port, "/v1/toy/one", owner.api_key) == 429

    def test_questions_without_a_key_do_not_take_every_thread(self, port, monkeypatch):
        from core.app import readiness

        monkeypatch.setitem(readiness.CHECKS, "postgresql", (lambda _report: gate.wait(), False))
        with ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(connect(port)).sendall(head("GET", "/health/ready"))
            wait_until(lambda: gate.inside == 1)
            assert ask(port, "/health/live") == 200
            assert gate.inside == 1, "all who ask at once get one answer"

    def test_pages_that_nobody_reads_leave_turns_to_the_others(self, port):
        page = head("GET", "/v1/hanging/none")  # without a key: the page of the documentation is larger
        script = next(line for line in document(port, "/docs").split(b'"') if line.endswith(b"bundle.js")).decode()
        with ExitStack() as stack:
            for _ in range(8):
                client = stack.enter_context(connect(port, receives=4096))
                client.sendall(head("GET", script) * 2 + page)
            assert ask(port, "/docs") == 200


class TestRevocation:
    def begun(self, client, key):
        client.sendall(head("GET", "/v1/hanging/stream", key))
        assert status_of(client) == 200
        wait_until(lambda: gate.inside == 1)

    def ends_with(self, client, slug):
        gate.open.set()
        sent = rest(client)
        assert f"urn:iit:problem:{slug}".encode() in sent.splitlines()[-2]
        assert not sent.endswith(b"0\r\n\r\n")  # broken off: nobody takes it for the whole
        assert sent.count(b"text") <= 3

    def test_revoking_the_key_ends_a_running_export_and_logs_no_error(self, port, owner, caplog):
        from core.identity.keys import revoke_key

        caplog.set_level(logging.INFO)
        key = create_key(owner.ref, name="leaked")
        with connect(port) as client:
            self.begun(client, key.plaintext)
            revoke_key(owner.ref, str(key.id))
            self.ends_with(client, "unauthenticated")
        wait_until(lambda: "an answer was cut short" in caplog.text)
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []

    def test_suspending_the_tenant_ends_a_running_export(self, port, owner):
        from core.tenancy import suspend_tenant

        with connect(port) as client:
            self.begun(client, owner.api_key)
            suspend_tenant(owner.ref.slug)
            self.ends_with(client, "forbidden")
