"""The dependencies of the kernel, each declared once; features declare theirs by ``Feature.dependencies``.

PostgreSQL is not among them: nothing works without it, and its pool bounds the wait (``IIT_DATABASE_POOL_TIMEOUT``).
"""

from __future__ import annotations

from typing import Final

from core.feature_registry import declared, resolve
from core.resilience.dependency import BreakerPolicy, Dependency

SIGN_IN_PROVIDERS: Final = Dependency(
    "sign_in_providers",
    "OpenID Connect providers of partners. Without one, its people cannot sign in with it; sessions go on.",
    timeout=10.0,
    at_once=4,
    at_once_per_tenant=4,
    breaker=BreakerPolicy(slow_seconds=5.0, open_seconds=10.0),
    retries=1,
    by_instance=True,
)
MAIL_SERVER: Final = Dependency(
    "mail_server",
    "The SMTP server. Without it, letters wait in their jobs.",
    timeout=20.0,
    at_once=8,
    at_once_per_tenant=4,
    breaker=BreakerPolicy(calls=3, window_seconds=120, open_seconds=15.0, longest_open_seconds=120.0),
)
NAME_SERVERS: Final = Dependency(
    "name_servers",
    "DNS, asked for the records that prove domains. Without it, no domain can be proved.",
    timeout=5.0,
    at_once=8,
    at_once_per_tenant=2,
    by_instance=True,
)
REDIS_QUOTAS: Final = Dependency(
    "redis_quotas",
    "Redis, which counts requests. Without it, reads are not limited, and each process counts writes for itself.",
    timeout=0.25,
    at_once=64,
    at_once_per_tenant=64,
    breaker=BreakerPolicy(failure_rate=0.05, calls=1, window_seconds=5, longest_open_seconds=5.0),
)
REDIS_JOBS: Final = Dependency(
    "redis_jobs",
    "Redis, which carries messages to workers. Without it, jobs wait in PostgreSQL.",
    timeout=10.0,
    breaker=BreakerPolicy(calls=3, window_seconds=10, open_seconds=1.0, longest_open_seconds=5.0),
)
REDIS_EVENTS: Final = Dependency(
    "redis_events",
    "Redis, which says at once that something happened. Without it, streams of events look every few seconds.",
    timeout=2.0,
    breaker=BreakerPolicy(calls=3, window_seconds=10, open_seconds=1.0, longest_open_seconds=5.0),
)
REDIS_CACHE: Final = Dependency(
    "redis_cache",
    "Redis, which keeps answers that are dear to compute, and how far tenants have written. Without it, answers are"
    " computed each time, and nothing is read on the replica.",
    timeout=0.25,
    at_once=64,
    at_once_per_tenant=32,
    breaker=BreakerPolicy(failure_rate=0.05, calls=1, window_seconds=5, longest_open_seconds=5.0),
)
DATABASE_REPLICA: Final = Dependency(
    "database_replica",
    "The replica of the database, where reports and indicators read. Without it, they read in the database.",
    timeout=600.0,
    at_once=64,
    at_once_per_tenant=32,
    breaker=BreakerPolicy(calls=3, window_seconds=30, open_seconds=5.0, longest_open_seconds=30.0),
)
FILE_STORE: Final = Dependency(
    "file_store",
    "The store of uploads, artifacts and exports, where it is another machine. Without it, imports and reports wait.",
    timeout=60.0,
    at_once=32,
    at_once_per_tenant=16,
    breaker=BreakerPolicy(window_seconds=60, open_seconds=10.0),
)
OWN: Final = (
    SIGN_IN_PROVIDERS,
    MAIL_SERVER,
    NAME_SERVERS,
    REDIS_QUOTAS,
    REDIS_JOBS,
    REDIS_EVENTS,
    REDIS_CACHE,
    DATABASE_REPLICA,
    FILE_STORE,
)


def dependencies() -> dict[str, Dependency]:
    """Return all dependencies of the kernel and of the installed features, by name.

    Raises:
        RuntimeError: two have one name.
    """
    of_features = declared(
        "dependency", lambda feature: ((each.name, each) for each in map(resolve, feature.dependencies))
    )
    own = {dependency.name: dependency for dependency in OWN}
    twice = sorted(own.keys() & of_features.keys())
    if twice:
        message = f"the kernel has dependencies of these names already: {', '.join(twice)}"
        raise RuntimeError(message)
    return own | of_features
