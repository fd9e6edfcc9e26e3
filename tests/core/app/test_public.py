"""Routes that need no credential: open to everybody, and nobody takes the server from the others by them."""

import threading
from contextlib import ExitStack
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request

from core.access.require import open_to_all, reject_open_routes, require
from core.app import admission, middleware
from core.app.factory import create_app
from core.feature import feature
from core.feature_registry import Feature
from core.identity import Principal
from core.web.public_routes import PUBLIC_BODY
from tests.core.app.wire import ask, connect, head, rest, served, status_of
from tests.core.conftest import toy
from tests.waiting import wait_until

router = APIRouter(prefix="/door")
DOOR = Feature("door", public_routers=(f"{__name__}:router",))


class Gate:
    """Lets the requests of a route wait until the test opens it."""

    def __init__(self):
        self.open = threading.Event()
        self.inside = 0


gate = Gate()


@router.post("/knock")
async def knock(request: Request) -> int:
    return len(await request.body())


@router.get("/wait")
def wait() -> None:
    gate.inside += 1
    gate.open.wait(60)


@router.get("/named/{name}")
def named(name: str) -> str:
    return name


@pytest.fixture
def port(database, settings_of):
    settings_of(database_pool_size=6, database_pool_overflow=6, database_pool_timeout=20)
    gate.__init__()
    app = create_app([feature, DOOR])
    app.include_router(toy)
    with served(app, proxies="127.0.0.1") as port:
        yield port
        gate.open.set()


def knocking(length, **headers):
    return head("POST", "/v1/door/knock", Content_Length=length, **headers)


def test_they_answer_without_a_credential_and_whatever_credential_comes(port):
    for credential in (None, "nonsense"):
        with connect(port) as client:
            client.sendall(head("POST", "/v1/door/knock", credential, Content_Length=4, Connection="close") + b"body")
            assert rest(client).endswith(b"4")
    assert ask(port, "/v1/door/named/x") == 200


def test_their_neighbours_still_need_one(port, owner):
    assert [ask(port, path) for path in ("/v1/door/knock", "/v1/door", "/v1/audit", "/v1/toy/one")] == [401] * 4
    assert ask(port, "/v1/toy/one", owner.api_key) == 200


def test_a_large_body_is_rejected_before_it_comes(port):
    with connect(port) as client:
        client.sendall(knocking(PUBLIC_BODY + 1))
        assert status_of(client) == 413


def test_a_large_body_of_unknown_length_is_rejected_as_it_comes(port):
    with connect(port) as client:
        client.sendall(head("POST", "/v1/door/knock", Transfer_Encoding="chunked"))
        client.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        client.sendall(b"8001\r\n" + b"x" * 0x8001 + b"\r\n")
        assert status_of(client) == 413


def test_a_body_that_trickles_is_cut_off(port, monkeypatch):
    monkeypatch.setattr(middleware, "PUBLIC_SECONDS", 0.3)
    with connect(port) as client:
        client.sendall(knocking(1000) + b"x" * 100)
        assert status_of(client) == 408


def test_slow_clients_of_one_address_hinder_nobody_else(port, owner):
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(admission.PUBLIC_OF_ADDRESS + 3)]
        for client in clients[: admission.PUBLIC_OF_ADDRESS]:
            client.sendall(knocking(1000, X_Forwarded_For="10.0.0.1"))
        rejected = []

        def one_more():
            with connect(port) as client:
                client.sendall(head("GET", "/v1/door/named/x", X_Forwarded_For="10.0.0.1", Connection="close"))
                rejected.append(status_of(client))
            return rejected[-1] == 429

        wait_until(one_more)
        with connect(port) as other:
            other.sendall(head("GET", "/v1/door/named/x", X_Forwarded_For="10.0.0.2"))
            assert status_of(other) == 200
        assert ask(port, "/v1/toy/one", owner.api_key) == 200
        assert ask(port, "/health/ready") == 200


def test_all_of_them_together_have_the_share_of_one_tenant(port, owner):
    with ExitStack() as stack:
        for number in range(12):
            client = stack.enter_context(connect(port))
            client.sendall(head("GET", "/v1/door/wait", X_Forwarded_For=f"10.0.1.{number}"))
        wait_until(lambda: gate.inside == 3)
        assert ask(port, "/v1/toy/one", owner.api_key) == 200
        assert gate.inside == 3


def _app(public_path, *, dependencies=()):
    app, door = FastAPI(), APIRouter(prefix="/v1", dependencies=[Depends(open_to_all)])

    @door.get(public_path, dependencies=list(dependencies))
    def opened() -> None: ...

    @app.get("/v1/guarded/{name}")
    def guarded(_: Annotated[Principal, Depends(require("audit.read"))], name: str) -> None: ...

    app.include_router(door)
    return app


def test_a_public_route_that_declares_a_permission_is_rejected():
    reject_open_routes(_app("/open"))
    with pytest.raises(LookupError, match="/v1/open declares a permission"):
        reject_open_routes(_app("/open", dependencies=[Depends(require("audit.read"))]))


@pytest.mark.parametrize("path", ["/{any:path}", "/guarded/{other}", "/{a}/{b}"])
def test_a_public_route_that_covers_a_guarded_one_is_rejected(path):
    with pytest.raises(LookupError, match="takes requests of /v1/guarded"):
        reject_open_routes(_app(path))
