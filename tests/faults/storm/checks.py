"""What must hold after a storm: each acknowledged write has one effect, each other one at most, and nothing waits."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from core.audit.verify import verify
from core.database import node_session, platform_session, psycopg_connection, tenant_session
from tests.faults.job_worker import STEPS  # and the kinds of jobs

if TYPE_CHECKING:
    from core.database import TenantRef
    from tests.faults.storm.load import Ledger

SETTLED_WITHIN = 300.0
"""Seconds after the storm within which every job has ended."""

_FACILITIES = "SELECT name, count(*) FROM facilities WHERE name LIKE 'S%' GROUP BY name"
_KEYS = "SELECT name, count(*) FROM platform.api_keys WHERE tenant_id = %s AND name LIKE 'S%%' GROUP BY name"
_IMPORTS = (
    "SELECT replace(import_files.name, '.csv', ''), count(*) FROM imports JOIN import_files"
    " ON import_files.import_uuid = imports.uuid GROUP BY 1"
)
_STEPS = "SELECT key, value::int FROM tenant_settings WHERE key LIKE 'S%'"
_NOTED = "SELECT detail ->> 'effect', count(*) FROM audit_events WHERE action = 'test:job:act' GROUP BY 1"
_AUDITED = (
    "SELECT 'facility', (SELECT count(*) FROM facilities WHERE name LIKE 'S%%'),"
    " (SELECT count(DISTINCT subject_uuid) FROM audit_events WHERE action = 'api:facility:create'),"
    " (SELECT count(*) FROM audit_events WHERE action = 'api:facility:create')"
    " UNION ALL SELECT 'key', %s, count(DISTINCT subject_uuid), count(*) FROM audit_events"
    " WHERE action = 'api:api_key:create'"
)
_IMPORTED = "SELECT uuid::text, rows_read FROM imports WHERE state = 'done'"
_USED = "SELECT key, meter, sum(value), count(*) FROM node.usage_events WHERE tenant_role = %s GROUP BY key, meter"
_DUE = "(state IN ('sent', 'running') OR state = 'queued' AND run_after < now() + interval '1 minute')"
WAITING = f"SELECT count(*) FROM node.jobs WHERE {_DUE}"  # noqa: S608 - constants
"""Counts the jobs that wait or run, those that are due much later left out."""

_FACTS = "kind, state, attempts, suspicion, interruptions, sends, error"
_STUCK = f"SELECT {_FACTS} FROM node.jobs WHERE {_DUE} ORDER BY id LIMIT 20"  # noqa: S608 - constants
_ENDED = "SELECT state, count(*) FROM node.jobs WHERE state <> 'queued' GROUP BY state"
_UNTOLD = (
    "SELECT count(*) FROM node.jobs WHERE state = 'dead' AND NOT EXISTS (SELECT FROM node.dead_letters"
    " WHERE dead_letters.job_id = jobs.id)"
)
_DEAD_CURSORS = "SELECT count(*) FROM node.jobs WHERE state = 'dead' AND kind = 'faults.steps'"


def wait_until_settled() -> float:
    """Wait until no job waits or runs; return the seconds that it took.

    Raises:
        AssertionError: some still do.
    """
    began = time.monotonic()
    calm = 0
    while calm < 3:  # an event may still become a job
        calm = calm + 1 if due() == 0 else 0
        assert time.monotonic() - began < SETTLED_WITHIN, f"jobs wait for ever: {_node(_STUCK)}"
        time.sleep(0.3)
    return time.monotonic() - began


def due() -> int:
    """Return how many jobs wait or run."""
    return int(_node(WAITING)[0][0])


def losses(tenant: TenantRef, ledger: Ledger) -> list[str]:
    """Return a sentence for each promise that was broken; none if all held."""
    broken: list[str] = []
    ended: Counter[str] = Counter(dict(_node(_ENDED)))
    counted = {
        "facility": dict(_tenant(tenant, _FACILITIES)),
        "key": _keys(tenant),
        "import": dict(_tenant(tenant, _IMPORTS)),
    }
    for kind, times_there in counted.items():
        broken += [
            f"{kind} {name} was acknowledged and is there {times_there.get(name, 0)} times"
            for name in ledger.acknowledged.get(kind, ())
            if times_there.get(name, 0) != 1
        ]
        broken += [f"{kind} {name} is there {times} times" for name, times in times_there.items() if times > 1]
    broken += _of_jobs(tenant, ledger)
    broken += _of_events(tenant, ledger)
    broken += _of_audit(tenant, sum(counted["key"].values()))
    broken += _of_usage(tenant)
    untold = _node(_UNTOLD)[0][0]
    if untold:
        broken.append(f"{untold} dead jobs have no dead letter")
    if stray := set(ended) - {"done", "dead"}:
        broken.append(f"jobs ended as {sorted(stray)}")
    return broken


def ended_jobs() -> dict[str, int]:
    """Return how many jobs ended, by state."""
    return dict(_node(_ENDED))


def _of_jobs(tenant: TenantRef, ledger: Ledger) -> list[str]:
    steps = dict(_tenant(tenant, _STEPS))
    short = [name for name in ledger.acknowledged.get("job", ()) if steps.get(name, 0) < STEPS]
    broken = [f"job {name} took {times} steps" for name, times in steps.items() if times > STEPS]
    dead = _node(_DEAD_CURSORS)[0][0]
    if len(short) > dead:
        broken.append(f"{len(short)} acknowledged jobs did not end, of which {dead} are dead letters: {short[:5]}")
    return broken


def _of_events(tenant: TenantRef, ledger: Ledger) -> list[str]:
    noted = dict(_tenant(tenant, _NOTED))
    return [
        f"event {name} was acknowledged and never delivered"
        for name in ledger.acknowledged.get("event", ())
        if not noted.get(str(ledger.event_ids[name]))
    ]


def _of_audit(tenant: TenantRef, keys: int) -> list[str]:
    # The audit of a key is in the tenant's schema and commits before the key: a kill between them leaves an entry more.
    broken = [
        f"{kind}: {rows} rows, and the audit tells of {subjects} in {events} events"
        for kind, rows, subjects, events in _tenant(tenant, _AUDITED, keys)
        if subjects != events or rows > subjects or (kind == "facility" and rows != subjects)
    ]
    chain = verify(tenant)
    return broken + [f"audit: {problem}" for problem in chain.problems]


def _of_usage(tenant: TenantRef) -> list[str]:
    used = {(key, meter): (value, times) for key, meter, value, times in _node(_USED, tenant.role_name)}
    imported = dict(_tenant(tenant, _IMPORTED))
    broken = []
    for key, rows in imported.items():
        for meter, value in (("imports", 1), ("import_rows", rows)):
            if used.get((key, meter)) != (value, 1):
                broken.append(f"import {key} used {value} of {meter}; the ledger has {used.get((key, meter))}")
    strangers = {key for key, meter in used if meter == "imports"} - set(imported)
    return broken + [f"the ledger counts the import {key}, which is not done" for key in sorted(strangers)]


def _keys(tenant: TenantRef) -> dict[str, int]:
    with platform_session() as session:
        return dict(psycopg_connection(session).execute(_KEYS, (tenant.id,)).fetchall())


def _tenant(tenant: TenantRef, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with tenant_session(tenant, actor="test:storm") as session, session.cursor() as cursor:
        return cursor.execute(statement, values or None).fetchall()


def _node(statement: str, *values: object) -> list[tuple[Any, ...]]:
    with node_session() as session:
        return psycopg_connection(session).execute(statement, values or None).fetchall()
