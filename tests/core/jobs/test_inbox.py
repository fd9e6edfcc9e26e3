"""A message from elsewhere takes effect once, whoever repeats it, and whatever happens to the first transaction."""

import threading

import pytest
from sqlalchemy import text

from core.database import owner_session, platform_session, tenant_session
from core.jobs import first_time
from core.jobs.broker import LocalMessages
from core.jobs.relay import Relay


def arrives(tenant, message="m-1", source="testing"):
    with tenant_session(tenant, actor="test:1") as session:
        return first_time(session, source, message)


def test_a_message_is_new_once_for_each_tenant_and_source(two_tenants):
    first, second = two_tenants
    assert [arrives(first), arrives(first), arrives(second), arrives(first, source="other")] == [
        True,
        False,
        True,
        True,
    ]


def test_a_message_whose_effect_was_rolled_back_is_new_again(tenant):
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        assert first_time(session, "testing", "m-1")
        raise ZeroDivisionError
    assert arrives(tenant)


def test_of_many_at_once_one_is_the_first(tenant):
    firsts, start = [], threading.Barrier(8)

    def one():
        start.wait()
        firsts.append(arrives(tenant))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == [False] * 7 + [True]


def test_a_message_to_the_platform_is_apart_from_those_of_tenants(tenant):
    arrives(tenant, "m-platform")
    results = []
    for _ in range(2):
        with platform_session() as session:
            results.append(first_time(session, "testing", "m-platform"))
    assert results == [True, False]


def test_a_message_is_forgotten_after_its_days(tenant):
    arrives(tenant)
    with owner_session() as session:
        session.execute(text("UPDATE node.inbox SET received_at = now() - interval '29 days'"))
    Relay(LocalMessages()).sweep()
    assert not arrives(tenant)
    with owner_session() as session:
        session.execute(text("UPDATE node.inbox SET received_at = now() - interval '31 days'"))
    Relay(LocalMessages()).sweep()
    assert arrives(tenant)


@pytest.mark.parametrize(("source", "message"), [("", "m"), ("s", ""), ("s", "x" * 256)])
def test_a_message_needs_a_source_and_an_id(tenant, source, message):
    with pytest.raises(ValueError, match="needs a source"):
        arrives(tenant, message, source)
