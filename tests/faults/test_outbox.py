"""No event is lost and each delivery carries its event's id, whoever is killed between the act and the subscriber.

On servers of its own, with workers in processes of their own.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import node_session, tenant_session
from core.tenancy import create_tenant
from tests import zygote
from tests.faults.test_jobs import until

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def tenant(own_services):
    return create_tenant("outbox-faults", "Outbox").ref


@pytest.fixture
def publish(tenant, tmp_path):
    """``publish()`` publishes in a process that is killed after its commit, or before it; gives the subject."""

    def in_a_process(wait="nowhere", *, when="after"):
        subject = f"{tmp_path.name}-{wait}-{when}"
        publisher = zygote.start(FOLDER / "publisher.py", tenant.slug, subject, wait, tmp_path, when)
        assert publisher.wait() == -signal.SIGKILL
        return subject

    return in_a_process


def events(subject):
    with node_session() as session:
        query = "SELECT id FROM node.outbox WHERE subject = :subject"
        return [str(event_id) for event_id in session.scalars(text(query), {"subject": subject})]


def notes(tenant, subject):
    """The ids of events that the subscriber has written, each as often as it did."""
    with tenant_session(tenant, actor="test:1") as session:
        query = "SELECT detail ->> 'effect' FROM audit_events WHERE detail ->> 'effect' = ANY(:ids)"
        return list(session.scalars(text(query), {"ids": events(subject)}))


def settled(subject):
    with node_session() as session:
        query = "SELECT state FROM node.jobs WHERE payload ->> 'subject' = :subject"
        states = list(session.scalars(text(query), {"subject": subject}))
    return states == ["done"]


def test_a_publisher_killed_before_its_commit_leaves_no_event(publish):
    assert events(publish(when="before")) == []


def test_the_event_of_a_publisher_killed_after_its_commit_is_delivered_one_time(tenant, publish, start):
    subject = publish()
    assert len(events(subject)) == 1
    start()
    until(lambda: settled(subject))
    assert notes(tenant, subject) == events(subject)


def test_a_relay_killed_while_it_forwards_loses_nothing_and_delivers_nothing_twice(tenant, publish, start):
    subject = publish()
    relay = zygote.start(FOLDER / "forwarder.py", stdout=subprocess.PIPE, text=True)
    try:
        assert relay.stdout.readline() == "1\n"
        start()
    finally:
        relay.kill()
        relay.wait()
        relay.stdout.close()
    until(lambda: settled(subject))
    assert notes(tenant, subject) == events(subject)


def test_a_worker_killed_within_the_subscribers_transaction_delivers_again_to_one_effect(
    tenant, publish, start, tmp_path
):
    subject = publish("within")
    worker = start()
    until((tmp_path / "within").exists)
    worker.kill()
    worker.wait()
    assert notes(tenant, subject) == []
    start()
    until(lambda: settled(subject))
    assert notes(tenant, subject) == events(subject)


def test_a_worker_killed_after_the_subscribers_transaction_delivers_again_under_the_same_id(
    tenant, publish, start, tmp_path
):
    """Had the subscriber finished the delivery in its transaction, or looked for the id, there would be one effect."""
    subject = publish("after")
    worker = start()
    until((tmp_path / "after").exists)
    worker.kill()
    worker.wait()
    assert notes(tenant, subject) == events(subject)
    start()
    until(lambda: settled(subject))
    assert notes(tenant, subject) == events(subject) * 2
