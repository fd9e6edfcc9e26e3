"""A made-up cohort, put straight into a tenant's tables by set-based SQL, and a model trained once on a small one.

People come every 28, 56 or 84 days, some of them carelessly; the more careless, the later. Everybody has the same
number of contacts, the last of them near the end; one in seven stopped coming. A fiftieth of the contacts was corrected
later, so that there are closed versions. Rows lie by patient, as an import of a facility's history leaves them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import psycopg
from psycopg import sql

from core.database import tenant_session
from core.services import ensure
from core.tenancy import create_tenant
from tenants.records.ids import new_uuid_sql

if TYPE_CHECKING:
    from core.database import TenantRef
    from tenants.risk.models import RiskModel

ACTOR: Final = "cli:benchmark"
END: Final = date(2026, 6, 1)
"""The day to which the records run."""
CONTACTS: Final = 20
_PER_FACILITY: Final = 500
_FILLED: Final = ("facilities", "patients", "contacts", "observations", "patient_states", "status_transitions")
_SAMPLE: Final = 2_500
_BATCH: Final = 50_000
_MANY: Final = 200_000
"""With more patients than this, indexes are created after the rows."""

_INDEXES: Final = """
SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid
WHERE t.relnamespace = %s::regnamespace AND t.relname = ANY(%s)
  AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
"""

_FACILITIES: Final = """
INSERT INTO facilities (uuid, version_id, datim_id, name, source, complete_through, data_date, created_at, updated_at)
SELECT lpad(to_hex(i), 32, '0')::uuid, gen_random_uuid(), 'BENCH' || i, 'Clinic ' || i, 'csv:bench', %(end)s, %(end)s,
       now(), now()
FROM generate_series(1, %(facilities)s::int) AS i
"""

_PEOPLE: Final = """
CREATE TEMPORARY TABLE people ON COMMIT DROP AS
SELECT i,
       (lpad(to_hex(1700000000000 + i), 12, '0') || '7' || substr(md5(i || 'p'), 1, 3) || '8'
        || substr(md5(i || 'q'), 1, 15))::uuid AS uuid,
       1 + i %% %(facilities)s AS facility,
       gap, careless,
       %(end)s::date - CASE WHEN random() < 0.85 THEN (random() * gap)::int
                            ELSE gap + (random() * 400)::int END AS ended
FROM (SELECT i, (ARRAY[28, 56, 84])[1 + (random() * 2.999)::int %% 3] AS gap, random() ^ 3 AS careless
      FROM generate_series(%(first)s::int, %(last)s::int) AS i) AS drawn
"""

_PATIENTS: Final = """
INSERT INTO patients (version_id, uuid, facility_uuid, source, source_key, known_from, data_date, row_hash, changed_by,
                      sex, birthdate, datim_id, art_start_date)
SELECT {new_uuid}, uuid, lpad(to_hex(facility), 32, '0')::uuid, 'csv:bench', decode(md5(i::text), 'hex'),
       ended - gap * %(contacts)s + time '06:00', %(end)s, 'h', 'cli:benchmark',
       CASE WHEN random() < 0.64 THEN 'F' ELSE 'M' END, DATE '1960-01-01' + (random() * 17000)::int,
       'BENCH' || facility,
       ended - gap * (%(contacts)s - 1)
FROM people ORDER BY i
"""

_CONTACTS: Final = """
WITH visits AS (
    SELECT p.*, k, ended - gap * (%(contacts)s - 1 - k)
           + CASE WHEN random() < careless * 0.7 THEN least(gap - 1, (random() * 80)::int)
                  ELSE (random() * 4)::int END AS day,
           random() < 0.02 AS corrected
    FROM people AS p CROSS JOIN generate_series(0, %(contacts)s::int - 1) AS k
), versions AS (
    SELECT v.*, false AS old FROM visits AS v WHERE day <= %(end)s
    UNION ALL SELECT v.*, true FROM visits AS v WHERE corrected AND day + 10 <= %(end)s
)
INSERT INTO contacts (contact_id, patient_uuid, contact_date, facility_uuid, clinical, pickup, days_supplied,
                      next_appointment, regimen, regimen_line, known_from, known_to, known_assumed)
SELECT {new_uuid}, uuid, day, lpad(to_hex(facility), 32, '0')::uuid, k %% 3 = 0, true, gap,
       CASE WHEN old THEN day + 30 ELSE day + gap END,
       CASE WHEN i %% 10 = 0 THEN 'TDF/3TC/EFV' WHEN i %% 33 = 0 THEN 'AZT/3TC/LPV/r' ELSE 'TDF/3TC/DTG' END,
       '1st line',
       CASE WHEN corrected AND NOT old AND day + 10 <= %(end)s THEN day + 10 ELSE day END + time '18:00',
       CASE WHEN old THEN day + 10 + time '18:00' END, false
FROM versions ORDER BY i, k
"""

_OBSERVATIONS: Final = """
INSERT INTO observations (version_id, uuid, facility_uuid, source, source_key, known_from, data_date, row_hash,
                          changed_by, patient_uuid, obs_datetime, variable_name, value_numeric, unit)
SELECT {new_uuid}, gen_random_uuid(), lpad(to_hex(facility), 32, '0')::uuid, 'csv:bench',
       decode(md5(i || ':' || k), 'hex'), seen + time '09:00', %(end)s, 'h', 'cli:benchmark', uuid, seen + time '09:00',
       (ARRAY['viral_load', 'weight', 'cd4'])[1 + k %% 3],
       CASE k %% 3 WHEN 0 THEN CASE WHEN random() < 0.1 + careless / 2 THEN 1000 + random() * 90000 ELSE 20 END
                   WHEN 1 THEN 45 + random() * 40 ELSE 150 + random() * 700 END,
       (ARRAY['copies/mL', 'kg', 'cells/mm3'])[1 + k %% 3]
FROM (SELECT p.*, k, ended - gap * (k / 3) * 3 AS seen FROM people AS p CROSS JOIN generate_series(0, 5) AS k) AS drawn
ORDER BY i, k
"""

_STATES: Final = """
INSERT INTO patient_states (version_id, uuid, facility_uuid, source, source_key, known_from, data_date, row_hash,
                            changed_by, patient_uuid, state, start_date)
SELECT {new_uuid}, gen_random_uuid(), lpad(to_hex(facility), 32, '0')::uuid, 'csv:bench',
       decode(md5(i || 's'), 'hex'), ended + 1 + time '09:00', %(end)s, 'h', 'cli:benchmark', uuid,
       CASE WHEN i %% 3 = 0 THEN 'died' ELSE 'transferred_out' END, ended + 1
FROM people WHERE i %% 25 = 0 AND ended < %(end)s ORDER BY i
"""


def make(patients: int, *, contacts: int = CONTACTS) -> TenantRef:
    """A tenant with so many patients, each with so many contacts, its tables analysed."""
    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
    facilities = max(5, patients // _PER_FACILITY)
    facts = {"end": END, "facilities": facilities, "contacts": contacts}
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        cursor.execute(_FACILITIES, facts)
    with _indexes_made_after(tenant) if patients > _MANY else nullcontext():
        for first in range(1, patients + 1, _BATCH):
            bounds = {"first": first, "last": min(patients, first + _BATCH - 1)}
            with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
                cursor.execute("SELECT setseed(%s)", (first / 1e9,))
                new_uuid = new_uuid_sql(cursor)
                for statement in (_PEOPLE, _PATIENTS, _CONTACTS, _OBSERVATIONS, _STATES):
                    cursor.execute(sql.SQL(statement).format(new_uuid=new_uuid), facts | bounds)
    analyse(tenant)
    return tenant


@contextmanager
def _indexes_made_after(tenant: TenantRef) -> Iterator[None]:
    """Drop the indexes of the tables to fill, except primary keys, and create the same ones again at the end.

    With the indexes in place, twenty million rows would take most of an hour.
    """
    with psycopg.connect(ensure().database_owner_url, autocommit=True) as link:
        indexes = link.execute(_INDEXES, (tenant.schema_name, list(_FILLED))).fetchall()
        for name, _ in indexes:
            link.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(tenant.schema_name, name)))
        yield
        link.execute("SET maintenance_work_mem = '1GB'")
        for _, definition in indexes:
            link.execute(definition)


def analyse(tenant: TenantRef) -> None:
    """Give the planner its statistics now, as autovacuum does within a minute."""
    with psycopg.connect(ensure().database_owner_url, autocommit=True) as link:
        for table in _FILLED:
            link.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(tenant.schema_name, table)))


def train_sample() -> tuple[TenantRef, str]:
    """Train the boosting model on its own small cohort. Return the tenant, and the version of the model."""
    from core import plugins
    from tenants.risk import service

    tenant = make(_SAMPLE)
    boosting = {"boosting": plugins.models()["boosting"]}
    with patch.object(plugins, "models", lambda _=None: boosting):
        training = service.train(tenant, lambda: tenant_session(tenant, actor=ACTOR))
    return tenant, next(str(model["version"]) for model in training.models if model["kind"] == "boosting")


def give_model(source: TenantRef, version: str, tenant: TenantRef) -> None:
    """Let a tenant score with another benchmark tenant's model."""
    from core import blobs
    from tenants.records.ids import new_uuid
    from tenants.risk import repository
    from tenants.risk.models import RiskModel
    from tenants.risk.registry import artifacts

    with tenant_session(source, actor=ACTOR) as session:
        row = repository.model_of_version(session, version)
        facts = row.model_dump()
    stored = blobs.put(tenant, "model.zip", blobs.get(source, facts["blob_key"], sha256=facts["blob_sha256"]))
    facts |= {"uuid": new_uuid(), "state": "preferred", "blob_key": stored.key, "blob_sha256": stored.sha256}
    with tenant_session(tenant, actor=ACTOR) as session:
        model: RiskModel = RiskModel(**facts)
        artifacts.sign(session, model)
        session.add(model)
