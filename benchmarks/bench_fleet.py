"""Benchmark of a fleet: creating one tenant as the fleet grows, and migrating all, compared with the same bare DDL.

50 tenants; ``IIT_BENCH_SCALE=full``: 1,000.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from uuid import uuid4

import psycopg

from benchmarks.fleet_raw import Raw
from benchmarks.measure import Ratio, compare
from core.database import scripts, tenant_session, upgrade
from core.database.engines import kept_owner_connections
from core.services import ensure
from core.tenancy import create_tenant

_ROUNDS = 5
_TARGET = 1.5
_SECONDS = 2.0
_STEPS = 3
_NOTHING = "import os, psycopg; psycopg.connect(os.environ['BENCH_URL']).execute('{query}').fetchall()"
_VERSIONS = "SELECT schema_name, revision FROM node.tenant_schemas"
_OWN_ROLE = "tenant_role = current_user"
_INSERTS = 50
_USAGE = (
    "INSERT INTO node.usage_events (id, tenant_id, tenant_role, meter, value, key)"
    " VALUES (gen_random_uuid(), %s, %s, 'requests', 1, gen_random_uuid()::text)"
)
_SCRIPT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "{before}"


def upgrade() -> None:
    op.add_column("visits", sa.Column("bench_{token}", sa.Integer(), nullable=True))
    op.create_index("ix_bench_{token}", "visits", ["bench_{token}"])
"""


def run() -> Iterator[Ratio]:
    """Compare on a fleet that grows from nothing."""
    full = os.environ.get("IIT_BENCH_SCALE") == "full"
    size = 1000 if full else 50
    with psycopg.connect(ensure().database_owner_url, autocommit=True) as link:
        raw = Raw(link)
        yield from _provisioning(raw, size, (1, 100, 250, 500, 1000) if full else (1, 25, 50))
        yield _bound_insert(link)
        nothing = _nothing_to_do(size)
        yield nothing
        name = f"iit migrate, nothing to do for {size:,} tenants, over two seconds"
        yield Ratio(name, nothing.ours, _SECONDS, target=1.0)
        yield replace(_one_step(raw, size), target=_TARGET)


def _provisioning(raw: Raw, size: int, at: tuple[int, ...]) -> Iterator[Ratio]:
    """Make tenants until there are ``size``; measure around each count of ``at``."""
    for wanted in at:
        while (there := raw.tenants()) < wanted - 1 - 4 * _ROUNDS:
            _make()
        name = f"the tenant after {there:,}, over its DDL sent raw, each on a connection of its own"
        yield replace(compare(name, _make, raw.make_apart, calls=1, rounds=_ROUNDS), target=_TARGET)
        with kept_owner_connections():
            name = f"the tenant after {raw.tenants():,}, over its DDL sent raw, on connections that are kept"
            yield replace(compare(name, _make, raw.make, calls=1, rounds=_ROUNDS), target=_TARGET)
    while raw.tenants() < size:
        _make()


def _make() -> None:
    create_tenant(f"bench-{secrets.token_hex(8)}", "Benchmark")


def _bound_insert(link: psycopg.Connection[tuple[object, ...]]) -> Ratio:
    """Compare inserts under a row policy that looks up the role's tenant id with inserts under one on the role."""
    tenant = create_tenant(f"bench-{secrets.token_hex(8)}", "Benchmark").ref

    def insert(check: str) -> Callable[[], None]:
        def way() -> None:
            link.execute(f"ALTER POLICY own_rows ON node.usage_events WITH CHECK ({check})".encode())
            with tenant_session(tenant, actor="cli:benchmark") as session:
                cursor = session.cursor()
                for _ in range(_INSERTS):
                    cursor.execute(_USAGE, (tenant.id, tenant.role_name))

        return way

    bound = f"{_OWN_ROLE} AND tenant_id = (SELECT node.own_tenant_id())"
    name = f"{_INSERTS} rows of usage bound to role and id, over rows bound to the role"
    ratio = compare(name, insert(bound), insert(_OWN_ROLE), calls=1)
    link.execute(f"ALTER POLICY own_rows ON node.usage_events WITH CHECK ({bound})".encode())
    return ratio


def _nothing_to_do(size: int) -> Ratio:
    """Run the whole command, compared with a program that connects and reads the state of all tenants."""
    environment = {**os.environ, "BENCH_URL": ensure().database_owner_url}
    iit = [sys.executable, "-m", "core.cli", "migrate"]
    bare = [sys.executable, "-c", _NOTHING.format(query=_VERSIONS)]

    def call(command: list[str]) -> None:
        subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603

    name = f"iit migrate, nothing to do for {size:,} tenants, over connecting and asking"
    return compare(name, lambda: call(iit), lambda: call(bare), calls=1, rounds=_ROUNDS)


def _one_step(raw: Raw, size: int) -> Ratio:
    """Compare a migration of every tenant (ADD COLUMN, CREATE INDEX) with the same DDL, sent raw.

    Both use the same number of connections.
    """
    numbers = count(int(scripts.head("tenant")) + 1)
    connections = upgrade.default_options().connections
    with _trees() as folder:

        def ours() -> None:
            number = next(numbers)
            revision, before = f"{number:04}", f"{number - 1:04}"
            script = folder / "tenant" / "versions" / f"{revision}_bench.py"
            script.write_text(_SCRIPT.format(revision=revision, before=before, token=secrets.token_hex(4)))
            scripts.forget()
            done = upgrade.migrate()
            if done.failed or len(done.upgraded) < size:
                message = f"migrated {len(done.upgraded)} of {size}, failed {len(done.failed)}"
                raise RuntimeError(message)

        names = (f"bench_{uuid4().hex}" for _ in count())
        name = f"ADD COLUMN and an index in {size:,} tenants, over the same on {connections} connections"
        return compare(name, ours, lambda: raw.add_column(next(names), connections), calls=1, rounds=_STEPS)


@contextmanager
def _trees() -> Iterator[Path]:
    """A copy of the trees, to add revisions to."""
    original = scripts.MIGRATIONS
    with tempfile.TemporaryDirectory(prefix="iit-bench-trees-") as folder:
        shutil.copytree(original, Path(folder) / "migrations")
        scripts.MIGRATIONS = Path(folder) / "migrations"
        try:
            yield scripts.MIGRATIONS
        finally:
            scripts.MIGRATIONS = original
            scripts.forget()
