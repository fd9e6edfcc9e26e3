"""The entrance: host names of the server, and HTTPS alone where it is required."""

from types import SimpleNamespace

import pytest

from core.app.entrance import Entrance, names_of
from core.app.factory import create_app
from core.errors import Forbidden, Invalid, MisdirectedRequest
from core.settings import get_settings


def entrance(hosts="", *, https_only=False):
    return Entrance(SimpleNamespace(hosts=hosts, https_only=https_only))


def request(path="/today", host="care.example.org", scheme="http", method="GET", query=b""):
    headers = [] if host is None else [(b"host", host.encode())]
    return {"path": path, "headers": headers, "scheme": scheme, "method": method, "query_string": query}


@pytest.fixture
def client(database, client_for, owner, monkeypatch):
    monkeypatch.setenv("IIT_HOSTS", "testserver,*.care.example.org")
    monkeypatch.setenv("IIT_HTTPS_ONLY", "true")
    get_settings.cache_clear()
    yield client_for(create_app(), owner.api_key)
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.mark.parametrize("host", ["care.example.org", "CARE.example.org:8443", "a.partners.example.org", "[::1]:8000"])
def test_a_host_of_the_server_comes_in(host):
    assert entrance("care.example.org, *.partners.example.org,[::1]").answer(request(host=host), to_api=True) is None


@pytest.mark.parametrize(
    "host", ["evil.example.org", "care.example.org.evil.net", "partners.example.org", "xpartners.example.org", "", None]
)
def test_another_host_is_rejected(host):
    with pytest.raises(MisdirectedRequest):
        entrance("care.example.org,*.partners.example.org").answer(request(host=host), to_api=False)


def test_two_hosts_in_one_request_are_rejected():
    scope = request()
    scope["headers"] *= 2
    with pytest.raises(MisdirectedRequest):
        entrance("care.example.org").answer(scope, to_api=True)


def test_without_names_every_host_comes_in():
    assert entrance().answer(request(host="anything"), to_api=True) is None


def test_a_page_in_plain_http_goes_to_https_at_the_same_address():
    answer = entrance(https_only=True).answer(request(query=b"list=to_trace"), to_api=False)
    assert answer.status_code == 308
    assert answer.headers["location"] == "https://care.example.org/today?list=to_trace"


@pytest.mark.parametrize(("method", "to_api"), [("POST", False), ("GET", True), ("DELETE", True)])
def test_what_carries_something_in_plain_http_is_rejected_and_not_redirected(method, to_api):
    with pytest.raises(Forbidden, match="HTTPS only"):
        entrance(https_only=True).answer(request(method=method), to_api=to_api)


def test_https_comes_in():
    assert entrance(https_only=True).answer(request(scheme="https", method="POST"), to_api=True) is None


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/health/startup"])
def test_probes_come_in_by_address_and_in_plain_http(path):
    assert entrance("care.example.org", https_only=True).answer(request(path, host="10.0.0.7"), to_api=False) is None


@pytest.mark.parametrize("hosts", ["https://care.example.org", "care.example.org:80", "*", "a b"])
def test_a_setting_that_is_no_list_of_names_stops_the_start(hosts):
    with pytest.raises(Invalid, match="IIT_HOSTS"):
        names_of(hosts)


def test_the_application_asks_the_entrance_first(client):
    assert client.get("/v1/me", headers={"Host": "evil.example.org"}).status_code == 421
    assert client.get("/v1/me").status_code == 403
    assert client.get("/sign-in", follow_redirects=False).headers["location"] == "https://testserver/sign-in"
    assert client.get("/health/live").status_code == 200
