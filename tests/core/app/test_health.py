"""Health checks: bounded in time, cached for a moment, and never hung by a server that hangs."""

from importlib.metadata import version
from threading import Event

import pytest

from core.app import bounded, draining, health, probes, readiness
from core.app.components import components, status_of
from core.app.factory import create_app
from core.database import platform_session
from core.feature import feature
from core.jobs import enqueue
from tests.keyed import KeyedClient


@pytest.fixture(scope="module")
def client(database):
    with KeyedClient(create_app([feature])) as client:
        yield client


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    probes.forget()
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.2)
    health._was_ready.clear()
    yield
    draining.cancel()
    probes.forget()


@pytest.fixture
def hung(monkeypatch):
    """Makes a check hang until the test ends."""
    ended = Event()

    def hang(name):
        calls = []

        def check(_):
            calls.append(1)
            ended.wait(30)

        monkeypatch.setitem(readiness.CHECKS, name, (check, readiness.CHECKS[name][1]))
        return calls

    yield hang
    ended.set()
    bounded.settle(10)


def states(answer):
    return {check["name"]: check["state"] for check in answer.json()["checks"]}


@pytest.mark.parametrize("server", ["postgresql", "redis"])
def test_a_server_that_hangs_is_not_ready_and_the_process_is_alive(client, hung, server):
    calls = hung(server)
    answer = client.get("/health/ready")
    assert (answer.status_code, states(answer)[server]) == (503, "failed")
    assert "in time" in answer.json()["errors"][0]["problem"]
    assert client.get("/health/live").json() == {"status": "alive"}
    probes.forget()
    assert client.get("/health/ready").status_code == 503
    assert len(calls) == 1, "a check that hangs is not started again"


def test_the_answer_is_made_once_for_many_who_ask(client, monkeypatch):
    calls = []
    monkeypatch.setitem(readiness.CHECKS, "redis", (lambda _: calls.append(1), False))
    assert {client.get("/health/ready").status_code for _ in range(20)} == {200}
    assert len(calls) == 1
    probes.forget()
    client.get("/health/ready")
    assert len(calls) == 2


def test_an_excluded_check_only_warns_and_is_not_cached_for_the_others(client, monkeypatch):
    def fail(_):
        raise readiness.Finding("a database is away", "Start it.")

    monkeypatch.setitem(readiness.CHECKS, "data_databases", (fail, True))
    assert client.get("/health/ready", params={"exclude": "data_databases"}).status_code == 200
    assert client.get("/health/ready").status_code == 503


def test_a_process_has_started_once_it_was_ready_and_stays_so(client, monkeypatch):
    def fail(_):
        raise readiness.Finding("away", "Start it.")

    with monkeypatch.context() as broken:
        broken.setitem(readiness.CHECKS, "redis", (fail, False))
        assert client.get("/health/startup").status_code == 503
    probes.forget()
    assert client.get("/health/startup").json() == {"status": "started", "version": version("iit-platform")}
    monkeypatch.setitem(readiness.CHECKS, "redis", (fail, False))
    probes.forget()
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/startup").status_code == 200


def test_a_process_that_stops_is_not_ready_and_closes_each_connection(client):
    assert "connection" not in client.get("/health/live").headers
    draining.begin()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.headers["retry-after"] == "1"
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/live").headers["connection"] == "close"


def test_each_component_has_a_state_and_figures(client, make_tenant, open_session):
    tenant = make_tenant().ref
    with open_session(tenant) as session:
        enqueue(session, "quality.link", {})
    states = {one.name: one for one in components(readiness.report())}
    assert {
        "postgresql",
        "redis",
        "pool_default",
        "dead_letters_default",
        "relay_default",
        "plugins",
        "mail_server",
    } <= (states.keys())
    assert states["pool_default"].figures["most"] >= states["pool_default"].figures["in_use"] >= 0
    assert states["relay_default"].figures["oldest_due_job_seconds"] >= 0
    assert status_of(list(states.values())) in {"ok", "degraded"}


def test_a_full_pool_warns(client):
    from core.app import components as module
    from core.database import PoolState

    full = PoolState("default", 2, 1, 3, 0, 1, 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "pool_states", lambda: [full])
        (pool,) = list(module._pools())
    assert (pool.state, pool.figures["waits"]) == ("warning", 7)


def test_a_check_raises_what_it_raised():
    def fail():
        raise readiness.Finding("away", "Start it.")

    with pytest.raises(readiness.Finding):
        bounded.within(5, "sample", fail)


def test_pools_are_closed_after_the_checks_that_use_them(database):
    """A connection that a check still has when its pool is closed would be lost, which psycopg warns of."""
    inside, go_on, ended = Event(), Event(), []

    def check():
        with platform_session():
            inside.set()
            go_on.wait(10)
        ended.append(1)

    with pytest.raises(TimeoutError):
        bounded.within(0.01, "sample", check)
    assert inside.wait(10)
    go_on.set()
    bounded.settle(10)
    assert ended == [1]
