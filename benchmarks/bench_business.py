"""Benchmark of money: uses rolled up to hours, invoices issued, and the question whether an extra is allowed.

``--scale full`` rolls up a million uses of 100 tenants over a month, and issues 1,000 invoices of 20 partners.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from benchmarks.measure import Ratio, compare, settled

if TYPE_CHECKING:
    from psycopg import Connection

    from core.database import TenantRef

SIZES = {"small": (20_000, 2, 10), "full": (1_000_000, 20, 50)}
"""Uses; partners; invoices of each."""

TRANSACTIONS = 20
USES = """
INSERT INTO node.usage_events (id, tenant_id, tenant_role, meter, value, key, recorded_at, occurred_at, dimensions)
SELECT gen_random_uuid(), lpad(to_hex(n %% 100), 32, '0')::uuid, 'bench_' || n %% 100, m.meter, 1 + n %% 7, 'use ' || n,
    now(), timestamptz '2026-01-01' + n %% 720 * interval '1 hour', m.dimensions::jsonb
FROM generate_series(%s::int, %s::int) AS n
JOIN (VALUES (0, 'sms_segments', '{"gateway": "termii"}'), (1, 'patients_scored', '{"model": "additive-3"}'),
    (2, 'api_calls', '{}'), (3, 'import_rows', '{}')) AS m (place, meter, dimensions) ON m.place = n %% 4
"""
BARE_HOURS = """
CREATE TABLE public.bare_hours AS
SELECT tenant_id, meter, date_trunc('hour', occurred_at, 'UTC') AS hour, dimensions, sum(value), count(*), max(value)
FROM node.usage_events WHERE tenant_role LIKE 'bench\\_%%' GROUP BY 1, 2, 3, 4
"""
TERMS = {
    "currency": "NGN",
    "base_fee": "50000",
    "meters": [
        {
            "meter": "sms_segments",
            "included": "100",
            "charge": {"model": "graduated", "tiers": [{"up_to": "1000", "unit_price": "4"}, {"unit_price": "3.5"}]},
        },
        {"meter": "patients_scored", "charge": {"model": "per_unit", "unit_price": "2.5"}},
    ],
}


def run() -> Iterator[Ratio]:
    """Show what a roll-up, an invoice and a decision cost over bare SQL and a bare dictionary."""
    uses, partners, invoices = SIZES[os.environ.get("IIT_BENCH_SCALE", "small")]
    yield _rolled_up(uses)
    tenants = [_partner() for _ in range(partners)]
    yield _issued(tenants, invoices)
    yield _allowed(tenants[0])


def _rolled_up(uses: int) -> Ratio:
    from core.database import owner_connection
    from core.metering.rollup import roll_up

    step = uses // TRANSACTIONS
    for start in range(0, uses, step):
        with owner_connection() as connection:
            connection.execute(USES, (start, start + step - 1))
    settled()
    began = time.perf_counter()
    while roll_up("default") is not None:
        pass
    ours = time.perf_counter() - began
    with owner_connection() as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS public")
        began = time.perf_counter()
        connection.execute(BARE_HOURS, ())
        bare = time.perf_counter() - began
        connection.execute("DROP TABLE public.bare_hours")
    return Ratio(f"{uses:,} uses rolled up to hours, over one statement of SQL", ours, bare)


def _partner() -> TenantRef:
    from billing.plans.schemas import AccountChange
    from billing.plans.service import Act, create_version, start_subscription, store_account
    from core.database import platform_session
    from core.tenancy import create_tenant

    act = Act("cli:benchmark", "cli")
    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
    with platform_session() as session:
        account = {"legal_name": "Benchmark", "time_zone": "Africa/Lagos"}
        store_account(session, tenant.id, AccountChange(), act=act, default=account)
        _, version = create_version(session, tenant.slug, TERMS, act=act)
        start_subscription(session, tenant.id, version, date(2018, 1, 1), act=act)
    return tenant


def _issued(tenants: list[TenantRef], invoices: int) -> Ratio:
    """Seconds for each invoice, over the bare inserts of its rows in one transaction."""
    from billing.invoices.loop import issue_for
    from core.clock import now
    from core.database import owner_connection

    documents = set()
    began = time.perf_counter()
    for tenant in tenants:
        for document in issue_for(tenant.id, now()):
            documents.add(document.id)
            if len(documents) % invoices == 0 and document.state == "final":
                break
    ours = (time.perf_counter() - began) / len(documents)
    with owner_connection() as connection:
        for table in ("invoices", "invoice_lines"):
            connection.execute(f"CREATE TABLE platform.bare_{table} (LIKE platform.{table} INCLUDING INDEXES)")
    began = time.perf_counter()
    for each in documents:
        with owner_connection() as connection:
            _copy(connection, "invoices", "id", each)
            _copy(connection, "invoice_lines", "invoice_id", each)
    bare = (time.perf_counter() - began) / len(documents)
    return Ratio(f"an invoice drafted and issued, of {len(documents):,}, over the inserts of its rows", ours, bare)


def _copy(connection: Connection, table: str, column: str, value: object) -> None:
    query = f"INSERT INTO platform.bare_{table} SELECT * FROM platform.{table} WHERE {column} = %s"  # noqa: S608 - fixed names
    connection.execute(query, (value,))


def _allowed(tenant: TenantRef) -> Ratio:
    from core.entitlements import allowed

    known = {tenant.id: True}
    return compare("an extra allowed", lambda: allowed(tenant, "sms"), lambda: known[tenant.id], calls=10_000)
