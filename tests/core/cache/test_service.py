"""What operators see of caches, and emptying one, by command."""

import json

import pytest

from core.audit.platform import acts
from core.cache import service, store
from core.cli.main import run as iit
from core.errors import NotFound
from tests.core.cache.conftest import SAMPLES


@pytest.fixture
def known(samples, monkeypatch):
    monkeypatch.setattr(service, "caches", lambda: {samples.name: samples})


def state():
    (cache,) = service.list_caches()
    return cache


def test_a_cache_is_counted_and_emptied_for_one_tenant_or_all(sample, known, make_tenant, capsys):
    store._run(lambda client: client.delete(f"{store.PREFIX}:counts:{SAMPLES.name}"))
    sample.get()
    sample.get()
    assert (state().counts, state().hit_percent) == (store.Counts(answers=1, tenants=1, hits=1, misses=1), 50.0)
    other = make_tenant().ref
    assert service.empty(SAMPLES.name, tenant=other, actor="test:1") == 0
    assert iit(["cache", "empty", SAMPLES.name, "--tenant", sample.tenant.slug, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == 1
    (act,) = acts(tenant_id=sample.tenant.id, limit=1)
    assert (act["action"], act["detail"]) == ("cli:cache:empty", {"cache": SAMPLES.name, "answers": 1})
    assert state().counts.answers == 0
    sample.get()
    assert service.empty(SAMPLES.name, tenant=None, actor="test:1") == 1
    assert iit(["cache", "show"]) == 0
    assert SAMPLES.name in capsys.readouterr().out


def test_without_redis_the_caches_are_shown_without_counts(known, monkeypatch):
    def away(*_):
        raise store.StoreAway

    monkeypatch.setattr(store, "counts", away)
    assert (state().counts, state().hit_percent) == (None, None)


def test_an_unknown_cache_is_named(known):
    with pytest.raises(NotFound):
        service.empty("tests.nothing", tenant=None, actor="test:1")
