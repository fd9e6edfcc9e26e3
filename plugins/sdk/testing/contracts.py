"""The contract tests of each kind as classes for pytest: inherit one, set ``plugin`` and ``settings``, run pytest.

class TestSlack(AlertChannelContract):
    plugin = Slack()
    settings = {"webhook_url": secret("webhook_url")}
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, get_args

from plugins.sdk.channel import CHANNEL_ACTS, Alert, AlertAct, AlertChannel, ChannelAct
from plugins.sdk.gateway import DeliveryReport, IncomingSms, Sms, SmsGateway
from plugins.sdk.http_types import (
    MOST_REQUESTS,
    Failure,
    HttpRequest,
    HttpResponse,
    IncomingRequest,
    Outcome,
    Signature,
    secret,
)
from plugins.sdk.importer import Chosen, Entry, Importer, Location
from plugins.sdk.json_types import Json
from plugins.sdk.listener import Event, EventListener
from plugins.sdk.source import Document, RagSource
from plugins.sdk.testing.checks import CHECKS, ContractError, Subject, subject
from plugins.sdk.testing.own_messages import check_own_message, is_own_message

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
_FIXED_HOST = re.compile(r"(https://[^/?#{}]+|http://(localhost|127\.0\.0\.1)(:\d+)?|\{\{secret:\w+\}\})(?=[/?#]|$)")
_TYPES = {"string", "integer", "number", "boolean", "array", "object"}
_STATES = ("sent", "retry", "failed", "unknown")
RESPONSES: tuple[HttpResponse, ...] = (
    *(
        HttpResponse(status, {}, text)
        for status in (200, 202, 400, 401, 404, 429, 500, 503)
        for text in ("", "{}", "<x")
    ),
    *(HttpResponse(0, failure=failure) for failure in get_args(Failure)),
)
"""Answers that a plugin must understand: every kind of status, with and without a body, and no answer at all."""
GARBAGE = ("", "{}", "[]", "null", '{"a": 1}', "a=b&c", "<xml/>", "\ufffd" * 10)


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ContractError(message)


class _Contract:
    """What every kind promises. The platform gives the settings with marks in place of secrets."""

    plugin: ClassVar[Any]
    settings: ClassVar[Mapping[str, Json]] = {}
    protocol: ClassVar[type] = object

    def test_says_what_it_is(self) -> None:
        """It has a plain name, a title and a version, and the methods of its kind."""
        _require(isinstance(self.plugin, self.protocol), f"the plugin lacks a part of {self.protocol.__name__}")
        _require(_NAME.fullmatch(str(self.plugin.name)), "name must be lower case, a-z, 0-9, - and _, 40 at most")
        _require(str(self.plugin.title) and str(self.plugin.version), "title and version must not be empty")

    def test_a_form_can_be_drawn_from_its_schema(self) -> None:
        """The schema is an object of flat properties, each with a title; secrets are texts."""
        schema = self.plugin.settings_schema()
        json.dumps(schema)
        _require(schema.get("type") == "object", "the schema must be that of an object")
        for name, each in schema.get("properties", {}).items():
            _require(each.get("type") in _TYPES, f"property {name!r} needs one type of {sorted(_TYPES)}")
            _require(each.get("title"), f"property {name!r} needs a title for the form")
            _require(
                not each.get("writeOnly") or (each["type"] == "string" and "default" not in each),
                f"secret {name!r} must be a text without a default",
            )

    def test_the_settings_of_this_test_fit_the_schema(self) -> None:
        """The settings have what the schema requires, and marks for secrets."""
        schema = self.plugin.settings_schema()
        properties = schema.get("properties", {})
        missing = [name for name in schema.get("required", ()) if name not in self.settings]
        _require(not missing, f"the test's settings lack {missing}")
        for name, value in self.settings.items():
            _require(name in properties, f"the schema has no setting {name!r}")
            _require(
                not properties[name].get("writeOnly") or value == secret(name),
                f"give secret {name!r} as secret({name!r}): a plugin never sees it",
            )

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - see the method
        """Call a method twice, and check that it changes nothing that it was given and repeats itself."""
        copies = copy.deepcopy(arguments)
        first = getattr(self.plugin, method)(*arguments)
        _require(arguments == copies, f"{method} changed what it was given: copy before changing")
        _require(getattr(self.plugin, method)(*copies) == first, f"{method} gives another result for the same input")
        return first

    def _check_requests(self, requests: Sequence[HttpRequest]) -> None:
        _require(isinstance(requests, (list, tuple)), "give a list of requests")
        _require(len(requests) <= MOST_REQUESTS, f"give at most {MOST_REQUESTS} requests")
        for request in requests:
            _require(isinstance(request, HttpRequest), "a request must be an HttpRequest")
            _require(
                _FIXED_HOST.match(request.url),
                f"{request.url!r} must begin with https:// and a host, or be a secret address as a whole",
            )
            bodies = [each for each in (request.json, request.form, request.text) if each is not None]
            _require(len(bodies) <= 1, "give at most one of json, form and text")
            json.dumps([request.json, dict(request.form or {}), dict(request.headers)])

    def _check_outcomes(self) -> None:
        for response in RESPONSES:
            outcome = self._call("outcome", response, self.settings)
            _require(isinstance(outcome, Outcome), f"outcome of {response} must be an Outcome")
            _require(outcome.state in _STATES, f"an outcome is one of {_STATES}")
            _require(
                response.status or outcome.state != "sent", f"nothing is sent where no answer came: {response.failure}"
            )

    def _check_signature(self) -> None:
        signature = self.plugin.signature(self.settings)
        _require(signature is None or isinstance(signature, Signature), "signature must be a Signature or None")
        if signature is not None:
            secrets = self.plugin.settings_schema().get("properties", {})
            _require(
                secrets.get(signature.secret, {}).get("writeOnly"), f"{signature.secret!r} must be a secret setting"
            )


class AlertChannelContract(_Contract):
    """The promises of an alert channel."""

    protocol = AlertChannel

    def test_describes_requests_for_every_act(self) -> None:
        """It describes requests that the platform can send, the same for the same alert."""
        for act in get_args(AlertAct):
            alert = Alert(
                id="0198-a",
                act=act,
                key="iit-0198-a",
                severity="high",
                title='Late: 12 people "of" <Clinic> & others',
                text="First line\nsecond line",
                url="https://care.example.org/alerts/0198-a",
                stream="clinical",
                facility="Clinic A",
                count=12,
                occurred_at=NOW,
                facts={"Rule": "Late"},
            )
            requests = self._call("requests", alert, self.settings)
            for request in filter(is_own_message, requests):
                check_own_message(request, self.settings)
            self._check_requests([request for request in requests if not is_own_message(request)])

    def test_understands_every_answer(self) -> None:
        """It says what any answer means, and no answer."""
        self._check_outcomes()

    def test_names_a_secret_for_its_signature(self) -> None:
        """If the vendor signs, the key is a secret setting."""
        self._check_signature()

    def test_reads_any_request_of_its_vendor(self) -> None:
        """Garbage is no act, and no error."""
        for text in GARBAGE:
            acts = self._call("acts", IncomingRequest({}, {}, text), self.settings)
            _require(all(isinstance(act, ChannelAct) and act.act in CHANNEL_ACTS for act in acts), "give ChannelActs")


class SmsGatewayContract(_Contract):
    """The promises of an SMS gateway."""

    protocol = SmsGateway

    def test_describes_a_request_with_the_marks(self) -> None:
        """The request has the marks of the phone and the text: a gateway sees neither."""
        for text_needs_ucs2 in (False, True):
            sms = Sms("0198-m", secret("to"), secret("text"), text_needs_ucs2, 1, "IIT", "https://care.example.org/r")
            request = self._call("request", sms, self.settings)
            self._check_requests([request])
            parts = [request.url, dict(request.headers), request.json, dict(request.form or {}), request.text or ""]
            whole = json.dumps(parts)
            has_phone = sms.to in whole or secret("to_digits") in whole
            _require(has_phone and sms.text in whole, "the request must have the marks of the phone and the text")

    def test_understands_every_answer(self) -> None:
        """It says what any answer means. Without one it is unknown, unless the request never left."""
        self._check_outcomes()
        timeout = self._call("outcome", HttpResponse(0, failure="timeout"), self.settings)
        _require(
            timeout.state == "unknown", "after a timeout nobody knows whether the message was sent: give unknown()"
        )

    def test_can_be_asked_or_says_that_it_cannot(self) -> None:
        """The status is a request, and its answer a report; or None."""
        request = self._call("status_request", "ref-1", self.settings)
        if request is not None:
            self._check_requests([request])
        for response in RESPONSES:
            report = self._call("status", response, self.settings)
            _require(report is None or isinstance(report, DeliveryReport), "status gives a DeliveryReport or None")

    def test_names_a_secret_for_its_signature(self) -> None:
        """If the vendor signs, the key is a secret setting."""
        self._check_signature()

    def test_reads_any_request_of_its_vendor(self) -> None:
        """Garbage is no report and no message, and no error."""
        for text in GARBAGE:
            request = IncomingRequest({}, {}, text)
            reports = self._call("reports", request, self.settings)
            messages = self._call("received", request, self.settings)
            _require(all(isinstance(each, DeliveryReport) for each in reports), "give DeliveryReports")
            _require(all(isinstance(each, IncomingSms) for each in messages), "give IncomingSms")


class EventListenerContract(_Contract):
    """The promises of an event listener."""

    protocol = EventListener

    def test_wants_events(self) -> None:
        """It names the types of events that it wants."""
        _require(self.plugin.events and all(isinstance(each, str) for each in self.plugin.events), "name your events")

    def test_describes_requests(self) -> None:
        """It describes requests that the platform can send, the same for the same event."""
        for name in self.plugin.events:
            event = Event("0198-e", name, 1, 7, "0198-s", NOW, {})
            self._check_requests(self._call("requests", event, self.settings))

    def test_understands_every_answer(self) -> None:
        """It says what any answer means, and no answer."""
        self._check_outcomes()


class ImporterContract(_Contract):
    """The promises of an importer."""

    protocol = Importer

    def test_says_where_to_look(self) -> None:
        """It gives a location, or a request."""
        place = self._call("look", self.settings, NOW)
        _require(isinstance(place, (Location, HttpRequest)), "look gives a Location or an HttpRequest")
        if isinstance(place, HttpRequest):
            self._check_requests([place])

    def test_reads_any_answer(self) -> None:
        """An answer that names no files gives none."""
        for response in RESPONSES:
            entries = self._call("entries", response, self.settings)
            _require(all(isinstance(entry, Entry) for entry in entries), "entries gives a list of Entry")

    def test_chooses_among_what_is_there(self) -> None:
        """It chooses entries that it was shown, each once."""
        entries = [Entry("b.csv", 10, NOW, "2"), Entry("a.csv", 5, NOW, "1"), Entry("notes.txt")]
        chosen = self._call("choose", entries, self.settings)
        _require(all(isinstance(each, Chosen) for each in chosen), "choose gives a list of Chosen")
        names = [each.name for each in chosen]
        _require(len(set(names)) == len(names), "choose each file once")
        _require(set(names) <= {entry.name for entry in entries}, "choose only files that are there")


class RagSourceContract(_Contract):
    """The promises of a source of knowledge."""

    protocol = RagSource

    def test_says_where_to_look(self) -> None:
        """It gives a location, or requests."""
        place = self._call("look", self.settings, NOW)
        if not isinstance(place, Location):
            self._check_requests(place)

    def test_reads_any_answer(self) -> None:
        """Answers that name no documents give none."""
        for response in RESPONSES:
            documents = self._call("documents", [Entry("a.pdf", 3, NOW, "1")], [response], self.settings)
            _require(all(isinstance(each, Document) for each in documents), "documents gives a list of Document")


class ModelContract:
    """The promises of a model: each check of ``CHECKS`` is a test. They share one fit."""

    plugin: ClassVar[Any]
    params: ClassVar[Mapping[str, Json]] = {}
    _ready: ClassVar[Subject | None] = None

    @classmethod
    def _subject(cls) -> Subject:
        if cls._ready is None or cls._ready.plugin is not cls.plugin:
            cls._ready = subject(cls.plugin, cls.params)
        return cls._ready


def _model_test(check: Callable[[Any], None]) -> Callable[[ModelContract], None]:
    def test(self: ModelContract) -> None:
        check(self._subject())

    test.__doc__ = check.__doc__
    return test


for _check in CHECKS:
    setattr(ModelContract, f"test_{_check.__name__}", _model_test(_check))
