"""Operators see the breakers of all processes, and hold them open or closed, by the command, the API and the page."""

import json
from threading import Event
from uuid import uuid4

import pytest
from sqlalchemy import text

from core.app import probes
from core.app.factory import create_app
from core.audit.platform import acts
from core.cli.main import run as iit
from core.connections import service
from core.connections import sharing as shared
from core.connections.sharing import Sharing
from core.database import platform_session
from core.errors import Invalid, NotFound
from core.feature import feature
from core.identity import csrf
from core.identity.people import accounts, sessions
from core.resilience import BreakerOpen, guarded, instances
from core.resilience.dependencies import MAIL_SERVER, SIGN_IN_PROVIDERS
from tests.keyed import KeyedClient

HOST = "sign-in.example.org"


@pytest.fixture(autouse=True)
def nothing_forced(database):
    yield
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.breaker_overrides"))
        session.execute(text("DELETE FROM platform.process_reports"))


@pytest.fixture(scope="module")
def app(database):
    return create_app([feature])


@pytest.fixture
def operator(app):
    """Makes clients of operators by role; their requests carry the token of their session."""

    def make(role):
        person = accounts.add_operator(f"{role}-{uuid4().hex[:8]}@example.org", "Operator", role, actor="test:1")
        with platform_session() as session:
            begun = sessions.begin(session, person, None, signed_in_by="password")
        client = KeyedClient(app, headers={csrf.HEADER: csrf.token_of(begun.secret), "Origin": "http://testserver"})
        client.cookies.set("iit_session", begun.secret)
        return client

    return make


def fail(dependency, **options):
    for _ in range(dependency.breaker.calls):
        with pytest.raises(OSError, match="away"), guarded(dependency, **options):
            raise OSError("away")


def connection(target):
    return next(one for one in service.list_connections() if one.target == target)


def test_each_dependency_is_listed_and_the_states_of_this_process_are_shared():
    fail(SIGN_IN_PROVIDERS, instance=HOST)
    Sharing("api").share()
    listed = {one.target: one for one in service.list_connections()}
    assert {"mail_server", "redis_jobs", f"sign_in_providers/{HOST}"} <= listed.keys()
    assert (listed["mail_server"].state, listed[f"sign_in_providers/{HOST}"].state) == ("unused", "open")
    (state,) = listed[f"sign_in_providers/{HOST}"].processes
    assert (state.failures, state.last_error) == (SIGN_IN_PROVIDERS.breaker.calls, "OSError")
    assert state.process.startswith("api ")


def test_what_an_operator_forces_holds_on_a_process_after_its_next_round_until_it_is_released():
    process = Sharing("worker")
    process.share()
    service.force("mail_server", "open", "moves to another host", actor="test:1")
    process.share()
    with pytest.raises(BreakerOpen), guarded(MAIL_SERVER):
        pass
    service.release("mail_server", actor="test:1")
    process.share()
    with guarded(MAIL_SERVER):
        pass
    actions = [act["action"] for act in acts(limit=2)]
    assert actions == ["cli:breaker:release", "cli:breaker:force"]


def test_while_the_database_is_away_what_was_forced_stays(monkeypatch):
    service.force("mail_server", "open", "why", actor="test:1")
    process = Sharing("api")
    process.share()

    def away(*_):
        raise OSError("away")

    monkeypatch.setattr(shared, "node_session", away)
    monkeypatch.setattr(shared, "EVERY_SECONDS", 0.001)
    stopping = Event()
    waits = iter([False, False, False])
    monkeypatch.setattr(stopping, "wait", lambda _: next(waits, True))
    process.run(stopping)
    assert instances.instance_of(MAIL_SERVER).breaker.state == "forced_open"


def test_a_process_that_stops_takes_its_report_away():
    process, stopping = Sharing("api"), Event()
    process.share()
    stopping.set()
    process.run(stopping)
    assert all(not one.processes for one in service.list_connections())


@pytest.mark.parametrize("target", ["nothing", "mail_server/a", "sign_in_providers/", "sign_in_providers/" + "a" * 400])
def test_what_does_not_exist_cannot_be_forced(target):
    with pytest.raises(NotFound):
        service.force(target, "open", "why", actor="test:1")


def test_a_reason_is_needed():
    with pytest.raises(Invalid, match="reason"):
        service.force("mail_server", "open", "  ", actor="test:1")


def test_the_command_lists_and_forces(capsys):
    assert iit(["breaker", "open", f"sign_in_providers/{HOST}", "--reason", "asked for by the provider"]) == 0
    assert iit(["breaker", "close", "mail_server", "--reason", "test of a new server"]) == 0
    capsys.readouterr()
    assert iit(["breaker", "list", "--json"]) == 0
    listed = {one["target"]: one for one in json.loads(capsys.readouterr().out)["connections"]}
    assert listed[f"sign_in_providers/{HOST}"]["override"]["state"] == "open"
    assert listed["mail_server"]["override"]["reason"] == "test of a new server"
    assert iit(["breaker", "auto", "mail_server"]) == 0
    assert connection("mail_server").override is None
    assert iit(["breaker", "list"]) == 0
    assert "asked for by the provider" in capsys.readouterr().out


class TestApi:
    def test_operators_alone_read_and_only_admins_force(self, app, operator, make_tenant, client_for):
        admin, support = operator("platform_admin"), operator("platform_support")
        path = "/v1/operators/connections"
        target = f"sign_in_providers/{HOST}"
        body = {"target": target, "state": "open", "reason": "the provider asked for it"}
        assert support.get(path).status_code == 200
        assert support.put(path, json=body).status_code == 403
        assert client_for(app, make_tenant().api_key).get(path).status_code == 403
        forced = admin.put(path, json=body)
        assert (forced.status_code, forced.json()["target"]) == (200, target)
        assert forced.json()["override"]["set_by"].startswith("operator:")
        released = admin.put(path, json={"target": target, "state": "auto"})
        assert (released.status_code, released.json()["override"]) == (200, None)
        assert admin.put(path, json=body | {"target": "nothing"}).status_code == 404
        assert admin.put(path, json=body | {"reason": ""}).status_code == 422

    def test_details_of_the_health_are_for_operators(self, app, operator, make_tenant, client_for):
        fail(SIGN_IN_PROVIDERS, instance=HOST)
        probes.forget()
        anonymous = client_for(app, None)
        shown = anonymous.get("/health")
        assert HOST not in shown.text
        component = next(one for one in shown.json()["components"] if one["name"] == "sign_in_providers")
        assert component.keys() == {"name", "state", "latency_ms"}
        assert component["state"] == "warning"
        assert shown.json()["status"] in {"degraded", "failed"}
        detailed = operator("platform_support").get("/v1/operators/health").json()
        component = next(one for one in detailed["components"] if one["name"] == "sign_in_providers")
        assert HOST in component["detail"]
        assert component["figures"]["failures"] == SIGN_IN_PROVIDERS.breaker.calls
        assert client_for(app, make_tenant().api_key).get("/v1/operators/health").status_code == 403
