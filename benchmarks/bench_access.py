"""Benchmark of one decision, "may this person do this?", compared with Casbin's answer to the same question.

Our way is what the boundary does after its look-up: join the compiled sets of the person's roles, and look for the
permission. A thousand tenants with roles of their own take turns, so no tenant's sets stay in the processor's caches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from statistics import median
from typing import Final
from uuid import uuid4

from benchmarks.measure import Ratio

TENANTS: Final = 1_000
LIMIT_SECONDS: Final = 20e-6
CALLS: Final = {"small": (20_000, 100, 5), "full": (200_000, 1_000, 50)}
ASKED: Final = "jobs.read"


def run() -> Iterator[Ratio]:
    """Compare decisions for 1,000 tenants in turns with Casbin's, with the rules of one tenant and with all rules."""
    from core.access.policy import enforcer_of
    from core.database import TenantRef
    from core.identity.tenant_roles.compiled import OwnRolesVersion, RoleRules, compile_roles, permissions_of, remember

    ours_calls, one_calls, all_calls = CALLS[os.environ.get("IIT_BENCH_SCALE", "small")]
    own = [
        RoleRules("lead", ("case_manager",), ("jobs.read",)),
        RoleRules("clerk", ("data_officer",), ("audit.read",)),
        RoleRules("mentor", ("viewer", "clinician"), ("settings.read",)),
    ]
    tenants = [
        TenantRef(uuid4(), f"bench-{number}", "Benchmark", schema, schema, "default", "active", "Africa/Lagos")
        for number, schema in enumerate(f"t_{number:020x}" for number in range(TENANTS))
    ]
    at, roles = OwnRolesVersion(1), ["lead", "tracking_officer"]
    for tenant in tenants:
        remember(tenant, at, compile_roles(own), time.monotonic())
    rotation = cycle(tenants)

    def ours() -> None:
        if ASKED not in permissions_of(next(rotation), roles, at):
            raise AssertionError

    domain = str(tenants[-1].id)
    members = [("person", role, domain) for role in roles]
    one = enforcer_of({domain: own}, members)
    every = enforcer_of({str(tenant.id): own for tenant in tenants}, members)
    p50 = _p50(ours, ours_calls)
    name = f"a decision, p50, {TENANTS:,} tenants"
    yield Ratio(f"{name}, over its limit of 20 µs", p50, LIMIT_SECONDS, target=1.0)
    yield Ratio(
        f"{name}, over Casbin with the rules of one", p50, _p50(lambda: one.enforce("person", domain, ASKED), one_calls)
    )
    yield Ratio(
        f"{name}, over Casbin with the rules of all",
        p50,
        _p50(lambda: every.enforce("person", domain, ASKED), all_calls),
    )


def _p50(way: Callable[[], object], calls: int) -> float:
    way()
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        way()
        times.append(time.perf_counter() - began)
    return median(times)
