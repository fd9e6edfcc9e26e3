"""Public routes over time, and those that take any query."""

import pytest
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.app.factory import create_app
from core.app.rates import COUNTED, ProcessLimiter
from core.feature import feature
from core.feature_registry import Feature
from core.web.public_routes import PublicRate, any_query

RATE = PublicRate(burst=3, per_minute=6)

router = APIRouter(prefix="/bell")
pages = APIRouter()
guarded = APIRouter()


@router.get("/ring", dependencies=[Depends(RATE)])
def ring() -> str:
    return "rung"


@router.get("/callback", dependencies=[Depends(any_query)])
def callback(code: str) -> str:
    return code


@router.get("/strict")
def strict(code: str = "") -> str:
    return code


@pages.get("/door", dependencies=[Depends(RATE)])
def door() -> HTMLResponse:
    return HTMLResponse("open")


BELL = Feature("bell", public_routers=(f"{__name__}:router",), public_pages=(f"{__name__}:pages",))


@pytest.fixture
def client(database, client_for):
    return client_for(create_app([feature, BELL]), None)


@pytest.mark.parametrize("path", ["/v1/bell/ring", "/door"])
def test_an_address_that_calls_too_often_is_told_when_to_come_back(client, path):
    assert [client.get(path).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = client.get(path)
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert ("text/html" in answer.headers["content-type"]) == (path == "/door")


def test_routes_are_counted_apart(client):
    assert {client.get("/v1/bell/ring").status_code for _ in range(4)} == {200, 429}
    assert client.get("/door").status_code == 200
    assert {client.get("/v1/bell/strict").status_code for _ in range(20)} == {200}


def test_a_route_that_others_call_takes_what_they_add(client):
    assert client.get("/v1/bell/callback?code=a&session_state=b&iss=c").json() == "a"
    assert client.get("/v1/bell/callback?session_state=b").status_code == 422
    assert client.get("/v1/bell/strict?state=b").status_code == 422


def test_a_route_with_a_credential_lists_its_parameters(database):
    from core.access import signed_in

    door = APIRouter()
    door.add_api_route("/listed", lambda: None, dependencies=[Depends(signed_in), Depends(any_query)])
    globals()["guarded"] = door
    with pytest.raises(LookupError, match="/v1/listed declares any_query"):
        create_app([feature, Feature("listed", routers=(f"{__name__}:guarded",))])


class TestLimiter:
    def limiter(self):
        self.moment = 100.0
        return ProcessLimiter(lambda: self.moment)

    def test_a_burst_then_one_call_each_interval(self):
        limiter = self.limiter()
        assert [limiter.take("a", RATE) for _ in range(3)] == [0, 0, 0]
        assert limiter.take("a", RATE) == pytest.approx(10)
        self.moment += 9
        assert limiter.take("a", RATE) == pytest.approx(1)
        self.moment += 1
        assert limiter.take("a", RATE) == 0
        assert limiter.take("a", RATE) == pytest.approx(10)

    def test_callers_are_counted_apart_and_forgotten_after_the_burst(self):
        limiter = self.limiter()
        assert [limiter.take(name, RATE) for name in ("a", "a", "a", "b")] == [0, 0, 0, 0]
        self.moment += 31
        assert [limiter.take("a", RATE) for _ in range(3)] == [0, 0, 0]

    def test_its_memory_is_bounded(self):
        limiter = self.limiter()
        for number in range(COUNTED + 5):
            limiter.take(str(number), RATE)
        assert len(limiter._next) == COUNTED
