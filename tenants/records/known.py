"""When a fact without a stamp was known: the SQL of the rule, for one that is inserted and for a chain that is rebuilt.

The rule in sentences is in README.md of this folder, under "Two times".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAYS = {
    "visits": "{row}.date_started",
    "encounters": "({row}.encounter_datetime AT TIME ZONE {zone})::date",
    "observations": "({row}.obs_datetime AT TIME ZONE {zone})::date",
    "dispensations": "{row}.date_dispensed",
    "appointments": "{row}.booked_on",
    "patient_states": "{row}.start_date",
}
WITHOUT_LAG = frozenset({"appointments"})
"""A booking is known when it is made."""

# A full list of the same kind, of before the first that has the fact, covers its day and lacks it.
_LACKED = sql.SQL("""
EXISTS (
    SELECT FROM record_coverage AS lc JOIN record_runs AS lr ON lr.number = lc.number
    WHERE lc.facility_uuid = {facility} AND lc.table_name = {table_name} AND lc.covers_from <= {day}
      AND lr.source = {source} AND lr.kind = ANY({kinds}) AND NOT lr.undone AND lr.data_date < {first_date}
      AND {assumed} <= lr.data_date
      AND NOT EXISTS (SELECT FROM record_gaps AS lg WHERE lg.patient_uuid = {patient} AND lg.number = lc.number)
)""")

# A status list that gives the person's last pick-up knows of no later one up to its own day, less the lag.
_NOT_THE_LAST = sql.SQL("""
EXISTS (
    SELECT FROM radet_snapshots AS ls
    WHERE ls.patient_uuid = {patient} AND ls.source = {source} AND ls.last_pickup < {day}
      AND {assumed} <= ls.data_date AND ls.data_date < {first_date}
)""")


def event_day(table: str, row: str, time_zone: str) -> sql.Composable:
    """The day on which a row's event happened, where the tenant is."""
    return sql.SQL(_DAYS[table]).format(row=sql.Identifier(row), zone=sql.Literal(time_zone))


def lacked(table: str, parts: Mapping[str, sql.Composable]) -> sql.Composable:
    """The condition that an earlier list would have had the fact, and has not: it was known at ``first_date`` only.

    Args:
        table: name of the table.
        parts: expressions: ``facility``, ``source``, ``patient``, ``kinds`` (array), ``day``, ``assumed`` (the day and
            the lag), ``first_date`` (of the first list that has it).
    """
    known = {**parts, "table_name": sql.Literal(table)}
    either = _LACKED.format(**known)
    if table != "dispensations":
        return either
    return sql.SQL("({} OR {})").format(either, _NOT_THE_LAST.format(**known))
