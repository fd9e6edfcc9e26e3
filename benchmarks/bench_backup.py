"""Benchmark of backups and moves of one tenant, compared with pg_dump and COPY; and of pg_dump among N tenants."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from psycopg import sql

from benchmarks.measure import Ratio, compare
from core.database import TenantRef, dispose, owner_connection, tenant_session
from core.database.engines import login_url
from core.database.upgrade import migrate
from core.services.manager import add_database
from core.tenancy import create_tenant, get_tenant
from core.tenancy.backup.dump import dump_command, environment
from core.tenancy.backup.saving import backup
from core.tenancy.move.service import move

_TENANTS = {"small": 50, "full": 1_000}
_ROWS = {"small": 20_000, "full": 200_000}
_ROUNDS = 3
_ACTOR = "cli:benchmark"
_OTHER = "bench"


def run(tenants: int | None = None, rows: int | None = None) -> Iterator[Ratio]:
    """Make ``tenants`` tenants and compare on one of them, which has ``rows`` rows of contacts."""
    scale = os.environ.get("IIT_BENCH_SCALE", "small")
    among, many = tenants or _TENANTS[scale], rows or _ROWS[scale]
    refs = [create_tenant(f"bench-{secrets.token_hex(6)}", "Benchmark").ref for _ in range(among)]
    one, url = refs[-1], login_url("owner")
    with tempfile.TemporaryDirectory() as folder:

        def dump(*, planner: bool) -> None:
            file = Path(folder) / "bare.dump"
            command = [*dump_command(url, one.schema_name, None), f"--file={file}"]
            subprocess.run(command, check=True, env=environment(url, planner=planner))  # noqa: S603 - our own program

        name = f"pg_dump of one empty tenant among {among:,}, over the same without the planner's setting"
        yield compare(name, lambda: dump(planner=True), lambda: dump(planner=False), calls=1, rounds=_ROUNDS)
        _fill(one, many)
        name = f"sealed backup of {many:,} contacts, all checksums taken, over pg_dump"
        file = Path(folder) / "ours.iitbackup"
        yield compare(name, lambda: backup(one.slug, file), lambda: dump(planner=True), calls=1, rounds=_ROUNDS)
    add_database(_OTHER)
    dispose()
    migrate()
    blocked: list[float] = []

    def there_or_back() -> None:
        present = get_tenant(one.slug)
        blocked.append(move(one.slug, _OTHER if present.database == "default" else "default").blocked_seconds)

    name = f"move of {many:,} contacts, all compared, over COPY to COPY into indexed tables"
    yield compare(name, there_or_back, lambda: _copied(get_tenant(one.slug), many), calls=1, rounds=_ROUNDS)
    median_blocked = sorted(blocked)[len(blocked) // 2]
    yield Ratio(f"of a move of {many:,} contacts: writers blocked, over a second", median_blocked, 1.0)


def _fill(tenant: TenantRef, rows: int) -> None:
    with tenant_session(tenant, actor=_ACTOR) as session, session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts (contact_id, patient_uuid, contact_date, facility_uuid, clinical, pickup,"
            " days_supplied, regimen, known_from)"
            " SELECT gen_random_uuid(), md5((n / 20)::text)::uuid, date '2020-01-01' + (n %% 20) * 30, md5('f')::uuid,"
            " true, true, 30, 'TLD', now() FROM generate_series(1, %s) AS n",
            (rows,),
        )
    with owner_connection(tenant.database) as connection:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(tenant.schema_name, "contacts")))


def _copied(tenant: TenantRef, rows: int) -> None:
    """Copy the rows by COPY from one connection to another, into a table with the same indexes; roll back."""
    source = sql.Identifier(tenant.schema_name, "contacts")
    with owner_connection(tenant.database) as old, owner_connection(tenant.database) as new:
        new.execute("CREATE SCHEMA bare")
        new.execute(sql.SQL("CREATE TABLE bare.contacts (LIKE {} INCLUDING ALL)").format(source))
        with old.cursor() as reading, new.cursor() as writing:
            with (
                reading.copy(sql.SQL("COPY {} TO STDOUT").format(source)) as out,
                writing.copy("COPY bare.contacts FROM STDIN") as into,
            ):
                for piece in out:
                    into.write(piece)
            if writing.rowcount != rows:
                message = f"{writing.rowcount} rows were copied, not {rows}"
                raise AssertionError(message)
        new.rollback()
