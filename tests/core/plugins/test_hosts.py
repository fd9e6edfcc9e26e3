"""A third-party plugin's process: confined, kept, and of no harm to others whatever it does."""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from uuid import uuid4

import pytest

from core.clock import now
from core.plugins import catalogue, confinement, hosts
from core.plugins.calls import call
from core.plugins.errors import PluginBusy, PluginFailed, PluginTimedOut
from core.plugins.hosts import Host
from core.resilience import BulkheadFull
from core.settings import get_settings, master_key
from plugins.sdk import Alert
from tests.core.plugins.conftest import SAMPLES, installed, site


class Owner:
    """As much of a tenant as a call needs."""

    def __init__(self):
        self.id = uuid4()


@pytest.fixture(scope="module")
def offer():
    with site() as folder, installed(folder) as install:
        install(channel_plugin=(SAMPLES / "channel_plugin.py").read_text())
        catalogue.reload()
        (foreign,) = [each for each in catalogue.offers("alert-channel") if each.name == "foreign"]
        yield foreign
        hosts.end_all()
    catalogue.reload()


@pytest.fixture(scope="module")
def neighbour():
    return Owner()


@pytest.fixture
def owner():
    """A tenant of its own for each test: a breaker that one test opens stops no other."""
    return Owner()


def ask(offer, owner, act, text=""):
    alert = Alert("a", "trigger", "k", "low", act, text, "https://x", "platform", "", 1, now(), {})
    (request,) = call(offer, owner, "requests", alert, {})
    return request.json


def test_one_process_serves_a_tenant_and_no_other_tenant(offer, owner, neighbour):
    first = ask(offer, owner, "process")
    assert first not in {os.getpid(), ask(offer, neighbour, "process")}
    assert ask(offer, owner, "process") == first


def test_a_plugin_reads_no_key_and_reaches_no_port(offer, neighbour):
    master_key()
    key = get_settings().state_dir / "master.key"
    assert key.exists()
    with pytest.raises(PluginFailed, match="PermissionError"):
        ask(offer, neighbour, "read", str(key))
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(PluginFailed, match="PermissionError"):
        ask(offer, neighbour, "reach", str(listener.getsockname()[1]))
    assert not any(
        name.startswith("IIT_") and name != "IIT_PLUGIN_RUN" for name in ask(offer, neighbour, "environment")
    )


@pytest.mark.parametrize("act", ["fail", "leave", "die", "hang", "flood", "garbage"])
def test_whatever_a_plugin_does_its_call_fails_and_the_next_tenant_is_served(offer, owner, neighbour, act, monkeypatch):
    before = ask(offer, neighbour, "process")
    ask(offer, owner, "process")
    monkeypatch.setattr(hosts, "CALL_SECONDS", 0.5 if act == "hang" else 30.0)
    with pytest.raises(PluginFailed) as raised:
        ask(offer, owner, act)
    monkeypatch.undo()
    assert isinstance(raised.value, PluginTimedOut) == (act == "hang")
    if act == "fail":
        assert "why it failed" in raised.value.output
    assert ask(offer, neighbour, "process") == before
    assert ask(offer, owner, "process")


def test_a_plugin_that_fails_again_and_again_rests_for_one_tenant_alone(offer, owner, neighbour):
    for _ in range(5):
        with pytest.raises(PluginFailed):
            ask(offer, owner, "fail")
    with pytest.raises(PluginFailed, match="not called for a while"):
        ask(offer, owner, "process")
    assert ask(offer, neighbour, "process")


def test_processes_are_few_and_end_when_they_are_idle(offer, monkeypatch):
    monkeypatch.setattr(hosts, "MOST_PROCESSES", 1)
    first, second = Owner(), Owner()
    ask(offer, first, "process")
    ask(offer, second, "process")
    assert hosts.running() == [Host(offer.point.name, second.id)]
    hosts.end_idle(0.0)
    assert hosts.running() == []


def test_a_busy_process_is_never_ended_for_another_tenant(offer, owner, neighbour, monkeypatch):
    hosts.end_all()
    monkeypatch.setattr(hosts, "MOST_PROCESSES", 1)
    key = Host(offer.point.name, neighbour.id)
    process = hosts._take(key)
    hosts.end_idle(0.0)
    for _ in range(6):  # more often than the breaker permits failures
        with pytest.raises(PluginFailed, match="BulkheadFull"):
            ask(offer, owner, "process")
    assert process.child.poll() is None
    hosts._give_back(key, process, usable=True)
    assert ask(offer, neighbour, "process") == process.child.pid
    assert ask(offer, owner, "process")


def test_a_tenant_over_its_bound_takes_the_place_of_its_own_idle_plugin_alone(offer, owner, neighbour, monkeypatch):
    hosts.end_all()
    monkeypatch.setattr(hosts, "MOST_PER_TENANT", 1)
    ask(offer, neighbour, "process")
    other = Host("other", owner.id)
    hosts._give_back(other, hosts._take(other), usable=True)
    ask(offer, owner, "process")
    assert hosts.running() == [Host(offer.point.name, neighbour.id), Host(offer.point.name, owner.id)]


def test_a_tenant_whose_plugins_are_all_busy_waits_for_its_own_while_others_are_served(
    offer, owner, neighbour, monkeypatch
):
    hosts.end_all()
    monkeypatch.setattr(hosts, "MOST_PER_TENANT", 1)
    busy = Host("other", owner.id)
    process = hosts._take(busy)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, offer, owner, "process")
        assert ask(offer, neighbour, "process")
        assert not answer.done()
        assert process.child.poll() is None
        hosts._give_back(busy, process, usable=True)
        assert answer.result(timeout=30)
    assert busy not in hosts.running()


def test_a_wait_for_a_busy_process_is_no_failure_of_the_plugin(offer, owner, monkeypatch):
    key = Host(offer.point.name, owner.id)
    process = hosts._take(key)
    monkeypatch.setattr(hosts, "START_SECONDS", 0.0)
    for _ in range(6):  # more often than the breaker permits failures
        with pytest.raises(PluginBusy):
            ask(offer, owner, "process")
    monkeypatch.undo()
    hosts._give_back(key, process, usable=True)
    assert ask(offer, owner, "process") == process.child.pid


def test_who_waits_for_a_process_that_ends_gets_a_new_one(offer, owner):
    key = Host(offer.point.name, owner.id)
    process = hosts._take(key)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, offer, owner, "process")
        hosts._give_back(key, process, usable=False)
        assert answer.result(timeout=30) != process.child.pid
    assert process.child.stdin.closed


def test_a_process_that_comes_too_late_is_free_for_the_next_call(offer, owner, monkeypatch):
    key = Host(offer.point.name, owner.id)
    order = Future()
    order.set_running_or_notify_cancel()
    monkeypatch.setattr(hosts, "Future", lambda: order)
    monkeypatch.setattr(hosts, "_orders", SimpleQueue())
    with pytest.raises(BulkheadFull, match="no free process"):
        hosts._ordered(key, 0.0)
    monkeypatch.undo()
    process = hosts._take(key)
    order.set_result(process)
    assert not process.busy
    assert ask(offer, owner, "process") == process.child.pid


@pytest.mark.parametrize("error", [OSError("no memory"), ValueError("closed file")])
def test_a_process_that_cannot_be_started_fails_its_call(offer, owner, monkeypatch, error):
    def start(_):
        raise error

    monkeypatch.setattr(hosts, "_start", start)
    with pytest.raises(PluginFailed, match="cannot be started"):
        ask(offer, owner, "process")


def test_what_cannot_be_confined_runs_only_if_the_operator_names_it(monkeypatch, settings_of):
    monkeypatch.setattr(confinement, "gaps", lambda: (confinement.GAPS[confinement.NETWORK],))
    assert not confinement.may_run("stranger")
    settings_of(plugins_unconfined="other, stranger")
    assert confinement.may_run("stranger")
