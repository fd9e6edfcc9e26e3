"""Outgoing calls reach public addresses, and the networks that the operator allows; nothing else."""

from __future__ import annotations

import socket

import pytest

from core.outgoing import addresses
from core.outgoing.addresses import AddressRejected, checked_address, may_be_called, parse_url
from core.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def production(monkeypatch):
    """Settings of a production installation, with further changes: ``production(outgoing_networks="10.0.0.0/8")``."""

    def change(**changed):
        settings = get_settings().model_copy(update={"environment": "production", **changed})
        monkeypatch.setattr(addresses, "get_settings", lambda: settings)

    change()
    return change


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.8.8.8", "0.0.0.0"),  # noqa: S104
        *("169.254.169.254", "100.64.0.1", "100.127.255.255", "224.0.0.1", "255.255.255.255"),
        *("::", "::1", "fc00::1", "fdff::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"),
        *("64:ff9b::a00:1", "64:ff9b::808:808", "2002:a00:1::1", "2001:0:1::1", "::10.0.0.1"),
    ],
)
def test_what_only_this_server_can_reach_is_rejected(address):
    assert not may_be_called(address)


@pytest.mark.parametrize(
    "address", ["100.63.255.254", "100.128.0.1", "8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8"]
)
def test_public_addresses_may_be_called(address):
    assert may_be_called(address)


def test_a_call_that_must_stay_in_private_networks_reaches_no_public_address():
    assert checked_address("10.1.2.3", 443, private="only") == "10.1.2.3"
    assert checked_address("8.8.8.8", 443, private=True) == "8.8.8.8"
    with pytest.raises(AddressRejected):
        checked_address("8.8.8.8", 443, private="only")


def test_an_address_of_this_machine_is_rejected_although_it_is_public(monkeypatch):
    monkeypatch.setattr(addresses, "_is_own", lambda address: address == "8.8.8.8")
    assert not may_be_called("8.8.8.8")
    assert not may_be_called("::ffff:8.8.8.8")
    assert may_be_called("8.8.4.4")


def test_the_machine_knows_its_own_addresses():
    assert addresses._is_own("127.0.0.1")
    assert not addresses._is_own("8.8.8.8")


def test_the_operator_allows_a_network_and_no_other(production):
    production(outgoing_networks="10.20.0.0/16, fd00:1::/32")
    assert may_be_called("10.20.3.4")
    assert may_be_called("::ffff:10.20.3.4")
    assert may_be_called("fd00:1::1")
    assert not may_be_called("10.21.0.1")


def test_a_network_that_is_none_is_no_setting():
    with pytest.raises(ValueError, match="outgoing_networks"):
        Settings(outgoing_networks="10.20.0.0/99")


def test_one_private_address_among_public_ones_rejects_the_name(monkeypatch):
    def look_up(_host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(AddressRejected, match=r"hooks\.example\.org"):
        checked_address("hooks.example.org", 443)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "http://example.org",
            "https://user:pw@example.org",
            "https://example.org/#x",
            "https://",
            "file:///etc",
            "x",
        ),
        *(
            "https://a..b/",
            "https://.example.org/",
            f"https://{'a' * 64}.example.org/",
            f"https://{'é' * 60}.org/",
        ),
    ],
)
def test_only_https_without_a_password_is_called(text):
    with pytest.raises(AddressRejected):
        parse_url(text)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example.org"])
def test_a_host_that_can_be_no_name_is_rejected_before_a_call(host):
    with pytest.raises(AddressRejected):
        checked_address(host, 443)


@pytest.mark.parametrize(
    "address", ["https://example.org./", f"https://{'a' * 63}.example.org/", "https://[2606:4700::1]/"]
)
def test_an_unusual_host_may_be_called(address):
    assert parse_url(address).host
