"""Calls to providers reach nothing but the provider."""

import socket
from contextlib import ExitStack

import pytest

from core.database import TransactionOpenError
from core.identity.oidc import fetching
from core.identity.oidc.fetching import ProviderFaultError, ask, reject_address
from core.outgoing import addresses, sender
from core.resilience import deadline, guarded
from core.resilience.dependencies import SIGN_IN_PROVIDERS
from core.settings import get_settings


@pytest.fixture
def production(monkeypatch):
    """Settings of a production installation, with further changes: ``production(sso_private_addresses=True)``."""

    def change(**changed):
        settings = get_settings().model_copy(update={"environment": "production", **changed})
        monkeypatch.setattr(fetching, "get_settings", lambda: settings)
        monkeypatch.setattr(addresses, "get_settings", lambda: settings)

    change()
    return change


@pytest.fixture
def resolved(monkeypatch):
    """Makes every name resolve to an address: ``resolved("10.0.0.1")`` gives the list of names looked up."""

    def to(*addresses):
        names = []

        def look_up(host, port, *_, **__):
            names.append(host)
            assert host == NAME or host in addresses, "another name was looked up"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return names

    return to


@pytest.mark.parametrize(
    "address",
    [
        "http://sign-in.example.org",
        "ftp://sign-in.example.org",
        "https://user:secret@sign-in.example.org",
        "https://",
        "https://sign-in.example.org/#part",
        "javascript:alert(1)",
        "nonsense",
        "http://127.0.0.1.example.org",
    ],
)
def test_only_https_is_called(address):
    with pytest.raises(ProviderFaultError, match="not an HTTPS address"):
        reject_address(address)


def test_loopback_is_called_outside_production_only(issuer, production):
    with pytest.raises(ProviderFaultError, match="not an HTTPS address"):
        ask("GET", f"{issuer.url}/keys")
    assert issuer.asked == []


NAME = "sign-in.example.org"
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - must not be called
    "127.0.0.1",
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_the_network_is_not_called(address, production, resolved, monkeypatch):
    resolved("93.184.216.34", address)
    monkeypatch.setattr(sender, "_trusted", lambda: pytest.fail("a connection was prepared"))
    with pytest.raises(ProviderFaultError, match="inside this network"):
        ask("GET", f"https://{NAME}/keys")


def test_a_setting_allows_private_addresses_but_not_those_of_the_machine_itself(production):
    production(sso_private_addresses=True)
    assert addresses.may_be_called("10.0.0.1", private=True)
    assert not addresses.may_be_called("169.254.169.254", private=True)
    assert not addresses.may_be_called("127.0.0.1", private=True)


def test_the_address_that_was_checked_is_the_one_that_is_called(issuer, resolved, monkeypatch):
    port = issuer.url.rpartition(":")[2]
    names = resolved("127.0.0.1")
    monkeypatch.setattr(addresses, "_is_loopback", lambda host: host == NAME)
    assert ask("GET", f"http://{NAME}:{port}/keys").status == 200
    assert issuer.hosts == [f"{NAME}:{port}"]
    assert names.count(NAME) == 1, "a second look-up could give another address"


def test_redirects_are_not_followed(issuer):
    assert ask("GET", f"{issuer.url}/moved").status == 302
    assert issuer.asked == [("GET", "/moved")]


def test_a_large_answer_is_cut_off(issuer):
    with pytest.raises(ProviderFaultError, match="too much"):
        ask("GET", f"{issuer.url}/large")


def test_nobody_there_is_a_fault_with_a_remedy():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ProviderFaultError, match="does not answer"):
        ask("GET", f"http://127.0.0.1:{port}/keys")


def test_no_call_is_made_within_a_transaction(issuer, tenant, open_session):
    with open_session(tenant), pytest.raises(TransactionOpenError):
        ask("GET", f"{issuer.url}/keys")


def test_calls_to_one_host_are_bounded(issuer):
    with ExitStack() as stack:
        for _ in range(SIGN_IN_PROVIDERS.at_once):
            stack.enter_context(guarded(SIGN_IN_PROVIDERS, instance="127.0.0.1"))
        with pytest.raises(ProviderFaultError, match="answers slowly"):
            ask("GET", f"{issuer.url}/keys")
    assert ask("GET", f"{issuer.url}/keys").status == 200


def test_a_provider_that_fails_is_not_called_for_a_while_and_the_others_are(issuer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        away = f"http://localhost:{server.getsockname()[1]}/keys"
    for _ in range(SIGN_IN_PROVIDERS.breaker.calls):
        with pytest.raises(ProviderFaultError):
            ask("GET", away)
    with pytest.raises(ProviderFaultError, match="failed too often"):
        ask("GET", away)
    assert ask("GET", f"{issuer.url}/keys").status == 200


def test_a_private_address_does_not_open_the_breaker(production, resolved):
    resolved("10.0.0.1")
    for _ in range(SIGN_IN_PROVIDERS.breaker.calls * 2):
        with pytest.raises(ProviderFaultError, match="inside this network"):
            ask("GET", f"https://{NAME}/keys")


def test_a_call_takes_no_longer_than_the_request_has_left(issuer):
    with deadline(0), pytest.raises(ProviderFaultError, match="not called"):
        ask("GET", f"{issuer.url}/keys")
    assert issuer.asked == []
