"""Unexpected errors are grouped by type and place, stored and sent, and none of their values is."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import text

from core import tracing
from core.audit.platform import acts as audited
from core.cli.main import run as iit
from core.database import platform_session, tenant_session
from core.error_groups import service, tracking
from core.error_groups.reports import report_of
from core.error_groups.tracking import Tracker
from core.errors import NotFound, Unavailable
from core.identity import csrf
from core.identity.people import accounts, sessions
from core.jobs import enqueue
from core.jobs.worker import drain
from core.telemetry import get_logger, logs
from tests.core.jobs.conftest import acts
from tests.core.outgoing.receivers import Receiver
from tests.keyed import KeyedClient

NAME, PHONE, NOTE = "Zainabqx Okonkwoqx", "08031234567", "qxsecretnote"
PARTS = ("zainabqx", "okonkwoqx", PHONE, NOTE)


def break_off(value=NAME):
    local = {"name": value, "phone": PHONE}
    return local[f"{value} {PHONE}"]


def break_otherwise():
    raise ValueError(NAME)


def error_of(function=break_off):
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever the test raises
        return error


@pytest.fixture(autouse=True)
def empty(database):
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.error_groups"))


@pytest.fixture
def tracker():
    return Tracker("api", "1.2.3")


@pytest.fixture
def hooked(tracker, monkeypatch):
    """A tracker that takes what is logged."""
    monkeypatch.setattr(logs, "on_error", tracker.take)
    return tracker


@pytest.fixture
def group(tracker):
    tracker.take(error_of(), "room")
    tracker.flush()
    return only()


def whole_table():
    with platform_session() as session:
        return str(session.execute(text("SELECT to_jsonb(g)::text FROM platform.error_groups g")).scalars().all())


def only():
    (group,) = service.list_groups(None)
    return group


class TestGroups:
    def test_errors_of_one_type_and_place_are_one_group_with_a_count(self, tracker):
        for value in range(5):
            tracker.take(error_of(lambda value=value: break_off(f"somebody {value}")), "room")
        tracker.take(error_of(break_otherwise), "room")
        assert tracker.flush() == 2
        tracker.take(error_of(), "room")
        assert tracker.flush() == 1
        groups = {group.kind: group for group in service.list_groups()}
        assert (groups["KeyError"].count, groups["ValueError"].count) == (6, 1)
        group = groups["KeyError"]
        assert group.place.startswith("tests/core/error_groups/test_error_groups.py:")
        assert group.place.endswith(" in break_off")
        assert group.frames[-1] == group.place
        assert (group.role, group.release, group.state) == ("api", "1.2.3", "open")

    def test_the_way_to_the_place_makes_no_group_and_another_function_does(self):
        first, second = report_of(error_of()), report_of(error_of(break_otherwise))
        assert first.fingerprint == report_of(error_of(lambda: break_off(PHONE))).fingerprint
        assert first.fingerprint != second.fingerprint

    def test_a_group_names_the_last_trace(self, tracker):
        with tracing.tracing(tracing.Rules(), lambda _: None), tracing.request(None) as first:
            tracker.take(error_of(), "room")
        tracker.flush()
        assert only().trace_id == first.trace.id

    def test_a_resolved_one_opens_when_it_is_seen_again_and_an_ignored_one_does_not(self, tracker, group):
        def seen_again():
            tracker.take(error_of(), "room")
            tracker.flush()
            return only()

        service.set_state(group.id, "resolved", actor="test:1")
        assert (only().state, only().state_by) == ("resolved", "test:1")
        again = seen_again()
        assert (again.state, again.state_by, again.reopened, again.count) == ("open", None, 1, 2)
        service.set_state(group.id, "ignored", actor="test:1")
        assert (seen_again().state, only().reopened, only().count) == ("ignored", 1, 3)

    def test_one_that_was_seen_before_it_was_resolved_does_not_open_it(self, tracker, group):
        tracker.take(error_of(), "room")
        service.set_state(group.id, "resolved", actor="test:1")
        tracker.flush()
        assert (only().state, only().count) == ("resolved", 2)

    def test_errors_wait_for_the_database_and_a_flood_of_them_is_bounded(self, tracker, monkeypatch):
        def away():
            raise Unavailable("the database does not answer")

        with monkeypatch.context() as patch:
            patch.setattr(tracking, "platform_session", away)
            patch.setattr(tracking, "MOST_WAITING", 1)
            tracker.take(error_of(), "room")
            tracker.take(error_of(break_otherwise), "room")
            assert tracker.flush() == 0
            tracker.take(error_of(), "room")
        tracker.flush()
        assert (only().kind, only().count) == ("KeyError", 2)

    def test_one_that_is_not_seen_for_long_is_removed(self, group):
        service.remove_unseen(None)
        assert only().id == group.id
        old = datetime.now(UTC) - timedelta(days=91)
        with platform_session() as session:
            session.execute(text("UPDATE platform.error_groups SET first_seen = :old, last_seen = :old"), {"old": old})
        service.remove_unseen(None)
        assert service.list_groups(None) == []


class TestWhatCounts:
    def test_every_error_that_is_logged_with_its_traceback(self, hooked):
        log = get_logger("room")
        try:
            break_off()
        except KeyError:
            log.exception("unexpected")
        log.error("unexpected", exc_info=error_of())
        log.warning("expected", exc_info=error_of())
        log.error("no traceback")
        hooked.flush()
        assert only().count == 2

    def test_an_unexpected_error_of_a_job(self, hooked, module_tenant):
        acts["errors"] = lambda _context, _payload: break_off()
        with tenant_session(module_tenant, actor="test:1") as session:
            enqueue(session, "testing.act", {"act": "errors"})
        drain(module_tenant)
        hooked.flush()
        assert (only().kind, only().place.endswith(" in break_off")) == ("KeyError", True)

    def test_a_process_tracks_until_it_stops(self):
        with tracking.tracked("worker"):
            try:
                break_off()
            except KeyError:
                get_logger("room").exception("unexpected")
        assert (only().role, logs.on_error) == ("worker", None)

    def test_a_round_that_fails_does_not_end_the_tracking(self, tracker, monkeypatch):
        rounds = []

        def flush(_self):
            rounds.append(1)
            if len(rounds) == 1:
                raise UnicodeError
            tracker.close()

        monkeypatch.setattr(tracking.Tracker, "flush", flush)
        monkeypatch.setattr(tracking, "EVERY_SECONDS", 0.0)
        tracker.run()
        assert len(rounds) == 3, "the last round is after the end"


def test_nothing_personal_is_stored_or_sent(hooked, toy_app, client_for, make_tenant, settings_of):
    """Names, phones and notes in queries, headers, bodies, local variables and texts of errors."""
    receiver = Receiver()
    key = uuid4().hex
    settings_of(sentry_dsn=receiver.url.replace("http://", f"http://{key}@") + "/sub/42")
    client = client_for(toy_app, make_tenant().api_key)
    try:
        for value in (NAME, PHONE, NOTE):
            client.post("/v1/toy/write-then-break", headers={"User-Agent": value})
            client.post("/v1/toy/bad-answer", headers={"X-Request-ID": value.replace(" ", "")})
            client.post("/v1/toy/data-error", params={"text": value})
        for function in (break_off, break_otherwise):
            hooked.take(error_of(function), "room")
        assert hooked.flush() >= 4
        sent = list(receiver.requests)
    finally:
        receiver.close()
    table = whole_table().lower()
    assert "break_off" in table
    assert len(sent) == len(service.list_groups(None))
    assert [part for part in PARTS if part in table or part in str(sent).lower()] == []
    for path, headers, body in sent:
        assert path == "/sub/api/42/envelope/"
        assert f"sentry_key={key}" in {name.lower(): value for name, value in headers.items()}["x-sentry-auth"]
        head, item, event, end = body.split(b"\n")
        assert (orjson.loads(item)["length"], orjson.loads(item)["type"], end) == (len(event), "event", b"")
        document = orjson.loads(event)
        assert document["event_id"] == orjson.loads(head)["event_id"]
        (raised,) = document["exception"]["values"]
        frames = raised["stacktrace"]["frames"]
        assert all(frame.keys() == {"filename", "function", "lineno", "in_app"} for frame in frames)


def test_an_error_tracker_that_fails_changes_nothing(tracker, settings_of):
    receiver = Receiver()
    receiver.answers.append((429, {}, b""))
    settings_of(sentry_dsn=receiver.url.replace("http://", "http://key@") + "/1")
    try:
        for function in (break_off, break_otherwise):
            tracker.take(error_of(function), "room")
        assert tracker.flush() == 2
        assert len(receiver.requests) == 1
    finally:
        receiver.close()


class TestOperators:
    @pytest.fixture
    def operator(self, toy_app):
        def client_of(role):
            person = accounts.add_operator(f"{uuid4().hex}@example.org", "Operator", role, actor="test:1")
            with platform_session() as session:
                begun = sessions.begin(session, person, None, signed_in_by="password")
            token = {csrf.HEADER: csrf.token_of(begun.secret), "Origin": "http://testserver"}
            client = KeyedClient(toy_app, headers=token)
            client.cookies.set("iit_session", begun.secret)
            return client

        return client_of

    def test_the_command_lists_shows_and_resolves(self, group, capsys):
        assert iit(["errors", "list", "--json"]) == 0
        (listed,) = json.loads(capsys.readouterr().out)["errors"]
        assert (listed["kind"], UUID(listed["id"])) == ("KeyError", group.id)
        assert iit(["errors", "show", str(group.id)]) == 0
        assert "in break_off" in capsys.readouterr().out
        for command, state in (("resolve", "resolved"), ("ignore", "ignored"), ("open", "open")):
            assert iit(["errors", command, str(group.id)]) == 0
            assert only().state == state
        actions = [act["action"] for act in audited(limit=3)]
        assert actions == ["cli:error:reopen", "cli:error:ignore", "cli:error:resolve"]
        assert iit(["errors", "show", str(uuid4())]) == 1

    def test_operators_alone_read_them_over_the_api_and_only_admins_resolve(
        self, group, operator, toy_app, client_for, make_tenant
    ):
        admin, support = operator("platform_admin"), operator("platform_support")
        path = f"/v1/operators/errors/{group.id}"
        assert [each["id"] for each in support.get("/v1/operators/errors").json()["errors"]] == [str(group.id)]
        assert support.get(path).json()["place"] == group.place
        assert support.put(path, json={"state": "ignored"}).status_code == 403
        assert client_for(toy_app, make_tenant().api_key).get(path).status_code == 403
        changed = admin.put(path, json={"state": "ignored"}).json()
        assert (changed["state"], changed["state_by"].startswith("operator:")) == ("ignored", True)
        assert support.get("/v1/operators/errors").json() == {"errors": []}
        assert len(support.get("/v1/operators/errors?state=ignored").json()["errors"]) == 1
        assert admin.put(f"/v1/operators/errors/{uuid4()}", json={"state": "open"}).status_code == 404

    def test_an_error_that_is_not_there_is_not_found(self):
        with pytest.raises(NotFound, match="no such error"):
            service.get_group(uuid4())
        with pytest.raises(NotFound):
            service.set_state(uuid4(), "open", actor="test:1")
