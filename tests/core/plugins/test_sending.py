"""The platform sends what a plugin describes: secrets filled in, addresses guarded, every end an outcome."""

from __future__ import annotations

import json
import socket
from datetime import timedelta

import pytest

from core import metering
from core.clock import now
from core.database import TransactionOpenError, tenant_session
from core.plugins import calls, instances, request_sender, sending, usable_instances
from core.plugins.instances import InstanceIn
from plugins.sdk import Alert, HttpRequest, Signature, retry, secret, sent, unknown
from tests.core.outgoing.receivers import Receiver
from tests.core.plugins.offers import Channel, offered

TOKEN = "very-secret-token"
URL = "https://example.org/"


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


@pytest.fixture
def tenant(module_tenant):
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in instances.list_instances(session):
            session.delete(row)
    return module_tenant


def an_alert(**changes):
    facts = {"id": "a1", "act": "trigger", "key": "k1", "severity": "high", "title": "Viral load", "text": ""}
    rest = {"url": "https://iit.example/a1", "stream": "clinical", "facility": "", "count": 1, "occurred_at": now()}
    return Alert(**{**facts, **rest, "facts": {}, **changes})


def add(tenant, url, **settings):
    with tenant_session(tenant, actor="test:1") as session:
        draft = InstanceIn("Nights", {"url": url, "token": TOKEN, **settings})
        return instances.add_instance(session, "alert-channel", "sample", draft, source="cli").id


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def failures(tenant, instance_id):
    with tenant_session(tenant, actor="test:1") as session:
        return [(row.operation, row.reason) for row in instances.list_failures(session, instance_id)]


def send(tenant, receiver, channel=None, **changes):
    with offered("alert-channel", channel or Channel()):
        instance_id = add(tenant, f"{receiver.url}/in")
        return instance_id, sending.send_alert(tenant, instance_id, an_alert(**changes))


def test_a_channel_describes_and_the_platform_sends_with_the_secret(tenant, receiver):
    receiver.answers.append((200, {"X-Id": f"m-{TOKEN}"}, b""))
    _, outcome = send(tenant, receiver)
    ((path, _, body),) = receiver.requests
    assert path == "/in"
    assert json.loads(body) == {"title": "Viral load", "room": "general", "token": TOKEN}
    assert (outcome.state, outcome.reference) == ("sent", "m-******"), "the plugin sees no secret in the answer"


def test_requests_and_calls_are_counted_and_traced(tenant, receiver, monkeypatch):
    spans, begin = [], calls.tracing.span

    def span(name, *kind, **attributes):
        if "iit_plugin_operation" in attributes:
            spans.append((name, attributes["iit_plugin_operation"]))
        return begin(name, *kind, **attributes)

    def counted():
        with tenant_session(tenant, actor="test:1") as session:
            return metering.totals(session)[request_sender.METER], calls.CALLS.value("sample", "done")

    monkeypatch.setattr(calls.tracing, "span", span)
    before = counted()
    assert send(tenant, receiver)[1].state == "sent"
    after = counted()
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 2]
    assert spans == [("plugin sample", "requests"), ("plugin sample", "outcome")]


def test_what_is_prepared_has_asked_the_plugin_and_left_nothing(tenant, receiver):
    asked = []

    class Counted(Channel):
        def requests(self, alert, settings):
            asked.append(alert.title)
            return super().requests(alert, settings)

    with offered("alert-channel", Counted()):
        instance_id = add(tenant, f"{receiver.url}/in")
        prepared = sending.prepare_alert(tenant, instance_id, an_alert())
        assert (asked, receiver.requests, prepared.repeatable) == (["Viral load"], [], True)
        with tenant_session(tenant, actor="test:1") as session:
            prepared.count(session)
        assert prepared.send().state == "sent"
    assert (len(asked), len(receiver.requests)) == (1, 1)
    nothing = sending.prepare_alert(tenant, instance_id, an_alert())
    assert (nothing.repeatable, nothing.send().reason) == (True, "plugin_missing")


def test_what_looks_like_a_mark_in_an_alert_is_no_mark(tenant, receiver):
    class Whole(Channel):
        def requests(self, alert, settings):
            return [HttpRequest("POST", settings["url"], json=[alert.id, alert.key, alert.url, alert.reference])]

    mark = "{{secret:token}}"
    instance_id, _ = send(tenant, receiver, title=mark)
    with offered("alert-channel", Whole()):
        sending.send_alert(tenant, instance_id, an_alert(id=mark, key=mark, url=mark, reference=mark))
    assert "{ {secret:token}}" in json.loads(receiver.requests[0][2])["title"]
    assert json.loads(receiver.requests[1][2]) == ["{ {secret:token}}"] * 4


def test_an_answer_is_what_the_plugin_says_it_means(tenant, receiver):
    receiver.answers.extend([(503, {}, b""), (404, {}, b"")])
    assert send(tenant, receiver)[1].reason == "server_error"
    with tenant_session(tenant, actor="test:1") as session:
        session.delete(instances.list_instances(session)[0])
    assert send(tenant, receiver)[1].state == "failed"


def test_a_request_whose_end_nobody_knows_is_repeated_only_if_it_may_be(tenant):
    class NotRepeatable(Channel):
        def requests(self, alert, settings):
            return [HttpRequest("POST", settings["url"], json={}, repeatable=alert.severity == "low")]

    from threading import Thread

    with socket.create_server(("127.0.0.1", 0)) as closing, offered("alert-channel", NotRepeatable()):

        def hang_up():
            for _ in range(2):
                connection, _ = closing.accept()
                connection.recv(65_536)
                connection.close()

        thread = Thread(target=hang_up, daemon=True)
        thread.start()
        instance_id = add(tenant, f"http://127.0.0.1:{closing.getsockname()[1]}/")
        assert sending.send_alert(tenant, instance_id, an_alert(severity="low")).state == "retry"
        assert sending.send_alert(tenant, instance_id, an_alert()).state == "unknown"
        thread.join()
    with offered("alert-channel", NotRepeatable()):
        assert sending.send_alert(tenant, instance_id, an_alert()).reason == "no_connection"


@pytest.mark.parametrize("fault", [RuntimeError, None])
def test_a_message_that_was_accepted_is_not_sent_again_because_its_plugin_fails(tenant, receiver, fault):
    class Forgetful(Channel):
        def requests(self, alert, settings):
            return [HttpRequest("POST", settings["url"], json={}, repeatable=alert.severity == "low")]

        def outcome(self, response, settings):
            if fault:
                raise fault
            return "garbage"

    with offered("alert-channel", Forgetful()):
        instance_id = add(tenant, f"{receiver.url}/in")
        assert sending.send_alert(tenant, instance_id, an_alert()) == unknown("plugin_failed")
        assert sending.send_alert(tenant, instance_id, an_alert(severity="low")) == retry("plugin_failed")
    assert len(receiver.requests) == 2


def test_a_plugin_reads_an_answer_without_marks_and_without_the_character_0(tenant, receiver):
    class Reader(Channel):
        def outcome(self, response, settings):
            return sent(response.text + response.headers["x-id"])

    receiver.answers.append((200, {"X-Id": "{{secret:token}}"}, b"ok\0"))
    assert send(tenant, receiver, Reader())[1] == sent("ok\ufffd{ {secret:token}}")


def test_a_host_whose_name_is_not_found_is_tried_again(tenant, receiver, monkeypatch):
    class NotRepeatable(Channel):
        def requests(self, alert, settings):
            return [HttpRequest("POST", settings["url"], json={}, repeatable=False)]

    def no_name(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(request_sender, "send", no_name)
    assert send(tenant, receiver, NotRepeatable())[1] == retry("no_connection")


@pytest.mark.parametrize("fault", [RuntimeError, SystemExit, None])
def test_a_plugin_that_fails_delays_the_message_and_its_author_sees_why(tenant, receiver, fault):
    class Broken(Channel):
        def requests(self, alert, settings):
            if fault:
                raise fault
            return "garbage"

    instance_id, outcome = send(tenant, receiver, Broken())
    assert (outcome.state, outcome.reason) == ("retry", "plugin_failed")
    ((operation, reason),) = failures(tenant, instance_id)
    assert operation == "requests"
    assert (fault.__name__ if fault else "must be a list") in reason
    assert receiver.requests == []


def test_the_log_of_failures_takes_whatever_a_plugin_writes(tenant, receiver):
    instance_id, _ = send(tenant, receiver)
    usable_instances.log_failure(tenant, instance_id, "requests", "a\0b\ud800", "\0")
    assert failures(tenant, instance_id) == [("requests", "a\ufffdb?")]


def test_half_a_character_in_a_reference_costs_no_outcome(tenant, receiver):
    _, outcome = send(tenant, receiver, Channel(outcome=lambda *_: sent("\ud800")))
    assert outcome == sent("\ufffd")


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        (HttpRequest("POST", "https://{{secret:token}}.example.org/"), "bad_address"),
        (HttpRequest("POST", "{{secret:token}}.example.org/"), "bad_address"),
        (HttpRequest("POST", "https://example.org/", json={"x": secret("other")}), "secret_missing:other"),
        (HttpRequest("POST", "https://example.org/", headers={"Host": "a"}), "bad_header"),
        (HttpRequest("POST", "https://example.org/", headers={"X": "a\r\nb: c"}), "bad_header"),
        (HttpRequest("POST", "https://example.org/", json={}, text=""), "two_bodies"),
        (
            HttpRequest("POST", "https://example.org/", headers={"Content-Type": "text/xml"}, text=secret("token")),
            "secret_in_text",
        ),
        (HttpRequest("POST", "https://10.0.0.1/"), "address_not_allowed"),
        (HttpRequest("POST", URL, json={"x": "\ud800"}), "bad_request"),
        (HttpRequest("POST", URL, json={"x": 2**64}), "bad_request"),
        (HttpRequest("POST", URL, json=nested(300)), "bad_request"),
        (HttpRequest("POST", URL, signature=Signature("token", "Host")), "bad_header"),
        (HttpRequest("POST", URL, signature=Signature("token", "x", timestamp_header="Content-Length")), "bad_header"),
        (HttpRequest("POST", URL, signature=Signature("token", "x", id_header="Connection")), "bad_header"),
        (HttpRequest("POST", URL, signature=Signature("token", "x", prefix="é")), "bad_header"),
    ],
)
def test_the_platform_does_not_send_what_is_not_safe(tenant, receiver, described, reason):
    class Careless(Channel):
        def requests(self, alert, settings):
            return [described]

    instance_id, outcome = send(tenant, receiver, Careless())
    assert (outcome.state, outcome.reason) == ("failed", reason)
    assert failures(tenant, instance_id) == [("request", reason)]


def test_secrets_go_only_to_the_hosts_that_the_schema_and_the_settings_name(tenant, receiver):
    class Elsewhere(Channel):
        def settings_schema(self):
            return {**super().settings_schema(), "x-hosts": ["*.example.org"]}

        def requests(self, alert, settings):
            return [HttpRequest("POST", alert.url, json={"token": secret("token")})]

    with offered("alert-channel", Elsewhere()):
        instance_id = add(tenant, f"{receiver.url}/in")
        outcome = sending.send_alert(tenant, instance_id, an_alert(url="https://evil.example/"))
        assert outcome.reason == "host_not_allowed"
        assert sending.send_alert(tenant, instance_id, an_alert(url=f"{receiver.url}/x")).state == "sent"


def test_an_instance_sends_no_more_than_its_plugin_allows(tenant, receiver):
    with offered("alert-channel", Channel(per_minute=2)):
        instance_id = add(tenant, f"{receiver.url}/in")
        outcomes = [sending.send_alert(tenant, instance_id, an_alert()) for _ in range(3)]
    assert [outcome.state for outcome in outcomes] == ["sent", "sent", "retry"]
    assert outcomes[2].retry_after > timedelta()


def test_nothing_is_sent_for_an_instance_that_cannot_be_used(tenant, receiver):
    with offered("alert-channel", Channel()):
        instance_id = add(tenant, f"{receiver.url}/in")
        with tenant_session(tenant, actor="test:1") as session:
            instances.set_enabled(session, instance_id, enabled=False, source="cli")
        assert sending.send_alert(tenant, instance_id, an_alert()).reason == "disabled"
        with tenant_session(tenant, actor="test:1") as session:
            instances.set_enabled(session, instance_id, enabled=True, source="cli")
            with pytest.raises(TransactionOpenError):
                sending.send_alert(tenant, instance_id, an_alert())
    assert sending.send_alert(tenant, instance_id, an_alert()).reason == "plugin_missing"
    assert receiver.requests == []
