"""A notice of maintenance is on every page and in every answer of the API until its time is over."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from core.audit.platform import acts
from core.cli.main import run
from core.clock import now
from core.errors import Invalid
from core.maintenance import current_notice, memory, service


@pytest.fixture(autouse=True)
def without_notice(database):
    yield
    service.remove_notice(actor="test:1")


def in_hours(hours):
    return (now() + timedelta(hours=hours)).isoformat()


def test_a_notice_is_on_pages_in_the_readers_language_and_on_the_api_until_it_is_removed(api, application):
    assert run(["maintenance", "on", "--until", in_hours(2), "--message", "New <version> tonight"]) == 0
    for language, words in (("en", "Maintenance until"), ("fr", "Maintenance jusqu"), ("pt", "Manutenção até")):
        page = api.get("/sign-in", headers={"Accept-Language": language}).text
        assert words in page
        assert "New &lt;version&gt; tonight" in page
    assert 'rel="status"' in api.get("/v1/me").headers["link"]
    assert api.get("/health").json()["maintenance"]["message"] == "New <version> tonight"
    assert run(["maintenance", "off"]) == 0
    assert "link" not in api.get("/v1/me").headers
    assert "New &lt;version" not in api.get("/sign-in").text
    assert api.get("/health").json()["maintenance"] is None
    assert [act["action"] for act in acts(actions=["cli:maintenance:on", "cli:maintenance:off"])][:2] == [
        "cli:maintenance:off",
        "cli:maintenance:on",
    ]


def test_a_notice_goes_by_itself_when_its_time_is_over(monkeypatch):
    service.set_notice(now() + timedelta(minutes=5), "", actor="test:1")
    assert current_notice() is not None
    monkeypatch.setattr(memory, "now", lambda: now() + timedelta(minutes=6))
    assert current_notice() is None


def test_no_request_reads_the_database_for_it_and_a_failing_read_keeps_the_last_one(monkeypatch):
    service.set_notice(now() + timedelta(minutes=5), "soon", actor="test:1")
    broken = SimpleNamespace(stored_notice=lambda: 1 / 0)
    monkeypatch.setattr(memory, "repository", broken)
    assert current_notice().message == "soon"
    memory.memory.read()
    assert current_notice().message == "soon"


@pytest.mark.parametrize("hours", [-1, 24 * 15])
def test_an_end_that_is_over_or_far_away_is_rejected(hours):
    with pytest.raises(Invalid, match="within the next 14 days"):
        service.set_notice(now() + timedelta(hours=hours), "", actor="test:1")


def test_a_message_is_one_line():
    with pytest.raises(Invalid, match="300 characters"):
        service.set_notice(now() + timedelta(hours=1), "x" * 301, actor="test:1")
    assert run(["maintenance", "on", "--until", "tonight"]) == 2
