"""Routes laid flat are what they would be in an included router, but for the way to them."""

import threading
from dataclasses import dataclass
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from core.app.factory import create_app
from core.app.routing import UNCHANGED, lay_flat
from core.web.event_loop import on_event_loop
from core.web.location import HEADER


@dataclass(frozen=True)
class Wanted:
    """Filters."""

    name: Annotated[str | None, Query(description="A name.", max_length=3)] = None


def rooms():
    """A router within a router, with something said at each level."""
    laid: dict[int | str, dict[str, object]] = {202: {"headers": HEADER}, 304: UNCHANGED}  # what is said of every route
    inner = APIRouter(prefix="/inner", tags=["b"], responses={409: {"description": "No"}, **laid})

    @inner.get("/{number}", status_code=202, summary="Inner", response_model_exclude_none=True)
    def read(number: int, wanted: Annotated[Wanted, Depends(on_event_loop(Wanted))]) -> dict[str, object]:
        """Says it again."""
        return {"number": number, "name": wanted.name}

    outer = APIRouter(prefix="/outer", tags=["a"])
    outer.include_router(inner)
    return outer


def test_a_route_laid_flat_is_described_and_answers_as_an_included_one():
    flat, nested = FastAPI(), FastAPI()
    lay_flat(flat, rooms(), "/v1")
    around = APIRouter(prefix="/v1")
    around.include_router(rooms())
    nested.include_router(around)
    assert flat.openapi() == nested.openapi()
    for path in ("/v1/outer/inner/3?name=abc", "/v1/outer/inner/x", "/v1/outer/inner/3?name=abcd", "/v1/outer"):
        answers = [TestClient(app).get(path) for app in (flat, nested)]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].json() == answers[1].json()


def test_every_operation_of_the_application_is_its_own_route(database):
    app = create_app()
    laid = {route.path_format for route in app.router.routes if isinstance(route, APIRoute)}
    assert {path for path in app.openapi()["paths"] if path.startswith("/v1/")} <= laid


def test_a_router_with_something_else_than_operations_is_rejected():
    router = APIRouter()
    router.mount("/files", FastAPI())
    with pytest.raises(TypeError, match="operations only"):
        lay_flat(FastAPI(), router, "/v1")


def test_parameters_are_gathered_where_the_request_is_read():
    made_in = []

    def make(name: Annotated[str, Query()] = "") -> str:
        made_in.append(threading.current_thread())
        return name

    app = FastAPI()

    @app.get("/")
    async def read(name: Annotated[str, Depends(on_event_loop(make))]) -> list[object]:
        return [name, threading.current_thread() is made_in[-1]]

    assert TestClient(app).get("/?name=a").json() == ["a", True]
