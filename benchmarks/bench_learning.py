"""Benchmark of the look at what became of people: the whole look of a night, and the one after an import.

``IIT_BENCH_SCALE=full`` takes 100,000 patients of 200 facilities with 400 days of lists of both kinds, ten people of
each facility on each of them: 1.6 million rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from benchmarks.measure import Ratio, settled
from benchmarks.night_cohort import ACTOR, END, make
from core.database import tenant_session
from core.jobs.worker import drain
from tenants.followup import learning

if TYPE_CHECKING:
    from core.database import TenantRef

_SIZES: Final = {"small": (2_000, 40), "full": (100_000, 400)}
_PLACES: Final = 10
_CHANGED: Final = 100
"""An import changes one patient in so many."""
_MOST_SECONDS: Final = {"night": 1_800, "import": 60}

_LISTS: Final = """
INSERT INTO worklists (uuid, kind, as_of, capacity, candidates, entries, model_version, scored_at, facilities,
                       issued_by, issued_at)
SELECT gen_random_uuid(), kind, %(last)s::date - back, %(places)s, 0, 0, 'bench', now(), '[]', 'cli:benchmark', now()
FROM generate_series(0, %(days)s::int - 1) AS back, unnest(ARRAY['at_risk', 'to_trace']) AS kind
"""
_ENTRIES: Final = """
INSERT INTO worklist_entries (uuid, worklist_uuid, patient_uuid, facility_uuid, rank, expected_date, days_late, score,
                              risk_level)
SELECT gen_random_uuid(), l.uuid, p.uuid, p.facility_uuid, place,
       l.as_of + CASE l.kind WHEN 'at_risk' THEN 3 ELSE -9 END, CASE l.kind WHEN 'at_risk' THEN 0 ELSE 9 END,
       0.5, 'high'
FROM (SELECT *, row_number() OVER (ORDER BY as_of, kind) AS number FROM worklists) AS l
JOIN (
  SELECT uuid, facility_uuid, row_number() OVER (PARTITION BY facility_uuid ORDER BY uuid) - 1 AS seat,
    count(*) OVER (PARTITION BY facility_uuid) AS seats FROM patients WHERE known_to IS NULL
) AS p ON true
CROSS JOIN LATERAL (SELECT 1 + (p.seat - l.number * %(places)s %% p.seats + p.seats) %% p.seats AS place) AS chosen
WHERE place <= %(places)s AND l.number BETWEEN %(first)s AND %(first)s + 19
ORDER BY l.number, place
"""


def run() -> Iterator[Ratio]:
    """Measure on a new tenant."""
    patients, days = _SIZES[os.environ.get("IIT_BENCH_SCALE", "small")]
    tenant = make(patients)
    rows = _issue(tenant, days)
    name = f"{rows:,} rows of lists of {patients:,} patients"
    settled()
    name, most = f"{rows:,} rows of lists of {patients:,} patients", _MOST_SECONDS
    yield Ratio(f"a look at all {name}, over {most['night']} s", _timed(tenant, whole=True), most["night"], target=1)
    changed = _change(tenant)
    name = f"a look after an import that changed {changed:,} of them and ended a window"
    yield Ratio(f"{name}, over {most['import']} s", _timed(tenant, whole=False), most["import"], target=1)


def _change(tenant: TenantRef) -> int:
    """Change some people's records, and let all facilities' records run one day further, as an import does."""
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        cursor.execute("UPDATE facilities SET complete_through = complete_through + 1")
        query = (
            "SELECT uuid FROM (SELECT uuid, row_number() OVER (ORDER BY uuid) AS n FROM patients) p WHERE n %% %s = 0"
        )
        people = [row[0] for row in cursor.execute(query, (_CHANGED,)).fetchall()]
        learning.records_changed(session, {"patient_ids": people})
    return len(people)


def _issue(tenant: TenantRef, days: int) -> int:
    """Issue lists of both kinds on each of the last days; return the rows of all of them."""
    facts = {"last": END, "days": days, "places": _PLACES}
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        cursor.execute(_LISTS, facts)
    rows = 0
    for first in range(1, 2 * days + 1, 20):
        with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
            rows += cursor.execute(_ENTRIES, facts | {"first": first}).rowcount
    return rows


def _timed(tenant: TenantRef, *, whole: bool) -> float:
    """Return the seconds of a look as its job takes it, on the day to which the records run."""
    with tenant_session(tenant, actor=ACTOR) as session:
        learning.request_learning(session, whole=whole)
    began = time.perf_counter()
    with patch.object(learning, "today", lambda _: END):
        drain(tenant)
    return time.perf_counter() - began
