"""The sender has bounds of time and size, follows no redirect, and holds no transaction."""

from __future__ import annotations

import socket

import pytest

from core.database import TransactionOpenError
from core.outgoing import AnswerTooLarge, Request, parse_url, send
from core.resilience import Dependency
from tests.core.outgoing.receivers import Receiver, dribbling

OTHERS = Dependency("testing_others", "Servers of a test.", timeout=5.0, by_instance=True)


@pytest.fixture(scope="module")
def server():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(server):
    server.requests.clear()
    server.answers.clear()
    return server


def test_a_request_arrives_as_it_was_sent(receiver):
    answer = send(OTHERS, Request("POST", parse_url(f"{receiver.url}/a?b=c"), content=b"{}", headers={"X-Own": "1"}))
    ((path, headers, body),) = receiver.requests
    assert (answer.status, answer.body, path, headers["X-Own"], body) == (200, b"ok", "/a?b=c", "1", b"{}")


def test_a_redirect_is_an_answer(receiver):
    receiver.answers.append((302, {"Location": f"{receiver.url}/there"}, b""))
    assert send(OTHERS, Request("GET", parse_url(f"{receiver.url}/here"))).status == 302
    assert [path for path, _, _ in receiver.requests] == ["/here"]


def test_a_large_answer_is_cut_or_an_error(receiver):
    receiver.answers += [(200, {}, b"x" * 100)] * 2
    assert send(OTHERS, Request("GET", parse_url(receiver.url)), largest=10, cut=True).body == b"x" * 10
    with pytest.raises(AnswerTooLarge):
        send(OTHERS, Request("GET", parse_url(receiver.url)), largest=10)


def test_a_server_that_never_ends_its_answer_is_left():
    quick = Dependency("testing_quick", "Servers of a test.", timeout=0.2, by_instance=True)
    with dribbling() as address, pytest.raises(AnswerTooLarge):
        send(quick, Request("GET", parse_url(address)))


def test_a_failure_is_repeated_only_where_the_request_may_be(receiver):
    again = Dependency("testing_again", "Servers of a test.", timeout=5.0, retries=1, backoff=0.001, by_instance=True)
    receiver.answers += [(503, {}, b""), (200, {}, b""), (503, {}, b"")]
    assert send(again, Request("GET", parse_url(receiver.url)), repeatable=True).status == 200
    assert send(again, Request("POST", parse_url(receiver.url))).status == 503
    assert len(receiver.requests) == 3


def test_no_request_is_sent_within_a_transaction(receiver, module_tenant, open_session):
    with open_session(module_tenant), pytest.raises(TransactionOpenError):
        send(OTHERS, Request("GET", parse_url(receiver.url)))
    assert receiver.requests == []


def test_the_checked_address_is_the_one_that_is_dialled(receiver, monkeypatch):
    """A name server that answers otherwise after the check has no effect."""
    look_up, answers = socket.getaddrinfo, ["127.0.0.1", "192.0.2.1"]

    def changing(host, *args, **options):
        return look_up(answers.pop(0) if host == "localhost" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    host = receiver.url.replace("127.0.0.1", "localhost")
    assert send(OTHERS, Request("GET", parse_url(host))).status == 200
    assert receiver.requests[0][1]["Host"] == host.removeprefix("http://")
    assert answers == ["192.0.2.1"]
