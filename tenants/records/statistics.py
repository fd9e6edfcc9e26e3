"""Count the records in a few statements, without reading any patient."""

from datetime import date
from typing import Any

from psycopg import Cursor, sql

from core.clock import today
from core.database import TenantSession
from tenants.records.days import end_of_day
from tenants.records.reach import whole_facility_within_reach_sql
from tenants.records.schemas import Count, FacilityCount, MonthCount, StatisticsOut
from tenants.records.vocabulary import AGE_BANDS

TABLES = (
    "patients",
    "patient_states",
    "visits",
    "encounters",
    "observations",
    "dispensations",
    "appointments",
    "contacts",
)
MONTHS = 24
NOT_RECORDED = "not recorded"

_BY_FACILITY = sql.SQL("""
SELECT f.datim_id, f.name, count(p.uuid), f.data_date
FROM facilities AS f LEFT JOIN patients AS p ON p.facility_uuid = f.uuid AND {known}
WHERE {facility_within_reach}
GROUP BY f.uuid ORDER BY f.name, f.datim_id
""")

_BY_SEX = sql.SQL("SELECT coalesce(sex, {none}), count(*) FROM patients AS p WHERE {known} GROUP BY 1 ORDER BY 1")

# People born on 29 February grow a year older on 1 March, as in age().
_BY_AGE = sql.SQL("""
SELECT extract(year FROM age({day}::date, p.birthdate))::int AS years, count(*)
FROM patients AS p WHERE {known} GROUP BY 1
""")

_BY_MONTH = sql.SQL("""
SELECT month, sum(visits)::int, sum(dispensations)::int, sum(contacts)::int FROM (
    SELECT date_trunc('month', date_started)::date AS month, count(*) AS visits, 0 AS dispensations, 0 AS contacts
    FROM visits AS p WHERE {known} GROUP BY 1
    UNION ALL
    SELECT date_trunc('month', date_dispensed)::date, 0, count(*), 0 FROM dispensations AS p WHERE {known} GROUP BY 1
    UNION ALL
    SELECT date_trunc('month', contact_date)::date, 0, 0, count(*) FROM contacts AS p WHERE {contacts_known} GROUP BY 1
) AS counted GROUP BY month ORDER BY month DESC LIMIT {months}
""")


def read_statistics(session: TenantSession, as_of: date | None) -> StatisticsOut:
    """Counts by table, facility, sex, age band and month, as known now or at the end of a day."""
    contacts_known = sql.SQL("{} AND {}").format(
        _known(session, as_of), whole_facility_within_reach_sql(session, "p.facility_uuid")
    )
    parts = {
        "facility_within_reach": whole_facility_within_reach_sql(session, "f.uuid"),
        "contacts_known": contacts_known,
        "known": sql.SQL("{} AND NOT p.voided").format(contacts_known),
        "none": sql.Literal(NOT_RECORDED),
        "day": sql.Literal(as_of or today(session.tenant.time_zone)),
        "months": sql.Literal(MONTHS),
    }
    with session.cursor() as cursor:
        return StatisticsOut(
            as_of=as_of,
            tables=_tables(cursor, parts),
            facilities=[
                FacilityCount(facility=datim_id, name=name, patients=patients, data_date=data_date)
                for datim_id, name, patients, data_date in cursor.execute(_BY_FACILITY.format(**parts))
            ],
            sexes=[Count(name=name, count=count) for name, count in cursor.execute(_BY_SEX.format(**parts))],
            age_bands=_bands(dict(cursor.execute(_BY_AGE.format(**parts)).fetchall())),
            months=[
                MonthCount(month=month, visits=visits, dispensations=dispensations, contacts=contacts)
                for month, visits, dispensations, contacts in cursor.execute(_BY_MONTH.format(**parts))
            ],
        )


def _known(session: TenantSession, as_of: date | None) -> sql.Composable:
    if as_of is None:
        return sql.SQL("p.known_to IS NULL")
    return sql.SQL("p.known_from < {0} AND (p.known_to IS NULL OR p.known_to >= {0})").format(
        sql.Literal(end_of_day(session.tenant, as_of)),
    )


def _tables(cursor: Cursor[Any], parts: dict[str, sql.Composable]) -> list[Count]:
    counts = [
        sql.SQL("SELECT {}, count(*) FROM {} AS p WHERE {}").format(
            sql.Literal(name),
            sql.Identifier(name),
            parts["contacts_known" if name == "contacts" else "known"],
        )
        for name in TABLES
    ]
    rows = dict(cursor.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall())
    return [Count(name=name, count=rows[name]) for name in TABLES]


def _bands(years: dict[int | None, int]) -> list[Count]:
    bands = [
        Count(name=label, count=sum(n for age, n in years.items() if age is not None and low <= max(age, 0) <= high))
        for label, low, high in AGE_BANDS[:-1]
    ]
    label, low, _ = AGE_BANDS[-1]
    oldest = Count(name=label, count=sum(n for age, n in years.items() if age is not None and age >= low))
    return [*bands, oldest, Count(name=NOT_RECORDED, count=years.get(None, 0))]
