"""Quotas of persons, keys, tenants and addresses, counted in Redis."""

import re
from types import SimpleNamespace

import anyio
import pytest

from core.app import quotas
from core.app.factory import create_app
from core.app.quotas import WINDOW, Quota, Quotas
from core.resilience import collecting_fallbacks, instances
from core.resilience.dependencies import REDIS_QUOTAS
from core.services import ensure
from core.settings import get_settings

PERSONAL = "/v1/me"
UNREACHABLE = "redis://127.0.0.1:1/0"


@pytest.fixture
def limited(database, client_for, make_tenant, monkeypatch):
    """Makes clients of a tenant's key, of an application with these limits."""

    def make(**limits):
        for name, limit in limits.items():
            monkeypatch.setenv(f"IIT_RATE_{name.upper()}", str(limit))
        get_settings.cache_clear()
        app = create_app()
        return lambda tenant=None: client_for(app, (tenant or make_tenant()).api_key)

    yield make
    monkeypatch.undo()
    get_settings.cache_clear()


def without_redis(monkeypatch, url=UNREACHABLE):
    monkeypatch.setattr(quotas, "ensure", lambda: SimpleNamespace(redis_url=url))


def counter(**limits):
    """Counts as the boundary of a process does."""
    settings = SimpleNamespace(
        **{f"rate_{name}": limits.get(name, 0) for name in ("person", "key", "tenant", "address")}
    )
    return Quotas(settings)


def take(counts, quota_list, method="GET", times=1):
    async def all_of_them():
        return [await counts.take(quota_list, method) for _ in range(times)]

    return anyio.run(all_of_them)


def test_a_key_gets_its_quota_at_once_then_429_with_the_time_to_wait(limited):
    client = limited(key=5)()
    answers = [client.get(PERSONAL) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == [
        "r=4",
        "r=3",
        "r=2",
        "r=1",
        "r=0",
        "r=0",
    ]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"key";q=5;w=60'}
    last = answers[-1]
    assert last.json()["type"] == "urn:iit:problem:quota-exceeded"
    assert int(last.headers["retry-after"]) >= int(re.search(r"t=(\d+)", last.headers["ratelimit"])[1]) >= 1


def test_the_keys_of_a_tenant_share_the_tenants_quota_and_no_other_tenant_does(limited, make_tenant):
    client_of = limited(tenant=4, key=3)
    crowded = make_tenant()
    first, other = client_of(crowded), client_of()
    assert [first.get(PERSONAL).status_code for _ in range(4)] == [200, 200, 200, 429]
    created = first.post("/v1/keys", json={"name": "second", "permissions": ["patients.read"]})
    assert created.status_code == 429
    assert other.get(PERSONAL).status_code == 200


def test_a_rejected_request_counts_to_no_quota():
    counts = counter()
    shared, own = Quota("tenant", f"t-{id(counts)}", 3), Quota("key", f"k-{id(counts)}", 1)
    taken = take(counts, [own, shared], times=4)
    assert [one.error is None for one in taken] == [True, False, False, False]
    assert [one.error is None for one in take(counts, [shared], times=3)] == [True, True, False]


def test_two_processes_count_together():
    one, two = counter(), counter()
    quota = Quota("person", f"p-{id(one)}", 4)
    outcomes = [take(process, [quota])[0].error is None for process in (one, two, one, two, one, two)]
    assert outcomes == [True] * 4 + [False] * 2


def test_pages_count_too_and_what_has_no_credential_is_not_counted(limited):
    client = limited(key=1)()
    assert [client.get("/health/live").status_code for _ in range(3)] == [200] * 3
    assert "ratelimit" not in client.get("/openapi.json").headers
    assert [client.get(PERSONAL).status_code for _ in range(2)] == [200, 429]


def test_redis_names_no_address(limited):
    limited(address=9)().get(PERSONAL)
    import redis

    keys = redis.Redis.from_url(ensure().redis_url).keys("iit:quota:*")
    assert keys
    assert all(re.fullmatch(rb"iit:quota:[0-9a-f]{32}", key) for key in keys)


class TestWithoutRedis:
    def test_reads_are_not_limited_and_writes_by_each_process(self, monkeypatch):
        without_redis(monkeypatch)
        counts = counter()
        quota = [Quota("person", "person:1", 2)]
        assert [one.error for one in take(counts, quota, "GET", 5)] == [None] * 5
        assert [one.error is None for one in take(counts, quota, "POST", 4)] == [True, True, False, False]

    def test_redis_is_asked_again_after_a_pause(self, monkeypatch):
        clock = SimpleNamespace(now=100.0)
        monkeypatch.setattr(instances, "clock", lambda: clock.now)
        counts = counter()
        quota = [Quota("person", f"person:{id(counts)}", 2)]
        with monkeypatch.context() as gone:
            without_redis(gone)
            assert take(counts, quota)[0].headers == []
        assert take(counts, quota)[0].headers == []
        clock.now += REDIS_QUOTAS.breaker.open_seconds
        assert dict(take(counts, quota)[0].headers)[b"ratelimit-policy"] == f'"person";q=2;w={WINDOW}'.encode()

    def test_the_api_still_answers(self, limited, monkeypatch):
        client = limited(key=2)()
        without_redis(monkeypatch)
        answers = [client.get(PERSONAL) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200] * 4
        assert {answer.headers["x-fallback"] for answer in answers} == {"requests-not-limited"}

    def test_a_redis_that_hangs_is_asked_by_few_requests(self, monkeypatch):
        asked = []
        counts = counter()

        def hang(*_, **__):
            asked.append(1)
            raise TimeoutError

        monkeypatch.setattr(quotas.Redis, "from_url", hang)
        with collecting_fallbacks() as used:
            take(counts, [Quota("person", "person:1", 2)], times=50)
        assert len(asked) == 1
        assert used == {"requests-not-limited"}
