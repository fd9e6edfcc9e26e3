"""Benchmark of a quarter's MER indicators by facility, sex and age, compared with one SQL statement for the main ones.

``IIT_BENCH_SCALE=full`` takes 100,000 patients. The bare statement counts TX_CURR (start and end), TX_NEW, TX_RTT,
TX_ML and TX_PVLS from the same status table; ours counts all terms, with lengths of interruption and reconciliation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import date
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.measure import Ratio
from benchmarks.night_cohort import ACTOR, analyse, make
from core.database import tenant_session
from core.tenancy import settings as tenant_settings
from tenants.cohort.calendar import Period
from tenants.cohort.service import Rebuild, indicator_report, rebuild_step

if TYPE_CHECKING:
    from core.database import TenantRef

_SIZES: Final = {"small": 5_000, "full": 100_000}
_ROUNDS: Final = 5
_QUARTER: Final = Period(date(2026, 1, 1), date(2026, 3, 31))
_BY: Final = ("facility", "sex", "age")

_BARE: Final = """
WITH moves AS (
    SELECT patient_uuid,
           (array_agg(to_status ORDER BY seq DESC) FILTER (WHERE date < %(start)s))[1] AS before,
           (array_agg(to_status ORDER BY seq DESC) FILTER (WHERE date <= %(end)s))[1] AS now,
           bool_or(reason = 'new' AND from_status = 'none' AND date BETWEEN %(start)s AND %(end)s) AS new
    FROM status_transitions GROUP BY patient_uuid
), loads AS (
    SELECT DISTINCT ON (patient_uuid) patient_uuid, value_numeric AS value FROM observations
    WHERE known_to IS NULL AND NOT voided AND variable_name = 'viral_load' AND value_numeric IS NOT NULL
      AND obs_datetime >= (%(end)s::timestamp + interval '1 day' - interval '12 months') AT TIME ZONE %(zone)s
      AND obs_datetime < (%(end)s::timestamp + interval '1 day') AT TIME ZONE %(zone)s
    ORDER BY patient_uuid, obs_datetime DESC
)
SELECT p.facility_uuid, p.sex, width_bucket(extract(year FROM age(%(end)s, p.birthdate))::int, ARRAY[
           1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65]),
       count(*) FILTER (WHERE before = 'active') AS tx_curr_start,
       count(*) FILTER (WHERE now = 'active') AS tx_curr,
       count(*) FILTER (WHERE new) AS tx_new,
       count(*) FILTER (WHERE before IN ('iit', 'stopped') AND now = 'active') AS tx_rtt,
       count(*) FILTER (WHERE (before = 'active' OR new) AND now = 'died') AS died,
       count(*) FILTER (WHERE (before = 'active' OR new) AND now = 'iit') AS iit,
       count(*) FILTER (WHERE (before = 'active' OR new) AND now = 'transferred_out') AS transferred_out,
       count(*) FILTER (WHERE (before = 'active' OR new) AND now = 'stopped') AS stopped,
       count(*) FILTER (WHERE now = 'active' AND v.value IS NOT NULL
                        AND p.art_start_date <= %(end)s::date - interval '3 months') AS pvls_d,
       count(*) FILTER (WHERE now = 'active' AND v.value < 1000
                        AND p.art_start_date <= %(end)s::date - interval '3 months') AS pvls_n
FROM patients AS p JOIN moves AS m ON m.patient_uuid = p.uuid LEFT JOIN loads AS v ON v.patient_uuid = p.uuid
WHERE p.known_to IS NULL AND NOT p.voided
GROUP BY 1, 2, 3
"""


def run() -> Iterator[Ratio]:
    """Compare on a new tenant, whose status table is built first."""
    patients = _SIZES[os.environ.get("IIT_BENCH_SCALE", "small")]
    tenant = make(patients)
    _build(tenant)
    took: dict[str, list[float]] = {"ours": [], "bare": []}
    counts: dict[str, int] = {}
    for _ in range(_ROUNDS):
        for kind, way in (("ours", _ours), ("bare", _bare)):
            began = time.perf_counter()
            counts[kind] = way(tenant)
            took[kind].append(time.perf_counter() - began)
    if counts["ours"] != counts["bare"]:
        message = f"TX_CURR is {counts['ours']} and in bare SQL {counts['bare']}"
        raise RuntimeError(message)
    name = f"MER indicators of a quarter, {patients:,} patients, by facility, sex and age, over bare SQL"
    yield Ratio(name, median(took["ours"]), median(took["bare"]))


def _build(tenant: TenantRef) -> None:
    with tenant_session(tenant, actor=ACTOR) as session:
        tenant_settings.put(session, Rebuild(pending=True))
    more = True
    while more:
        with tenant_session(tenant, actor=ACTOR) as session:
            more = rebuild_step(session)
    analyse(tenant)


def _ours(tenant: TenantRef) -> int:
    """TX_CURR of all groups."""
    with tenant_session(tenant, actor=ACTOR) as session:
        return sum(counts["TX_CURR"] for _, counts in indicator_report(session, _QUARTER, _BY).rows)


def _bare(tenant: TenantRef) -> int:
    facts: dict[str, Any] = {"start": _QUARTER.start, "end": _QUARTER.end, "zone": tenant.time_zone}
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        return sum(row[4] for row in cursor.execute(_BARE, facts).fetchall())
