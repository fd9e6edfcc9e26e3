"""A cache of this process's own, over two rows of the tenant's settings, and an event that changes it."""

import os
from types import SimpleNamespace

import pytest
from psycopg.types.json import Jsonb

from core.cache import Cache, caches, declaration, generations, read, store
from core.database import tenant_session
from core.events import publish

EVENT = "samples.changed"
ROWS = ("sample_a", "sample_b")
SAMPLES = Cache(
    f"tests.samples_{os.getpid()}", "Numbers of the tests.", list[int], (EVENT,), wait_seconds=2.0, most_values=3
)


def write(session, row, value):
    """Write a number, and say so."""
    session.cursor().execute(
        "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%s, %s, now(), 'test:1')"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (row, Jsonb({"n": value})),
    )
    publish(session, EVENT, {})


def numbers(session):
    """The numbers as they are, without the cache."""
    rows = dict(
        session.cursor()
        .execute("SELECT key, (value ->> 'n')::int FROM tenant_settings WHERE key = ANY(%s)", (list(ROWS),))
        .fetchall()
    )
    return [rows.get(row, 0) for row in ROWS]


@pytest.fixture(autouse=True)
def samples(monkeypatch):
    """The cache, declared beside those of the features."""
    declared = {**caches(), SAMPLES.name: SAMPLES}
    for module in (declaration, generations):
        monkeypatch.setattr(module, "caches", lambda: declared)
    return SAMPLES


@pytest.fixture
def sample(module_tenant):
    """Reads and writes of the sample cache, in transactions of their own."""

    def open_session(**options):
        return tenant_session(module_tenant, actor="test:1", **options)

    def put(row, value):
        with open_session() as session:
            write(session, row, value)

    def get(compute=None, **parts):
        with open_session(readonly=True) as session:
            return read(session, SAMPLES, parts, compute or (lambda: numbers(session)))

    store.empty(SAMPLES.name)
    put(ROWS[0], 0)
    put(ROWS[1], 0)
    return SimpleNamespace(tenant=module_tenant, session=open_session, put=put, get=get)
