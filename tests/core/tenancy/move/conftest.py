"""Servers of these modules' own with a second data database, tenants, and one who writes all the while."""

import secrets
import threading

import pytest
from psycopg.types.json import Jsonb

from core import audit, metering
from core.database import TenantMoving, dispose, tenant_session
from core.database.upgrade import migrate
from core.jobs import enqueue
from core.services.manager import add_database
from core.tenancy import create_tenant, get_tenant
from tests.core.jobs.conftest import acts, ask  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def east(own_services):
    """The name of another data database."""
    add_database("east")
    dispose()
    migrate()
    return "east"


@pytest.fixture
def make(own_services):
    """Makes a tenant."""

    def make_tenant(**options):
        return create_tenant(f"moved-{secrets.token_hex(4)}", "Partner", **options)

    return make_tenant


def put(session, key, value=1):
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%s, %s, now(), 't')"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, Jsonb(value)),
        )


def rows(tenant, statement, *values):
    with tenant_session(tenant, actor="test:1", readonly=True) as session, session.cursor() as cursor:
        return cursor.execute(statement, values).fetchall()


class Writer(threading.Thread):
    """Writes without pause, in one transaction each: inserts, updates, deletes, audit, a job, a use.

    ``expected`` holds the rows whose commit succeeded; ``rejected`` counts the errors that asked to retry.
    """

    def __init__(self, slug, name):
        super().__init__(name=name)
        self.slug, self.expected, self.deleted, self.rejected = slug, {}, set(), 0
        self.stopping, self.count, self.error = threading.Event(), 0, None

    def run(self):
        acts["nothing"] = lambda _context, _payload: None
        try:
            while not self.stopping.is_set():
                self.count += 1
                self.write(f"{self.name}-{self.count}", f"{self.name}-{self.count // 2}")
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.error = error

    def write(self, key, other):
        gone = f"{self.name}-{self.count - 7}" if self.count % 5 == 0 else None
        try:
            with tenant_session(get_tenant(self.slug), actor="test:1") as session:
                put(session, key, self.count)
                put(session, other, -self.count)
                if gone:
                    session.connection().exec_driver_sql("DELETE FROM tenant_settings WHERE key = %s", (gone,))
                audit.record(session, "api:audit:read", "audit", None, {"key": key})
                enqueue(session, "testing.act", {"act": "nothing"}, dedupe_key=key)
                metering.record(session, "imports", 1, key=key)
        except TenantMoving:
            self.rejected += 1
            self.stopping.wait(0.02)
            return
        self.expected |= {key: self.count, other: -self.count}
        if gone:
            self.expected.pop(gone, None)
            self.deleted.add(gone)

    def check(self, tenant):
        """All that was acknowledged is there, once, and nothing that was deleted."""
        stored = dict(rows(tenant, "SELECT key, value FROM tenant_settings WHERE key LIKE %s", f"{self.name}-%"))
        keys = {f"{self.name}-{number}" for number in range(1, self.count + 1)}
        assert self.error is None
        assert stored == self.expected
        for statement in (
            "SELECT dedupe_key FROM node.jobs WHERE dedupe_key LIKE %s",
            "SELECT detail ->> 'key' FROM audit_events WHERE detail ->> 'key' LIKE %s",
            "SELECT key FROM node.usage_events WHERE key LIKE %s",
        ):
            there = [row[0] for row in rows(tenant, statement, f"{self.name}-%")]
            assert len(there) == len(set(there)) == self.count - self.rejected
            assert set(there) <= keys


@pytest.fixture
def writing():
    """``writing(slug)`` lets one write to the tenant until it is stopped, or the test ends."""
    begun = []

    def begin(slug):
        begun.append(Writer(slug, f"w{len(begun)}"))
        begun[-1].start()
        return begun[-1]

    yield begin
    for writer in begun:
        writer.stopping.set()
        writer.join()
